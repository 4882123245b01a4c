"""Read-only links: their secret shows a project and those below it to people without an account."""

import secrets
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession, now
from todo.domain.projects.models import PROJECT_LINK, ProjectLink
from todo.domain.projects.queries import LINK_COLUMNS
from todo.domain.projects.rules import MAX_LINKS
from todo.domain.projects.schemas import ProjectLinkIn, ProjectLinkMade
from todo.domain.projects.services.projects import ProjectService
from todo.errors import Conflict


class ProjectLinkService(AuditedService[ProjectLink], model=ProjectLink):
    """Links on behalf of a person, inside the caller's transaction: of the actor, or of `person`."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.projects = ProjectService(session, actor, person)

    async def add(self, project_id: UUID, data: ProjectLinkIn) -> ProjectLinkMade:
        """Make a link. Raises NotFound, Forbidden, and Conflict for the inbox, an archived project, too many."""
        await self.projects.locked_to_share(project_id)
        number = await self.session.scalar(select(func.count()).where(PROJECT_LINK.project_id == project_id))
        if (number or 0) >= MAX_LINKS:
            raise Conflict(f"A project can have {MAX_LINKS} links.", slug="too-many")
        secret = secrets.token_urlsafe(32)
        lasts = timedelta(days=data.expires_in_days) if data.expires_in_days else None
        row = await self.create(
            ProjectLink(
                project_id=project_id, name=data.name, hash=hash_of(secret), created_by=self.projects.person,
                expires_at=now() + lasts if lasts else None,
            )
        )  # fmt: skip
        shown = (await self.session.execute(LINK_COLUMNS.where(PROJECT_LINK.id == row.id))).one()
        return ProjectLinkMade(*shown, secret=secret)

    async def revoke(self, project_id: UUID, link_id: UUID) -> None:
        """Delete a link, which shows nothing from then on. Raises NotFound, Forbidden."""
        await self.projects.locked_for(project_id, "manage")
        await self.delete(await self.locked(PROJECT_LINK.id == link_id, PROJECT_LINK.project_id == project_id))


def hash_of(secret: str) -> bytes:
    """Return the hash by which a link is stored and found."""
    return sha256(secret.encode()).digest()
