"""Finding projects and their members."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, case, cast, exists, func, literal, or_, select, union_all
from sqlalchemy import bindparam as parameter

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, WriteSession, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.projects.guards import visible_to
from todo.domain.projects.models import ACCESS, MEMBER, PROJECT, Access, Member, Project
from todo.domain.projects.rules import MEMBER_ROLES
from todo.domain.projects.schemas import MemberOut, ProjectOut
from todo.errors import NotFound
from todo.listing import Listing, Sort
from todo.schema import Page

OTHERS, MINE = table_of(Access).alias("others").c, table_of(Access).alias("mine")
ABOVE = table_of(Access).alias("above").c
ROLE = case((PROJECT.owner_id == ACTOR, literal("owner")), else_=MINE.c.role).label("role")
PARENT = case(
    (or_(PROJECT.owner_id == ACTOR, exists().where(ABOVE.user_id == ACTOR, ABOVE.project_id == PROJECT.parent_id)),
     PROJECT.parent_id)
).label("parent_id")  # fmt: skip
COLUMNS = select(
    PROJECT.id, PROJECT.version, PROJECT.name, PROJECT.description, PROJECT.color, PARENT, PROJECT.owner_id, ROLE,
    (PROJECT.id == PROJECT.owner_id).label("inbox"), exists().where(OTHERS.project_id == PROJECT.id).label("shared"),
    PROJECT.archived_at.is_not(None).label("archived"), PROJECT.created_at, PROJECT.updated_at,
).outerjoin_from(
    Project, MINE, (MINE.c.project_id == PROJECT.id) & (MINE.c.user_id == ACTOR)
)  # fmt: skip
READ = Query(ProjectOut, COLUMNS.where(visible_to(ACTOR), PROJECT.id == parameter("project", type_=PROJECT.id.type)))
# By their ids, so that an index finds those of both kinds.
_own = select(PROJECT.id).where(PROJECT.owner_id == ACTOR)
_shared = select(ACCESS.project_id).where(ACCESS.user_id == ACTOR)
PROJECTS = Listing(
    ProjectOut,
    COLUMNS.where(PROJECT.id.in_(union_all(_own, _shared))),
    filters={
        "archived": PROJECT.archived_at.is_not(None) == parameter("archived"),
        "parent_id": PROJECT.parent_id == parameter("parent_id", type_=PROJECT.id.type),
    },
    sorts={
        "id": Sort(PROJECT.id, UUID, lambda project: project.id),
        "name": Sort(func.lower(PROJECT.name), str, lambda project: project.name, bound=func.lower),
    },
    default="id",
)
# What lists of tasks and series leave out, and what they have besides one's own.
_archived = select(PROJECT.id).where(PROJECT.owner_id == ACTOR, PROJECT.archived_at.is_not(None))
SHARED_PROJECTS = (
    select(ACCESS.project_id)
    .join_from(Access, Project, PROJECT.id == ACCESS.project_id)
    .where(ACCESS.user_id == ACTOR, PROJECT.archived_at.is_(None))
    .subquery("shared")
)

_this = parameter("project", type_=PROJECT.id.type)
_roles = ("owner", *reversed(MEMBER_ROLES))
_people = union_all(
    select(PROJECT.owner_id.label("user_id"), literal("owner").label("role"), literal(False).label("inherited"))
    .where(PROJECT.id == _this),
    select(ACCESS.user_id, ACCESS.role, MEMBER.id.is_(None))
    .outerjoin_from(Access, Member, (MEMBER.project_id == ACCESS.project_id) & (MEMBER.user_id == ACCESS.user_id))
    .where(ACCESS.project_id == _this),
).subquery("people")  # fmt: skip
_rank: ColumnElement[int] = case(*((_people.c.role == role, place) for place, role in enumerate(_roles)), else_=99)
MEMBERS = Listing(
    MemberOut,
    select(_people.c.user_id, USER.name, _people.c.role, _people.c.inherited)
    .join(User, USER.id == _people.c.user_id)
    .where(exists().where(PROJECT.id == _this, visible_to(ACTOR))),
    filters={},
    sorts={
        "role": Sort(_rank, int, lambda member: _roles.index(member.role)),
        "id": Sort(_people.c.user_id, UUID, lambda member: member.user_id),
    },
    default="role",
)


class ProjectReads:
    """What one person can see of the projects."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, project_id: UUID) -> ProjectOut:
        """Raises NotFound."""
        project = await self._reads.one_or_none(READ, actor=self._actor, project=project_id)
        if project is None:
            raise NotFound
        return project

    async def page(self, filters: Mapping[str, Any], **options: Any) -> Page[ProjectOut]:
        """Raises Invalid for an undeclared sort field or a cursor that is none of ours."""
        return await PROJECTS.page(self._reads, filters, actor=self._actor, **options)

    async def members(self, project_id: UUID, **options: Any) -> Page[MemberOut]:
        """The owner first. Raises NotFound; Invalid for a cursor that is none of ours."""
        page = await MEMBERS.page(self._reads, {}, actor=self._actor, project=project_id, **options)
        if not page.items:
            await self.one(project_id)
        return page


async def project_out(session: WriteSession, person: UUID, project_id: UUID) -> ProjectOut:
    """A project as a person sees it within a transaction."""
    found = COLUMNS.where(visible_to(ACTOR), PROJECT.id == project_id)
    return ProjectOut(*(await session.execute(found, {"actor": person})).one())


def not_archived(project_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Which of one's own projects is not archived. As numbers: of NOT IN, the planner expects to lose half the rows."""
    return cast(project_id.in_(_archived), Integer) != 1
