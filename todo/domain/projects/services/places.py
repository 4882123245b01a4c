"""Locking the project that something goes to, and the role of who puts it there."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, select

from todo.database import WriteSession
from todo.domain.accounts.models import USER, User
from todo.domain.projects.guards import allowed_to, role_required, visible_to
from todo.domain.projects.models import ACCESS, PROJECT, SECTION, Access, Project
from todo.domain.projects.rules import ROLES_WITH, Verb
from todo.errors import Conflict, Contention, Invalid, NotFound


class Place(NamedTuple):
    """A project, its owner, and the owner's time zone."""

    project_id: UUID
    owner_id: UUID
    timezone: str


async def lock_place(session: WriteSession, person: UUID, project_id: UUID) -> Place:
    """A project to which a person may add tasks. It and its owner are locked FOR KEY SHARE.

    Raises Invalid, Forbidden, Conflict for an archived project.
    """
    found = select(PROJECT.owner_id, USER.timezone, PROJECT.archived_at).join(User, USER.id == PROJECT.owner_id)
    found = found.where(PROJECT.id == project_id)
    row = (
        await session.execute(
            found.where(allowed_to(person, "edit")).with_for_update(read=True, key_share=True, of=(User, Project))
        )
    ).first()
    if row is None:
        if await session.scalar(found.where(allowed_to(person, "edit"))):
            raise Contention  # it has just changed hands
        if await session.scalar(found.where(visible_to(person))):
            raise role_required()
        raise Invalid.field("body.project_id", "There is no such project.", "not_found")
    if row.archived_at is not None:
        raise archived()
    await lock_access(session, person, row.owner_id, project_id, "edit")
    return Place(project_id, row.owner_id, row.timezone)


async def project_of_section(session: WriteSession, person: UUID, section_id: UUID) -> UUID:
    """The project of a section that a person sees. Raises Invalid."""
    found = select(SECTION.project_id).join(Project, PROJECT.id == SECTION.project_id)
    project_id: UUID | None = await session.scalar(found.where(SECTION.id == section_id, visible_to(person)))
    if project_id is None:
        raise no_section()
    return project_id


async def check_section(session: WriteSession, project_id: UUID, section_id: UUID) -> None:
    """Lock a section FOR KEY SHARE, so that it stays. Raises Invalid unless it is of this project."""
    found = select(SECTION.id).where(SECTION.id == section_id, SECTION.project_id == project_id)
    if await session.scalar(found.with_for_update(read=True, key_share=True)) is None:
        raise no_section()


def no_section() -> Invalid:
    return Invalid.field("body.section_id", "There is no such section in this project.", "not_found")


async def lock_access(session: WriteSession, person: UUID, owner_id: UUID, project_id: UUID, verb: Verb) -> None:
    """Lock the role of a person who does not own the project: it is not taken away before this transaction ends."""
    if person == owner_id:
        return
    role = select(ACCESS.role).where(
        ACCESS.user_id == person, ACCESS.project_id == project_id, ACCESS.role.in_(ROLES_WITH[verb])
    )
    if await session.scalar(role.with_for_update(read=True, of=Access)) is None:
        raise Contention  # it was taken away meanwhile


async def problem_of_row(
    session: WriteSession, allowed: ColumnElement[bool], *visible: ColumnElement[bool]
) -> Exception:
    """The problem for a row that was not `allowed` to be changed: Forbidden when `visible` finds that a person sees it.

    Contention when it is allowed by now: it has just come back from the trash, or gone there.
    """
    found = await session.scalar(select(allowed).where(*visible))
    if found is None:
        return NotFound()
    return Contention() if found else role_required()


def archived() -> Conflict:
    return Conflict("This project is archived: take it out of the archive first.", slug="project-archived")
