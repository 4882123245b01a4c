"""What commands import: little, so that they answer at once. Modules are counted, since times depend on the machine."""

import subprocess
import sys

import pytest

WEB = ("todo.app", "todo.web", "todo.admin.pages", "todo.admin.rest", "uvicorn", "jinja2", "webauthn", "xlsxwriter")


def imported_by(code: str) -> list[str]:
    """Return the modules of a process that has run this."""
    seen = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint('\\n'.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return seen.stdout.split("\n")


def below(modules: list[str], roots: tuple[str, ...]) -> list[str]:
    return [name for name in modules if any(f"{name}.".startswith(f"{root}.") for root in roots)]


@pytest.mark.parametrize("module", ["todo.cli.admin", "todo.cli.short", "todo.cli.worker"])
def test_commands_and_workers_import_no_routes_and_no_pages(module: str) -> None:
    modules = imported_by(f"import {module}")

    assert below(modules, WEB) == []
    assert [
        name for name in modules if name.startswith("todo.domain.") and {"controllers", "web"} & {*name.split(".")}
    ] == []


def test_statements_are_compiled_when_they_are_first_run() -> None:
    modules = imported_by(
        "from todo.database import Query\nimport gc\nimport todo.modules\n"
        "print([one for one in gc.get_objects() if isinstance(one, Query) and 'sql' in one.__dict__])"
    )

    assert "[]" in modules
