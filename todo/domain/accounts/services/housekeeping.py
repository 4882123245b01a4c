"""What accounts leave behind and nobody needs any more."""

from datetime import timedelta

from sqlalchemy import delete, func, or_

from todo.access import WORKER
from todo.database import WriteSession
from todo.domain.accounts.models import INVITATION, MAIL_TOKEN, SESSION, Invitation, MailToken, Session
from todo.domain.accounts.services.key_rotation import KeyService
from todo.settings import Settings

SHOWN = timedelta(days=30)  # how long an ended session is kept, for whoever asks what happened
LEEWAY = timedelta(minutes=1)


async def forget_ended(session: WriteSession, settings: Settings) -> None:
    """Delete what has ended: sessions after a month, keys once their last token is over, unused tokens at once."""
    old = func.now() - SHOWN
    await session.execute(delete(Session).where(or_(SESSION.expires_at < old, SESSION.revoked_at < old)))
    await session.execute(delete(MailToken).where(MAIL_TOKEN.expires_at < func.now()))
    await session.execute(delete(Invitation).where(INVITATION.expires_at < old))
    lifetime = timedelta(seconds=settings.access_token_seconds) + LEEWAY
    await KeyService(session, WORKER, "").forget_retired(lifetime)  # forgetting needs no secret
