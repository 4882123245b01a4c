"""What clients rely on does not change unless CHANGELOG says so: docs/api-versioning.md."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from support.promises import Node, broken, current, promises_of, stored

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()


@pytest.fixture(scope="module")
def document() -> Node:
    return current()


def test_nothing_that_clients_rely_on_has_changed_unless_the_changelog_names_it(document: Node) -> None:
    found = broken(stored(), promises_of(document))

    assert [line for line in found if f"`{line}`" not in CHANGELOG] == []


def remove_operation(document: Node) -> None:
    del document["paths"]["/api/trash"]["get"]


def remove_parameter(document: Node) -> None:
    operation = document["paths"]["/api/tasks"]["get"]
    operation["parameters"] = [one for one in operation["parameters"] if one.get("name") != "when"]


def require_parameter(document: Node) -> None:
    next(one for one in parameters(document) if one["name"] == "priority")["required"] = True


def parameters(document: Node) -> list[Node]:
    return [one for one in document["paths"]["/api/tasks"]["get"]["parameters"] if "name" in one]


def remove_choice(document: Node) -> None:
    fields(document, "TaskIn")["status"]["enum"].remove("waiting")


def fields(document: Node, name: str) -> Node:
    found: Node = document["components"]["schemas"][name]["properties"]
    return found


def require_field(document: Node) -> None:
    document["components"]["schemas"]["TaskIn"]["required"].append("notes")


def require_new_field(document: Node) -> None:
    fields(document, "TaskIn")["color"] = {"type": "string"}
    document["components"]["schemas"]["TaskIn"]["required"].append("color")


def remove_answer(document: Node) -> None:
    del fields(document, "TaskOut")["due_at"]
    document["components"]["schemas"]["TaskOut"]["required"].remove("due_at")


def sometimes_leave_out(document: Node) -> None:
    document["components"]["schemas"]["TaskOut"]["required"].remove("due_at")


def answer_null(document: Node) -> None:
    fields(document, "TaskOut")["title"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def shorten(document: Node) -> None:
    fields(document, "TaskIn")["title"]["maxLength"] = 100


def need_another_permission(document: Node) -> None:
    document["paths"]["/api/tasks"]["get"]["x-permission"] = "tasks.change"


def add_operation(document: Node) -> None:
    document["paths"]["/api/new"] = copy.deepcopy(document["paths"]["/api/tasks"])


def add_parameter(document: Node) -> None:
    new = {"name": "color", "in": "query", "schema": {"type": "string", "maxLength": 20}}
    document["paths"]["/api/tasks"]["get"]["parameters"].append(new)


def add_fields(document: Node) -> None:
    fields(document, "TaskIn")["color"] = {"type": "string", "maxLength": 20}
    fields(document, "TaskOut")["color"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def add_choices(document: Node) -> None:
    for name in ("TaskIn", "TaskOut"):
        fields(document, name)["status"]["enum"].append("delegated")


def allow_longer(document: Node) -> None:
    fields(document, "TaskIn")["title"]["maxLength"] = 1000


Change = Callable[[Node], None]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (remove_operation, "no longer: GET /api/trash"),
        (remove_parameter, "no longer: GET /api/tasks takes query when"),
        (require_parameter, "new: GET /api/tasks requires priority"),
        (remove_choice, 'no longer: TaskIn.status takes "waiting"'),
        (require_field, "new: TaskIn.notes is required"),
        (require_new_field, "new: TaskIn.color is required"),
        (remove_answer, "no longer: TaskOut.due_at is answered"),
        (sometimes_leave_out, "no longer: TaskOut.due_at is always answered"),
        (answer_null, "new: TaskOut.title may be null"),
        (shorten, "new: TaskIn.title is limited: maxLength 100"),
        (need_another_permission, "new: GET /api/tasks needs tasks.change"),
    ],
)
def test_what_breaks_clients_is_found(document: Node, change: Change, line: str) -> None:
    changed = copy.deepcopy(document)
    change(changed)

    assert line in broken(promises_of(document), promises_of(changed))


@pytest.mark.parametrize("change", [add_operation, add_parameter, add_fields, add_choices, allow_longer])
def test_what_clients_must_expect_breaks_nothing(document: Node, change: Change) -> None:
    changed = copy.deepcopy(document)
    change(changed)

    assert broken(promises_of(document), promises_of(changed)) == []
