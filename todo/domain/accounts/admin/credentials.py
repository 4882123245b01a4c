"""Admin resources for credentials: sessions, tokens, passkeys, identities at other providers."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, Filter, ModelAdmin, action
from todo.database import now
from todo.domain.accounts.models import (
    PASSKEY,
    PERSONAL_TOKEN,
    SESSION,
    USER,
    Identity,
    Passkey,
    PersonalToken,
    Session,
)
from todo.domain.accounts.services.passkeys import PasskeyService
from todo.domain.accounts.services.personal_tokens import TokenService
from todo.domain.accounts.services.roles import require_no_escalation
from todo.domain.accounts.services.sessions import SessionService

LIVE_SESSION = SESSION.revoked_at.is_(None) & (SESSION.expires_at > func.now())
LIVE_TOKEN = PERSONAL_TOKEN.revoked_at.is_(None) & (PERSONAL_TOKEN.expires_at > func.now())
LIVE_PASSKEY = PASSKEY.revoked_at.is_(None)


def ended(what: str, row: Any) -> str:
    """Return a sentence saying that the credential has ended, or "" while it is valid."""
    expires_at = getattr(row, "expires_at", None)
    if row.revoked_at is not None:
        return f"{what} has ended already."
    return f"{what} has expired already." if expires_at is not None and expires_at <= now() else ""


class SessionAdmin(ModelAdmin[Session]):
    model = Session
    icon, group = "laptop", "Sign-ins"
    display = "user_agent"
    field_labels = {"amr": "Signed in with"}
    columns = ("user_id", "user_agent", "address", "amr", "seen_at", "expires_at", "revoked_at")
    filters = (
        Filter("state", {"live": LIVE_SESSION, "over": ~LIVE_SESSION}),
        "user_id",
        "created_at",
        "user.email",
        "user.status",
    )
    search = ("user_agent", "address")
    verbs = ("view", "export")

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        return ended("This session", row) if verb == "end" else ""

    @action("Sign out")
    async def end(self, do: ActionContext, row: Session) -> None:
        """Sign out this device. Its tokens stop working within seconds."""
        await require_no_escalation(do.session, do.actor, row.user_id)
        await SessionService(do.session, do.actor).revoke(row.id, row.user_id, "operator")


class PersonalTokenAdmin(ModelAdmin[PersonalToken]):
    model = PersonalToken
    icon, group, label_one = "key", "Sign-ins", "Personal token"
    display = "name"
    columns = ("name", "user_id", "last_four", "scopes", "expires_at", "used_at", "revoked_at")
    filters = (
        Filter("state", {"live": LIVE_TOKEN, "over": ~LIVE_TOKEN}),
        "user_id",
        "expires_at",
        "user.email",
        "user.status",
    )
    search = ("name", "last_four")
    verbs = ("view", "export")

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        return ended("This token", row) if verb == "revoke" else ""

    @action("Revoke", dangerous=True)
    async def revoke(self, do: ActionContext, row: PersonalToken) -> None:
        """Revoke the token. It stops working within seconds."""
        await require_no_escalation(do.session, do.actor, row.user_id)
        await TokenService(do.session, do.actor).revoke(row.id, row.user_id)


class PasskeyAdmin(ModelAdmin[Passkey]):
    model = Passkey
    icon, group = "fingerprint", "Sign-ins"
    display = "name"
    columns = ("name", "user_id", "created_at", "used_at", "revoked_at")
    filters = (Filter("state", {"live": LIVE_PASSKEY, "over": ~LIVE_PASSKEY}), "user_id")
    search = ("name",)
    verbs = ("view", "export")

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        return ended("This passkey", row) if verb == "revoke" else ""

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """Lock the account first, in the order of all code that ends credentials."""
        owner = select(PASSKEY.user_id).where(PASSKEY.id == row_id).scalar_subquery()
        await do.session.execute(select(USER.id).where(USER.id == owner).with_for_update(key_share=True))

    @action("Revoke", dangerous=True)
    async def revoke(self, do: ActionContext, row: Passkey) -> None:
        """Revoke the passkey, so that it can no longer be used to sign in."""
        await require_no_escalation(do.session, do.actor, row.user_id)
        await PasskeyService(do.session, do.actor).revoke(row.id, row.user_id)


class IdentityAdmin(ModelAdmin[Identity]):
    model = Identity
    label_one = "Identity"
    icon, group = "link", "Sign-ins"
    display = "subject"
    columns = ("user_id", "issuer", "subject", "email", "created_at")
    filters = ("user_id", "issuer")
    search = ("subject", "email")
    verbs = ("view", "delete", "export")
    dangerous = frozenset({"delete"})
