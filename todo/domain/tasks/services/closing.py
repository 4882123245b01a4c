"""Closing tasks, which opens the next occurrences of their series, and opening them again."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import structs

from todo.actions import Action
from todo.audit import update_in_one_statement
from todo.database import now
from todo.domain.projects.services.places import lock_access
from todo.domain.tasks import rules
from todo.domain.tasks.activities.services import concerns_others, note_activity
from todo.domain.tasks.dependencies.queries import check_unblocked
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import IS_OPEN, task_out
from todo.domain.tasks.schemas import Children, Completed, TaskOut
from todo.domain.tasks.series.models import Series
from todo.domain.tasks.series.services.occurrences import TaskChange
from todo.domain.tasks.series.services.reopening import Reopening
from todo.domain.tasks.series.statements import LOCK_OCCURRENCE
from todo.domain.tasks.services.locked import LockedTasks, current
from todo.domain.tasks.subtasks import change_all, completed_with, descendants
from todo.errors import Conflict


class ClosingService(LockedTasks):
    """Closes tasks and opens them again; raises as `LockedTasks`."""

    async def complete(self, task_id: UUID, if_match: frozenset[int] | None, children: Children = "leave") -> Completed:
        """Close a task, and open the next occurrence of its series; raises NotFound, Stale, Conflict.

        `children`: what happens to its open subtasks.
        """
        if self._database and children == "leave":
            task = await self._read(self._database, task_id, if_match)
            alone = task.series_id is None and task.parent_id is None and not task.blocked
            alone = alone and not concerns_others(task, self.actor)
            if alone and task.status not in rules.CLOSED and task.owner_id == self.person:
                done = {"status": "done", "completed_at": now()}
                if await update_in_one_statement(self._database, self.session.origin, task, "tasks.complete", done):
                    return Completed(**structs.asdict(task_out(task)), next_task=None)
        return await self._close(task_id, if_match, {"status": "done"}, "tasks.complete", children)

    async def skip(self, task_id: UUID, if_match: frozenset[int] | None) -> Completed:
        """Skip an occurrence, and open the next one; raises NotFound, Stale, Conflict."""
        return await self._close(task_id, if_match, {"status": "cancelled"}, "tasks.skip")

    async def cancel(self, task_id: UUID, if_match: frozenset[int] | None) -> Completed:
        """Close a task that is not done any more; an occurrence is skipped. Raises NotFound, Stale, Conflict."""
        return await self._close(task_id, if_match, {"status": "cancelled"}, "tasks.cancel")

    async def reopen(self, task_id: UUID, if_match: frozenset[int] | None) -> TaskOut:
        """Open a closed task again, with the subtasks that were completed with it and not changed since; what closing
        it opened is removed if it was not changed. Raises NotFound, Stale, Conflict.
        """
        series, task, _ = await self.locked_with_owner(task_id, "complete", if_match)
        if task.status not in rules.CLOSED:
            raise Conflict("This task is open.", slug="task-open")
        if series:
            await Reopening(self.series).reopen(series, task)
        opened = {"status": "open", "completed_at": None}
        subtasks = await descendants(self.session, [task.id], *completed_with(task))
        await change_all(self.session, subtasks, opened, "tasks.reopen")
        return task_out(await self._followed(await self.update(opened, task, action="tasks.reopen"), subtasks))

    async def _close(
        self,
        task_id: UUID,
        if_match: frozenset[int] | None,
        values: dict[str, Any],
        action: Action,
        children: Children = "leave",
    ) -> Completed:
        series, task, timezone = await self._locked_occurrence(task_id, if_match)
        if task.status in rules.CLOSED:
            raise Conflict(f"This task is already {task.status}.", slug="already-done")
        if series is None and action == "tasks.skip":
            raise Conflict("This task comes only once: complete, cancel or delete it.", slug="not-recurring")
        values = values | {"completed_at": now()}
        subtasks = await self._open_subtasks(task, children)
        if action == "tasks.complete":
            await check_unblocked(self.session, [task, *subtasks])
        following = None
        if series:
            change = TaskChange(values, action, "done" if action == "tasks.complete" else "skipped")
            following = await self.series.close_and_open_next(series, task, change, timezone)
        else:
            await self.update(values, task, action=action)
        await change_all(self.session, subtasks, values, action, values["completed_at"])
        await self._followed(task, subtasks)
        if action == "tasks.complete" and concerns_others(task, self.actor):
            await note_activity(self.session, self.actor, "completed", task.id)
        return Completed(**structs.asdict(task_out(task)), next_task=task_out(following) if following else None)

    async def _open_subtasks(self, task: Task, children: Children) -> Sequence[Task]:
        """The subtasks to complete with a task, locked; raises Conflict where none may be open."""
        if children == "leave":
            return ()
        found = await descendants(self.session, [task.id], TASK.deleted_at.is_(None), IS_OPEN)
        if found and children == "refuse":
            raise Conflict(
                f"Open subtasks: {len(found)}. Complete them first, or send `children=complete` or `children=leave`.",
                slug="subtasks-open",
            )
        return found

    async def _locked_occurrence(
        self, task_id: UUID, if_match: frozenset[int] | None
    ) -> tuple[Series | None, Task, str]:
        """`locked_with_owner` of a task to close; one statement for an occurrence of a series."""
        if held := self._held(task_id):
            return None, current(held.task, if_match), held.timezone
        found = await self.session.execute(LOCK_OCCURRENCE, {"actor": self.person, "task": task_id})
        if row := found.first():
            series, task, timezone = row
            await lock_access(self.session, self.person, task.owner_id, task.project_id, "complete")
            return series, current(task, if_match), timezone
        return await self.locked_with_owner(task_id, "complete", if_match)  # or one that has just changed
