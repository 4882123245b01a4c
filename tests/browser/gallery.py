"""A gallery to look at: every page of the admin at 1440 and 390 pixels, light and dark.

    GALLERY=/tmp/gallery .venv/bin/pytest -n 0 tests/browser/gallery.py     then open /tmp/gallery/index.html

GALLERY_ONLY=tasks,login makes those whose names begin so; GALLERY_WIDTHS=1440 and GALLERY_THEMES=light fewer of each.
"""

import os
from html import escape
from pathlib import Path

import pytest
from browser.conftest import Opening
from browser.test_everywhere import RESOURCES
from litestar import Litestar
from support.admin_rows import Rows
from support.browser import Window
from support.factories import PASSWORD, Person, origin_for

from todo.access import Actor
from todo.admin.declaration import ModelAdmin, Resource
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.cli.demo import fill
from todo.database import Database
from todo.domain.accounts.services.sign_in import SignIn
from todo.modules import REGISTRY
from todo.settings import Settings, secret_key

FOLDER = Path(os.environ.get("GALLERY", "gallery"))
WIDTHS = [int(width) for width in os.environ.get("GALLERY_WIDTHS", "1440,390").split(",")]
THEMES = os.environ.get("GALLERY_THEMES", "light,dark").split(",")
ONLY = tuple(os.environ.get("GALLERY_ONLY", "").split(","))
HEIGHTS = {1440: 900, 390: 844}
OWN = {
    "dashboard": "/admin", "docs": "/admin/docs", "search": "/admin/search?q=a", "account": "/admin/account",
    "second-factor": "/admin/account/second-factor", "health": "/admin/health", "not-found": "/admin/nothing",
    "tasks-filtered": "/admin/tasks?status=open&priority=2..4", "tasks-nothing": "/admin/tasks?q=nothing+like+it",
    "tasks-bad-filter": "/admin/tasks?nonsense=1",
}  # fmt: skip


def pages_of(resource: Resource) -> dict[str, str]:
    """The pages of a resource by name, without those of its rows."""
    path = f"/admin/{resource.name}"
    found = {resource.name: path, f"{resource.name}-docs": f"/admin/docs/{resource.name}"}
    found |= {f"{resource.name}-{verb}": f"{path}/{verb}" for verb in ("add", "import") if verb in resource.verbs}
    wide = [one.name for one in resource.actions.values() if one.on == "resource"]
    found |= {f"{resource.name}-act-{name}": f"{path}/act/{name}" for name in wide}
    return found | ({f"{resource.name}-trash": f"{path}?trash=1"} if getattr(resource, "trash", "") else {})


async def rows_of(admin: AdminService, rows: Rows) -> dict[str, str]:
    """The pages of one row of every table, which is added where there is none."""
    found: dict[str, str] = {}
    for name, resource in RESOURCES.items():
        if not isinstance(resource, ModelAdmin):
            continue
        items = (await admin.queries.page(name, ListQuery(limit=1, facets=False))).items
        path = f"/admin/{name}/{items[0].id if items else await rows.of(resource)}"
        found |= {f"{name}-row": path, f"{name}-history": f"{path}/history"}
        found |= {f"{name}-why": f"{path}/explanation"} if "explain" in resource.verbs else {}
        found |= {f"{name}-as-of": f"{path}/as-of?at=2999-01-01T00:00"}
        found |= {"roles-access": f"/admin/role-access/{path.rpartition('/')[2]}"} if name == "roles" else {}
    return found


@pytest.fixture
def folder() -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return FOLDER


async def test_the_gallery(
    opening: Opening, app: Litestar, database: Database, settings: Settings, boss: Person, folder: Path
) -> None:
    await fill(database, SignIn(database, settings, secret_key(settings)), PASSWORD)
    actor = Actor(boss.id, boss.email, permissions=frozenset({"*"}))
    admin = AdminService(REGISTRY, database, origin_for(actor))
    paths = OWN | {name: path for one in REGISTRY for name, path in pages_of(one).items()}
    paths |= await rows_of(admin, Rows(REGISTRY, database, boss.id))
    paths = {name: path for name, path in paths.items() if name.startswith(ONLY)}
    for width in WIDTHS:
        size = {"viewport": {"width": width, "height": HEIGHTS.get(width, 900)}, "has_touch": width < 600}
        window = await opening(boss, **size)
        window.expected |= {404, 422}
        for name, path in paths.items():
            await _shoot(window, name, path, width)
        window = await opening(**size)
        await _shoot(window, "login", "/admin/login", width)
    (folder / "index.html").write_text(_index([*paths, "login"]))


async def _shoot(window: Window, name: str, path: str, width: int) -> None:
    await window.go(path)
    for theme in THEMES:
        await window.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await window.page.screenshot(path=FOLDER / f"{name}-{width}-{theme}.png")


def _index(names: list[str]) -> str:
    """One line of pictures for each page."""
    lines = [
        f"<h2>{escape(name)}</h2>"
        + "".join(
            f'<a href="{name}-{width}-{theme}.png"><img src="{name}-{width}-{theme}.png" height="420"></a>'
            for width in WIDTHS
            for theme in THEMES
        )
        for name in names
    ]
    return "<!doctype html><meta charset=utf-8><title>Gallery</title>" + "\n".join(lines)
