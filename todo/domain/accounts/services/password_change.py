"""A new password for a user who lost theirs, from the operator of this machine."""

from todo.access import Origin
from todo.database import Database, WriteSession
from todo.domain.accounts import rules
from todo.domain.accounts.models import USER, User
from todo.domain.accounts.services.credentials import revoke_credentials
from todo.domain.accounts.services.email_tokens import notify
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.roles import find_user
from todo.domain.accounts.services.users import AccountService
from todo.errors import Conflict, Invalid


async def find_holder(session: WriteSession, email: str) -> User:
    """Return the user with this address. Raise NotFound, or Conflict when the account cannot sign in by password."""
    user = await find_user(session, email)
    require_password(user)
    return user


def require_password(user: User) -> None:
    """Raise Conflict when the account cannot sign in by password."""
    if user.password_hash is None:
        raise Conflict(f"{user.email} has no password: it signs in with tokens, or through an identity provider.")
    if user.status == "disabled":
        raise Conflict(f"{user.email} is disabled: run `todo users enable {user.email}` first.")


async def set_password(database: Database, origin: Origin, passwords: Passwords, email: str, password: str) -> None:
    """Set a password and end every session of the user. Raise NotFound, Conflict or Invalid."""
    if problem := rules.password_problem(password, email, database.settings.password_min_length):
        raise Invalid.field("body.password", problem)
    password_hash = await passwords.hash(password)
    async with database.session(origin) as session:
        people = AccountService(session, origin.actor)
        user = await people.locked(USER.id == (await find_holder(session, email)).id)
        require_password(user)  # it may have been disabled while this waited for the lock
        await people.update({"password_hash": password_hash}, user, action="users.set_password")
        await revoke_credentials(session, origin.actor, user.id, "operator")
        await notify(session, user.email, "Your password was changed", "Your password was changed by an administrator.")
