"""Excel workbooks that are imported, and files that only claim to be some."""

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from support.factories import Person
from support.workbooks import workbook

from todo.admin import spreadsheets
from todo.admin.service import AdminService
from todo.admin.spreadsheets import MOST_BYTES, xlsx_rows
from todo.errors import Invalid

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
TITLE = '<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c></row>'


def hostile(sheet: str = "", *, texts: str = "", **parts: str) -> io.BytesIO:
    """A workbook of which some parts were made by hand."""
    made = {
        "xl/worksheets/sheet1.xml": f"{HEAD}<worksheet {MAIN}><sheetData>{sheet}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"{HEAD}<sst {MAIN}>{texts}</sst>",
    } | {f"xl/{name}.xml": text for name, text in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(workbook(["title"])) as real, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name in real.namelist():
            book.writestr(name, made.get(name, real.read(name)))
    out.seek(0)
    return out


def rows_of(file: io.BytesIO) -> list[dict[str, Any]]:
    return list(xlsx_rows(file))


def test_cells_become_text() -> None:
    file = workbook(
        ["title", "n", "half", "day", "moment", "flag", "sum"],
        ["Käse & <Brot>\nzwei", 3, 0.5, date(2031, 1, 2), datetime(2031, 1, 2, 9, 30), True, "=1+2"],
        [],
        ["'=1", None, -7, None, None, False, None],
    )

    first, second = rows_of(file)

    assert first == {
        "title": "Käse & <Brot>\nzwei", "n": "3", "half": "0.5", "day": "2031-01-02", "moment": "2031-01-02T09:30:00",
        "flag": "true", "sum": "0",
    }  # fmt: skip
    assert second["n"] == second["day"] == "" and second["half"] == "-7"


async def test_an_export_is_imported_again(admin: AdminService, ada: Person) -> None:
    await ada.add("Rent", priority=2, due={"kind": "day", "date": "2031-01-01"}, labels=["home", "money"])
    data = b"".join([part async for part in await admin.files.export("tasks", None, "xlsx")])

    run = await admin.imports.upload("tasks", "tasks.xlsx", xlsx_rows(io.BytesIO(data)), lax=True)
    report = await admin.imports.preview("tasks", run)

    assert [(row.action, row.errors) for row in report.rows] == [("nothing", [])]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["title", "title"], ["A", "B"]], "The header has a column twice."),
        ([["title"], ["A", "B"]], "Row 2 has a value in column 2, which has no name."),
    ],
)
def test_a_table_without_clear_columns_is_refused(rows: list[list[str]], message: str) -> None:
    with pytest.raises(Invalid) as refused:
        rows_of(workbook(*rows))

    assert refused.value.errors[0].message == message


def cell(place: str, value: str, kind: str = "s") -> str:
    return f'<row><c r="{place}" t="{kind}"><v>{value}</v></c></row>'


HOSTILE: dict[str, Callable[[], io.BytesIO]] = {
    "no file": lambda: io.BytesIO(b""),
    "no archive": lambda: io.BytesIO(b"PK\x03\x04" + b"x" * 100),
    "half of one": lambda: io.BytesIO(workbook(["title"], ["A"]).getvalue()[:900]),
    "no sheet": lambda: hostile(workbook=f"<workbook {MAIN}/>"),
    "no xml": lambda: hostile("<row>"),
    "entities": lambda: hostile(texts="", sharedStrings=f'<!DOCTYPE a [<!ENTITY a "b">]><sst {MAIN}>&a;</sst>'),
    "outside": lambda: hostile(TITLE, workbook=f'<!DOCTYPE a SYSTEM "file:///etc/passwd"><workbook {MAIN}/>'),
    "no such text": lambda: hostile(TITLE + cell("A2", "7")),
    "no number": lambda: hostile(TITLE + cell("A2", "x", "n")),
    "an error": lambda: hostile(TITLE + cell("A2", "#REF!", "e")),
    "a far column": lambda: hostile(TITLE + cell("XFD2", "1", "n")),
    "a large part": lambda: hostile(TITLE + " " * (MOST_BYTES + 1)),
    "many cells": lambda: hostile(TITLE + "<row>" + "<c/>" * 1_001 + "</row>"),
    "one text many times": lambda: hostile(TITLE + cell("A2", "0") * 900, texts=f"<si><t>{'x' * 20_000}</t></si>"),
}


def test_a_workbook_made_by_hand_is_read_when_nothing_is_wrong_with_it() -> None:
    assert rows_of(hostile(TITLE + cell("A2", "0"), texts="<si><t>Rent</t></si>")) == [{"title": "Rent"}]


@pytest.mark.parametrize("file", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_within_bounds(
    file: Callable[[], io.BytesIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_VALUES", 1_000)
    monkeypatch.setattr(spreadsheets, "MOST_TEXT", 10_000_000)
    sent = file()
    tracemalloc.start()
    try:
        with pytest.raises(Invalid) as refused:
            for _ in xlsx_rows(sent):
                pass
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()

    assert refused.value.errors[0].field == "body.xlsx"


def test_a_part_that_lies_about_its_size_is_refused() -> None:
    file = bytearray(hostile(TITLE + cell("A2", "1", "n") * 50_000).getvalue())
    with zipfile.ZipFile(io.BytesIO(file)) as book:
        size = book.getinfo("xl/worksheets/sheet1.xml").file_size
    place = file.rindex(size.to_bytes(4, "little"))
    file[place : place + 4] = (100_000).to_bytes(4, "little")

    with pytest.raises(Invalid):
        rows_of(io.BytesIO(file))


def test_empty_rows_are_left_out_up_to_a_bound() -> None:
    near, far = (f'<row r="{number}"><c r="A{number}" t="n"><v>1</v></c></row>' for number in (90_000, 1_048_576))

    assert rows_of(hostile(TITLE + near)) == [{"title": "1"}]
    with pytest.raises(Invalid):
        rows_of(hostile(TITLE + far))
