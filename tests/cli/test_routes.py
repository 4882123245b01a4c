"""`todo routes`, `todo openapi` and `todo completion`: what this version has."""

import json
from pathlib import Path

import pytest


def test_routes_name_their_permission(todo) -> None:
    found = json.loads(todo("routes", "--json").output)

    assert {"method": "GET", "path": "/api/tasks", "operation": "list_tasks", "permission": "tasks.view"} in found
    assert {one["permission"] for one in found if one["path"] == "/health/ready"} == {"public"}
    assert "/api/tasks/{task_id}" in todo("routes").output


def test_the_document_is_written_for_clients_and_with_administration(todo, tmp_path: Path) -> None:
    done = todo("openapi", "--output", "openapi.json")
    everything = json.loads(todo("openapi", "--admin").output)

    clients = json.loads((tmp_path / "openapi.json").read_text())
    assert (done.exit_code, done.output) == (0, "")
    assert "/api/tasks" in clients["paths"]
    assert "/api/admin/tasks" in everything["paths"].keys() - clients["paths"].keys()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_for_this_command(todo, shell: str) -> None:
    assert f"_TODO_COMPLETE={shell}_complete" in todo("completion", shell).output


def test_commands_and_options_are_completed(todo) -> None:
    words = {"_TODO_COMPLETE": "bash_complete", "COMP_WORDS": "todo migrate --", "COMP_CWORD": "2"}
    done = todo(**words)

    assert "plain,--plan" in done.output.split()
