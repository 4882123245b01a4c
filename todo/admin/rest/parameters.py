"""Parameters of all handlers, and types that depend on the resource."""

import asyncio
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from todo.access import Actor
from todo.admin.declaration import Filter, ModelAdmin, Resource
from todo.admin.filters import MOST_VALUES, NUMBERS, TIMES
from todo.admin.schemas import Ids, Matching
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import FieldError, Invalid, Status
from todo.http.requests import LARGE_BODY, known_to, read_json
from todo.schema import ONE_LINE, Schema

ActorRequest = Request[Actor, Any, State]
Db = NamedDependency[Database]
Admin = NamedDependency[AdminService]  # read-only
Writer = NamedDependency[AdminService]  # writes in the request's transaction
Q = Annotated[
    str,
    QueryParameter(
        max_length=200, description="Words to search for (of one or two letters: where words begin), or an id."
    ),
]
Order = Annotated[
    str | None, QueryParameter(max_length=200, description="Up to three fields, each once; `-` reverses one.")
]
Trash = Annotated[bool, QueryParameter(description="Return the rows in the trash instead.")]
MATCH = "Whether rows must match all filters, or any of them. Words of `q` must always match."
Match = Annotated[Literal["all", "any"], QueryParameter(description=MATCH)]
Facets = Annotated[bool, QueryParameter(description="Count the rows of each filter choice.")]
Reason = Annotated[
    str | None, QueryParameter(max_length=500, pattern=ONE_LINE, description="Reason, for the audit log.")
]
Columns = Annotated[
    str, QueryParameter(max_length=2000, pattern="^[a-z_,]*$", description="Fields to export, separated by commas.")
]
At = Annotated[str, QueryParameter(max_length=40, description="Instant, with its offset.")]
FileForm = Annotated[Literal["csv", "json", "xlsx"], QueryParameter(description="File format.")]
Previewing = Annotated[
    bool, QueryParameter(description="Delete nothing; return what would also be deleted or changed.")
]
WITHIN = r"^[12]\d{3}(-(0[1-9]|1[0-2]))?$"
Within = Annotated[str | None, QueryParameter(max_length=7, description="Year or month to divide further.")]
Reference = Annotated[str, QueryParameter(max_length=100, description="Name of the reference field.")]
ONE = {"text"} | TIMES | NUMBERS  # kinds of fields whose filter takes one text or range
File = Annotated[str, Meta(max_length=5_000_000, examples=["title,priority\nWater the plants,2\n"])]


class ImportIn(Schema):
    """Rows to import: the text of a CSV file, or objects. Nothing is saved unless `apply`."""

    csv: File | UnsetType = UNSET
    rows: Annotated[list[dict[str, Any]], Meta(max_length=5_000)] | UnsetType = UNSET
    apply: bool = False


def most_values(resource: Resource, item: str | Filter) -> int:
    """Return how many values a filter accepts."""
    return 1 if isinstance(item, str) and resource.filtered[item].kind in ONE else MOST_VALUES


def read_filters(resource: Resource, request: ActorRequest) -> dict[str, list[str]]:
    """Parse the filters in the URL of a list. Raise Invalid for unknown parameters."""
    most = {item if isinstance(item, str) else item.name: most_values(resource, item) for item in resource.filters}
    others = known_to(request.route_handler).keys() - (set() if has_trash(resource) else {"trash"})
    filters, errors = {}, []
    for name in sorted(set(request.query_params)):
        values = request.query_params.getall(name)
        if name in most and len(values) <= most[name]:
            filters[name] = values
        elif name in most:
            errors.append(FieldError(f"query.{name}", f"Give at most {most[name]}.", "too_long"))
        elif name not in others:
            errors.append(FieldError(f"query.{name}", "There is no such parameter.", "unknown"))
    if errors:
        raise Invalid("The request has invalid parameters.", errors=errors)
    return filters


def has_trash(resource: Resource) -> bool:
    return isinstance(resource, ModelAdmin) and bool(resource.trash)


async def read_body(request: ActorRequest, kind: type[Struct]) -> Any:
    """Decode the body to a type. Raise Status 400 for invalid JSON, or Invalid for another type."""
    body = await request.body()
    if not body:
        raise Status(400, "The request must have a JSON body.")
    return await asyncio.to_thread(read_json, body, kind) if len(body) > LARGE_BODY else read_json(body, kind)


def sent_of(data: Struct) -> dict[str, Any]:
    """The fields that a body holds, by their names on the wire, as JSON values."""
    names = zip(data.__struct_fields__, data.__struct_encode_fields__, strict=True)
    found = {wire: getattr(data, name) for name, wire in names}
    return {name: msgspec.to_builtins(value) for name, value in found.items() if value is not UNSET}


@lru_cache
def body_for_many(resource: ModelAdmin[Any], name: str) -> type[Struct]:
    """Return the body type of an action on many rows."""
    form = form_of(resource, name)
    words = "".join(word.capitalize() for word in name.split("_"))
    fields: list[Any] = [("ids", Ids, msgspec.field(default_factory=list)), ("matching", Matching | None, None)]
    fields += [] if form is None else [("form", form)]
    doc = {"__doc__": "The rows: by id, or all that match a list query."}
    return msgspec.defstruct(
        f"{resource.out.__name__}{words}Many", fields, bases=(Schema,), kw_only=True, module=__name__, namespace=doc
    )


def form_of(resource: Resource, name: str) -> type[Struct] | None:
    """Return the form of an action, if any. A change of many rows has one for its fields."""
    action = resource.actions.get(name)
    if action is not None:
        return action.form
    return resource.patch if isinstance(resource, ModelAdmin) and name == "change" else None
