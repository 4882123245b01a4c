"""Read the first sheet of an Excel workbook (.xlsx), row by row and within limits, whatever the file claims to be.

openpyxl reads it, by defusedxml, which refuses XML that declares entities. What it would unpack is added up first.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from todo.errors import Invalid

MOST_BYTES = 64 * 1024 * 1024  # of all parts, unpacked
MOST_VALUES = 1_000_000
MOST_COLUMNS = 200  # of any file: each has a choice of all fields on the page that assigns them
MOST_TEXT = 64 * 1024 * 1024  # characters of all cells: many cells may refer to one long text
MOST_ROWS = 100_000  # also empty ones: a row may claim any number

UNREADABLE = (
    BadZipFile, ParseError, zlib.error, struct.error, EOFError, OSError,
    ValueError, TypeError, LookupError, AttributeError, NotImplementedError, OverflowError,
)  # fmt: skip


def is_workbook(begin: bytes) -> bool:
    """Return whether a file that begins so is a ZIP file, as workbooks are."""
    return begin.startswith(b"PK\x03\x04")


def xlsx_rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows below the header of the first sheet, as text. Rows without a value are left out.

    Dates are written as in ISO 8601. Raise Invalid.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 -- most processes read none

    try:
        with ZipFile(file) as parts:
            if sum(part.file_size for part in parts.infolist()) > MOST_BYTES:
                raise too_large()
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            yield from _by_name(_rows(book.worksheets[0]))
        finally:
            book.close()
    except UNREADABLE as error:
        raise Invalid.field("body.xlsx", "The file is not a valid Excel workbook (.xlsx).") from error


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the texts of each row that has any, and count what they hold."""
    values = size = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        texts = [_text(number, value) for value in row[:MOST_COLUMNS]]
        values, size = values + len(row), size + sum(map(len, texts))
        if len(row) > MOST_COLUMNS or number > MOST_ROWS or values > MOST_VALUES or size > MOST_TEXT:
            raise too_large()
        if any(texts):
            yield number, texts


def _by_name(rows: Iterator[tuple[int, list[str]]]) -> Iterator[dict[str, Any]]:
    """Name the cells of rows by the first one."""
    _, header = next(rows, (0, list[str]()))
    names = {column: name.strip() for column, name in enumerate(header) if name}
    if len(set(names.values())) < len(names):
        raise Invalid.field("body.xlsx", "The header has a column twice.")
    for number, texts in rows:
        if unnamed := [column for column, text in enumerate(texts) if text and column not in names]:
            raise Invalid.field("body.xlsx", f"Row {number} has a value in column {unnamed[0] + 1}, which has no name.")
        yield {name: _at(texts, column) for column, name in names.items()}


def _at(texts: Sequence[str], column: int) -> str:
    return texts[column] if column < len(texts) else ""


def _text(number: int, value: Any) -> str:
    """Return a value as people write it: Excel stores 3 as 3 or 3.0, and a day as the midnight at which it begins."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time.min:
            return f"{value:%Y-%m-%d}"
        case date() | time():
            return value.isoformat()
    text = str(value)
    if text.startswith("#") and text.endswith(("!", "?", "/A")):
        raise Invalid.field("body.xlsx", f"Row {number} has a cell with an error: {text[:20]}.")
    return text


def too_large() -> Invalid:
    return Invalid.field(
        "body.xlsx",
        f"The workbook is too large: at most {MOST_COLUMNS} columns, {MOST_ROWS:,} rows, {MOST_VALUES:,} cells and"
        f" {MOST_BYTES // 1_048_576} MiB unpacked.",
        "too_long",
    )
