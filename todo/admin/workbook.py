"""The parts of an Excel workbook: a ZIP file of XML, of which neither is trusted.

Parts are unpacked as they are read, and no further than they claim to be long. XML that declares entities is refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from todo.errors import Invalid

MOST_BYTES = 64 * 1024 * 1024  # of a part, unpacked
MOST_VALUES = 1_000_000
MOST_COLUMNS = 500
MOST_PARTS = 1_000
CHUNK = 64 * 1024
DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # formats without a code in the file
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # parts of a format that stand for themselves

Attributes = Mapping[str, str]


class Unreadable(Exception):
    """The file is no workbook."""


class Book:
    """The parts of a workbook, unpacked as they are read."""

    def __init__(self, book: ZipFile):
        self._book = book
        self._sizes = {one.filename: one for one in book.infolist()}
        if len(book.infolist()) > MOST_PARTS:
            raise too_large()
        self.sheet = self._first_sheet()
        self.texts = list(self._shared_texts())
        self.is_date = self._date_formats()

    def parse(
        self, name: str, start: Callable[[str, Attributes], None], end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> Iterator[None]:  # fmt: skip
        """Read a part, if there is one; yield after each chunk. Names of elements come without their namespace."""
        if name not in self._sizes:
            return
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, found: start(_local(tag), {_local(one): found[one] for one in found})
        parser.EndElementHandler = None if end is None else lambda tag: end(_local(tag))
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with self._open(name) as part:
            while chunk := part.read(CHUNK):
                parser.Parse(chunk, False)
                yield
        parser.Parse(b"", True)
        yield

    def _open(self, name: str) -> IO[bytes]:
        """Open a part, of which no more is unpacked than it claims to have. Raise Invalid for one that is too large."""
        info = self._sizes[name]
        if info.flag_bits & 1 or info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise Unreadable
        if info.file_size > MOST_BYTES:
            raise too_large()
        return self._book.open(info)

    def _first_sheet(self) -> str:
        """Return the part with the first sheet."""
        sheets: list[str] = []
        targets: dict[str, str] = {}

        def found(tag: str, its: Attributes) -> None:
            if tag == "sheet":
                sheets.append(its.get("id", ""))
            if tag == "Relationship":
                targets[its.get("Id", "")] = its.get("Target", "")

        for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"):
            for _ in self.parse(part, found):
                pass
        target = targets.get(sheets[0], "") if sheets else ""
        name = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
        if name not in self._sizes:
            raise Unreadable
        return name

    def _shared_texts(self) -> Iterator[str]:
        """Yield the texts that cells refer to by number."""
        found: list[str] = []
        text = Text(found.append)
        for _ in self.parse("xl/sharedStrings.xml", text.start, text.end, text.add):
            yield from found
            found.clear()

    def _date_formats(self) -> list[bool]:
        """Return which styles of cells show dates."""
        codes: dict[str, str] = {}
        styles: list[bool] = []
        inside = [""]

        def start(tag: str, its: Attributes) -> None:
            if tag == "numFmt":
                codes[its.get("numFmtId", "")] = LITERAL.sub("", its.get("formatCode", "")).lower()
            if tag in {"cellXfs", "cellStyleXfs"}:
                inside[0] = tag
            if tag == "xf" and inside[0] == "cellXfs":
                number = its.get("numFmtId", "0")
                code = codes.get(number)
                styles.append("d" in code or "y" in code if code is not None else int(number) in DATES)

        for _ in self.parse("xl/styles.xml", start):
            pass
        return styles


class Text:
    """Collects the text of `si` or `is` elements, without phonetic hints."""

    def __init__(self, done: Callable[[str], Any]):
        self._done, self._parts, self._inside, self._hints = done, list[str](), False, 0

    def start(self, tag: str, its: Attributes) -> None:
        self._inside = tag == "t" and not self._hints
        self._hints += tag == "rPh"

    def add(self, text: str) -> None:
        if self._inside:
            self._parts.append(text)

    def end(self, tag: str) -> None:
        self._inside = False
        self._hints -= tag == "rPh"
        if tag in {"si", "is"}:
            self._done(unescaped("".join(self._parts)))
            self._parts.clear()


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def unescaped(text: str) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _refuse_doctype(*_: Any) -> None:
    raise Unreadable


def too_large() -> Invalid:
    return Invalid.field(
        "body.xlsx",
        f"The workbook is too large: at most {MOST_COLUMNS} columns, {MOST_VALUES:,} cells and"
        f" {MOST_BYTES // 1_048_576} MiB unpacked.",
        "too_long",
    )
