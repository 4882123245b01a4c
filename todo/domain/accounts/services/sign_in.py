"""The ways in: registering, signing in."""

from uuid import UUID

from sqlalchemy import bindparam, func, select

from todo.access import Actor
from todo.audit import record
from todo.database import Database, Query
from todo.domain.accounts import rules
from todo.domain.accounts.models import ROLE, USER, USER_ROLE, User, UserRole
from todo.domain.accounts.schemas.people import Login, Me, Registration, Tokens
from todo.domain.accounts.services.authentication import Authenticator
from todo.domain.accounts.services.keys import TokenKeys
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.people import ANYBODY, OPERATOR, AccountService
from todo.errors import Conflict, Invalid, Unauthorized
from todo.settings import Settings

_names = select(ROLE.name).join(UserRole, USER_ROLE.role_id == ROLE.id).where(USER_ROLE.user_id == USER.id)


ME = Query(
    Me,
    select(
        USER.id, USER.email, USER.name, USER.timezone, func.array(_names.order_by(ROLE.name).scalar_subquery()),
        USER.version, USER.created_at, USER.updated_at,
    ).where(USER.id == bindparam("user")),
)  # fmt: skip
PASSWORDS = Query(
    lambda *row: row,
    select(USER.id, USER.email, USER.status, USER.password_hash).where(USER.email == bindparam("email")),
)


def check_registration(data: Registration, settings: Settings) -> None:
    """Raises Invalid with the field that is wrong."""
    email = rules.normalise_email(data.email)
    if not rules.is_email(email):
        raise Invalid.field("body.email", "This is not an e-mail address.")
    if data.timezone not in rules.TIMEZONES:
        raise Invalid.field("body.timezone", "This is not an IANA time zone, such as Europe/Berlin.")
    if problem := rules.password_problem(data.password, email, settings.password_min_length):
        raise Invalid.field("body.password", problem)


class SignIn:
    """The way in: holds what outlives a request. The password is checked before a transaction begins."""

    def __init__(self, database: Database, settings: Settings, secret: str):
        self._database = database
        self._settings = settings
        self.passwords = Passwords(settings)
        self.keys = TokenKeys(database, settings, secret)
        self.authenticate = Authenticator(database, self.keys, settings)

    async def register(self, data: Registration, *roles: str, actor: Actor = ANYBODY) -> User | None:
        """Raises Invalid; None when the address is taken, after the same work."""
        check_registration(data, self._settings)
        password_hash = await self.passwords.hash(data.password)
        async with self._database.session() as session:
            return await AccountService(session, actor).register(data, password_hash, *roles)

    async def login(self, data: Login) -> Tokens:
        """Raises Unauthorized with one answer for an unknown address, a wrong password and a disabled account."""
        email = rules.normalise_email(data.email)
        user_id, _, status, stored = await self._database.reads.one_or_none(PASSWORDS, email=email) or (None,) * 4
        right = await self.passwords.verify(stored, data.password)
        if user_id is None or not right or status != "active":
            await self._record(ANYBODY, "accounts.login_refused", user_id)
            raise Unauthorized("The e-mail address or the password is wrong.")
        await self._record(Actor(id=user_id, name=email), "accounts.login", user_id)
        return Tokens(await self.keys.sign(user_id), "Bearer", self._settings.access_token_seconds)

    async def me(self, actor: Actor) -> Me:
        me = await self._database.reads.one_or_none(ME, user=actor.user_id)
        if me is None:
            raise Unauthorized("The account behind this token is gone.", error="invalid_token")
        return me

    async def _record(self, actor: Actor, action: str, user_id: UUID | None) -> None:
        async with self._database.session() as session:
            await record(session, actor, action, "users", subject_id=user_id)


async def add_superuser(sign_in: SignIn, email: str, password: str) -> User:
    """Create an administrator; raises Conflict when the address is taken, Invalid when something is wrong."""
    data = Registration(email=email, password=password, name="Administrator")
    user = await sign_in.register(data, rules.SUPERUSER, rules.MEMBER, actor=OPERATOR)
    if user is None:
        raise Conflict(f"There is an account for {email} already.")
    return user
