"""Erasing values from the audit log: the events stay, with the names of their fields."""

from sqlalchemy import ColumnElement, Update, bindparam, func, literal, select, text, update
from sqlmodel import SQLModel

from todo.audit import Event
from todo.database import Query, WriteSession, columns

ERASED = "erased"  # the address of an erased event
EVENT = columns(Event)


def _names(side: str) -> ColumnElement[object]:
    """The fields of `before` or `after`, without their values."""
    fields = func.jsonb_object_keys(EVENT[side]).table_valued("name")
    return select(func.jsonb_object_agg(fields.c.name, text("NULL::jsonb"))).scalar_subquery()


def _erasing(*where: ColumnElement[bool]) -> Update:
    sides = {side: _names(side) for side in ("before", "after")}
    return update(Event).where(*where, EVENT.address != ERASED).values(sides | {"reason": None, "address": ERASED})


async def erase_events(session: WriteSession, *where: ColumnElement[bool]) -> None:
    """Erase the values of these events, the reason given, and the address they came from."""
    await session.execute(_erasing(*where))


def erase_some(*where: ColumnElement[bool]) -> Query[int]:
    """Return the query that erases up to `limit` unlocked events and counts them."""
    found = select(EVENT.id).where(*where, EVENT.address != ERASED).limit(bindparam("limit", type_=None))
    erased = _erasing(EVENT.id.in_(found.with_for_update(skip_locked=True))).returning(literal(1)).cte("erased")
    return Query(int, select(func.count()).select_from(erased))


def events_of(user_id: ColumnElement[object]) -> list[ColumnElement[bool]]:
    """Return conditions for the events of a user: by them, about them, about every row that is deleted with them."""
    by_them, about_them = EVENT.actor_id == user_id, (EVENT.subject == "users") & (EVENT.subject_id == user_id)
    found = [by_them, about_them]
    for table in SQLModel.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table.name == "users" and key.ondelete == "CASCADE" and "id" in table.c:
                rows = select(table.c.id).where(key.parent == user_id)
                found.append((EVENT.subject == table.name) & EVENT.subject_id.in_(rows))
    return found
