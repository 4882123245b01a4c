"""Finding projects and their members."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy import bindparam as parameter
from sqlalchemy.dialects.postgresql import ARRAY

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, WriteSession, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.projects.guards import allowed_to, role_required, visible_to
from todo.domain.projects.models import (
    ACCESS,
    MEMBER,
    PROJECT,
    Access,
    Member,
    Project,
    ProjectInvitation,
    ProjectLink,
)
from todo.domain.projects.models import PROJECT_INVITATION as INVITATION
from todo.domain.projects.models import PROJECT_LINK as LINK
from todo.domain.projects.rules import MEMBER_ROLES, ROLES
from todo.domain.projects.schemas import (
    LinkedProject,
    MemberOut,
    MyProjectInvitation,
    ProjectInvitationOut,
    ProjectLinkOut,
    ProjectOut,
)
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
    PROJECT.archived_at.is_not(None).label("archived"),
    PROJECT.enforce_dependencies, PROJECT.created_at, PROJECT.updated_at,
).outerjoin_from(
    Project, MINE, (MINE.c.project_id == PROJECT.id) & (MINE.c.user_id == ACTOR)
)  # fmt: skip
READ = Query(ProjectOut, COLUMNS.where(visible_to(ACTOR), PROJECT.id == parameter("project", type_=PROJECT.id.type)))


def projects_of(actor: Any) -> CompoundSelect[Any]:
    """The ids of the projects that a person can see: an index finds those of each kind."""
    own = select(PROJECT.id).where(PROJECT.owner_id == actor)
    return union_all(own, select(ACCESS.project_id).where(ACCESS.user_id == actor))


VISIBLE_IDS = projects_of(ACTOR)
PROJECTS = Listing(
    ProjectOut,
    COLUMNS.where(PROJECT.id.in_(VISIBLE_IDS)),
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

# People of whom somebody sees the name: those with whom they share a project, and they themselves.
VISIBLE_PEOPLE = union_all(
    select(ACTOR),
    select(PROJECT.owner_id).where(PROJECT.id.in_(select(ACCESS.project_id).where(ACCESS.user_id == ACTOR))),
    select(ACCESS.user_id).where(ACCESS.project_id.in_(VISIBLE_IDS)),
)


def named(names: ColumnElement[Any], name: ColumnElement[Any], key: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a row has one of these names, whatever their case, or ids."""
    one = func.unnest(names).column_valued("name")
    return or_(func.lower(name).in_(select(func.lower(one))), cast(key, Text).in_(select(func.lower(one))))


NAMED_PROJECTS = (
    select(PROJECT.id.label("project_id"))
    .where(
        PROJECT.id.in_(VISIBLE_IDS),
        PROJECT.id != PROJECT.owner_id,
        PROJECT.archived_at.is_(None),
        named(parameter("project_names", type_=ARRAY(Text)), PROJECT.name, PROJECT.id),
    )
    .subquery("named")
)
INBOX_IS_NAMED = exists().where(
    PROJECT.id == ACTOR, named(parameter("project_names", type_=ARRAY(Text)), PROJECT.name, PROJECT.id)
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
INVITED, INVITER = table_of(User).alias("invited"), table_of(User).alias("inviter")
HOST, OFFERED = table_of(User).alias("host"), table_of(Project).alias("offered")
INVITATION_COLUMNS = select(
    INVITATION.id, INVITATION.email, INVITATION.user_id, INVITED.c.name, INVITATION.role, INVITATION.invited_by,
    INVITER.c.name, INVITATION.created_at, INVITATION.expires_at,
).select_from(ProjectInvitation).join(INVITER, INVITER.c.id == INVITATION.invited_by).outerjoin(
    INVITED, INVITED.c.id == INVITATION.user_id
)  # fmt: skip
BY_AGE = {"id": Sort(INVITATION.id, UUID, lambda invitation: invitation.id)}
INVITATIONS = Listing(
    ProjectInvitationOut,
    INVITATION_COLUMNS.where(
        INVITATION.project_id == _this,
        INVITATION.expires_at > func.now(),
        exists().where(PROJECT.id == _this, allowed_to(ACTOR, "manage")),
    ),
    filters={},
    sorts=BY_AGE,
    default="-id",
)


def offered_to(actor: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions of the invitations that a person can accept: of their account, or of the address it has proved."""
    confirmed = select(USER.email).where(USER.id == actor, USER.email_verified_at.is_not(None)).scalar_subquery()
    return (
        or_(INVITATION.user_id == actor, INVITATION.email == confirmed),
        INVITATION.expires_at > func.now(),
        exists().where(PROJECT.id == INVITATION.project_id, PROJECT.archived_at.is_(None)),
        exists().where(INVITER.c.id == INVITATION.invited_by, INVITER.c.status == "active"),
    )


MY_INVITATIONS = Listing(
    MyProjectInvitation,
    select(INVITATION.id, OFFERED.c.name, INVITATION.role, HOST.c.name, INVITATION.created_at, INVITATION.expires_at)
    .join(OFFERED, OFFERED.c.id == INVITATION.project_id)
    .join(HOST, HOST.c.id == INVITATION.invited_by)
    .where(*offered_to(ACTOR)),
    filters={},
    sorts=BY_AGE,
    default="-id",
)
LINK_COLUMNS = select(
    LINK.id, LINK.version, LINK.name, LINK.created_by, HOST.c.name, LINK.created_at, LINK.expires_at
).join(HOST, HOST.c.id == LINK.created_by)
_unexpired = or_(LINK.expires_at.is_(None), LINK.expires_at > func.now())
LINKS = Listing(
    ProjectLinkOut,
    LINK_COLUMNS.where(
        LINK.project_id == _this, _unexpired, exists().where(PROJECT.id == _this, allowed_to(ACTOR, "manage"))
    ),
    filters={},
    sorts={"id": Sort(LINK.id, UUID, lambda link: link.id)},
    default="-id",
)


def _linked() -> Select[Any]:
    """The project of a link, and those below it, that are not archived: each after the one above it."""
    root = (
        select(PROJECT.id, literal(0).label("level"))
        .join(ProjectLink, LINK.project_id == PROJECT.id)
        .join(HOST, HOST.c.id == LINK.created_by)
        .where(LINK.hash == parameter("hash", type_=LINK.hash.type), _unexpired, HOST.c.status == "active")
    )
    tree = root.where(PROJECT.archived_at.is_(None)).cte("tree", recursive=True)
    lower = table_of(Project).alias("lower").c
    below = select(lower.id, tree.c.level + 1).where(lower.parent_id == tree.c.id, lower.archived_at.is_(None))
    tree = tree.union_all(below)
    above = case((tree.c.level > 0, PROJECT.parent_id))
    columns = select(PROJECT.id, PROJECT.name, PROJECT.description, PROJECT.color, above)
    return columns.join(tree, tree.c.id == PROJECT.id).order_by(tree.c.level, func.lower(PROJECT.name), PROJECT.id)


LINKED = Query(LinkedProject, _linked())


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

    async def invitations(self, project_id: UUID, **options: Any) -> Page[ProjectInvitationOut]:
        """The newest first. Raises NotFound, Forbidden; Invalid for a cursor that is none of ours."""
        page = await INVITATIONS.page(self._reads, {}, actor=self._actor, project=project_id, **options)
        if not page.items:
            await self._require_manager(project_id)
        return page

    async def my_invitations(self, **options: Any) -> Page[MyProjectInvitation]:
        """The newest first. Raises Invalid for a cursor that is none of ours."""
        return await MY_INVITATIONS.page(self._reads, {}, actor=self._actor, **options)

    async def links(self, project_id: UUID, **options: Any) -> Page[ProjectLinkOut]:
        """The newest first. Raises NotFound, Forbidden; Invalid for a cursor that is none of ours."""
        page = await LINKS.page(self._reads, {}, actor=self._actor, project=project_id, **options)
        if not page.items:
            await self._require_manager(project_id)
        return page

    async def _require_manager(self, project_id: UUID) -> None:
        if "manage" not in ROLES[(await self.one(project_id)).role]:
            raise role_required()


async def project_out(session: WriteSession, person: UUID, project_id: UUID) -> ProjectOut:
    """A project as a person sees it within a transaction."""
    found = COLUMNS.where(visible_to(ACTOR), PROJECT.id == project_id)
    return ProjectOut(*(await session.execute(found, {"actor": person})).one())


def not_archived(project_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Which of one's own projects is not archived. As numbers: of NOT IN, the planner expects to lose half the rows."""
    return cast(project_id.in_(_archived), Integer) != 1
