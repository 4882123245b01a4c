"""Preview of a delete: follow the foreign keys that refer to a row."""

from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, Select, Table, func, select, union

from todo.admin.declaration import ModelAdmin
from todo.admin.fields import label_of
from todo.admin.lookups import CAP
from todo.admin.registry import Registry
from todo.admin.schemas import CascadeItem
from todo.database import WriteSession, metadata, table_of

Effect = Literal["deleted", "cleared", "refused"]
EFFECTS: dict[str | None, Effect] = {"CASCADE": "deleted", "SET NULL": "cleared", "SET DEFAULT": "cleared"}
DEEPEST = 4


class Reached(NamedTuple):
    """Rows of a table that a delete reaches, through one foreign key."""

    table: Table
    effect: Effect
    rows: Select[Any]


async def cascade_of(
    session: WriteSession, registry: Registry, admin: ModelAdmin[Any], ids: Collection[UUID]
) -> list[CascadeItem]:
    """Return the rows that would be deleted or changed along with these, in one query."""
    table = table_of(admin.model)
    reached = list(_reach(table, select(table.c.id).where(table.c.id.in_(ids)), DEEPEST, frozenset({table.name})))
    if not reached:
        return []
    ways: dict[tuple[str, Effect], list[Select[Any]]] = {}
    for found in reached:
        ways.setdefault((found.table.name, found.effect), []).append(found.rows)
    # A row that several keys lead to counts once.
    rows = [union(*selects).limit(CAP + 1).subquery() for selects in ways.values()]
    counts = [select(func.count()).select_from(found).scalar_subquery() for found in rows]
    numbers = (await session.execute(select(*counts))).one()
    names = {one.model.__tablename__: one for one in registry if isinstance(one, ModelAdmin)}
    total = {key: min(CAP, number) for key, number in zip(ways, numbers, strict=True)}
    return [
        CascadeItem(
            names[name].name if name in names else "", names[name].label if name in names else label_of(name), effect, n
        )
        for (name, effect), n in total.items()
        if n
    ]


def _reach(table: Table, rows: Select[Any], depth: int, seen: frozenset[str]) -> Iterator[Reached]:
    for key in _keys_to(table):
        child = key.parent.table
        inside = key.parent.in_(rows.with_only_columns(key.column))
        found = Reached(
            child,
            EFFECTS.get((key.ondelete or "").partition(" (")[0], "refused"),
            select(*child.primary_key.columns).where(inside),
        )
        yield found
        if found.effect == "deleted" and depth > 1 and child.name not in seen:
            yield from _reach(child, found.rows, depth - 1, seen | {child.name})


def _keys_to(table: Table) -> list[ForeignKey]:
    """Return the keys that refer to the id of this table. Those to tables that no model describes are not resolved."""
    return [
        key
        for _, child in sorted(metadata.tables.items())
        for key in sorted(child.foreign_keys, key=str)
        if key.target_fullname.rpartition(".")[0] == table.fullname and key.column.primary_key
    ]
