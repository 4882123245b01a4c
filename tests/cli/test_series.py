"""`todo series` and `todo recurrence preview`."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cli.database import demonstrate, query

EXAMPLE = ("FREQ=MONTHLY;BYMONTHDAY=31", "--start", "2026-01-31T09:00", "--timezone", "Europe/Berlin")
OF_ADA = ("--filter", "owner_id=ada@example.com")
WITH_ERROR = ("--filter", "trouble=set_aside")


@pytest.fixture
def filled(todo, url: str) -> str:
    """A database with the people and tasks of the demonstration."""
    asyncio.run(demonstrate(url))
    return url


def listed(todo, url: str, *options: str) -> list[dict[str, Any]]:
    done = todo("series", "list", "--json", *options, TODO_DATABASE_URL=url)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.output)["items"]
    return found


def test_a_preview_needs_no_database(todo) -> None:
    done = todo("recurrence", "preview", *EXAMPLE, TODO_DATABASE_URL="postgresql://nowhere.invalid/todo")

    assert done.exit_code == 0
    assert done.output.splitlines()[0].startswith("Every month on the 31st at 09:00 (Europe/Berlin)")
    assert "February has no 31st: the 28th" in done.output


def test_a_preview_for_scripts_is_that_of_the_api(todo) -> None:
    done = todo("recurrence", "preview", *EXAMPLE, "--count", "2", "--on-invalid-date", "omit", "--json")

    found = json.loads(done.output)
    assert found["occurrences"][1] == {"original_start": "2026-03-31T09:00", "at": "2026-03-31T07:00:00Z", "note": None}
    assert found["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=31"


def test_holidays_are_read_from_a_file(todo, tmp_path: Path) -> None:
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "DTSTART;VALUE=DATE:20311225", "SUMMARY:Jõulud", "END:VEVENT"]
    lines += ["BEGIN:VEVENT", "DTSTART:20311224T180000Z", "SUMMARY:Dinner", "END:VEVENT"]
    file = tmp_path / "holidays.ics"
    file.write_bytes("\r\n".join([*lines, "END:VCALENDAR", ""]).encode("latin-1"))

    arguments = ("FREQ=YEARLY", "--start", "2031-12-25", "--shift", "next", "--calendar", str(file))
    done, refused = todo("recurrence", "preview", *arguments), todo("recurrence", "preview", *arguments[:-1], __file__)

    assert "2031-12-25           2031-12-26 00:00Z  holiday: due on 26 December" in done.output
    assert "Note: Dinner: passed over, it is not about whole days." in done.output
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: --calendar: This is no calendar in the iCalendar format.\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [("FREQ=SECONDLY",), ("FREQ=DAILY", "--start", "soon"), ("FREQ=DAILY", "--timezone", "Mars"),
     ("FREQ=DAILY", "--holiday", "x"), ("FREQ=DAILY", "--until", "2026-02-30")],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_previewed_is_one_sentence(todo, arguments: tuple[str, ...]) -> None:
    done = todo("recurrence", "preview", *arguments)

    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert len(done.output.splitlines()) == 1


def test_series_are_listed_by_owner_and_status(todo, filled: str) -> None:
    everybody = listed(todo, filled)
    adas = listed(todo, filled, *OF_ADA)

    assert {series["displays"]["owner_id"] for series in everybody} > {"ada@example.com"}
    assert {series["displays"]["owner_id"] for series in adas} == {"ada@example.com"}
    assert listed(todo, filled, "--filter", "status=paused") == []
    assert "Pay the rent" in todo("series", "list", TODO_DATABASE_URL=filled).output
    unknown = todo("series", "list", "--filter", "owner_id=eve@example.com", TODO_DATABASE_URL=filled)
    assert (unknown.exit_code, unknown.output) == (1, "Error: owner_id: No row is called eve@example.com.\n")


def test_a_series_is_shown(todo, filled: str) -> None:
    series = listed(todo, filled)[0]

    shown = todo("series", "show", series["id"], TODO_DATABASE_URL=filled)
    sent = json.loads(todo("series", "show", series["id"], "--json", TODO_DATABASE_URL=filled).output)

    assert series["rrule"] in shown.output
    assert series["repeats"].startswith("Every ")
    assert len(sent["next_occurrences"]) == 10
    assert all(text in shown.output for text in (series["repeats"], sent["next_occurrences"][0]))
    assert (sent["id"], sent["title"]) == (series["id"], series["title"])


def test_a_series_is_paused_resumed_and_ended(todo, filled: str) -> None:
    series = listed(todo, filled)[0]["id"]

    def status(*verb: str) -> str:
        done = todo("series", *verb, TODO_DATABASE_URL=filled)
        assert done.exit_code == 0, done.output
        (found,) = [one for one in listed(todo, filled) if one["id"] == series]
        return str(found["status"])

    assert status("pause", series) == "paused"
    assert status("resume", series) == "active"
    assert status("pause", series, "--from", "2031-01-01", "--until", "2031-02-01") == "active"
    assert status("end", series, "--open", "cancel") == "ended"
    again = todo("series", "end", series, TODO_DATABASE_URL=filled)
    assert (again.exit_code, again.output) == (
        1,
        "Error: This series has ended: give its last task a recurrence to go on.\n",
    )


def test_a_series_with_an_error_is_evaluated_again(todo, filled: str) -> None:
    series = listed(todo, filled, "--filter", "owner_id=grace@example.com")[0]
    query(filled, "UPDATE series SET failures = 9, last_error = 'RuleError()', rrule = 'x' WHERE id = $1",
            series["id"])  # fmt: skip
    failing = listed(todo, filled, *WITH_ERROR)
    query(filled, "UPDATE series SET rrule = $2 WHERE id = $1", series["id"], series["rrule"])

    done = todo("series", "run", series["id"], TODO_DATABASE_URL=filled)

    assert [one["id"] for one in failing] == [series["id"]]
    assert (done.exit_code, done.output) == (0, "1 done.\nThe worker looks at it now.\n")
    assert [one["id"] for one in listed(todo, filled, *WITH_ERROR)] == [series["id"]]  # until the worker has tried
    assert query(filled, "SELECT next_run_at <= now() AS due FROM series WHERE id = $1", series["id"])[0]["due"]


def test_what_is_overdue_is_skipped(todo, filled: str) -> None:
    done = todo("series", "skip-missed", "--all", "--yes", *OF_ADA, TODO_DATABASE_URL=filled)
    overdue = """SELECT count(*) FROM tasks JOIN users ON users.id = owner_id WHERE series_id IS NOT NULL
        AND tasks.status = 'open' AND due_at < now() - interval '1 day' AND email = 'ada@example.com'"""

    assert (done.exit_code, query(filled, overdue)[0]["count"]) == (0, 0)


@pytest.mark.parametrize("verb", ["show", "pause", "resume", "end", "run", "skip-missed"])
@pytest.mark.parametrize("series", ["x", "0190f5f0-7c1d-7000-8000-000000000000"])
def test_a_series_that_is_not_there_is_one_sentence(todo, url: str, verb: str, series: str) -> None:
    done = todo("series", verb, series, TODO_DATABASE_URL=url)

    assert (done.exit_code, done.output[:7], len(done.output.splitlines())) == (3, "Error: ", 1)
