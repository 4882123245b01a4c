"""Rows named by their whole names, however many words these have, and however many others begin so."""

from typing import Any

import pytest
from support.factories import Person, World, origin_for

from todo.access import Actor
from todo.admin.references import row_id_of
from todo.admin.registry import Registry
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Conflict, Invalid, NotFound

LONG = "Plans for the new garden behind the house"
PARENT = "parent_id"


@pytest.fixture
async def owner(world: World) -> Person:
    return await world.person("owner", timezone="UTC")


async def id_of(admin: AdminService, text: str, field: str = PARENT) -> str:
    return await admin.queries.id_of(admin.registry["tasks"].fields[field], text)


async def message_of(admin: AdminService, text: str, field: str = PARENT) -> str:
    with pytest.raises(Invalid) as refused:
        await id_of(admin, text, field)
    (error,) = refused.value.errors
    assert error.field == f"body.{field}"
    return error.message


@pytest.mark.parametrize("text", [LONG, LONG.upper(), f" {LONG} "])
async def test_a_name_of_many_words_names_its_row(admin: AdminService, owner: Person, text: str) -> None:
    task = await owner.add(LONG)
    await owner.add(f"{LONG} and the garage")

    assert await id_of(admin, text) == task["id"]
    assert await row_id_of(admin, "tasks", text) == task["id"]


@pytest.mark.parametrize(
    "title", ["Order wire, 11.8 inches a piece, today", "100% of a_b, \\ and 'c' of it", "x" * 300]
)
async def test_any_title_names_its_row(admin: AdminService, owner: Person, title: str) -> None:
    task = await owner.add(title)
    if (like := title.replace("%", "x").replace("_", "y")) != title:
        await owner.add(like)

    assert await id_of(admin, title) == task["id"]


async def test_the_first_words_alone_name_nothing(admin: AdminService, owner: Person) -> None:
    """A search would look for the first five words, and find another row."""
    await owner.add(LONG)

    text = "Plans for the new garden beside the river"
    assert await message_of(admin, text) == f"No row is called {text}."
    with pytest.raises(NotFound):
        await row_id_of(admin, "tasks", text)
    assert await message_of(admin, "y" * 2_000) == f"No row is called {'y' * 2_000}."


async def test_some_words_still_name_the_only_row_that_has_them(admin: AdminService, owner: Person) -> None:
    task = await owner.add(LONG)

    assert await id_of(admin, "garden house") == task["id"]


async def test_a_name_is_found_among_many_that_begin_like_it(admin: AdminService, owner: Person, sql: Any) -> None:
    task = await owner.add("imp 1")
    await sql.execute(
        "INSERT INTO tasks SELECT (jsonb_populate_record(tasks, jsonb_build_object("
        "'id', gen_random_uuid(), 'title', 'imp 1' || number))).* FROM tasks, generate_series(0, 200) AS number"
        " WHERE id = $1", task["id"],
    )  # fmt: skip

    assert await id_of(admin, "imp 1") == task["id"]
    assert await row_id_of(admin, "tasks", "imp 1") == task["id"]


async def test_a_name_that_very_many_rows_have_is_not_counted(admin: AdminService, owner: Person, sql: Any) -> None:
    task = await owner.add("Pay the rent")
    await sql.execute(
        "INSERT INTO tasks SELECT (jsonb_populate_record(tasks, jsonb_build_object('id', gen_random_uuid()))).*"
        " FROM tasks, generate_series(1, 100) WHERE id = $1", task["id"],
    )  # fmt: skip

    assert await message_of(admin, "pay the rent") == "Several rows are called pay the rent: write the id of one."
    with pytest.raises(Conflict, match="There are many tasks named pay the rent: give the id."):
        await row_id_of(admin, "tasks", "pay the rent")


async def test_rows_that_one_may_not_see_have_no_name(
    database: Database, registry: Registry, world: World, owner: Person
) -> None:
    """Also those in the trash."""
    await owner.add(LONG)
    other = await world.person("other", timezone="UTC")
    own = await other.add("Only my own task of some more words")
    trashed = await other.add("A task in the trash of some words")
    assert (await other.http.delete(f"/api/tasks/{trashed['id']}")).status_code < 300
    actor = Actor(other.id, other.email, permissions=frozenset({"admin.enter", "tasks.view", "projects.view"}))
    admin = AdminService(registry, database, origin_for(actor))

    assert await id_of(admin, own["title"]) == own["id"]
    assert await message_of(admin, LONG) == f"No row is called {LONG}."
    assert await message_of(admin, trashed["title"]) == f"No row is called {trashed['title']}."
    assert await message_of(admin, "Inbox of somebody who is not me", "project_id") == (
        "No row is called Inbox of somebody who is not me."
    )
    assert (await id_of(admin, "inbox", "project_id")) == str(own["project_id"])
