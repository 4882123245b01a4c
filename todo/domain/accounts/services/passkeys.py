"""Passkeys (WebAuthn): phishing-resistant sign-in, bound to the public URL of the service."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import or_, select, update
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from todo.audit import AuditedService
from todo.database import ACTOR, WriteSession, now, table_of
from todo.domain.accounts.models import PASSKEY, USER, Passkey, User
from todo.domain.accounts.schemas.second_factor import PasskeyIn, PasskeyOptions, PasskeyOut
from todo.domain.accounts.services.credentials import Authentication, end_credentials
from todo.domain.accounts.services.email_tokens import notify_change
from todo.domain.accounts.services.keys import decrypt, encrypt
from todo.errors import Invalid
from todo.listing import Listing, Sort
from todo.settings import Settings, SettingsError

GOOD_FOR = timedelta(minutes=5)  # lifetime of a challenge
LONGEST_ID = 1023  # bytes of a credential id (WebAuthn section 5.8.3)
SIGN_IN = "passkey sign-in"
REQUIRED = UserVerificationRequirement.REQUIRED

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
    secret: str

    @classmethod
    def of(cls, settings: Settings, secret: str) -> "Site":
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
            raise Invalid.field("body.state", "This is not the state of the options.") from None
        made_at = datetime.fromisoformat(plain[32:].decode())
        if now() - made_at > GOOD_FOR:
            raise Invalid.field("body.state", "Too late; ask for the options again.")
        return plain[:32], made_at


class PasskeyService(AuditedService[Passkey], model=Passkey):
    """One user's passkeys, in the caller's transaction."""

    async def options(self, site: Site) -> PasskeyOptions:
        """Return the options for a new passkey, valid until the user's credentials are revoked."""
        challenge, state = site.challenge(await self._purpose())
        known = select(PASSKEY.credential_id).where(PASSKEY.user_id == self.actor.user_id, PASSKEY.revoked_at.is_(None))
        options = generate_registration_options(
            rp_id=site.rp_id, rp_name="todo", user_id=self.actor.user_id.bytes, user_name=self.actor.name,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=id) for id in await self.session.scalars(known)],
        )  # fmt: skip
        return PasskeyOptions(options_to_json_dict(options), state)

    async def add(self, site: Site, data: PasskeyIn) -> PasskeyOut:
        """Store a new passkey, and revoke other credentials. Raise Invalid.

        Credential ids are unique, so a repeated request is a conflict.
        """
        challenge, _ = site.open(data.state, await self._purpose())
        try:
            made = verify_registration_response(
                credential=data.credential, expected_challenge=challenge, expected_rp_id=site.rp_id,
                expected_origin=site.origin, require_user_verification=True,
            )  # fmt: skip
        except Exception as error:  # the library raises various errors for hostile bytes
            raise Invalid.field("body.credential", "This is not the answer to these options.") from error
        if len(made.credential_id) > LONGEST_ID:
            raise Invalid.field("body.credential", "The credential's id is too long.")
        row = Passkey(
            user_id=self.actor.user_id, name=data.name, credential_id=made.credential_id,
            public_key=made.credential_public_key, sign_count=made.sign_count,
        )  # fmt: skip
        await self.create(row, action="passkeys.add")
        await end_credentials(self.session, self.actor, row.user_id, "second_factor", but=self.actor.session_id)
        text = "From now on it signs you in without a password."
        await notify_change(self.session, self.actor.name, "A passkey was added", text)
        return PasskeyOut(row.id, row.version, row.name, row.created_at, row.used_at)

    async def revoke(self, passkey_id: UUID, owner: UUID | None = None) -> None:
        """Revoke a passkey of the actor, or of `owner`, and other credentials. Raise NotFound."""
        user_id = owner or self.actor.user_id
        account = select(USER.email).where(USER.id == user_id).with_for_update(key_share=True)
        email = await self.session.scalar(account)
        row = await self.locked(PASSKEY.id == passkey_id, PASSKEY.user_id == user_id, PASSKEY.revoked_at.is_(None))
        await self.update({"revoked_at": now()}, row, action="passkeys.revoke")
        await end_credentials(self.session, self.actor, user_id, "second_factor", but=self.actor.session_id)
        await notify_change(self.session, email or "", "A passkey was removed", "It signs nobody in any more.")

    async def _purpose(self) -> str:
        """Lock the account and return the purpose of its challenges."""
        account = select(USER.credential_version).where(USER.id == self.actor.user_id)
        version = await self.session.scalar(account.with_for_update(key_share=True))
        return f"passkey of {self.actor.user_id}, {version}"


def sign_in_options(site: Site) -> PasskeyOptions:
    """Return the options to sign in by passkey. They list no credentials, so they reveal no user's passkeys."""
    challenge, state = site.challenge(SIGN_IN)
    options = generate_authentication_options(rp_id=site.rp_id, challenge=challenge, user_verification=REQUIRED)
    return PasskeyOptions(options_to_json_dict(options), state)


async def check_passkey(
    session: WriteSession, site: Site, state: str, credential: dict[str, Any]
) -> Authentication | None:
    """Return the user of a passkey assertion, or None when it is invalid.

    An assertion works once: its challenge must be newer than the last use of the passkey. If a passkey is used on two
    devices at the same time, the one with the newer challenge succeeds; the other must retry.
    """
    try:
        challenge, made_at = site.open(state, SIGN_IN)
        given = parse_authentication_credential_json(credential)
    except Exception:  # the library raises various errors for hostile bytes
        return None
    row, credential_version = await _passkey(session, given.raw_id)
    if row is None or given.response.user_handle not in {None, row.user_id.bytes}:
        return None
    count = _verified_count(site, given, challenge, row)
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


def _verified_count(site: Site, given: AuthenticationCredential, challenge: bytes, row: Passkey) -> int | None:
    """Return the authenticator's new signature count, or None when the assertion is invalid."""
    try:
        return verify_authentication_response(
            credential=given, expected_challenge=challenge, expected_rp_id=site.rp_id, expected_origin=site.origin,
            credential_public_key=row.public_key, credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        ).new_sign_count  # fmt: skip
    except Exception:  # as above; the stored key may be hostile too
        return None
