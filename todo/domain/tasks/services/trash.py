"""The trash: moving tasks there, restoring them, and deleting one for good."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from todo.database import now
from todo.domain.tasks import rules
from todo.domain.tasks.comments.models import COMMENT
from todo.domain.tasks.comments.services import erase_comments
from todo.domain.tasks.guards import trashed_by
from todo.domain.tasks.models import TASK
from todo.domain.tasks.queries import task_out
from todo.domain.tasks.schemas import Scope, TaskOut
from todo.domain.tasks.series.services.edit import SeriesChanges
from todo.domain.tasks.series.services.occurrences import TaskChange
from todo.domain.tasks.series.services.reopening import Reopening
from todo.domain.tasks.services.locked import LockedTasks
from todo.domain.tasks.services.purging import erase_values, require_purgeable
from todo.domain.tasks.subtasks import change_all, descendants


class TrashService(LockedTasks):
    """Moves tasks to the trash and out of it; raises as `LockedTasks`."""

    async def trash(self, task_id: UUID, if_match: frozenset[int] | None, scope: Scope = "this") -> None:
        """Move a task and its subtasks to the trash, from where it can be restored; raises NotFound, Stale, Invalid.

        `this` skips an occurrence, `following` ends its series with this occurrence and those after it, `all` with
        every open one.
        """
        series, task, timezone = await self.locked_with_owner(task_id, "edit", if_match)
        if scope != "this":
            await SeriesChanges(self.series).end_from(series, task, scope)
        deleted_at = now()
        values = {"deleted_at": deleted_at}
        if series and scope == "this" and task.status not in rules.CLOSED:
            change = TaskChange(values, "tasks.delete", "skipped")
            await self.series.close_and_open_next(series, task, change, timezone)
        else:
            await self.update(values, task, action="tasks.delete")
        subtasks = await descendants(self.session, [task.id], TASK.deleted_at.is_(None))
        await change_all(self.session, subtasks, values, "tasks.delete")

    async def restore(self, task_id: UUID) -> TaskOut:
        """Restore a task and the subtasks deleted with it; raises NotFound when it is not in the trash.

        One whose parent is still in the trash is below nothing: it would be deleted with that.
        """
        series, task, _ = await self.locked_with_owner(task_id, "edit", within=trashed_by)
        if series and task.status not in rules.CLOSED:
            await Reopening(self.series).reopen(series, task)
        subtasks = await descendants(self.session, [task.id], TASK.deleted_at == task.deleted_at)
        restored: dict[str, Any] = {"deleted_at": None}
        await change_all(self.session, subtasks, restored, "tasks.restore")
        if task.parent_id and await self.session.scalar(
            select(TASK.id).where(TASK.id == task.parent_id, TASK.deleted_at.is_not(None))
        ):
            restored["parent_id"] = None
        return task_out(await self._followed(await self.update(restored, task, action="tasks.restore"), subtasks))

    async def purge(self, task_id: UUID) -> None:
        """Delete a task in the trash permanently, with its subtasks; raises NotFound, Conflict."""
        _, task, _ = await self.locked_with_owner(task_id, "manage", within=trashed_by)
        await require_purgeable(self.session, task.id)
        ids = [task.id, *(subtask.id for subtask in await descendants(self.session, [task.id]))]
        await erase_comments(self.session, COMMENT.task_id.in_(ids))
        await self.delete(task, action="tasks.purge")
        await erase_values(self.session, ids)
