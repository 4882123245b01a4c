"""Mistakes in declarations: refused at start, in sentences that name the class and the field."""

from typing import Any, Literal

import pytest
from msgspec import Struct
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field

from todo.admin.checks import AdminError
from todo.admin.declaration import Computed, Filter, Inline, ModelAdmin, Resource, RowsAdmin, action
from todo.admin.registry import Registry
from todo.cli.failures import sentence_of
from todo.database import Row
from todo.schema import Schema


class Redirect(Row, registry=registry()):
    """Tables that are none of the service's."""


class Plant(Redirect, table=True):
    """Something that grows."""

    __tablename__ = "plants"

    name: str
    notes: str = ""
    code: str = ""
    kind: str = "tree"
    height: int = 0
    leaf: dict[str, Any] | None = Field(default=None, sa_type=JSONB)

    SECRET = frozenset({"code"})


class PlantAdmin(ModelAdmin[Plant]):
    model = Plant
    name, label, display = "plants", "Plants", "name"
    types = {"kind": Literal["tree", "herb"]}
    editable = ("name", "height")
    verbs = ("view", "add", "change", "delete")


class Loose(Struct):
    note: str = ""


class Empty(Schema):
    pass


def doing_nothing(label: str, **options: Any) -> Any:
    async def nothing(*_: Any) -> None:
        """Nothing."""

    return action(label, **options)(nothing)


FULL = Filter("size", {str(number): func.now() for number in range(7)})
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"columns": ("name", "colour")}, "columns names 'colour', which is no field"),
    ({"columns": ("notes",), "heavy": ("notes",)}, "columns names 'notes', which is heavy"),
    ({"search": ("colour",)}, "search names 'colour', which is no field"),
    ({"search": ("height",)}, "search names 'height', which is no text"),
    ({"sorts": ("colour",)}, "sorts names 'colour', which is no field"),
    ({"sorts": ("leaf",)}, "sorts names 'leaf', by which no list can be sorted"),
    ({"sort": "-colour"}, "sort names 'colour', which is no field"),
    ({"sort": "height"}, "sort names 'height', which is not among the sorts"),
    ({"display": "colour"}, "display names 'colour', which is no field"),
    ({"display": "leaf"}, "display names 'leaf', by which nobody knows a row"),
    ({"filters": ("colour",)}, "filters names 'colour', which is no field"),
    ({"filters": ("code",)}, "filters names 'code', but a secret cannot be filtered by"),
    ({"filters": ("leaf",)}, "filters names 'leaf', but a json cannot be filtered by"),
    ({"filters": ("name", "name")}, "filters names 'name' twice"),
    ({"filters": (Filter("q", {"a": func.now()}),)}, "filters names 'q', which is a parameter of every list"),
    ({"filters": (Filter("size", {}),)}, "the filter size needs one to 6 choices"),
    ({"filters": (FULL,)}, "the filter size needs one to 6 choices"),
    ({"filters": (Filter("name", {"a": func.now()}),)}, "the filter name must be the name of a field, or of none"),
    ({"date_hierarchy": "height"}, "date_hierarchy names 'height', which must be a time"),
    (
        {"date_hierarchy": "created_at"},
        "date_hierarchy names 'created_at', which must be a time that one can filter by",
    ),
    ({"fieldsets": {"Plant": ("colour",)}}, "fieldsets names 'colour', which is no field"),
    ({"field_permissions": {"colour": "plants.colour"}}, "field_permissions names 'colour', which is no field"),
    ({"types": {"colour": str}}, "types names 'colour', which is no field"),
    ({"editable": ("colour",)}, "editable names 'colour', which is no field"),
    ({"editable": ("name", "version")}, "'version' cannot be written"),
    ({"editable": ("name", "code")}, "'code' cannot be written"),
    ({"editable": ("name", "loud"), "computed": {"loud": Computed(func.upper("x"), str)}}, "'loud' cannot be written"),
    ({"only_on_add": ("name",)}, "editable and only_on_add both name 'name'"),
    ({"editable": ("height",)}, "rows can be added, but 'name' is needed and cannot be filled in"),
    ({"editable": (), "verbs": ("view", "change")}, "verbs names 'change', but nothing is editable"),
    ({"defaults": {"colour": str}}, "defaults names 'colour', which is no field"),
    ({"heavy": ("colour",)}, "heavy names 'colour', which is no field"),
    ({"help_texts": {"colour": "?"}}, "help_texts names 'colour', which is no field"),
    ({"trash": "deleted_at"}, "trash names 'deleted_at', which is no field"),
    ({"verbs": ("view", "dance")}, "verbs names 'dance'; there are view, add"),
    ({"dangerous": frozenset({"dance"})}, "dangerous names 'dance', which is not among its verbs"),
    ({"verbs": ("view", "purge")}, "verbs names 'purge', but there is no trash"),
    ({"verbs": ("view", "import")}, "verbs names 'import', but rows can neither be added nor changed"),
    ({"inlines": (Inline("pots", "plant_id"),)}, "inlines names 'pots', which is no resource"),
    ({"inlines": (Inline("plants", "name"),)}, "inlines names 'name', by which plants cannot be filtered"),
    ({"delete": doing_nothing("Delete")}, "the action delete needs another name"),
    ({"water": doing_nothing("Water", on="pot")}, "the action water is on 'pot'"),
    ({"water": doing_nothing("Water", form=Loose)}, "the form of the action water must refuse unknown fields"),
    ({"water": doing_nothing("Water", form=Empty)}, "the form of the action water asks for nothing"),
    ({"name": "Plants!"}, "the name 'Plants!' must be words of small letters"),
]


def declared(base: type[Resource] = PlantAdmin, **parts: Any) -> type[Resource]:
    kind: type[Resource] = type("WrongAdmin", (base,), parts)
    return kind


@pytest.mark.parametrize(("parts", "sentence"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_is_reported_in_a_sentence(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AdminError) as refused:
        Registry([declared(**parts)])

    assert [said for said in refused.value.mistakes if said.startswith(f"WrongAdmin: {sentence}")] != []


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(AdminError) as refused:
        Registry([declared(columns=("colour",), search=("size",))])

    assert len(refused.value.mistakes) == 2


def test_two_resources_cannot_have_one_name() -> None:
    with pytest.raises(AdminError, match="WrongAdmin: there is another resource named plants"):
        Registry([PlantAdmin, declared()])


class Thing(Struct):
    key: str


class ThingAdmin(RowsAdmin):
    name, row, display = "things", Thing, "key"


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [({}, "its rows need a field id"), ({"verbs": ("view", "add")}, "verbs names 'add'; there are view, export")],
)
def test_rows_that_are_no_table_are_checked_likewise(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AdminError) as refused:
        Registry([declared(ThingAdmin, **parts)])

    assert [said for said in refused.value.mistakes if sentence in said] != []


def test_a_command_says_the_operator() -> None:
    assert sentence_of(AdminError(["PlantAdmin: columns names 'colour'."])) == "PlantAdmin: columns names 'colour'."
