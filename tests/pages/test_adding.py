"""A new row is added with the lines of its form in one transaction, or not at all; nothing typed is lost."""

from typing import Any

import pytest
from pages.conftest import Entering
from support.factories import Person, World
from support.pages import Visitor, form_of, text_of

ADD = "/admin/projects/add"
MARK = "-sections"


def line(name: str, place: int) -> str:
    return f"{name}{MARK}-{place}"


async def form_to_add(visitor: Visitor) -> dict[str, list[str]]:
    return form_of(await visitor.get(ADD), ADD)


async def sections(sql: Any, project: str) -> list[str]:
    """Their names, in their order."""
    found = await sql.fetch(
        "SELECT s.name FROM sections s JOIN projects p ON p.id = project_id WHERE p.name = $1 ORDER BY position, s.id",
        project,
    )
    return [row["name"] for row in found]


async def projects(sql: Any) -> set[str]:
    return {row["name"] for row in await sql.fetch("SELECT name FROM projects WHERE id <> owner_id")}


async def role(sql: Any, name: str, *permissions: str) -> str:
    await sql.execute(
        "INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), $1, $2) ON CONFLICT DO NOTHING",
        name, ["admin.enter", "projects.all", "projects.add", *permissions],
    )  # fmt: skip
    return name


async def test_a_row_is_added_with_its_lines(visitor: Visitor, sql: Any) -> None:
    form = await form_to_add(visitor)
    assert form[f"_count{MARK}"] == ["2"] and line("_id", 0) not in form
    typed = {"name": ["House"], line("name", 0): ["Attic"], line("name", 1): ["Bath"]}

    answer = await visitor.send(ADD, **form | typed)

    assert "Project House added." in await visitor.follow(answer)
    assert await sections(sql, "House") == ["Attic", "Bath"]
    found = await sql.fetch(
        "SELECT action FROM audit_events WHERE source = 'admin' AND action ~ '^(projects|sections)'"
    )
    assert sorted(row["action"] for row in found) == ["projects.add", "sections.add", "sections.add"]


async def test_empty_lines_are_left_out(visitor: Visitor, sql: Any) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 1): ["Bath"], "_then": ["another"]}

    answer = await visitor.send(ADD, **form)

    assert answer.headers["location"] == ADD
    assert await sections(sql, "House") == ["Bath"]
    again = await form_to_add(visitor)
    assert (again["name"], again[line("name", 1)]) == ([""], [""])


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ({"name": ""}, ["field-name"]),
        ({line("name", 1): "x" * 1000}, [f"cell-{line('name', 1)}"]),
        ({"name": "", line("name", 1): "x" * 1000}, ["field-name", f"cell-{line('name', 1)}"]),
        ({"parent_id": "No such project", line("name", 1): "x" * 1000}, ["field-parent_id"]),
    ],
)
async def test_what_is_refused_anywhere_adds_nothing(
    visitor: Visitor, sql: Any, typed: dict[str, str], at: list[str]
) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Attic"], "description": ["Half written"]}
    form |= {name: [text] for name, text in typed.items()}

    answer = await visitor.send(ADD, **form)

    assert answer.status_code == 422
    assert [place for place in at if f'href="#{place}"' not in answer.text] == []
    assert "Not added:" in answer.text
    again = form_of(answer, ADD)
    assert {name: again[name] for name in form} == form
    assert await projects(sql) == set()
    fixed = {"name": ["House"], line("name", 1): ["Bath"], "parent_id": [""]}
    assert (await visitor.send(ADD, **again | fixed)).status_code == 303
    assert await sections(sql, "House") == ["Attic", "Bath"]


@pytest.mark.parametrize(("table", "status"), [("sections", 422), ("projects", 409)])
async def test_what_the_database_refuses_keeps_the_form(visitor: Visitor, sql: Any, table: str, status: int) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Attic"]}
    await visitor.send(ADD, **form)
    form |= {line("name", 1): ["Attic" if table == "sections" else "x" * 1000], "description": ["Half written"]}
    await sql.execute(
        f"CREATE UNIQUE INDEX no_equal_names ON {table} ({'project' if table == 'sections' else 'owner'}_id, name)"
    )
    try:
        answer = await visitor.send(ADD, **form)
    finally:
        await sql.execute("DROP INDEX no_equal_names")

    assert (answer.status_code, form_of(answer, ADD)) == (status, form)
    assert "An equal row already exists." in text_of(answer)
    assert (f'href="#cell-{line("name", 1)}"' in answer.text) == (table == "projects")
    assert await sql.fetchval("SELECT count(*) FROM projects WHERE name = 'House'") == 1


async def test_lines_are_moved_without_scripts(visitor: Visitor, sql: Any) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Bath"], line("name", 1): ["Attic"]}

    answer = await visitor.send(ADD, **form | {"_move": ["sections 1 up"]})

    assert answer.status_code == 200
    assert await projects(sql) == set()
    moved = form_of(answer, ADD)
    assert (moved["name"], moved[line("name", 0)], moved[line("name", 1)]) == (["House"], ["Attic"], ["Bath"])
    await visitor.send(ADD, **moved)
    assert await sections(sql, "House") == ["Attic", "Bath"]


async def test_lines_that_were_dragged_are_added_in_their_new_order(visitor: Visitor, sql: Any) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Bath"], line("name", 1): ["Attic"]}

    await visitor.send(ADD, **form | {f"_place{MARK}": ["1", "0"]})

    assert await sections(sql, "House") == ["Attic", "Bath"]


async def test_more_lines_keep_what_was_typed(visitor: Visitor, sql: Any) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Attic"], "_more": ["sections"]}

    again = form_of(await visitor.send(ADD, **form), ADD)

    assert (again["name"], again[f"_count{MARK}"], again[line("name", 0)]) == (["House"], ["7"], ["Attic"])
    await visitor.send(ADD, **again | {line("name", 6): ["Garden"]})
    assert await sections(sql, "House") == ["Attic", "Garden"]


@pytest.mark.parametrize(
    "sent", [{f"_count{MARK}": "100000"}, {f"_count{MARK}": "x"}, {line("project_id", 0): "x", f"_count{MARK}": ""}]
)
async def test_what_no_form_sends_is_refused(visitor: Visitor, sql: Any, sent: dict[str, str]) -> None:
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Attic"]}

    assert (await visitor.send(ADD, **form | sent)).status_code == 422
    assert (await visitor.get(ADD, **{f"_count{MARK}": "x"})).status_code == 422
    assert await projects(sql) == set()


async def test_a_line_belongs_to_the_new_row_alone(visitor: Visitor, boss: Person, sql: Any) -> None:
    other = (await boss.http.post("/api/projects", json={"name": "Other"})).json()
    section = (await boss.http.post(f"/api/projects/{other['id']}/sections", json={"name": "Theirs"})).json()
    form = await form_to_add(visitor) | {"name": ["House"], line("name", 0): ["Attic"]}
    sneaked = {line("project_id", 0): [other["id"]], line("_version", 1): ["1"], line("name", 1): ["Mine"]}

    assert (await visitor.send(ADD, **form | sneaked)).status_code == 303
    assert await sections(sql, "House") == ["Attic", "Mine"]
    taken = form | {"name": ["Barn"], line("_id", 0): [section["id"]], line("_version", 0): ["1"]}
    assert (await visitor.send(ADD, **taken | {line("_delete", 0): ["1"]})).status_code == 303
    assert (await sections(sql, "Other"), await sections(sql, "Barn")) == (["Theirs"], ["Attic"])


@pytest.mark.parametrize(
    ("permissions", "sees"),
    [
        (("projects.view", "sections.view", "sections.change"), False),
        (("sections.add",), False),
        (("projects.view", "sections.add"), True),
    ],
)
async def test_who_may_not_add_lines_sees_none(
    entering: Entering, world: World, sql: Any, permissions: tuple[str, ...], sees: bool
) -> None:
    name = await role(sql, f"adding-{len(permissions)}-{sees}", *permissions)
    visitor = await entering(await world.person("ada", name))
    page = await visitor.get(ADD)
    form = form_of(page, ADD)

    assert (f"_count{MARK}" in form, "rows-sections" in page.text) == (sees, sees)
    sneaked = {f"_count{MARK}": "1", line("name", 0): "Attic", line("_was.name", 0): "", f"_place{MARK}": "0"}
    answer = await visitor.send(ADD, **form | {"name": ["House"]} | sneaked)
    assert answer.status_code == 303
    assert await sections(sql, "House") == (["Attic"] if sees else [])


async def test_a_copy_has_the_lines_as_new_ones(visitor: Visitor, boss: Person, sql: Any) -> None:
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    for name in ("Attic", "Bath"):
        await boss.http.post(f"/api/projects/{project['id']}/sections", json={"name": name})

    copied = form_of(await visitor.get(f"/admin/projects/{project['id']}/copy"), ADD)

    assert (copied["name"], copied[f"_count{MARK}"]) == (["House"], ["4"])
    assert [copied[line("name", place)] for place in range(4)] == [["Attic"], ["Bath"], [""], [""]]
    typed = {"name": ["Barn"], line("name", 0): [""], line("name", 2): ["Cellar"]}
    assert (await visitor.send(ADD, **copied | typed)).status_code == 303
    assert await sections(sql, "Barn") == ["Bath", "Cellar"]
    assert await sections(sql, "House") == ["Attic", "Bath"]


async def test_a_copy_says_what_it_has_no_room_for(visitor: Visitor, boss: Person, sql: Any) -> None:
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    await sql.executemany(
        "INSERT INTO sections (id, version, created_at, updated_at, project_id, name, position)"
        " VALUES (gen_random_uuid(), 1, now(), now(), $1, $2, $3)",
        [(project["id"], f"Section {place}", place) for place in range(51)],
    )

    answer = await visitor.get(f"/admin/projects/{project['id']}/copy")

    assert "Sections are not copied: there are more than 50." in text_of(answer)
    assert form_of(answer, ADD)[f"_count{MARK}"] == ["2"]


async def test_who_may_not_see_lines_copies_none(entering: Entering, world: World, boss: Person, sql: Any) -> None:
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    await boss.http.post(f"/api/projects/{project['id']}/sections", json={"name": "Attic"})
    name = await role(sql, "adding-blind", "projects.view", "sections.add")
    visitor = await entering(await world.person("ada", name))

    answer = await visitor.get(f"/admin/projects/{project['id']}/copy")

    assert "Attic" not in answer.text and form_of(answer, ADD)[f"_count{MARK}"] == ["2"]
