"""Tables of users, roles and credentials.

Secrets are stored as hashes; the few that must be read back are encrypted.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy import Identity as Numbered
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from todo.database import Row, columns, now


def _instant(**options: Any) -> Any:
    return Field(sa_type=DateTime(timezone=True), **options)


def _names() -> Any:
    return Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))


class User(Row, table=True):
    """A user or a service account. `email` is normalized. Without `password_hash` there is no sign-in by password."""

    __tablename__ = "users"
    __table_args__ = (
        Index(
            "ix_users_timezone_pending",
            "timezone_pending_since",
            postgresql_where=text("timezone_pending_since IS NOT NULL"),
        ),
        Index("ix_users_created", "created_at", "id"),
        # Words anywhere in them, three letters or longer, for operators.
        Index("ix_users_email_trigrams", "email", postgresql_using="gin", postgresql_ops={"email": "gin_trgm_ops"}),
        Index("ix_users_name_trigrams", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    )
    SECRET: ClassVar[frozenset[str]] = frozenset({"password_hash"})

    email: str = Field(unique=True)
    name: str = ""
    timezone: str = "UTC"
    kind: str = "person"  # person | service
    status: str = "active"  # active | disabled | leaving (deletion scheduled by the user)
    password_hash: str | None = None
    email_verified_at: datetime | None = _instant(default=None)
    deletion_at: datetime | None = _instant(default=None)  # when the account is erased, if deletion is scheduled
    credential_version: int = 0  # incremented whenever credentials are revoked
    timezone_pending_since: datetime | None = _instant(default=None)  # null: all due dates follow the current time zone
    # First and last day of each, the oldest first; the last one may be ahead. A trigger copies them to the series.
    vacations: list[Any] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    # Limits of this user that differ from the defaults, by name; 0 for none. Storage is in bytes.
    quotas: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )


class QuotaDefaults(SQLModel, table=True):
    """The limits of every user without their own, as the settings have them: one row, for the triggers that check."""

    __tablename__ = "quota_defaults"

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    limits: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class UsageChange(SQLModel, table=True):
    """What one statement added to what a user stores, or took from it: the sum of the rows is what they store.

    Triggers write the rows (`<table>_count_usage`, in the migration), and check the limits at commit where `is_growth`.
    No foreign key, so that changing a task does not wait for its owner's row; deleting a user deletes the rows.
    """

    __tablename__ = "usage_changes"
    __table_args__ = (Index("ix_usage_changes_user", "user_id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Numbered(), primary_key=True))
    user_id: UUID
    is_growth: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    tasks: int = Field(sa_type=BigInteger)
    series: int = Field(sa_type=BigInteger)
    reminders: int = Field(sa_type=BigInteger)
    tokens: int = Field(sa_type=BigInteger)
    storage: int = Field(sa_type=BigInteger)  # bytes of titles, notes, templates and comments


class Role(Row, table=True):
    """A named set of permissions `resource.verb`; `*` stands for all of them."""

    __tablename__ = "roles"

    name: str = Field(unique=True)
    permissions: list[str] = _names()


class UserRole(SQLModel, table=True):
    """The roles of users."""

    __tablename__ = "user_roles"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    role_id: UUID = Field(foreign_key="roles.id", ondelete="CASCADE", primary_key=True, index=True)


class SigningKey(Row, table=True):
    """An Ed25519 key pair for access tokens; `id` is the `kid`.

    pending: published, not signing yet; active: signs; retired: published until its last token has expired.
    A revoked key is deleted, so that its tokens are rejected.
    """

    __tablename__ = "signing_keys"
    SECRET: ClassVar[frozenset[str]] = frozenset({"private_key"})

    status: str = "active"
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    private_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    retired_at: datetime | None = _instant(default=None)


class Session(Row, table=True):
    """A sign-in on one device. Ends when revoked, when idle too long, or at `expires_at`."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user", "user_id", "id"),
        Index("ix_sessions_revoked", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
    )
    SECRET: ClassVar[frozenset[str]] = frozenset({"cookie_hash"})

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    amr: list[str] = _names()  # authentication methods (RFC 8176): pwd, otp, hwk
    address: str = ""
    user_agent: str = ""
    seen_at: datetime = _instant(default_factory=now)
    expires_at: datetime = _instant(index=True)
    revoked_at: datetime | None = _instant(default=None)
    revoked_for: str | None = (
        None  # logout | reuse | password | email | second_factor | disabled | leaving | operator | limit
    )
    cookie_hash: bytes | None = Field(default=None, sa_column=Column(LargeBinary, unique=True))  # of the admin pages
    reauthenticated_at: datetime | None = _instant(default=None)  # time of the last authentication
    acting_as: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")  # impersonation
    acting_until: datetime | None = _instant(default=None)
    acting_writes: bool = False  # whether changes are allowed while impersonating


class RefreshToken(SQLModel, table=True):
    """One refresh token of a session's chain; only its SHA-256 is stored."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (UniqueConstraint("session_id", "generation"),)

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    session_id: UUID = Field(foreign_key="sessions.id", ondelete="CASCADE")
    generation: int
    expires_at: datetime = _instant(index=True)
    used_at: datetime | None = _instant(default=None)


class Identity(Row, table=True):
    """A user's identity at an identity provider: (issuer, subject), never the e-mail address."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
    issuer: str
    subject: str = Field(max_length=255)
    email: str = ""


class PersonalToken(Row, table=True):
    """A personal access token for scripts: shown once, stored as SHA-256, limited to its scopes."""

    __tablename__ = "personal_tokens"
    __table_args__ = (
        Index("ix_personal_tokens_revoked", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
    )
    SECRET: ClassVar[frozenset[str]] = frozenset({"hash"})

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
    name: str
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    last_four: str
    scopes: list[str] = _names()
    expires_at: datetime = _instant(index=True)
    used_at: datetime | None = _instant(default=None)
    revoked_at: datetime | None = _instant(default=None)


class EmailToken(Row, table=True):
    """A single-use token sent by e-mail; bound to its purpose, stored as SHA-256.

    One that confirms a new address has the address, and the session that asked, which stays signed in.
    """

    __tablename__ = "mail_tokens"
    __table_args__ = (CheckConstraint("(purpose = 'change') = (email IS NOT NULL)", "email"),)
    SECRET: ClassVar[frozenset[str]] = frozenset({"hash"})

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
    purpose: str  # verify | reset | change
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    expires_at: datetime = _instant(index=True)
    email: str | None = None
    session_id: UUID | None = None  # no foreign key: it may have ended and gone by then


class MfaToken(SQLModel, table=True):
    """A sign-in between password and second factor. Only the SHA-256 of its token is stored; deleted on use."""

    __tablename__ = "mfa_tokens"

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", index=True)
    credential_version: int  # of the account when the password was checked
    expires_at: datetime = _instant(index=True)


class Invitation(Row, table=True):
    """Permission to register while registration is by invitation."""

    __tablename__ = "invitations"
    SECRET: ClassVar[frozenset[str]] = frozenset({"hash"})

    email: str = Field(index=True)
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    roles: list[str] = _names()
    invited_by: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    expires_at: datetime = _instant(index=True)
    accepted_at: datetime | None = _instant(default=None)


class Totp(SQLModel, table=True):
    """A user's authenticator app (RFC 6238). The secret is encrypted; `last_step` prevents the reuse of a code."""

    __tablename__ = "totp"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    confirmed_at: datetime | None = _instant(default=None)
    last_step: int = 0


class RecoveryCode(SQLModel, table=True):
    """A recovery code: replaces a lost second factor once."""

    __tablename__ = "recovery_codes"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    used_at: datetime | None = _instant(default=None)


class Passkey(Row, table=True):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_user", "user_id", postgresql_where=text("revoked_at IS NULL")),)

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str
    credential_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sign_count: int = 0
    used_at: datetime | None = _instant(default=None)
    revoked_at: datetime | None = _instant(default=None)


USER, ROLE, USER_ROLE, KEY = columns(User), columns(Role), columns(UserRole), columns(SigningKey)
QUOTA_DEFAULTS, USAGE = columns(QuotaDefaults), columns(UsageChange)
SESSION, REFRESH, IDENTITY, PERSONAL_TOKEN = (
    columns(Session),
    columns(RefreshToken),
    columns(Identity),
    columns(PersonalToken),
)
EMAIL_TOKEN, MFA_TOKEN, INVITATION = columns(EmailToken), columns(MfaToken), columns(Invitation)
TOTP, RECOVERY_CODE, PASSKEY = columns(Totp), columns(RecoveryCode), columns(Passkey)

# The permissions of a user's roles, as an array in a query of users.
PERMISSIONS_OF = (
    select(func.unnest(ROLE.permissions))
    .join(UserRole, USER_ROLE.role_id == ROLE.id)
    .where(USER_ROLE.user_id == USER.id)
    .correlate(User)
)
