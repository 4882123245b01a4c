"""Tasks of the demonstration, by how far from today they are."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from todo.access import Actor
from todo.database import WriteSession
from todo.domain.recurrence.schemas import Recurrence
from todo.domain.tasks.schemas import Day, Floating, Moment, TaskIn, Zoned
from todo.domain.tasks.services.closing import ClosingService
from todo.domain.tasks.services.tasks import TaskService
from todo.domain.tasks.services.trash import TrashService


class Entry(NamedTuple):
    """A task; `due` is days from today, then a wall-clock time, then its zone, as far as they matter."""

    title: str
    due: tuple[int] | tuple[int, str] | tuple[int, str, str] | None = None
    priority: int = 0
    notes: str = ""
    status: Literal["open", "in_progress", "waiting", "done", "deleted"] = "open"
    minutes: int | None = None
    recurrence: Recurrence | None = None
    labels: tuple[str, ...] = ()
    section: str = ""


async def add_all(
    session: WriteSession,
    actor: Actor,
    entries: list[Entry],
    project_id: UUID | None = None,
    sections: Mapping[str, UUID] = MappingProxyType({}),
) -> list[UUID]:
    """Add tasks of a person; return their ids in this order."""
    tasks, added = TaskService(session, actor), []
    for entry in entries:
        task = await tasks.add(task_of(entry, actor.timezone, project_id, sections.get(entry.section)))
        if entry.status == "done":
            await ClosingService(session, actor).complete(task.id, None)
        if entry.status == "deleted":
            await TrashService(session, actor).trash(task.id, None)
        added.append(task.id)
    return added


def task_of(entry: Entry, timezone: str, project_id: UUID | None, section_id: UUID | None) -> TaskIn:
    return TaskIn(
        title=entry.title,
        notes=entry.notes,
        status=entry.status if entry.status in {"in_progress", "waiting"} else "open",
        priority=entry.priority,
        due=moment_of(*entry.due, here=timezone) if entry.due else None,
        estimate_minutes=entry.minutes,
        recurrence=entry.recurrence,
        labels=[*entry.labels],
        project_id=project_id,
        section_id=section_id,
    )


def moment_of(days: int, clock: str = "", timezone: str = "", *, here: str) -> Moment:
    on = datetime.now(ZoneInfo(here)).date() + timedelta(days)
    if not clock:
        return Day(on)
    return Zoned(f"{on}T{clock}", timezone) if timezone else Floating(f"{on}T{clock}")
