"""The only way to data for all three faces: who may, what is right, what is written, and its trace."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor
from todo.admin.declaration import ENTER, Filter, Id, ModelAdmin, Resource
from todo.admin.filters import like, period_values, read_filter
from todo.admin.reads import WORDS
from todo.admin.registry import Registry
from todo.database import Database, now
from todo.errors import Forbidden, Invalid, NotFound


class Asked(Struct, kw_only=True):
    """Which rows of a list: the whole state of a list page, as its URL says it."""

    filters: dict[str, list[str]] = field(default_factory=dict)
    q: str = ""
    sort: str = ""
    limit: int = 50
    cursor: str | None = None
    trash: bool = False
    facets: bool = True


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


class Listed(Struct):
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


class AdminService:
    """Everything one actor can do in the admin. Without a `session`, each write is a transaction of its own."""

    def __init__(self, registry: Registry, database: Database, actor: Actor, session: AsyncSession | None = None):
        self.registry = registry
        self.database = database
        self.actor = actor
        self._session = session
        if not actor.may(ENTER):
            raise Forbidden(f"This needs the permission {ENTER}.")

    def resources(self) -> list[Resource]:
        """What this actor may see, in the order of the registry."""
        return [resource for resource in self.registry if resource.may(self.actor, "view")]

    def may(self, resource: str, verb: str, row: Any = None) -> bool:
        """Whether this actor may do that, to this row when one is given: for showing or hiding a button."""
        found = self.registry[resource]
        return found.may(self.actor, verb) and (row is None or found.has(self.actor, verb, row))

    async def page(self, resource: str, asked: Asked | None = None) -> Listed:
        """A page of rows with facets. Raises Forbidden, NotFound, and Invalid for what is not declared."""
        asked = asked or Asked()
        admin = self._table(resource, "view")
        reads = self.registry.reads(admin, self.actor)
        given = self._read(admin, asked)
        standing = {"actor": self.actor.id, **period_values(self._zone, self._today)}
        page = reads.pages[asked.trash].page(
            self.database.reads, given, sort=asked.sort or None, limit=asked.limit, cursor=asked.cursor, **standing
        )
        if not asked.facets:
            found = await page
            return Listed(found.items, found.next_cursor)
        counting = reads.counts(self.database.reads, given, trashed=asked.trash, **standing)
        found, counts = await asyncio.gather(page, counting)
        return Listed(
            found.items, found.next_cursor, counts.total, counts.exact, self._facets(admin, asked, counts.facets)
        )

    async def get(self, resource: str, row_id: Id) -> Any:
        """One row, whole, in the trash or not. Raises Forbidden, NotFound."""
        admin = self._table(resource, "view")
        reads = self.registry.reads(admin, self.actor)
        row = await self.database.reads.one_or_none(reads.one, row=_uuid(row_id), actor=self.actor.id)
        if row is None:
            raise NotFound
        return row

    async def options(self, resource: str, name: str, q: str = "", limit: int = 20) -> list[Option]:
        """What a reference may lead to, by what it is called. Raises Forbidden, NotFound, Invalid."""
        admin = self._table(resource, "view")
        field = admin.fields.get(name)
        if field is None or not field.reference or name in admin.hidden_from(self.actor):
            raise Invalid.field("query.field", f"{admin.label} have no reference {name}.")
        found = await self.page(field.reference, Asked(q=q, limit=limit, facets=False))
        return [Option(str(item.id), item.display) for item in found.items]

    # -- what is asked

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.actor.timezone)

    @property
    def _today(self) -> Any:
        moment: datetime = now()
        return moment.astimezone(self._zone).date()

    def _table(self, resource: str, verb: str) -> ModelAdmin[Any]:
        admin = self.registry.table(resource)
        self._require(admin, verb)
        return admin

    def _require(self, admin: Resource, verb: str) -> None:
        if not admin.may(self.actor, verb):
            raise Forbidden(f"This needs the permission {admin.name}.{verb}.")

    def _read(self, admin: ModelAdmin[Any], asked: Asked) -> dict[str, Any]:
        """The filters and words of a list as parameters; raises Invalid for what is not declared."""
        given: dict[str, Any] = {}
        hidden = admin.hidden_from(self.actor)
        declared = {name: admin.fields.get(name) for name in admin.filter_names if name not in hidden}
        own = {item.name: item for item in admin.filters if isinstance(item, Filter)}
        for name, texts in asked.filters.items():
            target = own.get(name) or declared.get(name)
            if target is None:
                raise Invalid.field(
                    f"query.{name}", f"{admin.label} can be filtered by {', '.join(declared) or 'nothing'}."
                )
            given |= read_filter(target, texts, self._zone, self._today)
        if asked.trash and not admin.trash:
            raise Invalid.field("query.trash", f"{admin.label} have no trash.")
        return given | self._words(admin, asked.q)

    def _words(self, admin: ModelAdmin[Any], q: str) -> dict[str, Any]:
        words = q.split()
        if not words:
            return {}
        if len(q) > 200 or len(words) > WORDS or "\x00" in q:
            raise Invalid.field("query.q", f"Search for up to {WORDS} words, of 200 characters in all.")
        try:
            return {"q_id": UUID(q.strip())}
        except ValueError:
            pass
        if not admin.search:
            raise Invalid.field("query.q", f"{admin.label} can be searched for by id only.")
        return {f"q_{number}": like(word) for number, word in enumerate(words, 1)}

    def _facets(self, admin: ModelAdmin[Any], asked: Asked, counts: Mapping[str, Mapping[str, int]]) -> list[Facet]:
        found = []
        for item in admin.filters:
            name = item if isinstance(item, str) else item.name
            if name in admin.hidden_from(self.actor):
                continue
            chosen = asked.filters.get(name, [])
            counted = counts.get(name, {})
            values = [
                FacetValue(value, label_value(value), number, value in chosen) for value, number in counted.items()
            ]
            values += [FacetValue(value, value, None, True) for value in chosen if value not in counted]
            if isinstance(item, Filter):
                found.append(Facet(name, item.label or name.replace("_", " ").capitalize(), "choice", values))
            else:
                one = admin.fields[item]
                found.append(Facet(name, one.label, one.kind, values, one.reference))
        return found


def label_value(value: str) -> str:
    """A choice as people read it."""
    return value.replace("_", " ").capitalize()


def _uuid(row_id: Id) -> UUID:
    """Raises NotFound for what is no id: nothing is there."""
    try:
        return row_id if isinstance(row_id, UUID) else UUID(row_id)
    except ValueError:
        raise NotFound from None
