"""The walls of the house: who imports whom, what is forbidden, what everything must have."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from benchmarks.peers import bare
from todo.cli.check import PUBLIC
from todo.domain.tasks.schemas import TaskOut
from todo.http.document.operations import is_public

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "todo").rglob("*.py"))
BIN = Path(sys.executable).parent
# They corrupt SQLModel rows (see tests/database/test_landmines.py); change the row you loaded instead.
WRONG_VERBS = {"update_many", "upsert", "upsert_many", "get_or_upsert", "get_and_update"}


def run(*command: str) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", ".")


def test_everything_is_formatted() -> None:
    run("ruff", "format", "--check", ".")


def test_mypy_finds_nothing() -> None:
    run("mypy")


def test_imports_point_down() -> None:
    run("lint-imports")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_calls_the_verbs_that_corrupt_rows(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert called & WRONG_VERBS == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_suppression_carries_its_reason(path: Path) -> None:
    bare = [
        line
        for line in path.read_text().splitlines()
        if re.search(r"#\s*(noqa|type:\s*ignore)", line)
        and not re.search(r"(noqa: \w+ -- .+|ignore\[[\w-]+(, [\w-]+)*\]  # .+)$", line)
    ]

    assert bare == []


def handlers(app: Litestar) -> list[HTTPRouteHandler]:
    found = {handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers}
    return [handler for handler in found if handler.operation_id]


def test_every_route_asks_for_a_permission_or_is_reviewed_as_public(app: Litestar) -> None:
    public = {str(handler.operation_id) for handler in handlers(app) if is_public(handler)}

    assert public == PUBLIC


def test_every_route_has_help_and_an_example(app: Litestar) -> None:
    poor = [
        str(h.operation_id)
        for h in handlers(app)
        if "\n" not in (h.fn.__doc__ or "") or "Example: " not in (h.fn.__doc__ or "")
    ]

    assert poor == []


def test_no_route_goes_without_a_name(app: Litestar) -> None:
    nameless = [
        route.path
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if not handler.operation_id and handler.http_methods != {"OPTIONS"}
    ]

    assert nameless == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_hold_what_the_project_stands_on(lock: str) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [line for lines in wanted["project"]["optional-dependencies"].values() for line in lines]
    lines = wanted["project"]["dependencies"] + extras + (wanted["dependency-groups"]["dev"] if "dev" in lock else [])
    names = {re.split(r"[\[<>=~ ;]", line)[0].lower() for line in lines}

    locked = {line.split("==")[0] for line in (ROOT / lock).read_text().splitlines() if "==" in line}

    assert names - locked == set()
    assert "todo" not in locked, "another project's package of our name"


def test_the_floor_of_the_benchmark_answers_what_the_service_does() -> None:
    assert bare.Task.__struct_fields__ == TaskOut.__struct_fields__
