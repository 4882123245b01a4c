"""Registration, sign-in in one or two steps, and sign-out."""

from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, func, or_, select, update

from todo.access import Actor, Origin
from todo.actions import Action
from todo.audit import record
from todo.database import Begin, Database, Query, WriteSession, now
from todo.domain.accounts import rules
from todo.domain.accounts.models import ROLE, SESSION, TOTP, USER, USER_ROLE, User, UserRole
from todo.domain.accounts.schemas.second_factor import PasskeyAnswer, PasskeyOptions
from todo.domain.accounts.schemas.sessions import AccessToken, MfaRequired, SecondFactor, SessionOut, Tokens
from todo.domain.accounts.schemas.users import Login, Me, Registration
from todo.domain.accounts.services import mfa_tokens
from todo.domain.accounts.services.account_deletion import cancel_deletion
from todo.domain.accounts.services.authentication import Authenticator
from todo.domain.accounts.services.codes import check_second_factor, codes_key, note_wrong
from todo.domain.accounts.services.credentials import (
    Authentication,
    is_current,
    revoke_credentials,
    sign_out_everywhere,
)
from todo.domain.accounts.services.email_tokens import notify, notify_new_sign_in, require_verified
from todo.domain.accounts.services.identity_providers import IdentityProviders
from todo.domain.accounts.services.invitations import check_admission, come_in
from todo.domain.accounts.services.keys import TokenKeys
from todo.domain.accounts.services.passkeys import Site, check_passkey, sign_in_options
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.personal_tokens import PersonalTokens
from todo.domain.accounts.services.sessions import Granted, SessionService
from todo.domain.accounts.services.users import AccountService
from todo.email_address import normalize_email, parse_email
from todo.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from todo.http.limits import check
from todo.settings import SecretKey, Settings

_names = select(ROLE.name).join(UserRole, USER_ROLE.role_id == ROLE.id).where(USER_ROLE.user_id == USER.id)


ME = Query(
    Me,
    select(
        USER.id, USER.email, USER.name, USER.timezone, func.array(_names.order_by(ROLE.name).scalar_subquery()),
        USER.version, USER.created_at, USER.updated_at,
    ).where(USER.id == bindparam("user")),
)  # fmt: skip


class Candidate(NamedTuple):
    """An account before its password is checked. `familiar`: it has signed in from this network before."""

    id: UUID
    email: str
    status: str
    password_hash: str | None
    credential_version: int
    second_factor: bool
    familiar: bool


_here = exists().where(SESSION.user_id == USER.id, SESSION.address == bindparam("address", type_=SESSION.address.type))
_candidates = select(
    USER.id, USER.email, USER.status, USER.password_hash, USER.credential_version,
    exists().where(TOTP.user_id == USER.id, TOTP.confirmed_at.is_not(None)), _here,
)  # fmt: skip
CANDIDATE = Query(Candidate, _candidates.where(USER.email == bindparam("email")))
OWN = Query(Candidate, _candidates.where(USER.id == bindparam("user")))
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
    """Raise Invalid for the field that is wrong."""
    email = parse_email(data.email)
    if email is None:
        raise Invalid.field("body.email", "Enter a valid e-mail address.")
    if data.timezone not in rules.TIMEZONES:
        raise Invalid.field("body.timezone", "Unknown time zone. Use an IANA name such as Europe/Berlin.")
    if problem := rules.password_problem(data.password, email, settings.password_min_length):
        raise Invalid.field("body.password", problem)


class SignIn:
    """Sign-in and registration, with state that outlives requests.

    Passwords are checked before a transaction begins.
    """

    def __init__(self, database: Database, settings: Settings, secret: SecretKey):
        self._database = database
        self._settings = settings
        self._secret = secret
        self.site = Site.of(settings, secret)
        self.passwords = Passwords(settings)
        self.keys = TokenKeys(database, settings, secret)
        self.tokens = PersonalTokens(database)
        self.issuers = IdentityProviders(database, settings)
        self.authenticate = Authenticator(database, self.keys, settings, self.tokens, self.issuers)

    async def start(self) -> None:
        """Fetch the keys of identity providers. Failed fetches are repeated when needed."""
        await self.issuers.warm()

    async def stop(self) -> None:
        """Finish background work. Call it before the database closes."""
        await self.issuers.close()
        await self.tokens.close()

    async def register(self, origin: Origin, data: Registration, *roles: str) -> User | None:
        """Register a user. Return None when the address is taken, after the same work.

        Raise Invalid, and Forbidden unless roles are given.
        """
        check_registration(data, self._settings)
        if not roles:
            check_admission(self._settings, data)
            to = f"mail to {normalize_email(data.email)}"  # a taken address also gets an e-mail
            await check(self._database, "register", origin.address or "unknown", to)
        password_hash = await self.passwords.hash(data.password)
        async with self._database.session(origin) as session:
            if not roles:
                return await come_in(session, self._settings, data, password_hash)
            return await AccountService(session, origin.actor).register(data, password_hash, *roles)

    async def login(self, origin: Origin, data: Login, user_agent: str = "") -> Tokens | MfaRequired:
        """Sign in by password: the only step without a second factor.

        Raise the same Unauthorized for an unknown address, a wrong password and a disabled account; Forbidden while the
        address is unconfirmed; or TooManyRequests.
        """
        found = await self.check_password(origin, data)
        if found.second_factor:
            return MfaRequired(await self.mfa_pending(origin, found))
        return await self._admit(origin, Authentication(found.id, ("pwd",), found.credential_version), user_agent)

    async def second_step(self, origin: Origin, data: SecondFactor, user_agent: str = "") -> Tokens:
        """Complete a sign-in with a code. Raise Unauthorized or TooManyRequests."""
        return await self._admit(origin, await self.check_code(origin, data), user_agent)

    async def passkey_options(self, origin: Origin) -> PasskeyOptions:
        """Return the options to sign in by passkey, valid for five minutes. Raise TooManyRequests."""
        await check(self._database, "login", origin.address or "unknown")
        return sign_in_options(self.site)

    async def passkey(self, origin: Origin, data: PasskeyAnswer, user_agent: str = "") -> Tokens:
        """Sign in by passkey, which is two factors in one. Raise Unauthorized, Forbidden or TooManyRequests."""
        return await self._admit(origin, await self.check_passkey(origin, data), user_agent)

    async def check_password(self, origin: Origin, data: Login) -> Candidate:
        """Return the account of this e-mail and password. Raise as `login` does."""
        email = normalize_email(data.email)
        found = await self._candidate(origin, email)
        right = await self.passwords.verify(found.password_hash if found else None, data.password)
        if found is None or not right or found.status not in {"active", "leaving"}:
            await self._note(origin, "accounts.login_refused", found.id if found else None)
            raise Unauthorized("The e-mail address or the password is wrong.", slug="wrong-credentials")
        await self._upgrade(origin, found.id, found.password_hash or "", data.password)
        return found

    async def check_code(self, origin: Origin, data: SecondFactor) -> Authentication:
        """Return the account of the second step and its method. Raise as `second_step` does."""
        first = await mfa_tokens.first_step(self._database, data.mfa_token)
        await check(self._database, "login", f"second factor of {first.user_id}")
        await check(self._database, "codes", codes_key(first.user_id, first.credential_version))
        async with self._database.session(origin) as session:
            reauthentication = await check_second_factor(session, first.user_id, data.code, now(), self._secret)
        if reauthentication is None:
            async with self._database.session(origin) as session:
                await note_wrong(session, "accounts.code_refused", first.user_id)
            raise Unauthorized(
                "The code is wrong, or was used before.", error="invalid_token", slug="wrong-credentials"
            )
        return first._replace(amr=(*first.amr, reauthentication))

    async def check_passkey(self, origin: Origin, data: PasskeyAnswer) -> Authentication:
        """Return the account of a passkey. Raise Unauthorized or TooManyRequests."""
        await check(self._database, "login", origin.address or "unknown")
        async with self._database.session(origin) as session:
            found = await check_passkey(session, self.site, data.state, data.credential)
        if found is None:
            await self._note(origin, "accounts.passkey_refused", None)
            raise Unauthorized("This passkey is not registered here.", slug="wrong-credentials")
        return found

    async def refresh(self, origin: Origin, token: str) -> Tokens:
        """Continue a session. Raise Unauthorized. The reuse of a token ends its session, and is committed."""
        await check(self._database, "refresh", token)
        async with self._database.session(origin) as session:
            granted = await SessionService(session, origin.actor, self._secret).refresh(token)
        if granted is None:
            raise Unauthorized("The refresh token is not valid; sign in again.", error="invalid_token")
        return await self.tokens_of(granted)

    async def logout(self, origin: Origin, *, everywhere: bool) -> None:
        actor = origin.actor
        async with self._database.session(origin) as session:
            if everywhere:
                await sign_out_everywhere(session, actor, actor.user_id, "logout")
            elif actor.session_id is not None:
                with suppress(NotFound):  # already ended; other processes learn it within seconds
                    await SessionService(session, actor, self._secret).revoke(actor.session_id, actor.user_id)

    async def end_session(self, origin: Origin, session_id: UUID) -> None:
        """End a session. Raise NotFound."""
        async with self._database.session(origin) as session:
            await SessionService(session, origin.actor, self._secret).revoke(session_id, origin.actor.user_id)

    async def change_password(self, origin: Origin, begin: Begin, current: str, new: str) -> None:
        """Change the password and revoke every other credential, in a transaction of `begin`.

        Raise Forbidden or Invalid.
        """
        actor = origin.actor
        await check(self._database, "login", f"password of {actor.user_id}")
        found = await self._database.primary.one_or_none(OWN, user=actor.user_id, address="")
        if found is None or not await self.passwords.verify(found.password_hash, current):
            await self._refuse_password(origin)
            return
        if problem := rules.password_problem(new, found.email, self._settings.password_min_length):
            raise Invalid.field("body.new_password", problem)
        hashed = await self.passwords.hash(new)
        async with begin() as session:
            unchanged = await is_current(session, found.id, found.credential_version)
            if unchanged:
                people = AccountService(session, actor)
                user = await people.locked(USER.id == found.id)
                await people.update({"password_hash": hashed}, user, action="accounts.password")
                await revoke_credentials(session, actor, found.id, "password", but=actor.session_id)
                text = "If this was not you, set a new password now."
                await notify(session, found.email, "Your password was changed", text)
        if not unchanged:
            await self._refuse_password(origin)

    async def _refuse_password(self, origin: Origin) -> None:
        """Raise Forbidden, which is audited."""
        await self._note(origin, "accounts.password_refused", origin.actor.id)
        raise Forbidden("The current password is wrong.", slug="wrong-password")

    async def sessions(self, actor: Actor) -> list[SessionOut]:
        """Return the sessions of the actor, newest first."""
        return await self._database.reads.all(SESSIONS, user=actor.user_id, current=actor.session_id)

    async def me(self, actor: Actor) -> Me:
        me = await self._database.reads.one_or_none(ME, user=actor.user_id)
        if me is None:
            raise Unauthorized("The account of this token no longer exists.", error="invalid_token")
        return me

    async def _candidate(self, origin: Origin, email: str) -> Candidate | None:
        """Return the account of an address, with rate limits.

        They count by network and, unless the network is familiar, by account. This prevents guessing passwords without
        letting an attacker lock users out.
        """
        await check(self._database, "login", origin.address or "unknown")
        found = await self._database.primary.one_or_none(CANDIDATE, email=email, address=origin.address)
        if found is None or not found.familiar:
            await check(self._database, "login", f"account {email}")
        return found

    async def mfa_pending(self, origin: Origin, found: Candidate) -> str:
        """Return the token between the two steps."""
        async with self._database.session(origin) as session:
            return await mfa_tokens.issue(session, found.id, found.credential_version)

    async def _admit(self, origin: Origin, found: Authentication, user_agent: str) -> Tokens:
        """Start a session. Raise Unauthorized when credentials were revoked, Forbidden when unconfirmed."""
        async with self._database.session(origin) as session:
            person = await self.welcome(session, found, user_agent)
            granted = await SessionService(session, person, self._secret).begin(found.user_id, found.amr, user_agent)
        return await self.tokens_of(granted)

    async def welcome(self, session: WriteSession, found: Authentication, user_agent: str) -> Actor:
        """Check that a session may begin, and record and notify it. Raise as `_admit` does."""
        user = await session.get(User, found.user_id, with_for_update=True)
        # Credentials may have been revoked since they were checked.
        if user is None or user.credential_version != found.credential_version:
            raise Unauthorized("The e-mail address or the password is wrong.", slug="wrong-credentials")
        if found.mfa_token is not None and not await mfa_tokens.use(session, found.mfa_token):
            raise Unauthorized("Sign in with your password first.", error="invalid_token", slug="sign-in-expired")
        if not (user.status == "active" or await cancel_deletion(session, user)):
            raise Unauthorized("The e-mail address or the password is wrong.", slug="wrong-credentials")
        require_verified(self._settings, user)
        person = Actor(id=user.id, name=user.email)
        session.origin = session.origin.by(person)
        await self._notify_of_new_device(session, user, user_agent)
        await record(session, "accounts.login", "users", subject_id=user.id, after={"amr": found.amr})
        return person

    async def _notify_of_new_device(self, session: WriteSession, user: User, user_agent: str) -> None:
        """Notify the user of a sign-in from a new device, except the very first."""
        origin = session.origin
        same = or_(SESSION.address == origin.address, SESSION.user_agent == user_agent[:300])
        known = select(func.count(), func.count().filter(same)).where(SESSION.user_id == user.id)
        sessions, familiar = (await session.execute(known)).one()
        if sessions and not familiar:
            await notify_new_sign_in(session, user)

    async def tokens_of(self, granted: Granted) -> Tokens:
        """Return a new access token for a session, with its refresh token."""
        access = await self.access_token_of(granted)
        return Tokens(access.access_token, access.token_type, access.expires_in, granted.refresh_token)

    async def access_token_of(self, granted: Granted) -> AccessToken:
        """Return a new access token for a session."""
        access = await self.keys.sign(granted.user_id, granted.session_id, granted.amr, granted.authenticated_at)
        return AccessToken(access, "Bearer", self._settings.access_token_seconds)

    async def _upgrade(self, origin: Origin, user_id: UUID, stored: str, password: str) -> None:
        """Hash the password again when the cost changed or the hash is foreign. A concurrent change wins."""
        if not self.passwords.is_outdated(stored):
            return
        hashed = await self.passwords.hash(password)
        async with self._database.session(origin) as session:
            unchanged = update(User).where(USER.id == user_id, USER.password_hash == stored)
            await session.execute(unchanged.values(password_hash=hashed))

    async def _note(self, origin: Origin, action: Action, user_id: UUID | None) -> None:
        async with self._database.session(origin) as session:
            await record(session, action, "users", subject_id=user_id)


async def add_superuser(sign_in: SignIn, origin: Origin, email: str, password: str) -> User:
    """Create a superuser. Raise Conflict when the address is taken, or Invalid."""
    data = Registration(email=email, password=password, name="Administrator")
    user = await sign_in.register(origin, data, rules.SUPERUSER, rules.MEMBER)
    if user is None:
        raise Conflict(f"An account for {email} already exists.", slug="already-exists")
    return user
