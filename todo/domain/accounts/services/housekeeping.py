"""Deletion of expired account data."""

from datetime import timedelta

from sqlalchemy import func

from todo.access import Origin
from todo.cleanup import Expired, delete_expired
from todo.database import Database
from todo.domain.accounts.models import (
    EMAIL_TOKEN,
    INVITATION,
    MFA_TOKEN,
    PERSONAL_TOKEN,
    REFRESH,
    SESSION,
    EmailToken,
    Invitation,
    MfaToken,
    PersonalToken,
    RefreshToken,
    Session,
)
from todo.domain.accounts.services.key_rotation import KeyService

SHOWN = timedelta(days=30)  # how long ended sessions and personal access tokens are kept for investigation
LEEWAY = timedelta(minutes=1)

# Refresh tokens before their sessions, whose deletion cascades: there can be thousands of them.
# An expired token is useless; until it expires, its reuse must end the session.
EXPIRED = [
    Expired(RefreshToken, REFRESH.expires_at < func.now()),
    Expired(Session, SESSION.expires_at < func.now() - SHOWN),
    Expired(Session, SESSION.revoked_at < func.now() - SHOWN),
    Expired(PersonalToken, PERSONAL_TOKEN.expires_at < func.now() - SHOWN),
    Expired(PersonalToken, PERSONAL_TOKEN.revoked_at < func.now() - SHOWN),
    Expired(EmailToken, EMAIL_TOKEN.expires_at < func.now()),
    Expired(MfaToken, MFA_TOKEN.expires_at < func.now()),
    Expired(Invitation, INVITATION.expires_at < func.now() - SHOWN),
]


async def delete_ended(database: Database, origin: Origin) -> None:
    """Delete what has ended.

    Sessions and personal access tokens a month later, keys after their last token has expired, unused tokens at once.
    """
    lifetime = timedelta(seconds=database.settings.access_token_seconds) + LEEWAY
    async with database.session(origin) as session:
        await KeyService(session, origin.actor).delete_retired(lifetime)
    await delete_expired(database, *EXPIRED)
