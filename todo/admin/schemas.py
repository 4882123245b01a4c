"""Types of the admin's input and output, shared by all interfaces."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from todo.schema import Schema

Values = Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=50)]
Filters = Annotated[dict[str, Values], Meta(max_length=50, examples=[{"status": ["open"]}])]
Words = Annotated[str, Meta(max_length=200, description="Words to search for.")]
Match = Literal["all", "any"]  # of the filters
Ids = Annotated[list[UUID], Meta(max_length=10_000)]


class ListQuery(Struct, kw_only=True):
    """The rows of a list: the state of a list page as in its URL.

    Rows match all filters, or with `match` at least one of them.
    `cursor` is the `next_cursor` of the previous page, `before` the `previous_cursor` of the following one. `ids`
    restricts it to these rows.
    """

    filters: Filters = field(default_factory=dict)
    match: Match = "all"
    q: Words = ""
    sort: str = ""
    limit: int = 50
    cursor: str | None = None
    before: str | None = None
    trash: bool = False
    facets: bool = True
    ids: list[UUID] = []


class Selection(Struct, kw_only=True):
    """The target of an action: these rows, all that match, or (neither) the resource as a whole.

    Of the matching rows, only those created by `until` are used. `purge`: they were in the trash then.
    """

    ids: list[UUID] = []
    matching: ListQuery | None = None
    until: datetime | None = None
    purge: bool = False


class Matching(Schema):
    """All rows that match a list query."""

    filters: Filters = field(default_factory=dict)
    match: Match = "all"
    q: Words = ""
    trash: bool = False


class FacetValue(Struct):
    """A filter choice with its number of rows. `count` is null where counting would be too expensive."""

    value: str
    label: str
    count: int | None
    selected: bool


class Facet(Struct):
    """A filter of a list. `kind` is the field's, or `choice` for a custom filter."""

    name: str
    label: str
    kind: str
    values: list[FacetValue]
    reference: str = ""


class ListResult(Struct):
    """A page of rows. `total` is exact up to 10,000; beyond, it is an estimate or a lower bound.

    `sums` are of all matching rows; None where these are too many.
    `looked_through`: the page ended before it was full, after so many rows in the order of the list.
    """

    items: list[Any]
    next_cursor: str | None
    total: int | None = None
    total_is_exact: bool = True
    facets: list[Facet] = []
    sums: dict[str, int | float] | None = None
    previous_cursor: str | None = None
    looked_through: int | None = None


class Option(Struct):
    """A row that a reference may refer to."""

    value: str
    label: str


class SearchHit(Struct):
    """A row found by the search."""

    resource: str
    id: str
    display: str


class CascadeItem(Struct):
    """Rows of another table that a delete affects: `deleted`, their reference `cleared`, or preventing the delete."""

    resource: str
    label: str
    effect: Literal["deleted", "cleared", "refused"]
    count: int


class Preview(Struct):
    """The effects of a delete. Counts stop at 10,000."""

    rows: list[Option]
    to_trash: bool
    taken: list[CascadeItem]


class Failure(Struct):
    """A row that an action failed for."""

    id: str
    message: str


class Outcome(Struct):
    """The result of an action. With `run`, it runs in the background and that row reports its progress."""

    done: int
    failed: list[Failure] = []
    messages: list[str] = []
    run: UUID | None = None


class Difference(Struct):
    """A field before and after a change."""

    field: str
    label: str
    before: Any
    after: Any


class Change(Struct):
    """An entry of a row's history. `on_behalf_of` is the user whom an operator impersonated.

    `actor` is empty for a person whom one may not see.
    """

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


class RowAsOf(Struct):
    """A row as it was at an instant; not `existed` before it was added. `changed` are the fields that differ now."""

    at: datetime
    existed: bool
    values: dict[str, Any]
    changed: list[Difference]


class ImportedRow(Struct):
    """One row of an import: its changes, or its errors. `number` counts from 1, without the header."""

    number: int
    id: str | None
    action: Literal["add", "change", "nothing", "refused"]
    changes: list[Difference] = []
    errors: list[str] = []


class ImportReport(Struct):
    """The result or preview of an import. Nothing is imported when one row is rejected.

    `ignored` names the columns with values that cannot be written.
    """

    applied: bool
    added: int
    changed: int
    unchanged: int
    refused: int
    rows: list[ImportedRow]
    ignored: list[str] = []


class ImportColumn(Struct):
    """A column of a file: what it holds in the first row that has something, and the field that it is imported into."""

    name: str
    example: str
    field: str | None


class ImportJob(Struct):
    """An import in the background.

    A `draft` has not begun: its columns can be assigned. `done` rows are `added`, `changed` or `unchanged`. `failed`
    ones are left out; `failures` are the first hundred, by their number in the file.
    """

    id: UUID
    version: int
    status: Literal["draft", "waiting", "running", "done", "failed", "cancelled"]
    file: str
    total: int
    done: int
    failed: int
    added: int
    changed: int
    unchanged: int
    columns: list[ImportColumn]
    failures: list[Failure] = []

    @property
    def mapping(self) -> dict[str, str]:
        return {column.name: column.field for column in self.columns if column.field}
