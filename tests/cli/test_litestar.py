"""Litestar's own command line, which finds the application by `LITESTAR_APP=todo.app:create_app`."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import SECRET
from litestar.cli.main import litestar_group


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # Litestar sets variables of its own
    monkeypatch.setenv("LITESTAR_APP", "todo.app:create_app")
    monkeypatch.setenv("TODO_SECRET_KEY", SECRET)


def test_it_lists_the_routes() -> None:
    result = CliRunner().invoke(litestar_group, ["routes"], catch_exceptions=False)

    assert result.exit_code == 0
    assert "/api/tasks/{task_id:uuid} (HTTP)" in result.output


def test_it_writes_the_openapi_document(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"

    result = CliRunner().invoke(litestar_group, ["schema", "openapi", "--output", str(file)], catch_exceptions=False)

    assert result.exit_code == 0, result.output
    assert "/api/tasks/{task_id}" in json.loads(file.read_text())["paths"]
