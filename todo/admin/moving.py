"""Move rows below a row: in one transaction, each changed row by the verb `change`, with its own version and event."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import select

from todo.admin.context import uuid_of
from todo.admin.declaration import Id, ModelAdmin
from todo.admin.inlines import Inline, renumbered
from todo.admin.service import AdminService
from todo.database import WriteSession, columns
from todo.errors import Conflict

MOST = 1_000  # rows
Step = Literal["up", "down"]


class Move(NamedTuple):
    """A row that is moved past another one: `up`, before it, or `down`, after it.

    `was_after` and `was_before` are the rows between which it was seen; "" is none.
    """

    row_id: str
    was_after: str
    was_before: str
    step: Step
    past: str


class Moved(NamedTuple):
    """A moved row, its place counted from 1, and the number of rows."""

    row: Any
    place: int
    rows: int


async def move(admin: AdminService, resource: str, row_id: Id, inline: Inline, asked: Move) -> Moved:
    """Move a row past another one of those below the same row. Moves below one row come after each other.

    Raise Forbidden, NotFound, or Conflict when the row is not between those that it was seen between, or one is gone.
    """
    above, there = admin.context.table(resource), admin.context.table(inline.resource, "change")
    async with admin.context.transaction() as session:
        await there.lock(admin.context.action_context(session), uuid_of(asked.row_id))
        row = await admin.context.locked(session, above, row_id)
        rows = await _below(admin, session, there, inline, row.id)
        ordered = _reordered(rows, asked)
        await _number(admin, session, there, inline, ordered)
        place = next(place for place, one in enumerate(ordered) if str(one.id) == asked.row_id)
        return Moved(await admin.context.read(session, there, ordered[place].id), place + 1, len(rows))


async def _below(
    admin: AdminService, session: WriteSession, there: ModelAdmin[Any], inline: Inline, above: Any
) -> list[Any]:
    """Return the rows in their order, locked."""
    fields = columns(there.model)
    where = [fields[inline.via] == above, *admin.context.scope(there)]
    where += [fields[there.trash].is_(None)] if there.trash else []
    found = select(there.model).where(*where).order_by(fields["id"]).limit(MOST + 1)
    found = found.with_for_update(of=there.model, key_share=True).execution_options(populate_existing=True)
    rows = (await session.scalars(found.params(actor=admin.actor.id))).all()
    if len(rows) > MOST:
        raise Conflict(f"Only up to {MOST:,} rows can be moved: change their positions instead.")
    return sorted(rows, key=lambda row: (getattr(row, inline.order_by), row.id))


def _reordered(rows: Sequence[Any], asked: Move) -> list[Any]:
    by_id = {str(row.id): row for row in rows}
    places = {row_id: place for place, row_id in enumerate(by_id)}
    if not {asked.row_id, asked.past} <= places.keys() or asked.row_id == asked.past:
        raise _changed()
    seen = [places[one] for one in (asked.was_after, asked.row_id, asked.was_before) if one in places]
    if seen != sorted(seen):
        raise _changed()
    order = [row_id for row_id in by_id if row_id != asked.row_id]
    order.insert(order.index(asked.past) + (asked.step == "down"), asked.row_id)
    return [by_id[row_id] for row_id in order]


async def _number(
    admin: AdminService, session: WriteSession, there: ModelAdmin[Any], inline: Inline, rows: Sequence[Any]
) -> None:
    name = inline.order_by
    for row, position in zip(rows, renumbered([getattr(one, name) for one in rows]), strict=True):
        if getattr(row, name) != position:
            sent = admin.editor.accept(there, {name: position}, adding=False)
            await admin.editor.change_locked(session, there, row, sent)


def _changed() -> Conflict:
    return Conflict("Another user has changed the order. It is shown as it is now: move the row again.")
