"""Adding, changing and sharing projects."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, select

from todo.access import Actor
from todo.audit import AuditedService, name_actor
from todo.database import WriteSession, now, table_of
from todo.domain.projects.guards import allowed_to, role_required, visible_to
from todo.domain.projects.models import PROJECT, Project
from todo.domain.projects.queries import project_out
from todo.domain.projects.rules import MAX_LEVELS, MAX_PROJECTS, Verb
from todo.domain.projects.schemas import MOST_NAME, ProjectIn, ProjectOut, ProjectPatch
from todo.domain.projects.services.places import archived, lock_access, problem_of_row
from todo.errors import Conflict, Contention, Invalid, NotFound, Stale
from todo.titles import clean_title

BELOW = table_of(Project).alias("lower")


class ProjectService(AuditedService[Project], model=Project):
    """Changes projects on behalf of a person, inside the caller's transaction: of the actor, or of `person`."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.person = person or actor.user_id

    async def add(self, data: ProjectIn) -> ProjectOut:
        """Add a project. Raises Invalid, Forbidden, Conflict for too many."""
        owner_id = await self._lock_tree_at(data.parent_id) if data.parent_id else self.person
        await lock_projects(self.session, owner_id)
        if data.parent_id:
            await self._check_parent(data.parent_id, owner_id, height=1)
        number = await self.session.scalar(select(func.count()).where(PROJECT.owner_id == owner_id))
        if (number or 0) >= MAX_PROJECTS:
            raise Conflict(f"There can be {MAX_PROJECTS} projects.", slug="too-many")
        values = data.sent() | {"name": clean_title(data.name, "name", MOST_NAME)}
        project = await self.create(Project(owner_id=owner_id, **values))
        if data.parent_id:
            await rewrite_access(self.session, project.id)
        return await self._out(project.id)

    async def change_fields(
        self, project_id: UUID, data: ProjectPatch, if_match: frozenset[int] | None
    ) -> ProjectOut:  # fmt: skip
        """Change what was sent; raises NotFound, Forbidden, Stale, Invalid, Conflict."""
        sent = data.sent()
        project = await self.locked_for(project_id, "own" if "parent_id" in sent else "manage", if_match)
        if project.id == project.owner_id and sent.keys() & {"parent_id", "archived"}:
            raise inbox_stays()
        if "name" in sent:
            sent["name"] = clean_title(data.name or "", "name", MOST_NAME)
        if "archived" in sent:
            await self._archive(project, archived=sent.pop("archived"))
        if sent.get("parent_id"):
            await self._check_parent(sent["parent_id"], project.owner_id, await self._height(project.id), project)
        moves = "parent_id" in sent and sent["parent_id"] != project.parent_id
        await self.update(sent, project)
        if moves:
            await rewrite_access(self.session, project.id)
        return await self._out(project.id)

    async def locked_for(self, project_id: UUID, verb: Verb, if_match: frozenset[int] | None = None) -> Project:
        """A project that a person may change, locked with the tree it is in; raises NotFound, Forbidden, Stale."""
        there = (allowed_to(self.person, verb), PROJECT.id == project_id)
        owner_id = await self.session.scalar(select(PROJECT.owner_id).where(*there))
        if owner_id is None:
            raise await problem_of_row(self.session, there[0], visible_to(self.person), there[1])
        await lock_projects(self.session, owner_id)
        try:
            project = await self.locked(*there)
        except NotFound:
            raise Contention from None  # it has changed hands, or the person has lost their role
        if project.owner_id != owner_id:
            raise Contention
        await lock_access(self.session, self.person, owner_id, project_id, verb)
        if if_match is not None and project.version not in if_match:
            raise Stale(await self._out(project.id))
        return project

    async def locked_to_share(self, project_id: UUID) -> Project:
        """A project that a person may share with others, as `locked_for`; raises Conflict for one that cannot be."""
        project = await self.locked_for(project_id, "manage")
        if project.id == project.owner_id:
            raise inbox_stays()
        if project.archived_at is not None:
            raise archived()
        return project

    async def tree(self, project_id: UUID) -> Sequence[UUID]:
        """A project and those below it."""
        return (await self.session.scalars(_below(PROJECT.id == project_id))).all()

    async def _out(self, project_id: UUID) -> ProjectOut:
        return await project_out(self.session, self.person, project_id)

    async def _lock_tree_at(self, parent_id: UUID) -> UUID:
        """The owner of a project to which a person may add others. Raises Invalid, Forbidden."""
        there = PROJECT.id == parent_id
        owner_id: UUID | None = await self.session.scalar(
            select(PROJECT.owner_id).where(there, allowed_to(self.person, "manage"))
        )
        if owner_id is not None:
            return owner_id
        if await self.session.scalar(select(PROJECT.id).where(there, visible_to(self.person))):
            raise role_required()
        raise no_parent()

    async def _check_parent(
        self, parent_id: UUID, owner_id: UUID, height: int, project: Project | None = None
    ) -> None:  # fmt: skip
        """Raises Invalid unless a tree of this height, perhaps that of a project, may go below another one."""
        above = await self._above(parent_id, owner_id)
        if not above:
            raise no_parent()
        if parent_id == owner_id:
            raise Invalid.field("body.parent_id", "There can be no project below the inbox.")
        if project and project.id in above:
            raise Invalid.field("body.parent_id", "A project cannot be below itself.")
        if len(above) + height > MAX_LEVELS:
            raise Invalid.field("body.parent_id", f"Projects go at most {MAX_LEVELS} levels deep.")

    async def _above(self, project_id: UUID, owner_id: UUID) -> Sequence[UUID]:
        """A project of an owner that is not archived, and those above it."""
        here = select(PROJECT.id, PROJECT.parent_id).where(
            PROJECT.id == project_id, PROJECT.owner_id == owner_id, PROJECT.archived_at.is_(None)
        )
        chain = here.cte("chain", recursive=True)
        above = select(BELOW.c.id, BELOW.c.parent_id).join(chain, BELOW.c.id == chain.c.parent_id)
        return (await self.session.scalars(select(chain.union_all(above).c.id))).all()

    async def _height(self, project_id: UUID) -> int:
        """How many levels a project and those below it have."""
        chain = select(PROJECT.id, literal(1).label("level")).where(PROJECT.id == project_id)
        tree = chain.cte("tree", recursive=True)
        below = select(BELOW.c.id, tree.c.level + 1).join(tree, BELOW.c.parent_id == tree.c.id)
        return int(await self.session.scalar(select(func.max(tree.union_all(below).c.level))) or 1)

    async def _archive(self, project: Project, *, archived: bool) -> None:
        """Archive a project with those below it, or take them out of the archive."""
        if archived is (project.archived_at is not None):
            return
        if not archived and project.parent_id and not await self._above(project.parent_id, project.owner_id):
            raise Conflict("The project above is archived: take that out of the archive.", slug="project-archived")
        values: dict[str, Any] = {"archived_at": now() if archived else None}
        ids = await self.tree(project.id)
        others = select(Project).where(PROJECT.id.in_(ids), PROJECT.id != project.id).order_by(PROJECT.id)
        for one in (project, *(await self.session.scalars(others.with_for_update(key_share=True)))):
            await self.update(values, one, action="projects.archive" if archived else "projects.unarchive")


def _below(which: ColumnElement[bool]) -> Any:
    tree = select(PROJECT.id).where(which).cte("tree", recursive=True)
    below = select(BELOW.c.id).join(tree, BELOW.c.parent_id == tree.c.id)
    return select(tree.union_all(below).c.id)


async def lock_projects(session: WriteSession, owner_id: UUID) -> None:
    """Lock all projects of an owner, their members and their access against other changes.

    Two changes at once could make a cycle, or access, that neither of them sees.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"projects {owner_id}", 0))))


async def rewrite_access(session: WriteSession, project_id: UUID) -> None:
    """Write who has access to a project and to those below it, from their members. The tree is locked.

    Triggers end what those who lose access are assigned to, and what their tasks wait for there.
    """
    await name_actor(session)
    await session.execute(select(func.rewrite_project_access(project_id)))


def inbox_stays() -> Conflict:
    return Conflict("The inbox cannot be moved, archived, shared, handed over or deleted.", slug="inbox")


def no_parent() -> Invalid:
    return Invalid.field("body.parent_id", "There is no such project.", "not_found")
