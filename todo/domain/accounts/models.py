"""People, what they may do, and the keys that sign their tokens."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import Column, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from todo.database import Row, columns


class User(Row, table=True):
    """A person. `email` is kept in its normal form; without `password_hash` nobody signs in by password."""

    __tablename__ = "users"
    SECRET: ClassVar[frozenset[str]] = frozenset({"password_hash"})

    email: str = Field(unique=True)
    name: str = ""
    timezone: str = "UTC"
    status: str = "active"  # active | disabled
    password_hash: str | None = None


class Role(Row, table=True):
    """A named set of permissions `resource.verb`; `*` is all of them."""

    __tablename__ = "roles"

    name: str = Field(unique=True)
    permissions: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))


class UserRole(SQLModel, table=True):
    """Who holds which role."""

    __tablename__ = "user_roles"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    role_id: UUID = Field(foreign_key="roles.id", ondelete="CASCADE", primary_key=True, index=True)


class SigningKey(Row, table=True):
    """An Ed25519 key pair for our own tokens; `id` is the `kid`. The private half is encrypted at rest."""

    __tablename__ = "signing_keys"
    SECRET: ClassVar[frozenset[str]] = frozenset({"private_key"})

    status: str = "active"  # active | retired
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    private_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


USER, ROLE, USER_ROLE, KEY = columns(User), columns(Role), columns(UserRole), columns(SigningKey)
