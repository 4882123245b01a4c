"""Read the first sheet of an Excel workbook (.xlsx), row by row and within limits, whatever the file claims to be.

The standard library suffices. Cells, and the text that they stand for, are counted.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from todo.admin.workbook import MOST_COLUMNS, MOST_VALUES, Attributes, Book, Text, Unreadable, too_large, unescaped
from todo.errors import Invalid

MOST_TEXT = 64 * 1024 * 1024  # characters of all cells: many cells may refer to one long text
PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")


UNREADABLE = (
    Unreadable, BadZipFile, expat.ExpatError, zlib.error, struct.error, EOFError, OSError, ValueError, LookupError,
    NotImplementedError,
)  # fmt: skip


def is_workbook(begin: bytes) -> bool:
    """Return whether a file that begins so is a ZIP file, as workbooks are."""
    return begin.startswith(b"PK\x03\x04")


def xlsx_rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows below the header of the first sheet, as text. Rows without a value are left out.

    Dates are written as in ISO 8601. Raise Invalid.
    """
    try:
        with ZipFile(file) as book:
            yield from _by_name(_rows(Book(book)))
    except UNREADABLE as error:
        raise Invalid.field("body.xlsx", "The file is not a valid Excel workbook (.xlsx).") from error


def _by_name(rows: Iterator[tuple[int, dict[int, str]]]) -> Iterator[dict[str, Any]]:
    """Name the cells of rows by the first one."""
    _, header = next(rows, (0, {}))
    names = {column: name.strip() for column, name in header.items()}
    if len(set(names.values())) < len(names):
        raise Invalid.field("body.xlsx", "The header has a column twice.")
    for number, row in rows:
        if unnamed := row.keys() - names.keys():
            raise Invalid.field(
                "body.xlsx", f"Row {number} has a value in column {min(unnamed) + 1}, which has no name."
            )
        yield {name: row.get(column, "") for column, name in names.items()}


class _Sheet:
    """Collects the rows of a sheet: the number of each, and its cells by column, without those that are empty."""

    def __init__(self, book: Book):
        self._book = book
        self.rows: list[tuple[int, dict[int, str]]] = []
        self._number, self._row = 0, dict[int, str]()
        self._column, self._kind, self._style, self._value = -1, "", 0, list[str]()
        self._inside = False
        self._inline = Text(self._value.append)
        self._count = self._size = 0

    def start(self, tag: str, its: Attributes) -> None:
        if tag == "row":
            self._number, self._column = int(its.get("r", self._number + 1)), -1
        elif tag == "c":
            place = PLACE.fullmatch(its.get("r", ""))
            self._column = _column_of(place[1]) if place else self._column + 1
            self._kind, self._style = its.get("t", "n"), int(its.get("s", "0"))
            self._count += 1
            if self._count > MOST_VALUES or self._column >= MOST_COLUMNS:
                raise too_large()
        elif self._kind == "inlineStr":
            self._inline.start(tag, its)
        self._inside = tag == "v"

    def text(self, text: str) -> None:
        if self._inside:
            self._value.append(text)
        elif self._kind == "inlineStr":
            self._inline.add(text)

    def end(self, tag: str) -> None:
        self._inside = False
        if tag == "c":
            self._keep("".join(self._value))
            self._value.clear()
            self._kind = ""
        elif tag == "row" and self._row:
            self.rows.append((self._number, self._row))
            self._row = {}
        elif self._kind == "inlineStr":
            self._inline.end(tag)

    def _keep(self, value: str) -> None:
        text = self._read(value) if value else ""
        self._size += len(text)
        if self._size > MOST_TEXT:
            raise too_large()
        if text:
            self._row[self._column] = text

    def _read(self, value: str) -> str:
        match self._kind:
            case "s":
                return self._book.texts[abs(int(value))]
            case "b":
                return "true" if value == "1" else "false"
            case "n" | "":
                styles = self._book.is_date
                return _date(float(value)) if self._style < len(styles) and styles[self._style] else _number(value)
            case "e":
                raise Invalid.field("body.xlsx", f"Row {self._number} has a cell with an error: {value[:20]}.")
        return unescaped(value) if self._kind == "str" else value


def _rows(book: Book) -> Iterator[tuple[int, dict[int, str]]]:
    sheet = _Sheet(book)
    for _ in book.parse(book.sheet, sheet.start, sheet.end, sheet.text):
        yield from sheet.rows
        sheet.rows.clear()


def _column_of(name: str) -> int:
    number = 0
    for one in name:
        number = number * 26 + ord(one) - ord("A") + 1
    return number - 1


def _number(text: str) -> str:
    """Return a number as people write it: Excel stores 3 as 3 or 3.0, and 0.1 as 0.1 or 0.10000000000000001."""
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _date(days: float) -> str:
    """Return a date, or a date and time, by its number of days."""
    try:
        moment = datetime(1899, 12, 30) + timedelta(seconds=round(days * 86_400))  # noqa: DTZ001 -- no zone in the file
    except OverflowError:
        raise Invalid.field("body.xlsx", f"There is no such date: {days}.") from None
    return f"{moment:%Y-%m-%d}" if moment.time() == datetime.min.time() else moment.isoformat()
