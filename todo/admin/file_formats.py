"""CSV, JSON and XLSX files: written a thousand rows at a time, where text never becomes a formula, and read."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import UNSET

from todo.admin.fields import write_text
from todo.admin.spreadsheets import xlsx_rows
from todo.errors import Invalid

Pages = AsyncGenerator[list[Any], None]
Format = Literal["csv", "json", "xlsx"]
FORMATS: dict[Format, str] = {
    "csv": "text/csv",  # Litestar adds the charset
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # start of a formula in spreadsheets, or our own escape


def safe(text: str) -> str:
    """Escape a text that a spreadsheet would treat as a formula. `unsafe` is the inverse."""
    return f"'{text}" if text.startswith(FORMULA) else text


def unsafe(text: str) -> str:
    """Remove the escape of `safe`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _cell(value: Any) -> str:
    if value is UNSET:
        return ""
    text = write_text(value)
    return text if isinstance(value, bool | int | float) else safe(text)


async def _csv(fields: Sequence[str], pages: Pages) -> AsyncIterator[bytes]:
    """Write CSV with a byte order mark, so that Excel reads it as UTF-8."""
    async with aclosing(pages):
        yield b"\xef\xbb\xbf" + _lines([fields])
        async for page in pages:
            yield _lines(_texts(fields, page))


def csv_of(fields: Sequence[str], rows: Sequence[Any]) -> str:
    """Return rows as CSV with a header."""
    return _lines([fields, *_texts(fields, rows)]).decode()


def _texts(fields: Sequence[str], rows: Sequence[Any]) -> list[list[str]]:
    return [[_cell(getattr(row, name)) for name in fields] for row in rows]


def csv_lines(rows: Sequence[Sequence[Any]], *, marked: bool = False) -> bytes:
    """Return cells as lines of a CSV file, the first ones `marked` so that Excel reads UTF-8."""
    return (b"\xef\xbb\xbf" if marked else b"") + _lines([[_cell(value) for value in row] for row in rows])


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


async def _json(fields: Sequence[str], pages: Pages) -> AsyncIterator[bytes]:
    """Write one array of objects."""
    opening = b"["
    async with aclosing(pages):
        async for page in pages:
            for row in page:
                values = {name: value for name in fields if (value := getattr(row, name)) is not UNSET}
                yield opening + b"\n" + msgspec.json.encode(values)
                opening = b","
    yield b"[]\n" if opening == b"[" else b"\n]\n"


async def _xlsx(fields: Sequence[str], pages: Pages) -> AsyncIterator[bytes]:
    """Write one sheet, a page at a time, outside the event loop."""
    from xlsxwriter import Workbook  # noqa: PLC0415 -- most commands write none

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
    """Write a cell. Text is always written as text, whatever it starts with."""
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


WRITERS: dict[str, Callable[[Sequence[str], Pages], AsyncIterator[bytes]]] = {"csv": _csv, "json": _json, "xlsx": _xlsx}


def csv_rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows of a CSV file as they are read. Raise Invalid."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.DictReader(text, strict=True)
    try:
        names = reader.fieldnames or []
        _check_header(names)
        for row in reader:
            if None in row or None in row.values():
                raise Invalid.field("body.csv", "Every row must have as many cells as the header.")
            yield {name: unsafe(text) for name, text in row.items()}
    except UnicodeDecodeError:
        raise Invalid.field("body.csv", "The text of the file is not UTF-8. Save it as CSV UTF-8.") from None
    except csv.Error:
        raise Invalid.field("body.csv", f"The file is not valid CSV at line {reader.reader.line_num}.") from None
    finally:
        text.detach()  # what opened the file closes it


def _check_header(names: Sequence[str]) -> None:
    if len(names) == 1 and ";" in names[0]:
        raise Invalid.field("body.csv", "Separate the cells by commas, not by semicolons.")
    if len(set(names)) < len(names):
        raise Invalid.field("body.csv", "The header has a column twice.")


def read_rows(data: bytes, form: Format) -> list[dict[str, Any]]:
    """Return the rows of a file. Raise Invalid."""
    if form == "json":
        return read_json(data)
    return list(xlsx_rows(io.BytesIO(data)) if form == "xlsx" else csv_rows(io.BytesIO(data)))


def read_json(data: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(data, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid.field("body.rows", "The file is not a JSON array of objects.") from None
