"""What becomes of the tasks and series of a project that is deleted or handed over."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from todo.audit import name_actor, record_changes
from todo.cleanup import BATCH
from todo.database import now, table_of
from todo.domain.projects.models import ACCESS, MEMBER, PROJECT, Member, Project
from todo.domain.projects.queries import project_out
from todo.domain.projects.rules import MAX_PROJECTS
from todo.domain.projects.schemas import ProjectOut
from todo.domain.projects.services.projects import ProjectService, inbox_stays, lock_projects, rewrite_access
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.locks import lock_owner
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.services.edit import SeriesChanges
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.domain.tasks.services.project_changes import follow_timezone_of
from todo.errors import Conflict, Invalid


class ProjectContents:
    """Deletes projects and hands them over, inside the caller's transaction."""

    def __init__(self, projects: ProjectService):
        self.projects = projects
        self.session = projects.session
        self.series = SeriesService(projects.session, projects.actor)

    async def delete(self, project_id: UUID, if_match: frozenset[int] | None) -> None:
        """Delete a project with those below it. Its series end; its tasks are in the trash of the owner.

        Restoring a task puts it into the inbox. Raises NotFound, Forbidden, Stale, Conflict for the inbox.
        """
        project = await self.projects.locked_for(project_id, "own", if_match)
        if project.id == project.owner_id:
            raise inbox_stays()
        tree = await self.projects.tree(project.id)
        await name_actor(self.session)
        await lock_owner(self.session, project.owner_id)
        await self._end_series(tree)
        while await self._empty(tree, project.owner_id):
            pass
        for one in reversed(await self._loaded(tree)):
            await self.projects.delete(one)

    async def hand_over(self, project_id: UUID, user_id: UUID, *, limited: bool = True) -> ProjectOut:
        """Make a member the owner of a project and of those below it; who owned it becomes a manager.

        It is no longer below another project. `limited`: only if the member may have so many. Raises NotFound,
        Forbidden, Invalid, Conflict.
        """
        project = await self.projects.locked_for(project_id, "own")
        if project.id == project.owner_id:
            raise inbox_stays()
        old, tree = project.owner_id, await self.projects.tree(project.id)
        await lock_projects(self.session, user_id)
        role = select(ACCESS.role).where(ACCESS.project_id == project.id, ACCESS.user_id == user_id)
        if await self.session.scalar(role) is None:
            raise Invalid.field("body.user_id", "This is not a member of the project.", "not_found")
        owned = select(func.count()).select_from(Project).where(PROJECT.owner_id == user_id)
        if limited and int(await self.session.scalar(owned) or 0) + len(tree) > MAX_PROJECTS:
            raise Conflict(f"This person has {MAX_PROJECTS} projects.", slug="too-many")
        await follow_timezone_of(self.session, user_id)
        await self.session.execute(delete(Member).where(MEMBER.project_id.in_(tree), MEMBER.user_id == user_id))
        await self.projects.update({"owner_id": user_id, "parent_id": None}, project, action="projects.transfer")
        await self.session.execute(
            insert(Member).values(Member(project_id=project.id, user_id=old, role="manager").model_dump())
        )
        await rewrite_access(self.session, project.id)
        return await project_out(self.session, old, project.id)

    async def _end_series(self, tree: Sequence[UUID]) -> None:
        """End the series of these projects, with their open occurrences in the trash."""
        going = select(Series).where(SERIES.project_id.in_(tree)).order_by(SERIES.id)
        for series in await self.session.scalars(going.with_for_update(key_share=True)):
            if series.status != "ended":
                await self.series.stop(series)
                await SeriesChanges(self.series).cancel_open(series)
            await self.series.update(
                {"project_id": series.owner_id, "section_id": None}, series, action="series.change"
            )

    async def _empty(self, tree: Sequence[UUID], owner_id: UUID) -> bool:
        """Move some tasks of these projects to the trash of the owner's inbox; whether there were any."""
        some = select(TASK.id, TASK.project_id, TASK.deleted_at).where(TASK.project_id.in_(tree)).order_by(TASK.id)
        rows = (await self.session.execute(some.limit(BATCH).with_for_update(key_share=True))).all()
        if not rows:
            return False
        at = now()
        values: dict[str, Any] = {
            "project_id": owner_id,
            "section_id": None,
            "deleted_at": func.coalesce(TASK.deleted_at, at),
        }
        values |= {"updated_at": at, "version": TASK.version + 1}
        await self.session.execute(update(table_of(Task)).where(TASK.id.in_([row.id for row in rows])).values(values))
        changes = (
            (
                row.id,
                {"project_id": row.project_id, "deleted_at": row.deleted_at},
                {"project_id": owner_id, "deleted_at": row.deleted_at or at},
            )
            for row in rows
        )
        await record_changes(self.session, "tasks.delete", "tasks", changes)
        return True

    async def _loaded(self, tree: Sequence[UUID]) -> Sequence[Project]:
        """These projects, each after the one above it."""
        rows = {row.id: row for row in await self.session.scalars(select(Project).where(PROJECT.id.in_(tree)))}
        return [rows[project_id] for project_id in tree]
