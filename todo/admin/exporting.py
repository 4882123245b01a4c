"""Rows as files: CSV, JSON and XLSX, a thousand rows at a time, no text of which is ever a formula."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET
from xlsxwriter import Workbook  # type: ignore[import-untyped]  # it has no annotations

from todo.admin.declaration import ModelAdmin, Resource, RowsAdmin
from todo.admin.fields import write_text
from todo.admin.rows import page_of
from todo.admin.schemas import Asked
from todo.admin.trail import Trail
from todo.audit import record

Pages = AsyncGenerator[list[Any], None]
Format = Literal["csv", "json", "xlsx"]
FORMATS: dict[str, str] = {
    "csv": "text/csv",  # Litestar adds the charset
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST = 100_000  # rows of one export; narrow the filter for the rest
PAGE = 1_000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # what makes a spreadsheet calculate, and our own mark


class Exporting(Trail):
    """The part of the service that writes files."""

    async def export(self, resource: str, asked: Asked | None = None, form: Format = "csv") -> AsyncIterator[bytes]:
        """The rows that match as a file, up to MOST of them; noted in the trail. Raises Forbidden, NotFound, Invalid.

        Everything wrong is found before the first byte.
        """
        asked, found = asked or Asked(), self.resource(resource, "export")
        self.require(found, "view")
        pages = self._pages(found, asked)
        first: list[Any] = await anext(pages, [])
        fields = [name for name, field in found.fields.items() if name not in found.hidden_from(self.actor)]
        details = {"format": form, "filters": asked.filters, "q": asked.q, "trash": asked.trash}
        async with self.transaction() as session:
            await record(session, self.actor, f"{resource}.export", resource, after=details)
        write = {"csv": _csv, "json": _json, "xlsx": _xlsx}[form]
        return write(fields, _chain(first, pages))

    async def _pages(self, resource: Resource, asked: Asked) -> Pages:
        """Page after page, whole rows."""
        if isinstance(resource, RowsAdmin):
            rows = await resource.rows(self.database, self.actor)
            yield page_of(resource, rows, msgspec.structs.replace(asked, limit=MOST, facets=False, cursor=None)).items
            return
        admin: ModelAdmin[Any] = self.registry.table(resource.name)
        reads, given, cursor = self.registry.reads(admin, self.actor), self.read_asked(admin, asked), None
        for _ in range(MOST // PAGE):
            page = await reads.whole(asked.trash).page(
                self.database.reads, given, sort=asked.sort or None, limit=PAGE, cursor=cursor, **self.standing
            )
            yield page.items
            cursor = page.next_cursor
            if cursor is None:
                return


async def _chain(first: list[Any], rest: Pages) -> Pages:
    async with aclosing(rest):  # a client may go away in the middle; each closes what it reads from
        yield first
        async for page in rest:
            yield page


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula; `unsafe` takes the mark away again."""
    return f"'{text}" if text.startswith(FORMULA) else text


def unsafe(text: str) -> str:
    """The text that `safe` made this of."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _cell(value: Any) -> str:
    if value is UNSET:
        return ""
    text = write_text(value)
    return text if isinstance(value, bool | int | float) else safe(text)


async def _csv(fields: Sequence[str], pages: Pages) -> AsyncIterator[bytes]:
    """With a byte order mark, so that Excel reads UTF-8."""
    async with aclosing(pages):
        yield b"\xef\xbb\xbf" + _lines([fields])
        async for page in pages:
            yield _lines([[_cell(getattr(row, name)) for name in fields] for row in page])


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


async def _json(fields: Sequence[str], pages: Pages) -> AsyncIterator[bytes]:
    """One array of objects."""
    opening = b"["
    async with aclosing(pages):
        async for page in pages:
            for row in page:
                values = {name: value for name in fields if (value := getattr(row, name)) is not UNSET}
                yield opening + b"\n" + msgspec.json.encode(values)
                opening = b","
    yield b"[]\n" if opening == b"[" else b"\n]\n"


async def _xlsx(fields: Sequence[str], pages: Pages) -> AsyncIterator[bytes]:
    """One sheet; written beside the event loop, a page at a time."""
    buffer = io.BytesIO()
    book = Workbook(buffer, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(fields):
        sheet.write_string(0, place, name)
    line = 1
    async with aclosing(pages):
        async for page in pages:
            await asyncio.to_thread(_write_page, sheet, fields, page, line)
            line += len(page)
    await asyncio.to_thread(book.close)
    yield buffer.getvalue()


def _write_page(sheet: Any, fields: Sequence[str], page: list[Any], line: int) -> None:
    for number, row in enumerate(page, line):
        for place, name in enumerate(fields):
            _write_cell(sheet, number, place, getattr(row, name))


def _write_cell(sheet: Any, line: int, place: int, value: Any) -> None:
    """A text is always written as a text, whatever it begins with."""
    match value:
        case None | msgspec.UnsetType():
            return
        case bool():
            sheet.write_boolean(line, place, value)
        case int() | float():
            sheet.write_number(line, place, value)
        case datetime():
            sheet.write_datetime(line, place, value.replace(tzinfo=None))
        case _:
            sheet.write_string(line, place, write_text(value)[:32_767])
