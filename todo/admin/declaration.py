"""Declarations of admin resources: a class of about ten lines for each table."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
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
from todo.admin.appearance import Appearance
from todo.admin.fields import Field, TextFormat, is_sortable
from todo.admin.inlines import Inline
from todo.audit import AuditedService
from todo.database import Database, WriteSession, now

M = TypeVar("M", bound=SQLModel)

VERBS = ("view", "add", "change", "delete", "purge", "export", "import", "explain")
ENTER: Permission = "admin.enter"  # grants access to the admin, on all three interfaces


@dataclass(frozen=True)
class ActionContext:
    """The transaction and the actor of a verb. The reason is stored in the audit log automatically.

    `database.settings` are the settings of the service.
    """

    session: WriteSession
    actor: Actor
    database: Database


@dataclass(frozen=True)
class Filter:
    """A filter that is not a column: each choice is a SQL condition, built once.

    Example: `Filter("state", {"live": SESSION.revoked_at.is_(None), "ended": SESSION.revoked_at.is_not(None)})`
    """

    name: str
    choices: Mapping[str, ColumnElement[bool]]
    label: str = ""


@dataclass(frozen=True)
class Computed:
    """A field that is not a column: a SQL expression over the model's columns.

    `read` makes the value that is shown from what the database answers. One that names rows `of` a resource is `known`
    instead to those who may not view all of them.
    """

    expression: ColumnElement[Any]
    type: Any
    label: str = ""
    read: Callable[[Any], Any] | None = None
    of: str = ""
    known: ColumnElement[Any] | None = None


@dataclass(frozen=True)
class Known:
    """Rows of a resource that somebody who may not view it knows all the same, by one of their fields."""

    resource: str
    display: str
    scope: ColumnElement[bool]


@dataclass(frozen=True)
class Action:
    """A custom verb of a resource. Its permission is `<resource>.<name>`.

    `on` is its target: each `row` (one, a selection, or all that match), or the `resource` as a whole.
    `dangerous` requires a recent sign-in (pages, REST) or confirmation (CLI). `background` always runs in the worker.
    `references` are fields of its form with the resource of which they have an id: pages and CLI take what names a row.
    """

    name: str
    label: str
    run: Callable[..., Awaitable[Any]] = field(compare=False)
    on: str = "row"
    form: type[Struct] | None = None
    dangerous: bool = False
    background: bool = False
    help: str = ""
    references: Mapping[str, str] = field(default_factory=dict)


def action(label: str, **options: Any) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """Declare a method as an action: `(self, do, row)`, or `(self, do, row, form)` with a form.

    Without `row` when `on="resource"`. The sentence it returns, if any, is shown. Example:

            @action("Disable", dangerous=True)
            async def disable(self, do: ActionContext, user: User) -> None:
                    await account_status.disable(do.session, do.actor, user.id)
    """

    def mark(method: Callable[..., Awaitable[Any]]) -> Any:
        method.declared_action = (label, options)  # type: ignore[attr-defined]  # read by `Resource.actions`
        return method

    return mark


class Resource(Appearance):
    """Base class of everything that can be administered. Tables are `ModelAdmin`s."""

    name: ClassVar[str] = ""  # plural; the path, the prefix of its permissions, and the name on the command line
    label: ClassVar[str] = ""
    label_one: ClassVar[str] = ""
    help: ClassVar[str] = ""
    translated: ClassVar[tuple[str, ...]] = ()  # fields whose values are texts of the program, not of users
    verbs: ClassVar[tuple[str, ...]] = ("view", "export")
    display: ClassVar[str] = "id"  # the field that identifies a row to users; of a reference, what that row is called
    columns: ClassVar[tuple[str, ...]] = ()  # of lists
    # Fields, filtered according to their kind, those of related rows (`project.owner.email`), or custom filters.
    filters: ClassVar[tuple[str | Filter, ...]] = ()
    search: ClassVar[tuple[str, ...]] = ()  # texts to search, and references by the names of their rows
    sorts: ClassVar[tuple[str, ...]] = ()  # sortable fields besides those of `columns`, or with an index
    unsorted: ClassVar[tuple[str, ...]] = ()  # fields of `columns` that cannot be sorted by
    sums: ClassVar[tuple[str, ...]] = ()  # numbers that lists sum over all matching rows
    large: ClassVar[bool] = False  # a table that grows without bound can be sorted only by `sorts`
    sort: ClassVar[str] = "-id"
    dangerous: ClassVar[frozenset[str]] = frozenset()  # built-in verbs that require a recent sign-in
    date_hierarchy: ClassVar[str] = ""
    inlines: ClassVar[tuple[Inline, ...]] = ()
    every_row: ClassVar[str] = ""  # permission that lifts the scope, e.g. `tasks.all`
    references: ClassVar[Mapping[str, str]] = {}  # lists of ids, with the resource whose rows have these
    field_permissions: ClassVar[Mapping[str, str]] = {}  # fields that only holders of a permission can see and write
    fields: dict[str, Field]  # set by the registry
    filtered: dict[str, Field]  # what `filters` names, set by the registry; those of related rows by `owner.email`
    paths: dict[str, tuple[Field, ...]]  # the references that filters by related rows follow, set by the registry
    out: type[Struct]  # the API type of a row, set by the registry, like
    registry: Any  # itself

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Return the actions in the order of their declaration."""
        found = [(name, getattr(getattr(type(self), name), "declared_action", None)) for name in _members(type(self))]
        return {name: self._action(name, *mark) for name, mark in found if mark is not None}

    def _action(self, name: str, label: str, options: dict[str, Any]) -> Action:
        method = getattr(self, name)
        return Action(name, label, method, help=(method.__doc__ or "").strip().partition("\n")[0], **options)

    @cached_property
    def filter_names(self) -> tuple[str, ...]:
        return tuple(item if isinstance(item, str) else item.name for item in self.filters)

    def reference(self, name: str) -> Field | None:
        """Return the reference that a filter such as `owner.email` begins with, or None."""
        found = self.fields.get(f"{name}_id") or self.fields.get(name)
        return found if found and found.kind == "reference" else None

    def filters_for(self, actor: Actor) -> tuple[str, ...]:
        """Return the filters without those of fields, and of related rows, that the actor may not see."""
        return tuple(name for name in self.filter_names if self._may_filter(actor, name))

    def _may_filter(self, actor: Actor, name: str) -> bool:
        there = self
        for via in self.paths.get(name, ()):
            if via.name in there.hidden_from(actor):
                return False
            there = self.registry[via.reference]
            if not there.may(actor, "view"):
                return False
        return name.rpartition(".")[2] not in there.hidden_from(actor)

    def has_index_for(self, sort: str) -> bool:
        """Return whether an index has the rows in this order, so that it costs the same however many there are."""
        names = [name.strip("-") for name in sort.split(",") if name.strip("-") not in {"", "id"}]
        return not names or (len(names) == 1 and names[0] in self.sorts)

    @cached_property
    def sortable(self) -> tuple[str, ...]:
        """Return the fields that lists can be sorted by; `id` is always one."""
        read = {name for name, one in getattr(self, "computed", {}).items() if one.read}  # not what the database sorts
        shown = () if self.large else (name for name in self.columns if is_sortable(self.fields[name]))
        return tuple(dict.fromkeys(name for name in (*self.sorts, *shown) if name not in {*self.unsorted, *read, "id"}))

    @property
    def permissions(self) -> tuple[str, ...]:
        """Return the permissions of all verbs and actions, e.g. `users.view`."""
        return tuple(f"{self.name}.{verb}" for verb in (*self.verbs, *self.actions))

    def event(self, verb: str) -> ActionName:
        """Return the audit action of a verb, which equals its permission."""
        return cast(ActionName, f"{self.name}.{verb}")

    def may(self, actor: Actor, verb: str) -> bool:
        """Return whether the actor may do this at all. `scope` and `obstacle` decide about rows."""
        return f"{self.name}.{verb}" in self.permissions and actor.may(f"{self.name}.{verb}")

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        """Return why the verb does not apply to this row and what to do, or "". Permissions are checked elsewhere."""
        return ""

    def texts(self) -> Iterable[str]:
        """Return what the fields in `translated` can say, for the catalogs of the pages."""
        return ()

    def is_dangerous(self, verb: str) -> bool:
        """Return whether a verb or action requires a recent sign-in."""
        if verb == "import":
            return not self.dangerous.isdisjoint({"add", "change"})
        return self.actions[verb].dangerous if verb in self.actions else verb in self.dangerous

    def hidden_from(self, actor: Actor) -> frozenset[str]:
        """Return the fields that the actor can neither see, filter by, nor write."""
        return frozenset(name for name, needed in self.field_permissions.items() if not actor.may(needed))


class RowsAdmin(Resource):
    """A resource that is not a table: at most a thousand rows, computed on request."""

    row: ClassVar[type[Struct]]  # with `id: str`; its annotations are the fields

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        """Return all rows in the default order."""
        raise NotImplementedError


class ModelAdmin(Resource, Generic[M]):
    """A table. Writable fields are listed explicitly, so that a new column is never writable by accident.

    The model's SECRET columns are shown as "set" or "not set". Tables with a trash may have the verb `purge`.
    """

    model: type[M]
    new: type[Struct]  # API type of a new row; set by the registry, like
    patch: type[Struct]  # the type of a change
    types: ClassVar[Mapping[str, Any]] = {}  # API types with constraints, where the column is not specific enough
    editable: ClassVar[tuple[str, ...]] = ()
    only_on_add: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[tuple[str, ...]] = ()  # columns never shown on any interface
    heavy: ClassVar[tuple[str, ...]] = ()  # excluded from lists
    computed: ClassVar[Mapping[str, Computed]] = {}
    trash: ClassVar[str] = ""  # the column with the time of deletion
    text_formats: ClassVar[Mapping[str, TextFormat]] = {}  # text formats of JSON fields
    settable: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # choices that forms offer for a change; others have actions
    options: ClassVar[Mapping[str, Callable[[], Mapping[str, str]]]] = {}  # known values of lists, and what they mean
    help_texts: ClassVar[Mapping[str, str]] = {}
    # What numbers are called, e.g. `{"priority": {4: "urgent"}}`; in a JSON field `{"template.priority": ...}`.
    value_names: ClassVar[Mapping[str, Mapping[int, str]]] = {}
    defaults: ClassVar[Mapping[str, Callable[[Actor], Any]]] = {}  # of new rows, for fields that are not given

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        """Return the condition for rows the actor may see, or None for every row.

        Return a module constant, with `ACTOR` for the actor's id: queries are compiled once for each.
        """
        return None

    def shows_all(self, actor: Actor) -> bool:
        """Return whether the actor may view every row, by name."""
        return self.may(actor, "view") and self.scope(actor) is None and self.display not in self.hidden_from(actor)

    async def timezone_of(self, database: Database, actor: Actor, row: Any) -> str:
        """Return the time zone in which the dates of a row are meant, for the verb `explain`."""
        return actor.timezone

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """Lock other rows before this one. Override it to follow the lock order of other code."""

    async def hold(self, do: ActionContext, ids: Sequence[UUID]) -> None:
        """Lock those of these rows, which one transaction changes, that depend on no other, for `held`."""

    def held(self, session: WriteSession, row_id: UUID) -> Any:
        """Return a row that `hold` has locked, or None."""
        return None

    def writer(self, do: ActionContext) -> AuditedService[Any]:
        """Return the service that writes rows of this table and their audit events."""
        return writer_of(self.model)(do.session, do.actor)

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> Any:
        """Store a new row. Override it to call a service, or to run code before and after super()."""
        return await self.writer(do).create(self.model(**plain(values)), action=self.event("add"))

    async def change_row(self, do: ActionContext, row: Any, values: dict[str, Any]) -> None:
        """Change the loaded, locked row. Override it like `add_row`."""
        await self.writer(do).update(plain(values), row, action=self.event("change"))

    async def delete_row(self, do: ActionContext, row: Any) -> None:
        """Delete the row permanently. Override it like `add_row`."""
        await self.writer(do).delete(row, action=self.event("purge") if self.trash else self.event("delete"))

    async def trash_row(self, do: ActionContext, row: Any) -> None:
        """Move the row to the trash. Override it like `add_row`."""
        await self.writer(do).update({self.trash: now()}, row, action=self.event("delete"))

    async def remove_added(self, do: ActionContext, row: Any) -> None:
        """Remove a row that an import added: to the trash, where there is one. Override it like `add_row`."""
        await (self.trash_row if self.trash else self.delete_row)(do, row)

    async def count_cascade(self, do: ActionContext, ids: Collection[UUID]) -> int:
        """Count the rows that `trash_row` would also move to the trash, for the preview.

        Override it where there are any.
        """
        return 0

    async def in_order(self, do: ActionContext, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Return the rows of a bulk action in processing order. Override it where the order matters."""
        return ids

    async def restore_row(self, do: ActionContext, row: Any) -> None:
        """Restore the row from the trash. Override it like `add_row`."""
        await self.writer(do).update({self.trash: None}, row, action=self.event("restore"))


Id = UUID | str


@lru_cache(maxsize=200)
def writer_of(model: type[Any]) -> type[AuditedService[Any]]:
    """Return an audited service for a table."""
    writer: type[AuditedService[Any]] = new_class("Writer", (AuditedService,), {"model": model})
    return writer


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values for columns: structs become JSON."""
    return {name: to_builtins(value) if isinstance(value, Struct) else value for name, value in values.items()}


def _members(kind: type) -> list[str]:
    """Return the attribute names of a class in definition order, base classes first."""
    return list(dict.fromkeys(name for base in reversed(kind.__mro__) for name in vars(base)))
