"""The ways in: registering, signing in."""

from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from todo.access import Actor
from todo.audit import record
from todo.database import Database, Query
from todo.domain.accounts import rules
from todo.domain.accounts.models import ROLE, SESSION, USER, USER_ROLE, User, UserRole
from todo.domain.accounts.schemas.people import Login, Me, Registration
from todo.domain.accounts.schemas.sessions import SecondFactor, SessionOut, Tokens
from todo.domain.accounts.services.authentication import Authenticator
from todo.domain.accounts.services.invitations import check_admission, come_in
from todo.domain.accounts.services.keys import TokenKeys
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.people import ANYBODY, OPERATOR, AccountService
from todo.domain.accounts.services.sessions import Granted, SessionService
from todo.errors import Conflict, Forbidden, Invalid, Unauthorized
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
SESSIONS = Query(
    SessionOut,
    select(
        SESSION.id, SESSION.id.is_not_distinct_from(bindparam("current", type_=SESSION.id.type)), SESSION.amr,
        SESSION.address, SESSION.user_agent, SESSION.created_at, SESSION.seen_at, SESSION.expires_at,
    )
    .where(SESSION.user_id == bindparam("user"), SESSION.revoked_at.is_(None), SESSION.expires_at > func.now())
    .order_by(SESSION.id.desc()),
)  # fmt: skip


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
    """The ways in: holds what outlives a request. A password is checked before a transaction begins."""

    def __init__(self, database: Database, settings: Settings, secret: str):
        self._database = database
        self._settings = settings
        self._secret = secret
        self.passwords = Passwords(settings)
        self.keys = TokenKeys(database, settings, secret)
        self.authenticate = Authenticator(database, self.keys, settings)

    async def register(self, data: Registration, *roles: str, actor: Actor = ANYBODY) -> User | None:
        """Raises Invalid, Forbidden; None when the address is taken, after the same work."""
        check_registration(data, self._settings)
        from_outside = actor is ANYBODY and not roles
        if from_outside:
            check_admission(self._settings, data)
        password_hash = await self.passwords.hash(data.password)
        async with self._database.session() as session:
            if from_outside:
                return await come_in(session, self._settings, data, password_hash)
            return await AccountService(session, actor).register(data, password_hash, *roles)

    async def login(self, data: Login, user_agent: str = "") -> Tokens:
        """Raises Unauthorized with one answer for an unknown address, a wrong password and a disabled account."""
        email = rules.normalise_email(data.email)
        user_id, _, status, stored = await self._database.reads.one_or_none(PASSWORDS, email=email) or (None,) * 4
        right = await self.passwords.verify(stored, data.password)
        if user_id is None or not right or status != "active":
            await self._note(ANYBODY, "accounts.login_refused", user_id)
            raise Unauthorized("The e-mail address or the password is wrong.")
        await self._upgrade(user_id, stored, data.password)
        return await self._admit(user_id, email, ("pwd",), user_agent)

    async def second_step(self, data: SecondFactor, user_agent: str = "") -> Tokens:
        """Finish a sign-in with a code; raises Unauthorized."""
        raise Unauthorized("The code or the token of the first step is not valid.", error="invalid_token")

    async def refresh(self, token: str) -> Tokens:
        """Continue a session; raises Unauthorized. A token used twice has ended its session by then, for good."""
        async with self._database.session() as session:
            granted = await SessionService(session, ANYBODY, self._secret).refresh(token)
        if granted is None:
            raise Unauthorized("The refresh token is not valid; sign in again.", error="invalid_token")
        return await self._tokens(granted)

    async def logout(self, actor: Actor, *, everywhere: bool) -> None:
        async with self._database.session() as session:
            sessions = SessionService(session, actor, self._secret)
            if everywhere:
                await sessions.end_all(actor.user_id, "logout")
            elif actor.session_id is not None:
                await sessions.end(actor.session_id, actor.user_id)

    async def end_session(self, actor: Actor, session_id: UUID) -> None:
        """Raises NotFound."""
        async with self._database.session() as session:
            await SessionService(session, actor, self._secret).end(session_id, actor.user_id)

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Set a new password and sign out every other device; raises Forbidden, Invalid."""
        _, email, _, stored = await self._database.reads.one_or_none(PASSWORDS, email=actor.name) or (None,) * 4
        if not await self.passwords.verify(stored, current):
            await self._note(actor, "accounts.password_refused", actor.id)
            raise Forbidden("The current password is wrong.")
        if problem := rules.password_problem(new, email, self._settings.password_min_length):
            raise Invalid.field("body.new_password", problem)
        hashed = await self.passwords.hash(new)
        async with self._database.session() as session:
            people = AccountService(session, actor)
            await people.change(
                await people.locked(USER.id == actor.user_id), {"password_hash": hashed}, "accounts.password"
            )
            await SessionService(session, actor, self._secret).end_all(actor.user_id, "password", but=actor.session_id)

    async def sessions(self, actor: Actor) -> list[SessionOut]:
        """Where this person is signed in, newest first."""
        return await self._database.reads.all(SESSIONS, user=actor.user_id, current=actor.session_id)

    async def me(self, actor: Actor) -> Me:
        me = await self._database.reads.one_or_none(ME, user=actor.user_id)
        if me is None:
            raise Unauthorized("The account behind this token is gone.", error="invalid_token")
        return me

    async def _admit(self, user_id: UUID, email: str, amr: tuple[str, ...], user_agent: str) -> Tokens:
        person = Actor(id=user_id, name=email)
        async with self._database.session() as session:
            await record(session, person, "accounts.login", "users", subject_id=user_id)
            granted = await SessionService(session, person, self._secret).begin(user_id, amr, user_agent)
        return await self._tokens(granted)

    async def _tokens(self, granted: Granted) -> Tokens:
        access = await self.keys.sign(granted.user_id, granted.session_id, granted.amr)
        return Tokens(access, "Bearer", self._settings.access_token_seconds, granted.refresh_token)

    async def _upgrade(self, user_id: UUID, stored: str, password: str) -> None:
        """Hash again when the cost has changed or the hash came from another system; a change meanwhile wins."""
        if not self.passwords.is_outdated(stored):
            return
        hashed = await self.passwords.hash(password)
        async with self._database.session() as session:
            unchanged = update(User).where(USER.id == user_id, USER.password_hash == stored)
            await session.execute(unchanged.values(password_hash=hashed))

    async def _note(self, actor: Actor, action: str, user_id: UUID | None) -> None:
        async with self._database.session() as session:
            await record(session, actor, action, "users", subject_id=user_id)


async def add_superuser(sign_in: SignIn, email: str, password: str) -> User:
    """Create an administrator; raises Conflict when the address is taken, Invalid when something is wrong."""
    data = Registration(email=email, password=password, name="Administrator")
    user = await sign_in.register(data, rules.SUPERUSER, rules.MEMBER, actor=OPERATOR)
    if user is None:
        raise Conflict(f"There is an account for {email} already.")
    return user
