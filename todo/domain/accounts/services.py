"""Registering, signing in, and turning a token back into the person who holds it."""

import asyncio
import os
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from async_lru import alru_cache
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from todo.access import Actor
from todo.audit import AuditedService, record
from todo.database import Database, Gate, Query, Repository, columns
from todo.domain.accounts import rules
from todo.domain.accounts.models import Role, SigningKey, User, UserRole
from todo.domain.accounts.schemas import Login, Me, Registration, Tokens
from todo.errors import Conflict, Invalid, Problem, Unauthorized
from todo.settings import Settings, SettingsError

ANYBODY = Actor(id=None, name="anonymous", kind="anonymous")
OPERATOR = Actor(id=None, name="todo", kind="operator", permissions=frozenset({"*"}))

USER, ROLE, USER_ROLE, KEY = columns(User), columns(Role), columns(UserRole), columns(SigningKey)

_names = select(ROLE.name).join(UserRole, USER_ROLE.role_id == ROLE.id).where(USER_ROLE.user_id == USER.id)
_rights = select(func.unnest(ROLE.permissions)).join(UserRole, USER_ROLE.role_id == ROLE.id)
_rights = _rights.where(USER_ROLE.user_id == USER.id)

ACTORS = Query(
    lambda id, email, timezone, status, rights: (
        Actor(id=id, name=email, permissions=frozenset(rights), timezone=timezone) if status == "active" else None
    ),
    select(USER.id, USER.email, USER.timezone, USER.status, func.array(_rights.scalar_subquery())).where(
        USER.id == bindparam("user")
    ),
)
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
KEYS = Query(
    lambda *row: row,
    select(KEY.id, KEY.status, KEY.public_key, KEY.private_key).order_by(KEY.created_at.desc()),
)


class Passwords:
    """Argon2id on threads of its own: a flood of sign-ins waits here (64 at most) and the event loop never does."""

    def __init__(self, settings: Settings):
        cores = os.cpu_count() or 1
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_iterations, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="argon2")
        self._gate = Gate(cores + 64, wait=0.001)
        # Checked in place of a hash that does not exist, so that an unknown address costs as much time as a known one.
        self._decoy = self._hasher.hash("decoy")

    async def hash(self, password: str) -> str:
        """Raises Unavailable when too many are waiting."""
        hashed: str = await self._run(self._hasher.hash, _normal(password))
        return hashed

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is this password; the same work when there is nothing to compare with."""
        right = await self._run(self._matches, stored or self._decoy, _normal(password))
        return right and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Any, *arguments: Any) -> Any:
        async with self._gate:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _normal(password: str) -> str:
    """NFC only: nothing is trimmed, folded or cut."""
    return unicodedata.normalize("NFC", password)


class TokenKeys:
    """Signs and verifies our own access tokens (JWT, EdDSA, RFC 9068) with keys kept in the database."""

    def __init__(self, database: Database, settings: Settings, secret: str):
        self._database = database
        self._settings = settings
        self._secret = secret
        self._public: dict[str, Ed25519PublicKey] = {}
        self._active: tuple[str, Ed25519PrivateKey] | None = None
        self._next_load = 0.0

    async def load(self) -> None:
        """Read the keys; raises SettingsError when the secret key is not the one they were encrypted with."""
        self._next_load = time.monotonic() + 5
        rows = await self._database.reads.all(KEYS)
        self._public = {str(kid): Ed25519PublicKey.from_public_bytes(public) for kid, _, public, _ in rows}
        active = next(((kid, private) for kid, status, _, private in rows if status == "active"), None)
        if active:
            self._active = str(active[0]), decrypt_key(active[1], self._secret)

    async def sign(self, user_id: UUID) -> str:
        if self._active is None:
            await self.load()
        if self._active is None:
            raise SettingsError("There is no signing key yet: run `todo migrate`.")
        kid, key = self._active
        issued = int(time.time())
        claims = {
            "iss": self._settings.issuer, "aud": self._settings.issuer, "sub": str(user_id), "client_id": "todo",
            "iat": issued, "exp": issued + self._settings.access_token_seconds, "jti": str(uuid7()),
        }  # fmt: skip
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"})

    async def verify(self, token: str) -> tuple[UUID, int]:
        """The holder and the second the token ends at; raises Unauthorized."""
        try:
            header = jwt.get_unverified_header(token) if len(token) <= 8192 else {}
            key = await self._key(header)
            claims = jwt.decode(
                token, key, algorithms=["EdDSA"], issuer=self._settings.issuer, audience=self._settings.issuer,
                leeway=5, options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
            return UUID(claims["sub"]), int(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired; sign in again.", error="invalid_token") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthorized("The token is not valid.", error="invalid_token") from None

    async def _key(self, header: dict[str, Any]) -> Ed25519PublicKey:
        kid = header.get("kid")
        if header.get("typ") != "at+jwt" or not isinstance(kid, str):
            raise jwt.InvalidTokenError
        if kid not in self._public and time.monotonic() >= self._next_load:
            await self.load()
        if kid not in self._public:
            raise jwt.InvalidTokenError
        return self._public[kid]


def _cipher(secret: str) -> AESGCM:
    return AESGCM(sha256(b"todo signing keys" + secret.encode()).digest())


def new_signing_key(secret: str) -> SigningKey:
    """A fresh Ed25519 pair, the private half encrypted (AES-256-GCM)."""
    key, nonce = Ed25519PrivateKey.generate(), os.urandom(12)
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(public_key=public, private_key=nonce + _cipher(secret).encrypt(nonce, raw, None))


def decrypt_key(stored: bytes, secret: str) -> Ed25519PrivateKey:
    """Raises SettingsError when the secret is not the right one."""
    try:
        return Ed25519PrivateKey.from_private_bytes(_cipher(secret).decrypt(stored[:12], stored[12:], None))
    except InvalidTag:
        raise SettingsError("TODO_SECRET_KEY: not the key this database's signing keys were encrypted with.") from None


class Authenticator:
    """Turns `Authorization: Bearer ...` into an Actor, without the database in the steady state.

    A person's rights are remembered for `actor_cache_seconds`: that is how long a disabled account keeps working.
    """

    def __init__(self, database: Database, keys: TokenKeys, settings: Settings):
        self._database = database
        self._verify = alru_cache(maxsize=10_000, ttl=60)(keys.verify)
        self._actor = alru_cache(maxsize=10_000, ttl=settings.actor_cache_seconds or None)(self._load)
        self._cached = settings.actor_cache_seconds > 0

    async def __call__(self, token: str) -> Actor | Problem:
        try:
            user_id, expires = await self._verify(token)
            actor = await (self._actor(user_id) if self._cached else self._load(user_id))
        except Problem as problem:
            return problem
        if time.time() >= expires:
            return Unauthorized("The token has expired; sign in again.", error="invalid_token")
        return actor or Unauthorized("The account behind this token is gone or disabled.", error="invalid_token")

    async def _load(self, user_id: UUID) -> Actor | None:
        return await self._database.reads.one_or_none(ACTORS, user=user_id)


class AccountService(AuditedService[User]):
    """People and their roles, inside the caller's transaction."""

    class Repo(Repository[User]):
        model_type = User

    repository_type = Repo

    async def register(self, data: Registration, password_hash: str, *roles: str) -> User | None:
        """Store a new person with these roles (`member` unless said); None when the address is taken."""
        user = User(
            email=rules.normalise_email(data.email), name=data.name, timezone=data.timezone, password_hash=password_hash
        )
        values = user.model_dump()
        added = await self.session.execute(upsert(User).values(values).on_conflict_do_nothing().returning(USER.id))
        if added.first() is None:
            return None
        names = roles or (rules.MEMBER,)
        await self.session.execute(
            upsert(UserRole).from_select(
                ["user_id", "role_id"], select(literal(user.id), ROLE.id).where(ROLE.name.in_(names))
            )
        )
        after = values | {"password_hash": "***", "roles": names}
        await record(self.session, self.actor, "accounts.register", "users", subject_id=user.id, after=after)
        return user

    async def prepare(self, secret: str) -> None:
        """Bring in what every installation needs: the first roles and a signing key. Safe to repeat."""
        await self.session.execute(select(func.pg_advisory_xact_lock(7_031_002)))
        for name, permissions in rules.GRANTS.items():
            role = Role(name=name, permissions=sorted(permissions))
            await self.session.execute(upsert(Role).values(role.model_dump()).on_conflict_do_nothing())
        if await self.session.scalar(select(func.count()).select_from(SigningKey)) == 0:
            self.session.add(new_signing_key(secret))


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


async def has_superuser(session: AsyncSession) -> bool:
    """Whether anybody holds the role that may do everything."""
    found = await session.scalar(
        select(USER_ROLE.user_id).join(Role, USER_ROLE.role_id == Role.id).where(ROLE.name == rules.SUPERUSER).limit(1)
    )
    return found is not None
