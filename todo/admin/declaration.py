"""How a room says what can be administered: a class of about ten lines for each table."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import new_class
from typing import Any, ClassVar, Generic, TypeVar, cast
from uuid import UUID

from msgspec import Struct, to_builtins
from sqlalchemy import ColumnElement
from sqlmodel import SQLModel

from todo.access import Actor
from todo.actions import Action as ActionName
from todo.actions import Permission
from todo.admin.fields import Field, TextFormat
from todo.audit import AuditedService
from todo.database import Database, WriteSession, now

M = TypeVar("M", bound=SQLModel)

VERBS = ("view", "add", "change", "delete", "purge", "export", "import")
ENTER: Permission = "admin.enter"  # opens the admin, on all three faces


@dataclass(frozen=True)
class ActionContext:
    """What a verb of a declaration works with: the caller's transaction, and who is acting.

    `database.settings` are the settings of the service. The trail tells the reason by itself.
    """

    session: WriteSession
    actor: Actor
    database: Database


@dataclass(frozen=True)
class Filter:
    """A filter that is no column: each choice is a condition in SQL, built once.

    Example: `Filter("state", {"live": SESSION.revoked_at.is_(None), "ended": SESSION.revoked_at.is_not(None)})`
    """

    name: str
    choices: Mapping[str, ColumnElement[bool]]
    label: str = ""


@dataclass(frozen=True)
class Inline:
    """Rows of another resource shown below this one: those whose field `via` is this row."""

    resource: str
    via: str


@dataclass(frozen=True)
class Computed:
    """A field that is no column: an expression of SQL over the model's columns."""

    expression: ColumnElement[Any]
    type: Any
    label: str = ""


@dataclass(frozen=True)
class Action:
    """A verb of a resource beyond the usual ones; its permission is `<resource>.<name>`.

    `on` is what it is done to: each `row` (one, a selection, or all that match), or the resource as a whole.
    `dangerous` asks for a recent sign-in (pages, REST) or a yes (CLI). `background` always runs in the worker.
    """

    name: str
    label: str
    run: Callable[..., Awaitable[Any]] = field(compare=False)
    on: str = "row"
    form: type[Struct] | None = None
    dangerous: bool = False
    background: bool = False
    help: str = ""


def action(label: str, **options: Any) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """Make a method of a declaration an action: `(self, do, row)`, or `(self, do, row, form)` with a form.

    Without `row` when `on="resource"`. What it answers, a sentence or nothing, is shown. Example:

        @action("Disable", dangerous=True)
        async def disable(self, do: ActionContext, user: User) -> None:
            await roles.disable(do.session, do.actor, user.id)
    """

    def mark(method: Callable[..., Awaitable[Any]]) -> Any:
        method.declared_action = (label, options)  # type: ignore[attr-defined]  # read by `Resource.actions`
        return method

    return mark


class Resource:
    """What every face needs to know of anything that can be administered; tables are `ModelAdmin`s."""

    name: ClassVar[str] = ""  # plural; the path, the prefix of its permissions, and the word on the command line
    label: ClassVar[str] = ""
    label_one: ClassVar[str] = ""
    icon: ClassVar[str] = "table"
    group: ClassVar[str] = ""
    help: ClassVar[str] = ""
    verbs: ClassVar[tuple[str, ...]] = ("view", "export")
    display: ClassVar[str] = "id"  # the field that names a row to people
    columns: ClassVar[tuple[str, ...]] = ()  # of a list
    filters: ClassVar[tuple[str | Filter, ...]] = ()  # names of fields, whose kind says how they filter, or own ones
    search: ClassVar[tuple[str, ...]] = ()  # text fields that the search looks in
    sorts: ClassVar[tuple[str, ...]] = ()  # fields a list may be sorted by, each with an index; `id` always is
    sort: ClassVar[str] = "-id"
    dangerous: ClassVar[frozenset[str]] = frozenset()  # usual verbs that ask for a recent sign-in
    date_hierarchy: ClassVar[str] = ""
    diff: ClassVar[tuple[str, ...]] = ()  # two JSON fields, before and after, that are shown as what differs
    fieldsets: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    inlines: ClassVar[tuple[Inline, ...]] = ()
    every_row: ClassVar[str] = ""  # the permission that lifts the scope, e.g. `tasks.all`
    field_permissions: ClassVar[Mapping[str, str]] = {}  # fields that only holders of a permission see and write
    fields: dict[str, Field]  # set by the registry
    out: type[Struct]  # a row on the wire, likewise

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Its actions, in the order they are declared."""
        found = [(name, getattr(getattr(type(self), name), "declared_action", None)) for name in _members(type(self))]
        return {name: self._action(name, *mark) for name, mark in found if mark is not None}

    def _action(self, name: str, label: str, options: dict[str, Any]) -> Action:
        method = getattr(self, name)
        return Action(name, label, method, help=(method.__doc__ or "").strip().partition("\n")[0], **options)

    @cached_property
    def filter_names(self) -> tuple[str, ...]:
        return tuple(item if isinstance(item, str) else item.name for item in self.filters)

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every permission of a verb or an action, e.g. `users.view`."""
        return tuple(f"{self.name}.{verb}" for verb in (*self.verbs, *self.actions))

    def event(self, verb: str) -> ActionName:
        """What the audit log calls a verb: as the permission for it is called."""
        return cast(ActionName, f"{self.name}.{verb}")

    def may(self, actor: Actor, verb: str) -> bool:
        """Whether somebody may do this at all; which rows is for `scope` and `has`."""
        return f"{self.name}.{verb}" in self.permissions and actor.may(f"{self.name}.{verb}")

    def has(self, actor: Actor, verb: str, row: Any) -> bool:
        """Whether this verb or action makes sense for this row, beyond the permission."""
        return True

    def is_dangerous(self, verb: str) -> bool:
        """Whether a verb or action asks for a recent sign-in."""
        if verb == "import":
            return not self.dangerous.isdisjoint({"add", "change"})
        return self.actions[verb].dangerous if verb in self.actions else verb in self.dangerous

    def hidden_from(self, actor: Actor) -> frozenset[str]:
        """The fields that somebody neither sees, filters by, nor writes."""
        return frozenset(name for name, needed in self.field_permissions.items() if not actor.may(needed))


class RowsAdmin(Resource):
    """A resource that is no table: few rows (a thousand at most), computed when they are asked for."""

    row: ClassVar[type[Struct]]  # with `id: str`; its annotations are the fields

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        """All of them, in the order of the default list."""
        raise NotImplementedError


class ModelAdmin(Resource, Generic[M]):
    """A table. What may be written is listed, so that a new column is never writable by accident.

    The model's SECRET columns are shown as "set" or "not set". VERBS of a table with a trash may hold `purge`.
    """

    model: type[M]
    new: type[Struct]  # what a new row is made of on the wire; set by the registry, as is
    patch: type[Struct]  # what can be changed
    types: ClassVar[Mapping[str, Any]] = {}  # wire types with their limits, for fields the column says too little of
    editable: ClassVar[tuple[str, ...]] = ()
    only_on_add: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[tuple[str, ...]] = ()  # columns no face ever shows
    heavy: ClassVar[tuple[str, ...]] = ()  # left out of lists
    computed: ClassVar[Mapping[str, Computed]] = {}
    trash: ClassVar[str] = ""  # the column that says when a row was deleted
    text_formats: ClassVar[Mapping[str, TextFormat]] = {}  # for JSON that people write in words
    help_texts: ClassVar[Mapping[str, str]] = {}
    defaults: ClassVar[Mapping[str, Callable[[Actor], Any]]] = {}  # of new rows, where nothing is sent

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        """The condition of the rows somebody may see at all; None for every row.

        Give back a constant of the module, with `ACTOR` for the actor's id: queries are compiled once for each.
        """
        return None

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """Lock what must be locked before the row; override where another place locks in that order."""

    def writer(self, do: ActionContext) -> AuditedService[Any]:
        """Writes rows of this table together with their trail."""
        return writer_of(self.model)(do.session, do.actor)

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> Any:
        """Store a new row; override to use a service's verb, or call super() between what comes before and after."""
        return await self.writer(do).create(self.model(**plain(values)), action=self.event("add"))

    async def change_row(self, do: ActionContext, row: Any, values: dict[str, Any]) -> None:
        """Change the loaded, locked row; likewise."""
        await self.writer(do).update(plain(values), row, action=self.event("change"))

    async def delete_row(self, do: ActionContext, row: Any) -> None:
        """Delete the row for good; likewise."""
        await self.writer(do).delete(row, action=self.event("purge") if self.trash else self.event("delete"))

    async def trash_row(self, do: ActionContext, row: Any) -> None:
        """Move the row to the trash; likewise."""
        await self.writer(do).update({self.trash: now()}, row, action=self.event("delete"))

    async def goes_along(self, do: ActionContext, ids: Collection[UUID]) -> int:
        """How many rows beside these `trash_row` moves to the trash, for the preview; override where it moves any."""
        return 0

    async def in_order(self, do: ActionContext, ids: Sequence[UUID]) -> Sequence[UUID]:
        """The rows of a bulk action, in the order in which they are worked on; override where it matters."""
        return ids

    async def restore_row(self, do: ActionContext, row: Any) -> None:
        """Take the row out of the trash; likewise."""
        await self.writer(do).update({self.trash: None}, row, action=self.event("restore"))


Id = UUID | str


@lru_cache(maxsize=200)
def writer_of(model: type[Any]) -> type[AuditedService[Any]]:
    """An audited service for a table."""
    writer: type[AuditedService[Any]] = new_class("Writer", (AuditedService,), {"model": model})
    return writer


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as columns take them: structs as JSON."""
    return {name: to_builtins(value) if isinstance(value, Struct) else value for name, value in values.items()}


def _members(kind: type) -> list[str]:
    """The names a class has, its bases' first, as they were written."""
    return list(dict.fromkeys(name for base in reversed(kind.__mro__) for name in vars(base)))
