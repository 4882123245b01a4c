"""Edit conflicts: the original value, the requested value, and the current value."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import select

from todo.admin.fields import Field
from todo.admin.schemas import Difference
from todo.audit import Event
from todo.database import WriteSession, columns
from todo.errors import Stale

EVENT = columns(Event)
MANAGED = {"version", "updated_at"}


class FieldConflict(msgspec.Struct):
    """A field in three states: as the client read it, as requested, and as it is now."""

    field: str
    label: str
    base: Any
    mine: Any
    theirs: Any


class Conflicted(Stale):
    """The row has a newer version. `sides` are the fields that either side has changed."""

    def __init__(self, theirs: Any, base: Mapping[str, Any], mine: Mapping[str, Any], fields: Iterable[Field]):
        super().__init__(theirs)
        self.theirs = theirs
        self.sides = []
        self.changed: list[Difference] = []  # what others have changed
        for field in fields:
            now = msgspec.to_builtins(getattr(theirs, field.name))
            was = base.get(field.name, now)
            if was != now and field.name not in MANAGED:
                self.changed.append(Difference(field.name, field.label, was, now))
            wanted = msgspec.to_builtins(mine.get(field.name, UNSET)) if field.name in mine else was
            if field.name in mine or (field.on_change and was != now):
                self.sides.append(FieldConflict(field.name, field.label, was, wanted, now))


async def base_of(session: WriteSession, row: Any, version: int) -> dict[str, Any]:
    """Return the fields that differed at an earlier version, with their values then, from the audit log."""
    later = select(EVENT.before).where(
        EVENT.subject == row.__tablename__,
        EVENT.subject_id == row.id,
        EVENT.before.is_not(None),
        EVENT.after.is_not(None),
    )
    found = await session.scalars(later.order_by(EVENT.id.desc()).limit(max(0, row.version - version)))
    base: dict[str, Any] = {}
    for before in found.all():
        base |= before
    return base
