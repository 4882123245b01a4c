"""Exports that no spreadsheet calculates, and imports that do all or nothing."""

import csv
import io
import json
import zipfile
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from support.factories import Person

from todo.admin.file_formats import Format
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.errors import Forbidden, Invalid

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1"]


async def exported(admin: AdminService, resource: str, form: Format, list_query: ListQuery | None = None) -> bytes:
    return b"".join([part async for part in await admin.files.export(resource, list_query, form)])


def lines(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


async def plant(sql: Any, ada: Person, title: str) -> None:
    """A title as only something outside the API can make it."""
    task = await ada.add("x")
    await sql.execute("UPDATE tasks SET title = $1 WHERE id = $2::text::uuid", title, task["id"])


@pytest.mark.parametrize("title", FORMULAS)
async def test_no_cell_of_a_csv_is_a_formula(admin: AdminService, ada: Person, sql: Any, title: str) -> None:
    await plant(sql, ada, title)

    (row,) = lines(await exported(admin, "tasks", "csv"))

    assert row["title"] == f"'{title}"


@pytest.mark.parametrize("title", FORMULAS[:4])
async def test_no_cell_of_a_sheet_is_a_formula(admin: AdminService, ada: Person, sql: Any, title: str) -> None:
    await plant(sql, ada, title)

    sheet = (
        zipfile.ZipFile(io.BytesIO(await exported(admin, "tasks", "xlsx"))).read("xl/worksheets/sheet1.xml").decode()
    )

    assert title in sheet
    assert "<f>" not in sheet


async def test_an_export_holds_what_matches_and_is_noted(admin: AdminService, ada: Person, sql: Any) -> None:
    await ada.add("A", priority=1)
    await ada.add("B", priority=2)

    data = await exported(admin, "tasks", "json", ListQuery(filters={"priority": ["2"]}))

    assert [row["title"] for row in json.loads(data)] == ["B"]
    noted = json.loads(await sql.fetchval("SELECT after FROM audit_events WHERE action = 'tasks.export'"))
    assert noted["filters"] == {"priority": ["2"]}


async def test_an_export_of_nothing_is_still_a_file(admin: AdminService) -> None:
    assert json.loads(await exported(admin, "tasks", "json")) == []
    assert lines(await exported(admin, "tasks", "csv")) == []


async def test_an_export_holds_no_secret(admin: AdminService, ada: Person, sql: Any) -> None:
    hashed = await sql.fetchval("SELECT password_hash FROM users WHERE email = $1", ada.email)

    data = await exported(admin, "users", "csv")

    assert hashed.encode() not in data
    assert {row["password_hash"] for row in lines(data)} == {"set"}


async def test_more_than_a_page_is_exported_once_each(admin: AdminService, ada: Person, sql: Any) -> None:
    await sql.execute(
        """INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
            status, priority)
        SELECT gen_random_uuid(), now(), now(), 1, $1, $1, $1, n::text, '', 'open', 0
        FROM generate_series(1, 2500) AS n""",
        ada.id,
    )

    rows = lines(await exported(admin, "tasks", "csv", ListQuery(sort="-priority")))

    assert sorted(int(row["title"]) for row in rows) == list(range(1, 2501))


@pytest.mark.parametrize("title", [*FORMULAS[:4], "plain", "'quoted'", 'say "hi", twice', "ünïcödé"])
async def test_an_export_read_back_changes_nothing(admin: AdminService, ada: Person, sql: Any, title: str) -> None:
    await plant(sql, ada, title)

    report = await admin.imports.import_rows("tasks", await exported(admin, "tasks", "csv"))

    assert [(row.action, row.errors) for row in report.rows] == [("nothing", [])]


async def test_an_import_shows_what_it_would_do_and_does_nothing(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Water", priority=1)
    file = f"id,title,priority,owner_id\n{task['id']},Fire,1,\n,New,2,{ada.id}\n"

    report = await admin.imports.import_rows("tasks", file.encode())

    assert (report.applied, report.added, report.changed, report.refused) == (False, 1, 1, 0)
    (difference,) = report.rows[0].changes
    assert (difference.field, difference.before, difference.after) == ("title", "Water", "Fire")
    assert await sql.fetchval("SELECT array_agg(title) FROM tasks") == ["Water"]
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE actor = 'boss@example.com'") == 0


async def test_an_import_is_applied_with_its_audit_event(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Water")
    file = f"id,title,owner_id\n{task['id']},Fire,\n,New,{ada.id}\n"

    report = await admin.imports.import_rows("tasks", file.encode(), apply=True)

    assert (report.applied, report.added, report.changed) == (True, 1, 1)
    assert set(await sql.fetchval("SELECT array_agg(title) FROM tasks")) == {"Fire", "New"}
    actions = await sql.fetch("SELECT action FROM audit_events WHERE actor = 'boss@example.com' ORDER BY action")
    assert [row[0] for row in actions] == ["tasks.add", "tasks.change", "tasks.import"]


async def test_one_bad_row_keeps_all_from_being_applied(admin: AdminService, ada: Person, sql: Any) -> None:
    rows = [
        {"title": "Good", "owner_id": str(ada.id)}, {"title": "", "owner_id": str(ada.id)},
        {"id": str(uuid4()), "title": "Nobody's"}, {"title": "X", "owner_id": str(uuid4())},
        {"title": "Y", "priority": 9, "owner_id": str(ada.id)},
    ]  # fmt: skip

    report = await admin.imports.import_rows("tasks", json.dumps(rows).encode(), "json", apply=True)

    assert (report.applied, report.refused) == (False, 4)
    assert [row.errors[0].partition(":")[0] for row in report.rows[1:]] == ["title", "id", "owner_id", "priority"]
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0


@pytest.mark.parametrize(
    ("file", "words"),
    [(b"title;owner_id\nA;B\n", "commas"), (b"title,title\nA,B\n", "twice")],
    ids=["semicolons", "twice"],
)
async def test_headings_that_cannot_be_meant_are_message(admin: AdminService, file: bytes, words: str) -> None:
    with pytest.raises(Invalid) as problem:
        await admin.imports.import_rows("tasks", file)

    assert words in problem.value.errors[0].message


async def test_a_row_stands_in_a_file_once(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Water")
    file = f"id,title\n{task['id']},Fire\n{task['id']},Earth\n"

    report = await admin.imports.import_rows("tasks", file.encode(), apply=True)

    assert (report.applied, report.rows[1].errors) == (False, ["id: An earlier row has the same id."])
    assert await sql.fetchval("SELECT title FROM tasks") == "Water"


async def test_a_cell_that_is_wrong_is_reported_in_words(admin: AdminService, ada: Person) -> None:
    file = f"title,owner_id,priority,status,deadline\nA,{ada.id},x,open,\nB,nobody,9,lost,soon\n"

    report = await admin.imports.import_rows("tasks", file.encode())

    assert [row.errors for row in report.rows] == [
        ["priority: Must be a whole number from 0 to 4."],
        [
            "owner_id: No row is called nobody.", "priority: Must be a whole number from 0 to 4.",
            "status: Must be one of open, in_progress, waiting, done, cancelled.",
            "deadline: Must be a date, such as 2026-12-31, or empty.",
        ],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "file", [b"", b"title\n", b"nonsense\nx\n", b"title,priority\nx\n", b"\xff\xfe", b'title\n"x\n', b"title\nx,y\n"]
)
async def test_a_file_that_makes_no_sense_is_refused(admin: AdminService, file: bytes) -> None:
    with pytest.raises(Invalid):
        await admin.imports.import_rows("tasks", file)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("title\nMüll\n".encode("latin-1"), "The text of the file is not UTF-8. Save it as CSV UTF-8."),
        (b'title\nx\n"y"z\n', "The file is not valid CSV at line 3."),
    ],
)
async def test_a_file_that_is_no_csv_is_refused_in_words(admin: AdminService, file: bytes, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.imports.import_rows("tasks", file)

    assert [error.message for error in refused.value.errors] == [message]


@pytest.mark.parametrize("file", [b"", b"{}", b"[1]", b"[" * 5000, b'[{"title": "\\ud800"}]'])
async def test_json_that_makes_no_sense_is_refused(admin: AdminService, file: bytes) -> None:
    with pytest.raises(Invalid):
        await admin.imports.import_rows("tasks", file, "json")


async def test_users_cannot_be_imported(admin: AdminService) -> None:
    with pytest.raises(Forbidden):
        await admin.imports.import_rows("users", b"email\nx@example.com\n")


HISTORY = ("title", "status", "created_at", "completed_at")


async def everything(admin: AdminService) -> list[dict[str, Any]]:
    """The history of all tasks, by title."""
    found = json.loads(await exported(admin, "tasks", "json"))
    return sorted(({name: row[name] for name in HISTORY} for row in found), key=lambda row: str(row["title"]))


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_the_history_of_closed_tasks_survives_a_round_trip(
    admin: AdminService, ada: Person, sql: Any, form: Literal["csv", "json"]
) -> None:
    done = {"status": "done", "created_at": "2019-05-01T08:00:00.000001Z", "completed_at": "2019-05-03T10:00:00Z"}
    await ada.add("Cancelled", **done | {"status": "cancelled"})
    await ada.add("Done", **done)
    await ada.add("Open", created_at=done["created_at"])
    await ada.http.post(f"/api/tasks/{(await ada.add('Done here'))['id']}/complete")
    before, data = await everything(admin), await exported(admin, "tasks", form)
    await sql.execute("TRUNCATE tasks CASCADE")

    report = await admin.imports.import_rows("tasks", without_id(data, form), form, apply=True)

    assert (report.applied, report.added, report.refused) == (True, 4, 0), report.rows
    assert await everything(admin) == before
    reported = [{one.field for one in row.changes} for row in report.rows]
    assert [{"status", "created_at"} <= fields for fields in reported] == [True] * 4
    events = await sql.fetch("SELECT after->>'status' AS status FROM audit_events WHERE action = 'tasks.add' LIMIT 9")
    assert [row["status"] for row in events].count("cancelled") == 2


def without_id(data: bytes, form: str) -> bytes:
    """An export whose rows are new to the other side."""
    if form == "json":
        return json.dumps([{name: row[name] for name in row if name != "id"} for row in json.loads(data)]).encode()
    rows = lines(data)
    out = io.StringIO()
    writer = csv.DictWriter(out, [name for name in rows[0] if name != "id"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"completed_at": "2019-05-03T10:00:00Z"}, "completed_at: Only a task that is done or cancelled has this."),
        (
            {"status": "done", "created_at": "2119-05-03T10:00:00Z"},
            "created_at: This must be in the past, and not before the year 1900.",
        ),
        (
            {"status": "done", "due": {"kind": "day", "date": "2031-01-01"}, "recurrence": {"rrule": "FREQ=DAILY"}},
            "status: A series begins with an open task.",
        ),
    ],
)
async def test_a_history_that_cannot_be_is_refused_by_an_import(
    admin: AdminService, ada: Person, row: dict[str, Any], reason: str
) -> None:
    data = json.dumps([{"title": "x", "owner_id": str(ada.id)} | row]).encode()

    report = await admin.imports.import_rows("tasks", data, "json", apply=True)

    assert (report.applied, [one.errors for one in report.rows]) == (False, [[reason]])


async def test_an_import_closes_no_task_that_is_there(admin: AdminService, ada: Person) -> None:
    task = await ada.add()
    data = json.dumps([{"id": task["id"], "status": "done"}]).encode()

    report = await admin.imports.import_rows("tasks", data, "json", apply=True)

    assert [row.errors for row in report.rows] == [
        ["status: Complete or reopen it by its action, so that its series goes on."]
    ]


async def test_an_export_has_the_chosen_columns_in_their_order(admin: AdminService, ada: Person) -> None:
    await ada.add("Rent", priority=3)

    parts = [part async for part in await admin.files.export("tasks", None, "csv", ["priority", "title"])]

    assert b"".join(parts).decode("utf-8-sig").splitlines() == ["priority,title", "3,Rent"]


async def test_a_column_that_is_none_is_refused(admin: AdminService) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.files.export("tasks", None, "csv", ["colour"])

    assert [error.field for error in refused.value.errors] == ["query.columns"]


async def test_an_export_of_selected_rows_has_no_others(admin: AdminService, ada: Person) -> None:
    rent, _ = await ada.add("Rent"), await ada.add("Milk")

    query = ListQuery(ids=[UUID(rent["id"])])
    parts = [part async for part in await admin.files.export("tasks", query, "csv", ["title"])]

    assert b"".join(parts).decode("utf-8-sig").splitlines() == ["title", "Rent"]


async def test_a_file_names_rows_by_what_they_are_called(admin: AdminService, ada: Person) -> None:
    file = b"title,owner_id,priority\nRent,ada@example.com,urgent\nMilk,nobody@example.com,low\n"

    report = await admin.imports.import_rows("tasks", file, "csv")

    assert [row.action for row in report.rows] == ["add", "refused"]
    assert report.rows[1].errors == ["owner_id: No row is called nobody@example.com."]
    only = b"\n".join(file.splitlines()[:2])
    assert (await admin.imports.import_rows("tasks", only, "csv", apply=True)).applied
    (task,) = (await ada.http.get("/api/tasks")).json()["items"]
    assert (task["title"], task["priority"]) == ("Rent", 4)
