"""What holds on every page of every resource: axe-core finds nothing, light and dark, and the console is silent."""

from typing import Any

import pytest
from browser.conftest import PHONE, Opening
from sqlalchemy import select
from support.admin_rows import Rows
from support.browser import Window
from support.factories import Person

from todo.access import worker_origin
from todo.admin.declaration import ModelAdmin, Resource
from todo.database import Database, columns
from todo.domain.accounts.models import SigningKey
from todo.modules import REGISTRY

RESOURCES = {resource.name: resource for resource in REGISTRY}
OWN = [
    "/admin",
    "/admin/tasks?q=nothing+like+it",
    "/admin/docs",
    "/admin/search?q=text",
    "/admin/account",
    "/admin/account/second-factor",
]


async def found_on(window: Window, paths: list[str]) -> dict[str, list[str]]:
    """The violations of each page that has some."""
    found = {}
    for path in paths:
        await window.go(path)
        found[path] = await window.violations_in_both_themes()
    return {path: violations for path, violations in found.items() if violations}


def pages_of(resource: Resource) -> list[str]:
    """The pages of a resource that need no row."""
    list_page, verbs = f"/admin/{resource.name}", set(resource.verbs)
    wide = [f"{list_page}/act/{one.name}" for one in resource.actions.values() if one.on == "resource"]
    trash = [f"{list_page}?trash=1"] if getattr(resource, "trash", "") else []
    verbal = [f"{list_page}/{verb}" for verb in ("add", "import") if verb in verbs]
    return [list_page, *trash, *verbal, *wide, f"/admin/docs/{resource.name}"]


async def row_of(resource: ModelAdmin[Any], database: Database, boss: Person) -> Any:
    """A new row; of the signing keys the one there is, because a wrong one would let nobody sign in again."""
    if resource.name == "signing_keys":
        async with database.session(worker_origin()) as session:
            return await session.scalar(select(columns(SigningKey)["id"]))
    return await Rows(REGISTRY, database, boss.id).of(resource)


@pytest.mark.parametrize("path", OWN)
async def test_a_page_of_the_shell(lively: Window, path: str) -> None:
    assert await found_on(lively, [path]) == {}


@pytest.mark.parametrize("name", RESOURCES)
async def test_the_pages_of_a_resource(lively: Window, database: Database, boss: Person, name: str) -> None:
    resource = RESOURCES[name]
    if isinstance(resource, ModelAdmin):
        await row_of(resource, database, boss)

    assert await found_on(lively, pages_of(resource)) == {}


@pytest.mark.parametrize("name", [name for name, one in RESOURCES.items() if isinstance(one, ModelAdmin)])
async def test_the_pages_of_a_row(lively: Window, database: Database, boss: Person, name: str) -> None:
    resource = RESOURCES[name]
    assert isinstance(resource, ModelAdmin)
    row = await row_of(resource, database, boss)
    paths = [f"/admin/{name}/{row}", f"/admin/{name}/{row}/history"]
    paths += [f"/admin/{name}/{row}/explanation"] if "explain" in resource.verbs else []

    assert await found_on(lively, paths) == {}


@pytest.mark.parametrize("path", ["/admin", "/admin/tasks", "/admin/tasks/add", "/admin/account"])
async def test_a_page_on_a_phone(opening: Opening, boss: Person, path: str) -> None:
    await boss.add(title="A title that is far too long for a phone, " * 4)
    window = await opening(boss, viewport=PHONE, has_touch=True, is_mobile=True)

    assert await found_on(window, [path]) == {}
    assert await window.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("path", ["/admin/login", "/admin/nothing/here"])
async def test_a_page_before_the_sign_in(opening: Opening, path: str) -> None:
    assert await found_on(await opening(), [path]) == {}


@pytest.mark.parametrize("path", ["/admin/nothing", "/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000"])
async def test_a_page_that_is_not_there(lively: Window, path: str) -> None:
    lively.expected.add(404)

    assert await found_on(lively, [path]) == {}


async def test_a_page_that_is_not_allowed(opening: Opening, ada: Person) -> None:
    window = await opening(ada)
    window.expected.add(403)

    assert await found_on(window, ["/admin"]) == {}


async def test_a_list_that_cannot_be_asked_for(lively: Window) -> None:
    lively.expected.add(422)

    assert await found_on(lively, ["/admin/tasks?notes=secret"]) == {}


async def test_a_row_of_a_list_has_two_lines_on_a_phone(opening: Opening, boss: Person) -> None:
    await boss.add(title="A title that is far too long for a phone, " * 4)
    window = await opening(boss, viewport=PHONE, has_touch=True, is_mobile=True)
    page = await window.go("/admin/tasks")

    row = await page.locator("tr[data-row]").bounding_box()

    assert row is not None
    assert row["height"] <= 64
