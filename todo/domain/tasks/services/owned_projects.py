"""What becomes of the projects of somebody who leaves the service: other people may be working in them."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import case, delete, exists, or_, select

from todo.access import Actor
from todo.audit import Event, name_actor
from todo.database import WriteSession, columns
from todo.domain.accounts.models import USER, User
from todo.domain.projects.models import ACCESS, MEMBER, PROJECT, PROJECT_INVITATION, ProjectInvitation
from todo.domain.projects.rules import MEMBER_ROLES
from todo.domain.projects.services.projects import ProjectService
from todo.domain.tasks.comments.models import COMMENT
from todo.domain.tasks.comments.services import erase_comments
from todo.domain.tasks.models import TASK
from todo.domain.tasks.services.project_contents import ProjectContents
from todo.erasure import erase_events
from todo.errors import Conflict

EVENT = columns(Event)
Choice = Literal["hand_over", "delete"] | None
MOST_NAMES = 10
# Of projects that are shared with a project above them, only that one: the others go with it.
SHARED = select(PROJECT.id, PROJECT.name).where(
    exists().where(MEMBER.project_id == PROJECT.id),
    or_(PROJECT.parent_id.is_(None), ~exists().where(ACCESS.project_id == PROJECT.parent_id)),
)


async def settle(session: WriteSession, actor: Actor, choice: Choice) -> None:
    """Hand over or delete the shared projects of somebody whose account is closed. Raise Conflict without a choice."""
    found: Any = SHARED.where(PROJECT.owner_id == actor.user_id).order_by(PROJECT.id)
    contents = ProjectContents(ProjectService(session, actor))
    if choice == "hand_over":
        await hand_over_shared(session, actor, actor.user_id)
        return
    projects = (await session.execute(found)).all()
    if projects and choice is None:
        names = ", ".join(project.name for project in projects[:MOST_NAMES])
        more = f" and {len(projects) - MOST_NAMES} more" if len(projects) > MOST_NAMES else ""
        raise Conflict(
            f"Others use projects of yours: {names}{more}. Hand them over or delete them, or send `shared_projects`.",
            slug="shared-projects",
        )
    for project in projects:
        await contents.delete(project.id, None)


async def hand_over_shared(session: WriteSession, actor: Actor, owner_id: UUID) -> None:
    """Make a member the owner of each shared project of a person: an active one with the highest role, the first.

    The new owner may get more projects than anybody can add: the deletion of an account does not wait for that.
    """
    contents = ProjectContents(ProjectService(session, actor, owner_id))
    rank = case(*((MEMBER.role == role, place) for place, role in enumerate(MEMBER_ROLES)))
    while project_id := await session.scalar(SHARED.where(PROJECT.owner_id == owner_id).order_by(PROJECT.id).limit(1)):
        members = select(MEMBER.user_id).join(User, USER.id == MEMBER.user_id).where(MEMBER.project_id == project_id)
        best = members.order_by((USER.status == "active").desc(), rank.desc(), MEMBER.created_at, MEMBER.id).limit(1)
        heir = await session.scalar(best)
        if heir is not None:
            await contents.hand_over(project_id, heir, limited=False)


async def before_erasure(session: WriteSession, user_id: UUID, email: str) -> None:
    """Keep the work of others when an account is erased, and nothing of its address.

    A project may have been shared since the account was closed, by an invitation that was open then.
    """
    await name_actor(session)
    await hand_over_shared(session, session.origin.actor, user_id)
    await erase_comments(session, or_(COMMENT.author_id == user_id, TASK.owner_id == user_id))
    await session.execute(delete(ProjectInvitation).where(PROJECT_INVITATION.email == email))
    invited = or_(EVENT.after["email"].astext == email, EVENT.before["email"].astext == email)
    await erase_events(session, EVENT.subject == "project_invitations", invited)
