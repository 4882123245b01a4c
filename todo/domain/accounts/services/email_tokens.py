"""E-mail tokens, which verify that the user reads an address.

Tokens have 256 bits, are stored as SHA-256, serve one purpose once, and are deleted with the change they allow.
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, bindparam, delete, func, insert, literal, select, true
from uuid_utils.compat import uuid7

from todo.access import Actor, Origin
from todo.actions import Action
from todo.audit import record
from todo.database import Database, Query, WriteSession, now
from todo.delivery.email import send_email
from todo.domain.accounts import rules
from todo.domain.accounts.models import EMAIL_TOKEN, USER, EmailToken, User
from todo.domain.accounts.services.credentials import revoke_credentials
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.users import AccountService
from todo.email_address import normalize_email, parse_email
from todo.errors import FieldError, Forbidden, Invalid
from todo.settings import Settings


class Purpose(NamedTuple):
    """The purpose of a token: lifetime, recipients, and the text of the e-mail."""

    lasts: timedelta
    to: ColumnElement[bool]
    subject: str
    paragraphs: tuple[str, ...]


class Spent(NamedTuple):
    """A token that was used: its user, and what a change of address needs."""

    person: Actor
    email: str | None
    session_id: UUID | None


PURPOSES = {
    "verify": Purpose(
        timedelta(hours=24),
        USER.email_verified_at.is_(None),
        "Please confirm your e-mail address",
        (
            "An account was created with this e-mail address.",
            "If it was not you, ignore this e-mail. If it was, confirm the address within 24 hours:",
        ),
    ),
    "reset": Purpose(
        timedelta(hours=1),
        USER.password_hash.is_not(None),  # users of an identity provider get no second way to sign in
        "Choose a new password",
        (
            "A new password was requested for your account.",
            "If it was not you, ignore this e-mail: nothing has changed. If it was, choose one within an hour:",
        ),
    ),
    "change": Purpose(
        timedelta(hours=1),
        true(),
        "Please confirm your new e-mail address",
        (
            "Somebody asked to use this e-mail address for their account.",
            "If it was not you, ignore this e-mail: nothing has changed. If it was, confirm it within an hour:",
        ),
    ),
}
PLACEHOLDER = ".invalid"  # domain for service accounts and users without an address from their provider (RFC 2606)
ASKED: dict[str, Action] = {"verify": "accounts.ask_verify", "reset": "accounts.ask_reset"}
HOLDER = Query(
    str,
    select(USER.email)
    .join(EmailToken, EMAIL_TOKEN.user_id == USER.id)
    .where(
        EMAIL_TOKEN.hash == bindparam("hash", type_=LargeBinary()),
        EMAIL_TOKEN.purpose == "reset",
        EMAIL_TOKEN.expires_at > func.now(),
    ),
)


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """Return the hash by which a token is stored and found."""
    return sha256(token.encode()).digest()


def link(settings: Settings, page: str, token: str) -> str:
    """Return a link to this service, from settings only. The part after `#` never reaches a server or its logs."""
    base = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    return f"{base}/account/{page}#{token}"


async def ask(session: WriteSession, settings: Settings, address: str, purpose: str) -> None:
    """Send a token to the address, without revealing whether it has an account.

    In both cases the same statements run and one audit event is committed: without an account the token refers to no
    user, and the e-mail is rolled back.
    """
    email = parse_email(address)
    if email is None:
        raise Invalid.field("body.email", "Enter a valid e-mail address.")
    there = (USER.email == email, USER.kind == "person", USER.status != "disabled", PURPOSES[purpose].to)
    user_id = await session.scalar(select(USER.id).where(*there).with_for_update())
    async with session.begin_nested() as point:
        await mail_token(session, settings, user_id or uuid7(), email, purpose)
        if user_id is None:
            await point.rollback()
    await record(session, ASKED[purpose], "users", subject_id=user_id)


async def mail_token(session: WriteSession, settings: Settings, user_id: UUID, email: str, purpose: str) -> None:
    """Send a new token and revoke older ones for the same purpose. Without a user no token is stored."""
    await send_token(session, settings, email, purpose, await store_token(session, user_id, purpose))


async def store_token(
    session: WriteSession, user_id: UUID, purpose: str, email: str | None = None, session_id: UUID | None = None
) -> str:
    """Return a new token, which replaces older ones for the same purpose. Without a user no token is stored."""
    token, expires_at = new_secret(), now() + PURPOSES[purpose].lasts
    await session.execute(delete(EmailToken).where(EMAIL_TOKEN.user_id == user_id, EMAIL_TOKEN.purpose == purpose))
    row = EmailToken(
        user_id=user_id, purpose=purpose, hash=hashed(token), expires_at=expires_at, email=email, session_id=session_id
    ).model_dump()
    values = [literal(value, EMAIL_TOKEN[name].type) for name, value in row.items()]
    await session.execute(insert(EmailToken).from_select(list(row), select(*values).where(USER.id == user_id)))
    return token


async def send_token(session: WriteSession, settings: Settings, email: str, purpose: str, token: str) -> None:
    """Send the e-mail of a token."""
    _, _, subject, paragraphs = PURPOSES[purpose]
    await send_email(session, email, subject, *paragraphs, link=link(settings, purpose, token))


async def send_reset(session: WriteSession, settings: Settings, user: User) -> None:
    """Send a user a link to choose a new password, as an operator."""
    await mail_token(session, settings, user.id, user.email, "reset")
    await record(session, "users.send_reset", "users", subject_id=user.id)


async def spend(session: WriteSession, token: str, purpose: str) -> Spent:
    """Use a token once, as its user. Raise Invalid with the same message for every reason."""
    mine = (EMAIL_TOKEN.hash == hashed(token), EMAIL_TOKEN.purpose == purpose, EMAIL_TOKEN.expires_at > func.now())
    holder = select(USER.id, USER.email).join(EmailToken, EMAIL_TOKEN.user_id == USER.id)
    holder = holder.where(*mine, USER.status != "disabled").with_for_update(of=User, key_share=True)
    # Locks the account before its tokens, as all code that revokes them does.
    found = (await session.execute(holder)).first()
    used = delete(EmailToken).where(*mine).returning(EMAIL_TOKEN.email, EMAIL_TOKEN.session_id)
    row = (await session.execute(used)).first() if found else None
    if found is None or row is None:
        raise _no_good()
    person = Actor(id=found.id, name=found.email)
    session.origin = session.origin.by(person)
    return Spent(person, row.email, row.session_id)


def _no_good() -> Invalid:
    message = "The link was used or has expired. Request a new one."
    return Invalid(message, slug="invalid-link", errors=[FieldError("body.token", message)])


async def verify(session: WriteSession, token: str) -> None:
    """Mark the address as verified. Raise Invalid."""
    person, _, _ = await spend(session, token, "verify")
    people = AccountService(session, person)
    user = await people.locked(USER.id == person.id)
    await people.update({"email_verified_at": now()}, user, action="accounts.verify_email")


async def reset(database: Database, origin: Origin, passwords: Passwords, token: str, password: str) -> None:
    """Set a new password and end every session, without signing in. A rejected password leaves the token valid."""
    email = await database.primary.one_or_none(HOLDER, hash=hashed(token))
    if email is None:
        raise _no_good()
    if problem := rules.password_problem(password, email, database.settings.password_min_length):
        raise Invalid.field("body.password", problem)
    password_hash = await passwords.hash(password)
    async with database.session(origin) as session:
        spent = await spend(session, token, "reset")
        await _set_password(session, spent.person, password_hash)


async def _set_password(session: WriteSession, person: Actor, password_hash: str) -> None:
    people = AccountService(session, person)
    user = await people.locked(USER.id == person.id)
    values = {"password_hash": password_hash, "email_verified_at": user.email_verified_at or now()}
    await people.update(values, user, action="accounts.reset_password")
    await revoke_credentials(session, person, user.id, "password")
    await notify(session, user.email, "Your password was changed", "Your password was changed by a link in a mail.")


async def greet(session: WriteSession, settings: Settings, address: str, user: User | None) -> None:
    """Send the e-mail after a registration: to confirm the address, or to report that the account exists."""
    email = normalize_email(address)
    if user is not None:
        await mail_token(session, settings, user.id, email, "verify")
        return
    owner = await session.scalar(select(USER.id).where(USER.email == email))
    await record(session, "accounts.register_taken", "users", subject_id=owner)
    text = "Somebody, perhaps you, wanted to open an account with this e-mail address. You already have an account."
    await send_email(session, email, "You already have an account", text, "Sign in, or ask for a new password.")


def require_verified(settings: Settings, user: User) -> None:
    """Raise Forbidden at sign-in while the address is unconfirmed."""
    if settings.verify_email and user.email_verified_at is None:
        raise Forbidden(
            "Confirm your e-mail address first: follow the link in the mail we sent you.", slug="email-not-confirmed"
        )


async def notify(session: WriteSession, email: str, subject: str, *paragraphs: str) -> None:
    """Notify a user of a security event, unless the address is a placeholder."""
    if email.endswith(PLACEHOLDER):
        return
    advice = "If this was not you, ask for a new password at once: that ends every session."
    await send_email(session, email, subject, *paragraphs, advice)


async def notify_change(session: WriteSession, email: str, subject: str, text: str) -> None:
    """Notify a user of a change of credentials, with its time and network address."""
    await notify(session, email, subject, f"{text} It was done at {_time_and_place(session.origin)}.")


async def notify_new_sign_in(session: WriteSession, user: User) -> None:
    text = f"Somebody signed in to your account: {_time_and_place(session.origin)}."
    await notify(session, user.email, "A new sign-in to your account", text)


def _time_and_place(origin: Origin) -> str:
    return f"{now():%Y-%m-%d %H:%M} UTC, from {origin.address or 'an unknown address'}"
