"""What goes in and out of the admin, the same for every face."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from todo.schema import Schema

Values = Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=50)]
Filters = Annotated[dict[str, Values], Meta(max_length=50, examples=[{"status": ["open"]}])]
Words = Annotated[str, Meta(max_length=200, description="Words to search for.")]
Ids = Annotated[list[UUID], Meta(max_length=10_000)]


class ListQuery(Struct, kw_only=True):
    """Which rows of a list: the whole state of a list page, as its URL says it."""

    filters: Filters = field(default_factory=dict)
    q: Words = ""
    sort: str = ""
    limit: int = 50
    cursor: str | None = None
    trash: bool = False
    facets: bool = True


class Selection(Struct, kw_only=True):
    """What an action is done to: these rows, or all that match, or (neither) the resource as a whole.

    Of those that match, the ones made `until` it began. `purge`: they lay in the trash then.
    """

    ids: list[UUID] = []
    matching: ListQuery | None = None
    until: datetime | None = None
    purge: bool = False


class Matching(Schema):
    """All rows that a list would show."""

    filters: Filters = field(default_factory=dict)
    q: Words = ""
    trash: bool = False


class FacetValue(Struct):
    """A choice of a filter: how many rows it would leave. `count` is null where counting would cost too much."""

    value: str
    label: str
    count: int | None
    selected: bool


class Facet(Struct):
    """A filter as a list shows it. `kind` is the field's, or `choice` for a filter that is no column."""

    name: str
    label: str
    kind: str
    values: list[FacetValue]
    reference: str = ""


class ListResult(Struct):
    """A page of rows. `total` is exact up to 10,000; beyond, `total_is_exact` is false and it is an estimate."""

    items: list[Any]
    next_cursor: str | None
    total: int | None = None
    total_is_exact: bool = True
    facets: list[Facet] = []


class Option(Struct):
    """A row to choose for a reference."""

    value: str
    label: str


class SearchHit(Struct):
    """A row found somewhere."""

    resource: str
    id: str
    display: str


class CascadeItem(Struct):
    """Rows of another table that a delete reaches: `deleted` too, their reference `cleared`, or a reason to refuse."""

    resource: str
    label: str
    effect: Literal["deleted", "cleared", "refused"]
    count: int


class Preview(Struct):
    """What a delete would do. Counts stop at 10,000."""

    rows: list[Option]
    to_trash: bool
    taken: list[CascadeItem]


class Failure(Struct):
    """A row that an action was refused for."""

    id: str
    message: str


class Outcome(Struct):
    """What an action did; with `run`, it goes on in the background and that row tells how far it is."""

    done: int
    failed: list[Failure] = []
    messages: list[str] = []
    run: UUID | None = None


class Difference(Struct):
    """A field before and after."""

    field: str
    label: str
    before: Any
    after: Any


class Change(Struct):
    """One entry of a row's history, newest first. `on_behalf_of` is the person an operator acted as."""

    id: UUID
    at: datetime
    actor: str
    actor_kind: str
    on_behalf_of: UUID | None
    action: str
    source: str
    reason: str | None
    changes: list[Difference]
    revertible: bool


class HistoryPage(Struct):
    """A page of a row's history."""

    items: list[Change]
    next_cursor: str | None


class ImportedRow(Struct):
    """One row of an import: what would change, or why it is refused. `number` counts from 1, without the heading."""

    number: int
    id: str | None
    action: Literal["add", "change", "nothing", "refused"]
    changes: list[Difference] = []
    errors: list[str] = []


class ImportReport(Struct):
    """What an import would do, or did: all of it, or nothing when one row is refused."""

    applied: bool
    added: int
    changed: int
    unchanged: int
    refused: int
    rows: list[ImportedRow]
