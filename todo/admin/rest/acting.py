"""The routes of actions: on one row, on many, on the resource as a whole."""

from typing import Any

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from todo.admin.actions import USUAL
from todo.admin.declaration import Action, ModelAdmin, Resource, RowsAdmin
from todo.admin.rest.shaping import (
    Writer,
    body_of,
    example_id,
    id_type,
    parameter,
    route,
    row_path,
    sent_of,
    shaped,
)
from todo.admin.schemas import Asked, Ids, Matching, On, Outcome
from todo.errors import FieldError, Invalid
from todo.http.versions import IfMatch, versions_of
from todo.schema import Schema


def acting_routes(resource: Resource) -> list[HTTPRouteHandler]:
    """One route for each action, and one more for many rows of a table."""
    made = [
        whole_route(resource, one) if one.on == "resource" else one_route(resource, one)
        for one in resource.actions.values()
    ]
    if isinstance(resource, ModelAdmin):
        made += [many_route(resource, name, form) for name, form in _for_many(resource).items()]
    return made


def whole_route(resource: Resource, action: Action) -> HTTPRouteHandler:
    async def act(writer: Writer, **asked: Any) -> Outcome:
        return await writer.actions.act(resource.name, action.name, On(), _form(asked))

    place = f"/actions/{action.name}"
    fn = shaped(act, _help(action), f"POST /api/admin/{resource.name}{place}", _form_parameter(action))
    return route(post, resource, action.name, action.name, fn, place, status_code=200)


def one_route(resource: Resource, action: Action) -> HTTPRouteHandler:
    async def act(writer: Writer, row_id: Any, **asked: Any) -> Outcome:
        versions = versions_of(asked.get("if_match"))
        return await writer.actions.act_on_one(resource.name, action.name, row_id, _form(asked), version=versions)

    parameters = _form_parameter(action)
    parameters += [] if isinstance(resource, RowsAdmin) else [parameter("if_match", IfMatch, None)]
    example = f"POST /api/admin/{resource.name}/{example_id(resource)}/actions/{action.name}"
    fn = shaped(act, _help(action), example, parameters, row_id=id_type(resource))
    place = f"{row_path(resource)}/actions/{action.name}"
    return route(post, resource, action.name, action.name, fn, place, status_code=200)


def many_route(resource: ModelAdmin[Any], name: str, form: type[Struct] | None) -> HTTPRouteHandler:
    async def act_on_many(writer: Writer, data: Any) -> Outcome:
        matching = data.matching
        if matching is not None:
            matching = Asked(filters=matching.filters, q=matching.q, trash=matching.trash)
        given = {} if form is None else sent_of(data.form)
        try:
            return await writer.actions.act(resource.name, name, On(ids=data.ids, matching=matching), given)
        except Invalid as refused:
            raise Invalid(refused.detail, errors=[_in_the_body(error) for error in refused.errors]) from None

    words = name.replace("_", " ").capitalize()
    doc = f"{words} many rows; those that refuse are told. More than 100 go on in the background."
    body = body_of(_many_type(resource, name, form))
    fn = shaped(act_on_many, doc, f"POST /api/admin/{resource.name}/actions/{name}", data=body)
    verb = USUAL.get(name, name)
    return route(post, resource, verb, f"{name}_many", fn, f"/actions/{name}", status_code=200)


def _in_the_body(error: FieldError) -> FieldError:
    """What a list names as a parameter stands in `matching` here."""
    place, _, name = error.field.partition(".")
    where = "body.matching" if name in {"q", "trash"} else "body.matching.filters"
    return FieldError(f"{where}.{name}", error.message) if place == "query" else error


def _for_many(resource: ModelAdmin[Any]) -> dict[str, type[Struct] | None]:
    """What can be done to many rows, with what it asks for."""
    forms = {one.name: one.form for one in resource.actions.values() if one.on == "row"}
    forms |= {"change": resource.patch} if "change" in resource.verbs else {}
    forms |= {"delete": None} if "delete" in resource.verbs else {}
    return forms | ({"restore": None} if resource.trash else {})


def _many_type(resource: ModelAdmin[Any], name: str, form: type[Struct] | None) -> type[Struct]:
    words = "".join(word.capitalize() for word in name.split("_"))
    fields: list[Any] = [("ids", Ids, msgspec.field(default_factory=list)), ("matching", Matching | None, None)]
    fields += [] if form is None else [("form", form)]
    doc = {"__doc__": "Which rows: by their ids, or all that a list would show."}
    return msgspec.defstruct(
        f"{resource.out.__name__}{words}Many", fields, bases=(Schema,), kw_only=True, module=__name__, namespace=doc
    )


def _form_parameter(action: Action) -> list[Any]:
    return [] if action.form is None else [parameter("data", body_of(action.form))]


def _form(asked: dict[str, Any]) -> dict[str, Any]:
    return sent_of(asked["data"]) if "data" in asked else {}


def _help(action: Action) -> str:
    return action.help or f"{action.label}."
