"""Handlers that are written once and shaped for each resource: exact types, parameters, help, name, guard."""

from collections.abc import Sequence
from inspect import Parameter, Signature
from operator import getitem
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET

from todo.access import Actor, guard_of, requires, signed_in_recently
from todo.admin.declaration import ENTER, Filter, ModelAdmin, Resource, RowsAdmin
from todo.admin.fields import Field
from todo.admin.filters import LONGEST, MOST_VALUES, NUMBERS, TIMES
from todo.admin.schemas import Asked
from todo.admin.service import AdminService
from todo.database import Database

ActorRequest = Request[Actor, Any, State]
Db = NamedDependency[Database]
Admin = NamedDependency[AdminService]  # only reads
Writer = NamedDependency[AdminService]  # writes in the request's transaction
Q = Annotated[
    str,
    QueryParameter(
        max_length=200, description="Words to search for (of one or two letters: where words begin), or an id."
    ),
]
Trash = Annotated[bool, QueryParameter(description="What lies in the trash instead.")]
Facets = Annotated[bool, QueryParameter(description="Count what each choice of a filter would leave.")]
Reason = Annotated[str | None, QueryParameter(max_length=500, description="Why, for the trail.")]
FileForm = Annotated[Literal["csv", "json", "xlsx"], QueryParameter(description="What kind of file.")]
PREFIX = "filter_"  # inside, so that a filter may be named like something that Litestar gives to handlers
ONE = {"text"} | TIMES | NUMBERS  # kinds of fields that are filtered by one text or range
ID = "0190f5f0-7c1d-7000-8000-000000000000"


def shaped(
    fn: Any, doc: str, example: str, parameters: Sequence[Parameter] = (), *, answer: Any = None, **types: Any
) -> Any:
    """Give a handler its exact types, its help, and `parameters` in place of its `**asked`."""
    hints = {name: kind for name, kind in fn.__annotations__.items() if name != "asked"}
    hints |= types | {one.name: one.annotation for one in parameters}
    hints |= {} if answer is None else {"return": answer}
    kept = [one for one in Signature.from_callable(fn).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    kept = [one.replace(annotation=hints[one.name], kind=Parameter.KEYWORD_ONLY) for one in kept]
    fn.__annotations__ = hints
    fn.__signature__ = Signature([*kept, *parameters], return_annotation=hints["return"])
    fn.__doc__ = f"{doc}\n\nExample: `{example}`"
    return fn


def route(
    method: Any, resource: Resource, verb: str, word: str, fn: Any, path: str = "/", **options: Any
) -> HTTPRouteHandler:
    """A route named `admin_<word>_<resource>`, for those who may enter the admin and do that there.

    What the declaration calls dangerous asks for a recent sign-in, as the pages do.
    """
    name, guards = f"admin_{word}_{resource.name}", [guard_of(f"{resource.name}.{verb}"), requires(ENTER)]
    guards += [signed_in_recently] if resource.is_dangerous(verb) else []
    made: HTTPRouteHandler = method(path, operation_id=name, guards=guards, **options)(fn)
    return made


def parameter(name: str, kind: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)


def list_parameters(resource: Resource) -> list[Parameter]:
    """What a list can be asked: filters, words, an order."""
    made = [_filter_parameter(resource, item) for item in resource.filters]
    made += [parameter("q", Q, ""), parameter("sort", _sort_type(resource), None)]
    return made + ([parameter("trash", Trash, False)] if has_trash(resource) else [])


def asked_of(resource: Resource, given: dict[str, Any]) -> Asked:
    """The parameters of a list as what is asked."""
    filters = {name: given[PREFIX + name] for name in resource.filter_names if given[PREFIX + name] is not None}
    rest = {name: given[name] for name in given if name in Asked.__struct_fields__ and given[name] is not None}
    return Asked(filters=filters, **rest)


def _filter_parameter(resource: Resource, item: str | Filter) -> Parameter:
    """A filter takes texts; the document says which."""
    if isinstance(item, Filter):
        name, label, extra, most = item.name, item.label or item.name, {"enum": list(item.choices)}, MOST_VALUES
    else:
        field = resource.fields[item]
        name, label, extra = field.name, field.label, _filter_schema(field)
        most = 1 if field.kind in ONE else MOST_VALUES
    texts = {"items": {"type": "string", "maxLength": LONGEST, **extra}}
    values = "a value" if most == 1 else "one or more values"
    about = QueryParameter(name=name, max_items=most, description=f"{label}: {values}.", schema_extra=texts)
    return parameter(PREFIX + name, Annotated[list[str] | None, about], None)


def _filter_schema(field: Field) -> dict[str, Any]:
    given = ["empty", "set"] if field.nullable else []
    if field.choices and field.kind != "list":
        return {"enum": [*field.choices, *given]}
    return {"enum": ["true", "false", *given]} if field.kind == "boolean" else {}


def _sort_type(resource: Resource) -> Any:
    names = "|".join(("id", *resource.sorts))
    pattern = {"pattern": f"^(-?({names})(,-?({names})){{0,2}})?$"}
    words = "Up to three fields, each once; `-` turns one round."
    return Annotated[str | None, QueryParameter(max_length=200, schema_extra=pattern, description=words)]


def has_trash(resource: Resource) -> bool:
    return isinstance(resource, ModelAdmin) and bool(resource.trash)


def row_path(resource: Resource) -> str:
    return "/{row_id:str}" if isinstance(resource, RowsAdmin) else "/{row_id:uuid}"


def id_type(resource: Resource) -> Any:
    return FromPath[str] if isinstance(resource, RowsAdmin) else FromPath[UUID]


def example_id(resource: Resource) -> str:
    return "some-id" if isinstance(resource, RowsAdmin) else ID


def example_filter(resource: Resource) -> str:
    """A filter with a value, as an address has it."""
    if not resource.filters:
        return "limit=20"
    item = resource.filters[0]
    if isinstance(item, Filter):
        return f"{item.name}={next(iter(item.choices))}"
    field = resource.fields[item]
    usual = {"boolean": "true", "reference": ID, "text": "rent"}.get(field.kind, "2026")
    return f"{item}={field.choices[0] if field.choices else usual}"


def body_of(kind: Any) -> Any:
    """A JSON body of a type that is known at start only."""
    return getitem(JSONBody, kind)


def answer_of(resource: Resource) -> Any:
    """A row with its ETag."""
    response: Any = Response
    return response[resource.out]


def sent_of(data: Any) -> dict[str, Any]:
    """The fields that a body holds, as JSON values."""
    found = {name: getattr(data, name) for name in data.__struct_fields__}
    return {name: msgspec.to_builtins(value) for name, value in found.items() if value is not UNSET}
