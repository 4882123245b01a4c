"""What the worker does for projects."""

from sqlalchemy import func

from todo.cleanup import Expired, delete_expired
from todo.domain.projects.models import PROJECT_INVITATION, PROJECT_LINK, ProjectInvitation, ProjectLink
from todo.queue import Context, Cron

EXPIRED = (
    Expired(ProjectInvitation, PROJECT_INVITATION.expires_at < func.now()),
    Expired(ProjectLink, PROJECT_LINK.expires_at < func.now()),
)


async def delete_expired_sharing(context: Context) -> None:
    """Delete invitations and links to projects that have expired."""
    await delete_expired(context["database"], *EXPIRED)


CRONS = [Cron(delete_expired_sharing, "43 * * * *", timeout=600)]
