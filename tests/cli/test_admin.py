"""`todo admin`: the third face, from the command line to the trail."""

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.factories import PASSWORD

from todo.cli.operator import os_user

Admin = Callable[..., Result]
ADA = ("createsuperuser", "--email", "ada@example.com", "--password", PASSWORD)


@pytest.fixture
def admin(todo, url: str) -> Admin:
    """`admin("list", "tasks")` on a database with one administrator."""
    assert todo(*ADA, TODO_DATABASE_URL=url).exit_code == 0
    return lambda *arguments, **more: todo("admin", *arguments, TODO_DATABASE_URL=url, **more)


@pytest.fixture
def ada_id(admin: Admin) -> str:
    return str(sent(admin("list", "users", "--json"))["items"][0]["id"])


def sent(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def add(admin: Admin, ada_id: str, *values: str) -> dict[str, Any]:
    row: dict[str, Any] = sent(admin("add", "tasks", f"owner_id={ada_id}", *values, "--json"))
    return row


def events(admin: Admin, row_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(admin("history", "tasks", row_id, "--json"))["items"]
    return found


def test_a_change_is_undone_by_its_entry_in_the_history(admin: Admin, ada_id: str) -> None:
    row = add(admin, ada_id, "title=Water", "priority=1")
    sent(admin("set", "tasks", row["id"], "priority=3", "title=Fire", "--json"))
    entry = events(admin, row["id"])[0]

    assert entry["id"] in admin("history", "tasks", row["id"], COLUMNS="250").output
    undone = sent(admin("revert", "tasks", row["id"], entry["id"], "--reason", "A slip", "--json"))

    assert (undone["title"], undone["priority"], undone["version"]) == ("Water", 1, 3)
    assert events(admin, row["id"])[0]["reason"] == "A slip"
    refused = admin("revert", "tasks", row["id"], entry["id"])
    assert (refused.exit_code, admin("revert", "tasks", row["id"], "no-id").exit_code) == (1, 3)


def test_nothing_anybody_wrote_steers_the_terminal(admin: Admin, ada_id: str) -> None:
    row = add(admin, ada_id, "title=Water", "notes=\x1b[2J\x1b]0;pwn\x07")

    for output in (admin("get", "tasks", row["id"]).output, admin("history", "tasks", row["id"]).output):
        assert "pwn" in output
        assert not {"\x1b", "\x07"} & set(output)


def test_the_life_of_a_row(admin: Admin, ada_id: str) -> None:
    row = add(admin, ada_id, "title=Water [b]all[/b]", 'due={"kind": "day", "date": "2031-01-31"}')

    changed = sent(admin("set", "tasks", row["id"], "priority=3", "due=", "--reason", "Ticket 17", "--json"))
    assert (changed["priority"], changed["due"], changed["version"]) == (3, None, 2)
    assert sent(admin("get", "tasks", row["id"], "--json")) == changed
    assert "Water [b]all[/b]" in admin("list", "tasks").output
    assert admin("delete", "tasks", row["id"], "--yes").exit_code == 0
    assert sent(admin("list", "tasks", "--json"))["items"] == []
    assert admin("act", "tasks", "restore", row["id"]).exit_code == 0
    assert admin("act", "tasks", "complete", row["id"]).exit_code == 0
    assert sent(admin("get", "tasks", row["id"], "--json"))["status"] == "done"


def test_the_audit_log_names_the_account_of_the_operating_system(admin: Admin, ada_id: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("todo.cli.operator.os_user", lambda: "root")
    row = add(admin, ada_id, "title=Water")
    admin("set", "tasks", row["id"], "priority=3", "--reason", "Ticket 17")
    admin("set", "tasks", row["id"], "priority=4", "--as", "ada@example.com")

    as_ada, changed, added = events(admin, row["id"])

    assert (changed["actor"], changed["actor_kind"], changed["source"], changed["reason"]) == (
        "cli:root", "operator", "cli", "Ticket 17",
    )  # fmt: skip
    assert changed["changes"][0] == {"field": "priority", "label": "Priority", "before": 0, "after": 3}
    assert (as_ada["actor"], as_ada["on_behalf_of"], added["on_behalf_of"]) == ("cli:root", ada_id, None)


def test_a_list_is_filtered_sorted_and_goes_on(admin: Admin, ada_id: str) -> None:
    for title, priority in (("A", 1), ("B", 2), ("C", 3), ("D", 3)):
        add(admin, ada_id, f"title={title}", f"priority={priority}")

    chosen = ("--filter", "priority=2..3", "--sort", "-priority,id", "--limit", "2")
    first = sent(admin("list", "tasks", *chosen, "--json"))
    second = sent(admin("list", "tasks", *chosen, "--cursor", first["next_cursor"], "--json"))

    assert [row["title"] for row in first["items"] + second["items"]] == ["C", "D", "B"]
    assert (first["total"], second["next_cursor"]) == (3, None)
    shown = admin("list", "tasks", "--search", "C", "--columns", "title,owner_id").output
    assert f"ada@example.com ({ada_id})" in shown
    assert "1 of 1 tasks." in shown


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (0, ("list", "tasks")), (0, ("describe",)), (0, ("describe", "tasks")),
        (1, ("list", "tasks", "--filter", "nonsense=1")), (1, ("list", "tasks", "--sort", "notes")),
        (1, ("add", "tasks", "priority=9")), (1, ("add", "users", "email=eve@example.com")),
        (1, ("list", "tasks", "--as", "carl@example.com")),
        (2, ("list",)), (2, ("dance", "tasks")), (2, ("list", "tasks", "--filter", "status")),
        (2, ("list", "tasks", "--limit", "0")), (2, ("set", "tasks", "x")), (2, ("add", "tasks", "title")),
        (2, ("act", "tasks", "complete", "x", "--all")), (2, ("act", "tasks", "complete", "--filter", "status=open")),
        (2, ("list", "tasks", "--columns", "nonsense")), (2, ("add", "tasks", "title=A", "title=B")),
        (3, ("list", "nonsense")), (3, ("get", "tasks", "nonsense")), (3, ("act", "tasks", "dance", "x")),
        (3, ("get", "tasks", "0190f5f0-7c1d-7000-8000-000000000000")),
        (3, ("list", "tasks", "--as", "eve@example.com")),
        (3, ("delete", "tasks", "0190f5f0-7c1d-7000-8000-000000000000", "--yes")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_the_exit_code_says_how_it_went(todo, admin: Admin, url: str, code: int, command: tuple[str, ...]) -> None:
    todo("createsuperuser", "--email", "carl@example.com", "--password", PASSWORD, TODO_DATABASE_URL=url)
    todo("users", "disable", "carl@example.com", TODO_DATABASE_URL=url)

    result = admin(*command)

    assert result.exit_code == code, result.output
    assert (result.stderr == "") == (code == 0)


def test_as_somebody_one_has_their_rights_and_rows(todo, admin: Admin, ada_id: str, url: str) -> None:
    row = add(admin, ada_id, "title=Water")
    todo("users", "grant", "ada@example.com", "member", TODO_DATABASE_URL=url)
    todo("createsuperuser", "--email", "carl@example.com", "--password", PASSWORD, TODO_DATABASE_URL=url)
    todo("users", "revoke", "carl@example.com", "superuser", TODO_DATABASE_URL=url)

    refused = admin("get", "tasks", row["id"], "--as", "carl@example.com")

    assert refused.exit_code == 1
    assert refused.stderr == "Error: This needs the permission admin.enter.\n"


def test_what_cannot_be_undone_is_asked_for(admin: Admin, ada_id: str) -> None:
    row = add(admin, ada_id, "title=Water")

    refused = admin("delete", "tasks", row["id"], answers="n\n")
    assert (refused.exit_code, "To delete into the trash: Water" in refused.stderr) == (1, True)
    assert len(sent(admin("list", "tasks", "--json"))["items"]) == 1
    done = admin("act", "tasks", "change", "--all", "--set", "priority=2", answers="y\n")
    assert (done.exit_code, "Change: 1 Tasks. Continue?" in done.stderr) == (0, True)
    assert sent(admin("get", "tasks", row["id"], "--json"))["priority"] == 2


@pytest.mark.parametrize("command", [("delete", "tasks"), ("act", "tasks", "delete")])
def test_without_a_terminal_the_option_that_confirms_is_named(
    admin: Admin, ada_id: str, command: tuple[str, ...]
) -> None:
    row = add(admin, ada_id, "title=Water")

    done = admin(*command, row["id"], answers="")

    assert done.exit_code == 2
    assert "There is no terminal to answer this: give --yes." in done.stderr
    assert len(sent(admin("list", "tasks", "--json"))["items"]) == 1


def test_an_operator_waits_for_all_rows(admin: Admin, ada_id: str, tmp_path: Path) -> None:
    rows = "".join(f"Task {number},{ada_id}\n" for number in range(250))
    (tmp_path / "tasks.csv").write_text(f"title,owner_id\n{rows}")
    admin("import", "tasks", str(tmp_path / "tasks.csv"), "--apply")

    done = admin("act", "tasks", "complete", "--all", "--yes", "--json")

    assert sent(done)["done"] == 250
    assert sent(admin("list", "tasks", "--filter", "status=open", "--json"))["total"] == 0


def test_rows_that_refuse_are_reported_and_fail_the_command(admin: Admin, ada_id: str) -> None:
    first, second = add(admin, ada_id, "title=A"), add(admin, ada_id, "title=B")
    admin("act", "tasks", "complete", first["id"])

    result = admin("act", "tasks", "complete", first["id"], second["id"])

    assert (result.exit_code, result.stdout) == (1, "1 done.\n")
    assert result.stderr.startswith(f"Refused: {first['id']}: ")


def test_a_stale_version_is_refused(admin: Admin, ada_id: str) -> None:
    row = add(admin, ada_id, "title=A")
    admin("set", "tasks", row["id"], "title=B")

    assert admin("set", "tasks", row["id"], "title=C", "--version", "1").exit_code == 1
    assert admin("set", "tasks", row["id"], "title=C", "--version", "2").exit_code == 0
    assert admin("act", "tasks", "complete", row["id"], "--version", "1").exit_code == 1
    assert admin("act", "tasks", "complete", row["id"], "--version", "3").exit_code == 0
    assert admin("delete", "tasks", row["id"], "--yes", "--version", "3").exit_code == 1
    several = admin("delete", "tasks", row["id"], row["id"], "--yes", "--version", "4")
    assert (several.exit_code, "--version is that of one row: name one." in several.stderr) == (2, True)
    assert admin("delete", "tasks", row["id"], "--yes", "--version", "4").exit_code == 0


def test_a_file_goes_out_and_comes_in_again(admin: Admin, ada_id: str, tmp_path: Path) -> None:
    add(admin, ada_id, "title=Water")
    file = tmp_path / "tasks.csv"
    assert admin("export", "tasks", "--output", str(file)).exit_code == 0
    file.write_text(file.read_text(encoding="utf-8-sig").replace("Water", "Fire"))

    tried = admin("import", "tasks", str(file))
    assert (tried.exit_code, "title: Water -> Fire" in tried.stdout) == (0, True)
    assert sent(admin("list", "tasks", "--json"))["items"][0]["title"] == "Water"
    assert sent(admin("import", "tasks", str(file), "--apply", "--json"))["changed"] == 1
    assert json.loads(admin("export", "tasks", "--format", "json").stdout)[0]["title"] == "Fire"


def test_an_import_names_the_columns_it_did_not_take(admin: Admin, ada_id: str, tmp_path: Path) -> None:
    row = add(admin, ada_id, "title=Water")
    (tmp_path / "new.csv").write_text(f"title,owner_id,version,occurrence\nFire,{ada_id},7,\n")
    (tmp_path / "old.csv").write_text(f"id,title,owner_id\n{row['id']},Fire,{ada_id}\n")

    added = admin("import", "tasks", str(tmp_path / "new.csv"))
    changed = admin("import", "tasks", str(tmp_path / "old.csv"), "--json")

    assert "Read-only, not imported: version.\n" in added.stdout
    assert sent(changed)["ignored"] == ["owner_id"]


def test_an_import_that_is_refused_says_each_row_and_keeps_nothing(admin: Admin, ada_id: str, tmp_path: Path) -> None:
    (tmp_path / "tasks.csv").write_text(f"title,owner_id,priority\nGood,{ada_id},1\n,{ada_id},9\n")

    result = admin("import", "tasks", str(tmp_path / "tasks.csv"), "--apply")

    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["Row 2", "Row 2"]
    assert sent(admin("list", "tasks", "--json"))["items"] == []


def test_a_column_goes_into_the_field_that_is_given(admin: Admin, ada_id: str, tmp_path: Path) -> None:
    (tmp_path / "tasks.csv").write_text("What,Owner,Rubbish\nWater,ada@example.com,x\n")
    command = ["import", "tasks", str(tmp_path / "tasks.csv"), "--map", "What=title", "--map", "Rubbish="]

    assert "1 to add" in admin(*command, "--trial").stdout
    assert admin(*command, "--apply").exit_code == 0

    assert sent(admin("get", "tasks", "Water", "--json"))["owner_id"] == ada_id


@pytest.mark.parametrize("columns", ["What", "Nothing=title", "Owner=title"])
def test_columns_that_cannot_be_meant_fail_the_command(admin: Admin, ada_id: str, tmp_path: Path, columns: str) -> None:
    (tmp_path / "tasks.csv").write_text("title,Owner\nWater,ada@example.com\n")
    command = ["import", "tasks", str(tmp_path / "tasks.csv"), "--map", columns, "--apply"]

    for options in ([], ["--refused", str(tmp_path / "rest.csv")]):
        assert admin(*command, *options).exit_code in {1, 2}
    assert sent(admin("list", "runs", "--json"))["items"] == []


@pytest.mark.parametrize("who", [[], ["--as", "ada@example.com"]], ids=["operator", "user"])
def test_rows_that_an_import_refuses_are_written_to_a_file_and_the_others_undone(
    admin: Admin, ada_id: str, tmp_path: Path, who: list[str]
) -> None:
    file, rest = tmp_path / "tasks.csv", tmp_path / "rest.csv"
    rows = "".join(f"Task {number},ada@example.com\n" for number in range(150))
    file.write_text(f"What,owner_id\n{rows},ada@example.com\n")
    command = ["import", "tasks", str(file), "--map", "What=title", "--apply", "--refused", str(rest), *who]

    done = admin(*command, "--json")

    assert done.exit_code == 1, done.stderr
    job = json.loads(done.stdout)
    assert (job["status"], job["added"], job["failed"]) == ("done", 150, 1)
    assert rest.read_text(encoding="utf-8-sig").splitlines() == [
        "What,owner_id,rejected_because", ",ada@example.com,title: This field is required.",
    ]  # fmt: skip
    undone = admin("act", "runs", "undo", job["id"], "--yes")
    assert "150 removed." in undone.stdout, undone.stderr
    assert sent(admin("list", "tasks", "--json"))["items"] == []
    rest.write_text(rest.read_text().replace(",ada@", "Late,ada@"))
    assert admin("import", "tasks", str(rest), "--map", "What=title", "--apply").exit_code == 0


def test_a_workbook_comes_in_again(admin: Admin, ada_id: str, tmp_path: Path) -> None:
    add(admin, ada_id, "title=Water")
    file, rest = tmp_path / "tasks.xlsx", tmp_path / "rest.csv"
    assert admin("export", "tasks", "--format", "xlsx", "--output", str(file)).exit_code == 0

    assert "1 unchanged" in admin("import", "tasks", str(file)).stdout
    assert admin("import", "tasks", str(file), "--apply", "--refused", str(rest)).exit_code == 0


def test_nobody_writes_another_name_into_the_audit_log(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "somebody-else")

    assert os_user() == pwd.getpwuid(os.getuid()).pw_name


def test_rows_and_references_are_given_by_what_names_them(admin: Admin, ada_id: str) -> None:
    row = sent(admin("add", "tasks", "title=Water", "owner_id=ada@example.com", "--json"))
    sent(admin("set", "tasks", "water", "priority=3", "--json"))

    assert row["owner_id"] == ada_id
    assert sent(admin("get", "tasks", "Water", "--json"))["priority"] == 3
    assert sent(admin("get", "users", "ADA@example.com", "--json"))["id"] == ada_id
    assert sent(admin("list", "tasks", "--filter", "owner_id=ada@example.com", "--json"))["total"] == 1
    assigned = sent(admin("set", "tasks", "water", f"assignee_ids=ada@example.com, {ada_id}", "--json"))
    assert sent(admin("get", "tasks", assigned["id"], "--json"))["assignee_ids"] == [ada_id]
    unknown = admin("set", "tasks", "water", "assignee_ids=eve@example.com")
    assert (unknown.exit_code, "eve@example.com" in unknown.stderr) == (1, True)
    add(admin, ada_id, "title=Water")
    several = admin("get", "tasks", "Water")
    assert (several.exit_code, several.stderr) == (1, "Error: There are 2 tasks named Water: give the id.\n")


def test_a_row_with_a_long_name_is_given_by_it(admin: Admin, ada_id: str) -> None:
    title = "Order wire, 11.8 inches a piece"
    row = add(admin, ada_id, f"title={title}")
    child = add(admin, ada_id, "title=Measure it", f"parent_id={title}")

    assert sent(admin("get", "tasks", title, "--json"))["id"] == row["id"]
    assert sent(admin("set", "tasks", title.lower(), "priority=3", "--json"))["priority"] == 3
    assert child["parent_id"] == row["id"]
    assert sent(admin("list", "tasks", "--filter", f"parent_id={title}", "--json"))["total"] == 1
    assert admin("history", "tasks", title).exit_code == 0
    searched = admin("list", "tasks", "--search", title)
    assert (searched.exit_code, "--search: Use at most 5 words" in searched.stderr) == (1, True)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("add", "gadgets"), "There is no resource gadgets."),
        (("add", "tasks", "priority=9"), "title: This field is required."),
        (("add", "tasks", "title=A", "owner_id=eve@example.com"), "owner_id: No row is called eve@example.com."),
        (("act", "tasks", "nosuch", "Water", "--yes"), "There is no action nosuch for tasks. Actions: complete, "),
        (("list", "tasks", "--sort", "notes"), "--sort: "),
        (("list", "tasks", "--search", "\udcff"), "What was given is not text in UTF-8."),
        (("list", "tasks", "--filter", "nonsense=1"), "nonsense: Unknown filter. Filters: "),
        (("act", "users", "grant_role", "ada@example.com", "--yes"), "role: This field is required."),
    ],
)  # fmt: skip
def test_what_is_refused_names_the_field(admin: Admin, command: tuple[str, ...], sentence: str) -> None:
    result = admin(*command)

    assert result.exit_code in {1, 3}
    assert result.stderr.startswith("Error: ")
    assert sentence in result.stderr
