"""Passkeys (WebAuthn): phishing-resistant sign-in, bound to the public URL of the service."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, or_, select, update

from todo.audit import AuditedService
from todo.database import ACTOR, WriteSession, now, table_of
from todo.domain.accounts.models import PASSKEY, USER, Passkey, User
from todo.domain.accounts.schemas.second_factor import PasskeyIn, PasskeyOptions, PasskeyOut
from todo.domain.accounts.services.credentials import Authentication, revoke_credentials
from todo.domain.accounts.services.email_tokens import notify_change
from todo.domain.accounts.services.encryption import decrypt, encrypt
from todo.errors import Conflict, Invalid
from todo.listing import Listing, Sort
from todo.setting_errors import SettingsError
from todo.settings import SecretKey, Settings

if TYPE_CHECKING:
    from todo.domain.accounts.services.webauthn import WebAuthn

GOOD_FOR = timedelta(minutes=5)  # lifetime of a challenge
LONGEST_ID = 1023  # bytes of a credential id (WebAuthn section 5.8.3)
MOST = 20  # passkeys of a user
SIGN_IN = "passkey sign-in"

COLUMNS = select(PASSKEY.id, PASSKEY.version, PASSKEY.name, PASSKEY.created_at, PASSKEY.used_at)
PASSKEYS = Listing(
    PasskeyOut,
    COLUMNS.where(PASSKEY.user_id == ACTOR, PASSKEY.revoked_at.is_(None)),
    filters={},
    sorts={"id": Sort(PASSKEY.id, UUID, lambda passkey: passkey.id)},
    default="-id",
)


@dataclass(frozen=True)
class Site:
    """The relying party, and the encryption of challenges, so that clients can neither forge nor alter them."""

    rp_id: str
    origin: str
    secret: SecretKey

    @classmethod
    def of(cls, settings: Settings, secret: SecretKey) -> "Site":
        parts = urlsplit(settings.public_url or f"http://localhost:{settings.port}")
        host = parts.hostname or "localhost"
        usual = {"https": 443, "http": 80}.get(parts.scheme)
        port = f":{parts.port}" if parts.port not in {None, usual} else ""
        return cls(host, f"{parts.scheme}://{host}{port}", secret)

    def challenge(self, purpose: str) -> tuple[bytes, str]:
        """Return a new challenge, and the encrypted state for the client."""
        challenge = secrets.token_bytes(32)
        sealed = encrypt(challenge + now().isoformat().encode(), self.secret, purpose)
        return challenge, base64.urlsafe_b64encode(sealed).decode()

    def open(self, state: str, purpose: str) -> tuple[bytes, datetime]:
        """Return the challenge and its time. Raise Invalid when it is forged, expired or of another purpose."""
        try:
            plain = decrypt(base64.urlsafe_b64decode(state), self.secret, purpose)
        except (SettingsError, ValueError):
            raise Invalid.field("body.state", "The state is not valid. Request new options.") from None
        made_at = datetime.fromisoformat(plain[32:].decode())
        if now() - made_at > GOOD_FOR:
            raise Invalid.field("body.state", "The state has expired. Request new options.")
        return plain[:32], made_at


def webauthn() -> "type[WebAuthn]":
    from todo.domain.accounts.services.webauthn import WebAuthn  # noqa: PLC0415 -- OpenSSL is a tenth of the start

    return WebAuthn


class PasskeyService(AuditedService[Passkey], model=Passkey):
    """One user's passkeys, in the caller's transaction."""

    async def options(self, site: Site) -> PasskeyOptions:
        """Return the options for a new passkey, valid until the user's credentials are revoked."""
        challenge, state = site.challenge(await self._purpose())
        known = select(PASSKEY.credential_id).where(PASSKEY.user_id == self.actor.user_id, PASSKEY.revoked_at.is_(None))
        user_id, name, others = self.actor.user_id, self.actor.name, (await self.session.scalars(known)).all()
        return PasskeyOptions(webauthn().registration_options(site.rp_id, user_id, name, challenge, others), state)

    async def add(self, site: Site, data: PasskeyIn) -> PasskeyOut:
        """Store a new passkey, and revoke other credentials. Raise Invalid, or Conflict when there are too many.

        Credential ids are unique, so a repeated request is a conflict.
        """
        challenge, _ = site.open(data.state, await self._purpose())
        made = webauthn().verified_registration(site.rp_id, site.origin, challenge, data.credential)
        if made is None:
            raise Invalid.field("body.credential", "The credential does not match these options.")
        if len(made.credential_id) > LONGEST_ID:
            raise Invalid.field("body.credential", "The credential's id is too long.")
        row = Passkey(
            user_id=self.actor.user_id, name=data.name, credential_id=made.credential_id,
            public_key=made.credential_public_key, sign_count=made.sign_count,
        )  # fmt: skip
        await self.create(row, action="passkeys.add")
        await revoke_credentials(self.session, self.actor, row.user_id, "second_factor", but=self.actor.session_id)
        held = select(func.count()).where(PASSKEY.user_id == row.user_id, PASSKEY.revoked_at.is_(None))
        if (await self.session.scalar(held) or 0) > MOST:  # the account is locked, so that no other is being added
            raise Conflict(f"An account can have at most {MOST} passkeys. Remove one first.")
        text = "It can now be used to sign in without a password."
        await notify_change(self.session, self.actor.name, "A passkey was added", text)
        return PasskeyOut(row.id, row.version, row.name, row.created_at, row.used_at)

    async def revoke(self, passkey_id: UUID, owner: UUID | None = None) -> None:
        """Revoke a passkey of the actor, or of `owner`, and other credentials. Raise NotFound."""
        user_id = owner or self.actor.user_id
        account = select(USER.email).where(USER.id == user_id).with_for_update(key_share=True)
        email = await self.session.scalar(account)
        row = await self.locked(PASSKEY.id == passkey_id, PASSKEY.user_id == user_id, PASSKEY.revoked_at.is_(None))
        await self.update({"revoked_at": now()}, row, action="passkeys.revoke")
        await revoke_credentials(self.session, self.actor, user_id, "second_factor", but=self.actor.session_id)
        await notify_change(self.session, email or "", "A passkey was removed", "It signs nobody in any more.")

    async def _purpose(self) -> str:
        """Lock the account and return the purpose of its challenges."""
        account = select(USER.credential_version).where(USER.id == self.actor.user_id)
        version = await self.session.scalar(account.with_for_update(key_share=True))
        return f"passkey of {self.actor.user_id}, {version}"


def sign_in_options(site: Site) -> PasskeyOptions:
    """Return the options to sign in by passkey. They list no credentials, so they reveal no user's passkeys."""
    challenge, state = site.challenge(SIGN_IN)
    return PasskeyOptions(webauthn().authentication_options(site.rp_id, challenge), state)


async def check_passkey(
    session: WriteSession, site: Site, state: str, credential: dict[str, Any]
) -> Authentication | None:
    """Return the user of a passkey assertion, or None when it is invalid.

    An assertion works once: its challenge must be newer than the last use of the passkey. If a passkey is used on two
    devices at the same time, the one with the newer challenge succeeds; the other must retry.
    """
    try:
        challenge, made_at = site.open(state, SIGN_IN)
    except Invalid:
        return None
    given = webauthn().parsed_assertion(credential)
    row, credential_version = await _passkey(session, given.raw_id) if given else (None, 0)
    if given is None or row is None or given.response.user_handle not in {None, row.user_id.bytes}:
        return None
    count = webauthn().verified_count(site.rp_id, site.origin, challenge, given, row.public_key, row.sign_count)
    passkeys = table_of(Passkey)
    unused = or_(passkeys.c.used_at.is_(None), passkeys.c.used_at < made_at)
    same = passkeys.c.id == row.id, passkeys.c.sign_count == row.sign_count, passkeys.c.revoked_at.is_(None)
    used = update(passkeys).where(*same, unused).values(sign_count=count, used_at=max(now(), made_at))
    if count is None or await session.scalar(used.returning(passkeys.c.user_id)) is None:
        return None
    return Authentication(row.user_id, ("hwk",), credential_version)


async def _passkey(session: WriteSession, credential_id: bytes) -> tuple[Passkey | None, int]:
    """Return the passkey, and the `credential_version` of its user."""
    live = USER.status == "active", USER.kind == "person", PASSKEY.revoked_at.is_(None)
    found = select(Passkey, USER.credential_version).join(User, USER.id == PASSKEY.user_id)
    row = (await session.execute(found.where(PASSKEY.credential_id == credential_id, *live))).first()
    return (None, 0) if row is None else (row[0], row[1])
