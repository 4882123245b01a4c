"""The filter language: what it finds, for whom, in which order, and what it says of a mistake."""

from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.factories import Person, World
from support.sharing import share

from todo.database import ACTOR
from todo.domain.tasks.filters.compiled import read_filter
from todo.domain.tasks.filters.syntax import FilterError
from todo.domain.tasks.filters.times import Asker

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
BERLIN = "Europe/Berlin"
ASKER = Asker(uuid4(), BERLIN, datetime(2026, 11, 25, 12, tzinfo=UTC))  # a Wednesday


async def found(person: Person, text: str, more: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks?filter={quote(text)}{more}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def refused(person: Person, text: str) -> dict[str, Any]:
    answer = await person.http.get(f"/api/tasks?filter={quote(text)}")
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "query.filter"
    return {"position": error["position"], "message": error["message"]}


def day(days: int, zone: str = BERLIN) -> dict[str, str]:
    return {"kind": "day", "date": f"{datetime.now(ZoneInfo(zone)).date() + timedelta(days=days)}"}


async def test_a_filter_joins_conditions_and_orders_what_it_finds(ada: Person) -> None:
    await ada.add("low", priority=1, due=day(1))
    await ada.add("high, late", priority=3, due=day(-1))
    await ada.add("urgent", priority=4, due=day(1))
    await ada.add("far", priority=4, due=day(30))
    await ada.add("never", priority=4)

    text = "due < today+7d and (priority >= high or overdue) and not closed order by due, -priority"
    assert await found(ada, text) == ["high, late", "urgent"]
    assert await found(ada, "priority in (low, high) order by -created") == ["high, late", "low"]
    assert await found(ada, "due = none") == await found(ada, "not has due") == ["never"]
    assert sorted(await found(ada, "due != tomorrow")) == ["far", "high, late", "never"]


async def test_a_filter_combines_with_every_other_parameter(ada: Person) -> None:
    await ada.add("paint the door", priority=3)
    await ada.add("paint the wall", priority=1)
    await ada.add("wash the door", priority=3)

    assert await found(ada, "priority = high", "&q=paint") == ["paint the door"]
    assert await found(ada, 'text ~ "door"', "&priority=3&sort=title") == ["paint the door", "wash the door"]
    answer = await ada.http.get("/api/tasks?filter=priority%20%3E%3D%20high&count=true&limit=1")
    assert (answer.json()["total"], len(answer.json()["items"])) == (2, 1)
    cursor = answer.json()["next_cursor"]
    assert len(await found(ada, "priority >= high", f"&limit=1&cursor={cursor}")) == 1
    other = await ada.http.get(f"/api/tasks?filter=priority%20%3E%3D%20low&limit=1&cursor={cursor}")
    assert other.status_code == 422


async def test_labels_have_no_case_and_any_of_several_will_do(ada: Person, bob: Person, sql: Sql) -> None:
    project = (await bob.http.post("/api/projects", json={"name": "House"})).json()["id"]
    await share(sql, project, ada.id)
    await bob.add("his", project_id=project, labels=["Home", "two words"])
    await bob.add("his inbox", labels=["home"])
    await ada.add("mine", labels=["HOME"])
    await ada.add("garden", labels=["garden", "none"])
    await ada.add("bare")

    assert await found(ada, "label = home order by title") == ["his", "mine"]
    assert await found(ada, 'label in (GARDEN, "two words") order by title') == ["garden", "his"]
    assert await found(ada, 'label = home and label = "two words"') == ["his"]
    assert await found(ada, "label = none") == await found(ada, "not has label") == ["bare"]
    assert await found(ada, 'label = "none"') == ["garden"]
    assert await found(ada, "label != home order by title") == ["bare", "garden"]
    assert await found(ada, "label = home and project = House") == ["his"]
    assert await found(ada, "label in (home, garden)", f"&project_id={project}") == ["his"]
    assert await found(ada, "label = ho") == []


async def test_sections_are_those_of_projects_that_one_sees(ada: Person, bob: Person, sql: Sql) -> None:
    async def section(person: Person, project: str, name: str) -> str:
        answer = await person.http.post(f"/api/projects/{project}/sections", json={"name": name})
        return str(answer.json()["id"])

    house, mine = [
        (await person.http.post("/api/projects", json={"name": "House"})).json()["id"] for person in (bob, ada)
    ]
    theirs, own = await section(bob, house, "This week"), await section(ada, mine, "this WEEK")
    await bob.add("his", project_id=house, section_id=theirs)
    await ada.add("mine", project_id=mine, section_id=own)
    await ada.add("inbox")

    assert await found(ada, 'section = "this week"') == await found(ada, f"section = {own}") == ["mine"]
    assert await found(ada, f"section = {theirs}") == await found(ada, f"section = {uuid4()}") == []
    assert await found(ada, "section = none") == await found(ada, "not has section") == ["inbox"]
    assert await found(ada, 'section != "this week"') == ["inbox"]

    await share(sql, house, ada.id)
    assert await found(ada, 'section in ("this week") order by title') == ["his", "mine"]
    assert await found(ada, f"section = {theirs}") == ["his"]


async def test_few_comparisons_look_something_up(ada: Person) -> None:
    parts = [*["label = home"] * 4, *["not section = none"] * 3, 'text ~ "a"', "author = me", "has subtasks"]
    text = " or ".join(parts)
    assert await found(ada, text) == []
    error = await refused(ada, f"{text} or (closed and project = inbox)")
    names = "project, section, label, author, assignee, text, subtasks"
    assert error["message"].startswith(f"A filter has at most 10 comparisons of {names} together.")
    assert error["position"] == len(text) + len(" or (closed and ") + 1


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_days_of_a_filter_are_those_of_who_asks(world: World, zone: str) -> None:
    eve = await world.person("eve", timezone=zone)
    for days in (-1, 0, 1):
        await eve.add(str(days), due=day(days, zone), deadline=day(days, zone)["date"], start=day(days, zone))

    for field in ("due", "deadline", "start"):
        assert await found(eve, f"{field} = today") == ["0"], field
        assert await found(eve, f"{field} <= today") == ["-1", "0"], field
        assert await found(eve, f"{field} > today") == ["1"], field
        assert await found(eve, f"{field} in (yesterday, tomorrow) order by {field}") == ["-1", "1"], field


async def test_projects_and_people_that_one_does_not_see_are_those_that_never_were(
    ada: Person, bob: Person, sql: Sql
) -> None:
    project = (await bob.http.post("/api/projects", json={"name": "House"})).json()["id"]
    await bob.add("his", project_id=project)
    mine = (await ada.http.post("/api/projects", json={"name": "HOUSE"})).json()["id"]
    await ada.add("mine", project_id=mine)
    await ada.add("inbox")

    assert await found(ada, 'project = "house"') == await found(ada, f"project = {mine}") == ["mine"]
    assert await found(ada, f"project = {project}") == await found(ada, f"project = {uuid4()}") == []
    assert await found(ada, "author = bob") == await found(ada, "author = nobody") == []
    assert await found(ada, "project in (inbox, House) and author = me order by title") == ["inbox", "mine"]

    await share(sql, project, ada.id)
    assert await found(ada, "project = House order by title") == ["his", "mine"]
    assert await found(ada, "author = bob") == ["his"]
    assert await found(ada, "not author = me") == ["his"]


async def test_a_mistake_is_named_with_its_place_and_what_was_expected(ada: Person) -> None:
    expected = {
        "due <": (6, "The filter ends here. Expected a value."),
        "(closed": (8, "The filter ends here. Expected `)`."),
        "label = and": (9, "Found `and`. Expected a value. Put names with such words in quotes."),
        'text ~ "x': (8, "This quotation mark has no second one."),
        "colour = red": (
            1,
            "There is no field `colour`. Use one of status, closed, priority, due, overdue, start,",
        ),
        "priority >= high and due < soon": (28, "`soon` is not a date. Use a date such as 2026-12-31,"),
        "status < open": (1, "Compare `status` with `=`, `!=`, `in` and one of `open`, `in_progress`,"),
        "priority = huge": (12, "`huge` is not a priority. Use one of `none`, `low`,"),
        "overdue = today": (1, "Write `overdue` or `not overdue`, without a value."),
        "due": (1, "Compare `due` with `=`, `!=`, `<`,"),
        "closed order by project": (17, "Order by status, priority, due,"),
        "closed \x00": (8, "This character cannot be part of a filter."),
        "due = today+99999y": (7, "`today+99999y` is not a date."),
        "has project": (5, "`has` does not go with `project`. Use one of due,"),
    }
    for text, (position, message) in expected.items():
        error = await refused(ada, text)
        assert error["position"] == position, (text, error)
        assert error["message"].startswith(message), (text, error)
        assert error["message"].endswith(f" This is at character {position}."), (text, error)
    assert "at most 100 terms" in (await refused(ada, " or ".join(["closed"] * 101)))["message"]
    assert "20 levels" in (await refused(ada, "closed or(overdue and(" * 15 + "closed" + "))" * 15))["message"]
    answer = await ada.http.get(f"/api/tasks?filter={'a' * 2001}")
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", "2026-11-24T23:00", "2026-11-25T23:00"),
        ("Monday", "2026-11-29T23:00", "2026-11-30T23:00"),
        ("wednesday", "2026-11-24T23:00", "2026-11-25T23:00"),
        ("start of week", "2026-11-22T23:00", "2026-11-23T23:00"),
        ("end of month + 1d", "2026-11-30T23:00", "2026-12-01T23:00"),
        ("-1m", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("2026-03-31-1m", "2026-02-27T23:00", "2026-02-28T23:00"),
        ("now-90min", "2026-11-25T10:30", None),
        ("+2h", "2026-11-25T14:00", None),
        ("2026-12-31T09:00", "2026-12-31T08:00", None),
        ("2026-12-31T09:00+05:00", "2026-12-31T04:00", None),
    ],
)
def test_a_value_means_a_day_or_an_instant(text: str, begin: str, end: str | None) -> None:
    values = read_filter(f"created = {text}", ASKER).values
    since = datetime.fromisoformat(f"{begin}Z")
    until = datetime.fromisoformat(f"{end}Z") if end else since + timedelta(microseconds=1)
    assert values == {"filter_0": since, "filter_1": until}


def test_filters_that_differ_in_values_only_are_compiled_once() -> None:
    one, other = (read_filter(f"due < {value} and priority = low", ASKER) for value in ("today", "tomorrow+1w"))
    assert hash(one.where) == hash(other.where)
    assert one.where == other.where
    assert one.values != other.values
    assert read_filter("due > today and priority = low", ASKER).where != one.where


WORDS = st.sampled_from(
    ["due", "and", "or", "not", "in", "has", "(", ")", ",", "=", "<", "!=", "~", "today", "+7d", '"', "'", "order by",
     "priority", "high", "closed", "me", "none", "-1m", "status", "open", "\\", "1h", "a" * 50, "\u0130", "\ud800"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=2_100), st.lists(WORDS, max_size=400).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused_in_time(text: str) -> None:
    began = process_time()
    try:
        read_filter(text, ASKER).where.clause(ACTOR)
    except FilterError as error:
        assert 1 <= error.position <= len(text) + 1
    assert process_time() - began < 0.05, text
