"""Lists: pages, filters, facets, search, whose rows."""

import pytest
from support.factories import Person, origin_for

from todo.access import Actor
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery, ListResult
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Forbidden, Invalid, NotFound


def titles(found: ListResult) -> list[str]:
    return [item.title for item in found.items]


def facet(found: ListResult, name: str) -> dict[str, int | None]:
    return {value.value: value.count for one in found.facets if one.name == name for value in one.values}


async def test_a_list_shows_rows_with_the_names_of_what_they_lead_to(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water the plants")

    found = await admin.queries.page("tasks")

    assert [str(item.id) for item in found.items] == [task["id"]]
    assert found.items[0].display == "Water the plants"
    assert found.items[0].displays == {"owner_id": ada.email, "project_id": "Inbox"}
    assert (found.total, found.total_is_exact) == (1, True)


async def test_facets_count_the_rest_of_the_view_without_their_own_filter(admin: AdminService, ada: Person) -> None:
    await ada.add("A", priority=1)
    await ada.add("B", priority=1, status="waiting")
    await ada.add("C", priority=2)

    found = await admin.queries.page("tasks", ListQuery(filters={"status": ["waiting"], "priority": ["1"]}))

    assert titles(found) == ["B"]
    assert facet(found, "status") == {"open": 1, "in_progress": 0, "waiting": 1, "done": 0, "cancelled": 0}


async def test_several_values_of_a_filter_are_alternatives(admin: AdminService, ada: Person) -> None:
    for status in ("open", "waiting", "in_progress"):
        await ada.add(status, status=status)

    found = await admin.queries.page("tasks", ListQuery(filters={"status": ["open", "waiting"]}))

    assert sorted(titles(found)) == ["open", "waiting"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2031", ["A", "B"]), ("2031-02", ["B"]), ("2031-01-31", ["A"]), ("2031-01-31..2031-02-01", ["A", "B"]),
        ("..2031-01-31", ["A"]), ("2031-02-01..", ["B"]), ("empty", ["C"]), ("set", ["A", "B"]), ("today", []),
    ],
)  # fmt: skip
async def test_times_are_filtered_by_periods(admin: AdminService, ada: Person, text: str, expected: list[str]) -> None:
    await ada.add("A", due={"kind": "zoned", "at": "2031-01-31T23:30", "timezone": "UTC"})
    await ada.add("B", due={"kind": "zoned", "at": "2031-02-01T09:00", "timezone": "UTC"})
    await ada.add("C")

    found = await admin.queries.page("tasks", ListQuery(filters={"due_at": [text]}))

    assert sorted(titles(found)) == expected


@pytest.mark.parametrize("name", ["notes", "password_hash", "owner_id.email", "nonsense"])
async def test_a_filter_that_is_not_declared_is_refused(admin: AdminService, name: str) -> None:
    with pytest.raises(Invalid):
        await admin.queries.page("tasks", ListQuery(filters={name: ["x"]}))


@pytest.mark.parametrize("sort", ["notes", "password_hash", "-nonsense", "id,id"])
async def test_a_sort_that_is_not_declared_is_refused(admin: AdminService, sort: str) -> None:
    with pytest.raises(Invalid):
        await admin.queries.page("tasks", ListQuery(sort=sort))


async def test_the_search_looks_for_every_word(admin: AdminService, ada: Person) -> None:
    await ada.add("Water the plants on the balcony")
    await ada.add("Water the dog")

    found = await admin.queries.page("tasks", ListQuery(q="WATER balcony"))

    assert titles(found) == ["Water the plants on the balcony"]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("ferns", ["Water the ferns"]), ("RENT", ["Pay the rent"]), ("ada@", ["Pay the rent", "Water the ferns"]),
        ("fe", ["Water the ferns"]), ("erns bob", []), ("ada water", ["Water the ferns"]), ("bob", []),
    ],
)  # fmt: skip
async def test_series_are_found_by_title_and_owner(
    admin: AdminService, ada: Person, bob: Person, q: str, expected: list[str]
) -> None:
    for title in ("Water the ferns", "Pay the rent"):
        await ada.add(title, due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=DAILY"})

    assert sorted(titles(await admin.queries.page("series", ListQuery(q=q)))) == expected


async def test_names_of_people_that_may_not_be_seen_are_not_searched(
    registry: Registry, database: Database, ada: Person
) -> None:
    await ada.add("Water the ferns", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=DAILY"})
    permissions = frozenset({"admin.enter", "series.view", "series.all"})
    reader = AdminService(registry, database, origin_for(Actor(ada.id, "reader", permissions=permissions)))

    assert titles(await reader.queries.page("series", ListQuery(q="ferns"))) == ["Water the ferns"]
    assert titles(await reader.queries.page("series", ListQuery(q=ada.email))) == []


@pytest.mark.parametrize(
    ("q", "expected"),
    [("zq", ["ask zq", "Zq asks"]), ("Z", ["ask zq", "Zq asks"]), ("ü", ["Über uns"]), ("会", ["开会"])],
)
async def test_one_or_two_letters_are_looked_for_where_words_begin(
    admin: AdminService, ada: Person, q: str, expected: list[str]
) -> None:
    for title in ("Zq asks", "ask zq", "azqa", "Über uns", "Süden", "开会"):
        await ada.add(title)

    assert sorted(titles(await admin.queries.page("tasks", ListQuery(q=q))), key=str.lower) == expected


@pytest.mark.parametrize("q", ["%", "_", "\\", "' OR 1=1 --"])
async def test_a_search_means_its_characters(admin: AdminService, ada: Person, q: str) -> None:
    await ada.add("Plain")

    assert (await admin.queries.page("tasks", ListQuery(q=q))).items == []


async def test_pages_follow_each_other_in_every_order(admin: AdminService, ada: Person) -> None:
    for number in range(5):
        due = {"kind": "day", "date": f"2031-01-0{number + 1}"} if number % 2 else None
        await ada.add(f"{number}", priority=number % 3, due=due)

    for sort in ("", "-due_at", "priority,-created_at"):
        seen: list[str] = []
        cursor = None
        while True:
            page = await admin.queries.page("tasks", ListQuery(sort=sort, limit=2, cursor=cursor, facets=False))
            seen += titles(page)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sorted(seen) == ["0", "1", "2", "3", "4"]


async def test_without_the_right_to_every_row_one_sees_ones_own(
    registry: Registry, database: Database, ada: Person, bob: Person
) -> None:
    mine, theirs = await ada.add("Mine"), await bob.add("Theirs")
    permissions = frozenset({"admin.enter", "tasks.view"})
    admin = AdminService(registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=permissions)))

    found = await admin.queries.page("tasks")

    assert titles(found) == ["Mine"]
    assert found.items[0].displays == {"owner_id": "ada"}  # everybody knows oneself
    assert facet(found, "status")["open"] == 1
    assert (await admin.queries.get("tasks", mine["id"])).title == "Mine"
    with pytest.raises(NotFound):
        await admin.queries.get("tasks", theirs["id"])


async def test_nobody_gets_in_without_the_right_to_enter(registry: Registry, database: Database, ada: Person) -> None:
    with pytest.raises(Forbidden):
        AdminService(
            registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=frozenset({"tasks.view"})))
        )


async def test_a_secret_shows_only_that_it_is_set(admin: AdminService, ada: Person) -> None:
    person = await admin.queries.get("users", ada.id)

    assert person.password_hash == "set"


@pytest.mark.parametrize("row_id", ["nonsense", "0190f5f0-7c1d-7000-8000-000000000000"])
async def test_what_is_not_there_is_not_found(admin: AdminService, row_id: str) -> None:
    with pytest.raises(NotFound):
        await admin.queries.get("tasks", row_id)
