"""Change of the e-mail address: confirmed at the new one, reported to the old one."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from todo.access import Origin
from todo.audit import record
from todo.database import Begin, Database, WriteSession, now
from todo.delivery.email import send_email
from todo.domain.accounts.models import USER
from todo.domain.accounts.schemas.email_tokens import EmailChange
from todo.domain.accounts.services.credentials import revoke_credentials
from todo.domain.accounts.services.email_tokens import PLACEHOLDER, notify_change, send_token, spend, store_token
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.domain.accounts.services.users import AccountService
from todo.email_address import parse_email
from todo.errors import Conflict, Invalid
from todo.http.limits import check
from todo.settings import Settings


async def request(
    database: Database, origin: Origin, begin: Begin, reauthentication: Reauthentication, data: EmailChange
) -> None:
    """Begin a change of the actor's address, in a transaction of `begin`.

    Raise Invalid, Forbidden or TooManyRequests.
    """
    email = parse_email(data.email)
    if email is None:
        raise Invalid.field("body.email", "Enter a valid e-mail address.")
    if email == origin.actor.name:
        raise Invalid.field("body.email", "This is the e-mail address of your account already.")
    reauthenticated = await reauthentication.check_factor(data)
    await check(database, "mail", origin.address or "unknown", f"mail to {email}")
    async with begin() as session:
        await reauthentication.require_current(session, reauthenticated)
        await _ask(session, database.settings, email)


async def _ask(session: WriteSession, settings: Settings, email: str) -> None:
    """Send a token to the new address, and a notice to the present one. A later request replaces the token.

    Only its owner learns that an address is taken: the same statements run, with another e-mail.
    """
    actor = session.origin.actor
    token = await store_token(session, actor.user_id, "change", email=email, session_id=actor.session_id)
    if await session.scalar(select(USER.id).where(USER.email == email)) is None:
        await send_token(session, settings, email, "change", token)
    else:
        text = "Somebody, perhaps you, asked to use this e-mail address for their account."
        await send_email(session, email, "You already have an account", text, "This address has an account already.")
    text = f"A change of the e-mail address to {email} was requested. It takes effect once that address is confirmed."
    await notify_change(session, actor.name, "Your e-mail address is about to change", text)
    await record(session, "accounts.ask_change_email", "users", subject_id=actor.id, after={"email": email})


async def confirm(session: WriteSession, token: str) -> None:
    """Change the address to the one that a token confirms, and revoke issued credentials.

    The session that asked stays. Raise Invalid, or Conflict when the address has an account by now.
    """
    person, email, asking = await spend(session, token, "change")
    people = AccountService(session, person)
    user = await people.locked(USER.id == person.id)
    old = user.email
    try:
        values = {"email": email, "email_verified_at": now()}
        await people.update(values, user, action="accounts.change_email")
    except IntegrityError:  # of the unique constraint: two accounts may confirm one address at the same time
        message = "The address has another account by now, so your account keeps its own."
        raise Conflict(message, slug="address-taken") from None
    await revoke_credentials(session, person, user.id, "email", but=asking)
    if not old.endswith(PLACEHOLDER):
        await _report(session, old, user.email)


async def _report(session: WriteSession, old: str, new: str) -> None:
    """Report the change to the old address."""
    text = f"The e-mail address of your account is {new} now. Other devices were signed out."
    advice = "If this was not you, tell the people who run this service at once: this address no longer signs in."
    await send_email(session, old, "Your e-mail address was changed", text, advice)
