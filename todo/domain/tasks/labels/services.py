"""Changing the palette of a person, and with it the labels of tasks and series."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from todo.access import Actor
from todo.audit import AuditedService, record_changes
from todo.cleanup import BATCH
from todo.database import WriteSession, now, table_of
from todo.domain.projects.models import ACCESS, Access
from todo.domain.projects.rules import ROLES_WITH
from todo.domain.tasks.labels.models import LABEL, Label
from todo.domain.tasks.labels.rules import clean_label, replaced
from todo.domain.tasks.labels.schemas import LabelIn, LabelOut, LabelPatch
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import labeled
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.errors import Conflict, Invalid, Stale

MAX_PALETTE = 500


class LabelService(AuditedService[Label], model=Label):
    """Changes labels of a person, inside the caller's transaction: of the actor, or of `person`."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.person = person or actor.user_id

    async def add(self, data: LabelIn) -> LabelOut:
        """Add a label; raises Invalid for a name that is there, Conflict for too many."""
        values = data.sent() | {"name": clean_label(data.name, "body.name")}
        await self._check_name(values["name"])
        number = await self.session.scalar(select(func.count()).where(LABEL.user_id == self.person))
        if (number or 0) >= MAX_PALETTE:
            raise Conflict(f"There can be {MAX_PALETTE} labels.", slug="too-many")
        return label_out(await self.create(Label(user_id=self.person, **values)))

    async def change_fields(self, label_id: UUID, data: LabelPatch, if_match: frozenset[int] | None) -> LabelOut:
        """Change what was sent, a name also on tasks; raises NotFound, Stale, Invalid."""
        values = data.sent()
        if "name" in values:
            values["name"] = clean_label(values["name"], "body.name")
            await self._check_name(values["name"], label_id)
        label = await self._mine(label_id, if_match)
        if values.get("name", label.name) != label.name:
            await Relabeling(self.session, self.actor, self.person, label.name, values["name"]).apply()
        return label_out(await self.update(values, label))

    async def remove(self, label_id: UUID, if_match: frozenset[int] | None, *, from_tasks: bool) -> None:
        """Delete a label from the palette and, if asked, from tasks; raises NotFound, Stale."""
        label = await self._mine(label_id, if_match)
        if from_tasks:
            await Relabeling(self.session, self.actor, self.person, label.name, None).apply()
        await self.delete(label)

    async def _mine(self, label_id: UUID, if_match: frozenset[int] | None) -> Label:
        label = await self.locked(LABEL.user_id == self.person, LABEL.id == label_id)
        if if_match is not None and label.version not in if_match:
            raise Stale(label_out(label))
        return label

    async def _check_name(self, name: str, label_id: UUID | None = None) -> None:
        """Raises Invalid for the name of another label; no other is added until the transaction ends."""
        lock = func.pg_advisory_xact_lock(func.hashtextextended(f"labels {self.person}", 0))
        await self.session.execute(select(lock))
        same = (LABEL.user_id == self.person, func.lower(LABEL.name) == func.lower(name))
        if await self.session.scalar(select(LABEL.id).where(*same, LABEL.id != label_id)):
            raise Invalid.field("body.name", "You have a label with this name already.")


class Relabeling:
    """Gives a label another name, or takes it away, on all tasks and series that a person may edit."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID, old: str, new: str | None):
        self.session, self.actor, self.person = session, actor, person
        self.old, self.new = old, new

    async def apply(self) -> None:
        """Roles are locked first, then series, then tasks in the order of their ids; what lies in the trash stays."""
        edited = select(ACCESS.project_id).where(ACCESS.user_id == self.person, ACCESS.role.in_(ROLES_WITH["edit"]))
        found = edited.order_by(ACCESS.project_id).with_for_update(read=True, of=Access)
        projects = (await self.session.scalars(found)).all()
        await self._change_series(projects)
        places: list[ColumnElement[bool]] = [labeled(literal(self.person), self._names)]
        places += [labeled(literal(project_id), self._names) for project_id in projects]
        for place in places:
            while await self._change_tasks(place):
                pass

    @property
    def _names(self) -> Any:
        return literal([self.old], ARRAY(Text))

    async def _change_series(self, projects: Sequence[UUID]) -> None:
        theirs = or_(SERIES.owner_id == self.person, SERIES.project_id.in_(projects))
        has = func.jsonb_array_length(func.coalesce(SERIES.template["labels"], literal_column("'[]'::jsonb"))) > 0
        found = select(Series).where(theirs, has).order_by(SERIES.id).with_for_update(key_share=True)
        service = SeriesService(self.session, self.actor)
        for series in await self.session.scalars(found):
            labels = replaced(series.template["labels"], self.old, self.new)
            await service.update({"template": series.template | {"labels": labels}}, series, action="series.change")

    async def _change_tasks(self, place: ColumnElement[bool]) -> bool:
        """Change some tasks in one place; whether there were any."""
        found = select(TASK.id, TASK.labels).where(place, TASK.deleted_at.is_(None))
        if self.new and self.new.lower() == self.old.lower():
            found = found.where(literal(self.new) != TASK.labels.all_())
        rows = (await self.session.execute(
            found.order_by(TASK.id).limit(BATCH).with_for_update(key_share=True, of=Task)
        )).all()  # fmt: skip
        if rows:
            await self._write(rows)
        return len(rows) == BATCH

    async def _write(self, rows: Sequence[Any]) -> None:
        labels = {row.id: replaced(row.labels, self.old, self.new) for row in rows}
        given = (
            func.jsonb_to_recordset(literal([{"id": task_id, "labels": new} for task_id, new in labels.items()], JSONB))
            .table_valued(column("id", TASK.id.type), column("labels", TASK.labels.type))
            .render_derived(with_types=True)
        )
        change = (
            update(table_of(Task))
            .where(TASK.id == given.c.id)
            .values(labels=given.c.labels, updated_at=now(), version=TASK.version + 1)
        )
        await self.session.execute(change)
        changes = ((row.id, {"labels": row.labels}, {"labels": labels[row.id]}) for row in rows)
        await record_changes(self.session, "tasks.change", "tasks", changes)


def label_out(label: Label) -> LabelOut:
    """A loaded row as the wire shows it."""
    return LabelOut(*(getattr(label, name) for name in LabelOut.__struct_fields__))
