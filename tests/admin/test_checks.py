"""Mistakes in declarations: refused at start, in sentences that name the class and the field."""

from typing import Any, Literal
from uuid import UUID

import pytest
from msgspec import Struct
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field

from todo.admin.checks import AdminError
from todo.admin.declaration import Computed, Filter, ModelAdmin, Resource, RowsAdmin, action
from todo.admin.inlines import Inline
from todo.admin.pages.brand import Brand
from todo.admin.pages.languages import language_of
from todo.admin.pages.templating import check_widgets, environment
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


class Leaf(Redirect, table=True):
    """A part of a plant."""

    __tablename__ = "leaves"

    plant_id: UUID = Field(foreign_key="plants.id")
    name: str = ""
    place: int = 0


class PlantAdmin(ModelAdmin[Plant]):
    model = Plant
    name, label, display = "plants", "Plants", "name"
    types = {"kind": Literal["tree", "herb"]}
    editable = ("name", "height")
    verbs = ("view", "add", "change", "delete")


class LeafAdmin(ModelAdmin[Leaf]):
    model = Leaf
    columns, filters = ("plant_id", "name"), ("plant_id",)
    editable = ("name", "place")
    verbs = ("view", "change")


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
    ({"columns": ("name", "colour")}, "columns has 'colour', which is not a field"),
    ({"columns": ("notes",), "heavy": ("notes",)}, "columns has 'notes', which is heavy"),
    ({"search": ("colour",)}, "search has 'colour', which is not a field"),
    ({"search": ("height",)}, "search has 'height', which is not a text"),
    ({"sorts": ("colour",)}, "sorts has 'colour', which is not a field"),
    ({"sorts": ("leaf",)}, "sorts has 'leaf', which cannot be sorted by"),
    ({"value_names": {"shape.size": {1: "small"}}}, "value_names has 'shape', which is not a field"),
    ({"sort": "-colour"}, "sort has 'colour', which is not a field"),
    ({"sort": "height"}, "sort has 'height', which is not in sorts"),
    ({"display": "colour"}, "display has 'colour', which is not a field"),
    ({"display": "leaf"}, "display is 'leaf', which cannot be displayed"),
    ({"filters": ("colour",)}, "filters has 'colour', which is not a field"),
    ({"filters": ("code",)}, "filters has 'code', but a secret cannot be a filter"),
    ({"filters": ("leaf",)}, "filters has 'leaf', but a json cannot be a filter"),
    ({"filters": ("name", "name")}, "filters has 'name' twice"),
    ({"filters": (Filter("q", {"a": func.now()}),)}, "filters has 'q', which is a parameter of every list"),
    ({"filters": (Filter("size", {}),)}, "the filter size must have one to 6 choices"),
    (
        {"fieldsets": {"Size": ("height",)}, "tabs": {"All": ("Sizes",)}},
        "tabs has 'Sizes', which is neither",
    ),
    ({"fieldsets": {"Size": ("height",)}, "tabs": {"A": ("Size",), "B": ("Size",)}}, "tabs has 'Size' twice"),
    ({"shown_if": {"colour": ("kind", ("tree",))}}, "shown_if has 'colour', which is not a field"),
    ({"shown_if": {"height": ("colour", ("tree",))}}, "shown_if has 'colour', which is not a field"),
    (
        {"shown_if": {"height": ("kind", ("bush",))}},
        "shown_if has 'bush', which is no value of kind. Values: tree",
    ),
    ({"shown_if": {"kind": ("kind", ("tree",))}}, "shown_if has 'kind', which must name another field"),
    ({"shown_if": {"height": ("kind", ())}}, "shown_if has 'height', which must name another field"),
    ({"widgets": {"colour": "color"}}, "widgets has 'colour', which is not a field"),
    ({"widgets": {"name": "colour"}}, "widgets has 'colour' for name. Widgets: color, markdown, or the name of a"),
    ({"badges": {"colour": {"red": "bad"}}}, "badges has 'colour', which is not a field"),
    ({"badges": {"kind": {"tree": "green"}}}, "badges has 'green' for kind. Tones: good, info, accent, warn, bad"),
    ({"badges": {"kind": {"bush": "good"}}}, "badges has 'bush', which is no value of kind. Values: tree"),
    ({"filters": (FULL,)}, "the filter size must have one to 6 choices"),
    ({"filters": (Filter("name", {"a": func.now()}),)}, "the filter name must be the name of a field"),
    ({"date_hierarchy": "height"}, "date_hierarchy is 'height', which must be a date or time"),
    (
        {"date_hierarchy": "created_at"},
        "date_hierarchy is 'created_at', which must be a date or time filter",
    ),
    ({"fieldsets": {"Plant": ("colour",)}}, "fieldsets has 'colour', which is not a field"),
    ({"field_permissions": {"colour": "plants.colour"}}, "field_permissions has 'colour', which is not a field"),
    ({"types": {"colour": str}}, "types has 'colour', which is not a field"),
    ({"editable": ("colour",)}, "editable has 'colour', which is not a field"),
    ({"editable": ("name", "version")}, "'version' cannot be writable"),
    ({"editable": ("name", "code")}, "'code' cannot be writable"),
    ({"editable": ("name", "loud"), "computed": {"loud": Computed(func.upper("x"), str)}}, "'loud' cannot be writable"),
    ({"only_on_add": ("name",)}, "editable and only_on_add both have 'name'"),
    ({"editable": ("height",)}, "rows can be added, but the required field 'name' is not writable"),
    ({"editable": (), "verbs": ("view", "change")}, "verbs has 'change', but nothing is editable"),
    ({"defaults": {"colour": str}}, "defaults has 'colour', which is not a field"),
    ({"heavy": ("colour",)}, "heavy has 'colour', which is not a field"),
    ({"help_texts": {"colour": "?"}}, "help_texts has 'colour', which is not a field"),
    ({"trash": "deleted_at"}, "trash has 'deleted_at', which is not a field"),
    ({"verbs": ("view", "dance")}, "verbs has 'dance'. Verbs: view, add"),
    ({"dangerous": frozenset({"dance"})}, "dangerous has 'dance', which is not one of its verbs"),
    ({"verbs": ("view", "purge")}, "verbs has 'purge', but there is no trash"),
    ({"verbs": ("view", "import")}, "verbs has 'import', but rows can neither be added nor changed"),
    ({"inlines": (Inline("pots", "plant_id"),)}, "inlines has 'pots', which is not a resource"),
    ({"inlines": (Inline("plants", "name"),)}, "inlines has 'name', which is not a reference filter of plants"),
    ({"delete": doing_nothing("Delete")}, "the action delete needs another name"),
    ({"water": doing_nothing("Water", on="pot")}, "the action water has on='pot'"),
    ({"water": doing_nothing("Water", form=Loose)}, "the form of the action water must forbid unknown fields"),
    ({"water": doing_nothing("Water", form=Empty)}, "the form of the action water has no fields"),
    ({"name": "Plants!"}, "the name 'Plants!' must be lowercase words"),
]


def declared(base: type[Resource] = PlantAdmin, **parts: Any) -> type[Resource]:
    kind: type[Resource] = type("WrongAdmin", (base,), parts)
    return kind


@pytest.mark.parametrize(("parts", "sentence"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_is_reported_in_a_sentence(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AdminError) as refused:
        Registry([declared(**parts)])

    assert [said for said in refused.value.mistakes if said.startswith(f"WrongAdmin: {sentence}")] != []


def test_rows_below_are_lines_of_a_form_only_if_they_can_be_changed() -> None:
    inlines = (Inline("leaves", "plant_id", in_form=True),)

    with pytest.raises(AdminError, match="WrongAdmin: inlines has in_form=True for 'leaves', but one of both cannot"):
        Registry([declared(inlines=inlines, verbs=("view",)), LeafAdmin])


@pytest.mark.parametrize(
    ("order_by", "sentence"),
    [
        ("name", "inlines has order_by='name': leaves have no such editable whole number"),
        ("place", "inlines has order_by='place', which not all see, or which does not sort lists"),
    ],
)
def test_rows_below_are_ordered_by_a_position_alone(order_by: str, sentence: str) -> None:
    with pytest.raises(AdminError, match=sentence):
        Registry([declared(inlines=(Inline("leaves", "plant_id", order_by=order_by),)), LeafAdmin])


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
    [({}, "its rows must have a field id"), ({"verbs": ("view", "add")}, "verbs has 'add'. Verbs: view, export")],
)
def test_rows_that_are_no_table_are_checked_likewise(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AdminError) as refused:
        Registry([declared(ThingAdmin, **parts)])

    assert [said for said in refused.value.mistakes if sentence in said] != []


def test_a_command_says_the_operator() -> None:
    assert sentence_of(AdminError(["PlantAdmin: columns has 'colour'."])) == "PlantAdmin: columns has 'colour'."


def test_a_widget_without_its_template_is_a_mistake() -> None:
    class WidgetAdmin(PlantAdmin):
        widgets = {"name": "plant_name.html"}

    with pytest.raises(AdminError, match="WidgetAdmin: widgets has 'plant_name.html', which is no template"):
        check_widgets(Registry([WidgetAdmin]), environment([], language_of("en"), Brand()))
