"""Projects, their members, and who has access to them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKeyConstraint, Index, LargeBinary, false, text
from sqlmodel import Field, SQLModel

from todo.database import Row, columns
from todo.domain.projects.rules import MEMBER_ROLES

ROLE = f"role IN ({', '.join(map(repr, MEMBER_ROLES))})"


class Project(Row, table=True):
    """What tasks belong to. Projects below it have the same owner.

    Everybody has an inbox, a project with the id of its owner: the trigger `users_add_inbox` adds it with the user.
    """

    __tablename__ = "projects"
    __table_args__ = (
        # What tasks, series and projects below refer to: they follow when a project changes hands.
        Index("uq_projects_id_owner", "id", "owner_id", unique=True),
        Index("ix_projects_owner", "owner_id", "id"),
        Index("ix_projects_parent", "parent_id", "owner_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_projects_name_trigrams", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
        Index("ix_projects_archived", "owner_id", postgresql_where=text("archived_at IS NOT NULL")),
        ForeignKeyConstraint(
            ["parent_id", "owner_id"], ["projects.id", "projects.owner_id"], ondelete="CASCADE", onupdate="CASCADE"
        ),
        CheckConstraint("id <> owner_id OR (parent_id IS NULL AND archived_at IS NULL)", name="inbox"),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    parent_id: UUID | None = None
    name: str
    description: str = ""
    color: str | None = None
    enforce_dependencies: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    archived_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Member(Row, table=True):
    """Somebody with whom a project is shared. The owner is not a member."""

    __tablename__ = "project_members"
    __table_args__ = (
        Index("uq_project_members_project_user", "project_id", "user_id", unique=True),
        Index("ix_project_members_user", "user_id"),
        CheckConstraint(ROLE, name="role"),
    )

    project_id: UUID = Field(foreign_key="projects.id", ondelete="CASCADE")
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    role: str


class Access(SQLModel, table=True):
    """Who has access to a project that they do not own, by it or by one above it, and with which role: the highest.

    It follows from the members; the function `rewrite_project_access` writes it whenever they or the tree change.
    """

    __tablename__ = "project_access"
    __table_args__ = (Index("ix_project_access_project", "project_id"), CheckConstraint(ROLE, name="role"))

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    project_id: UUID = Field(foreign_key="projects.id", ondelete="CASCADE", primary_key=True)
    role: str


class ProjectInvitation(Row, table=True):
    """An offer of a role, to an account or to who proves an address. Accepting, declining or withdrawing deletes it.

    It ends when the inviter may no longer share the project: a trigger on `project_access` deletes it.
    """

    __tablename__ = "project_invitations"
    __table_args__ = (
        Index("uq_project_invitations_project_email", "project_id", "email", unique=True),
        Index("uq_project_invitations_project_user", "project_id", "user_id", unique=True),
        Index("ix_project_invitations_email", "email"),
        Index("ix_project_invitations_user", "user_id"),
        Index("ix_project_invitations_invited_by", "invited_by"),
        Index("ix_project_invitations_expires", "expires_at"),
        CheckConstraint(ROLE, name="role"),
        CheckConstraint("(email IS NULL) <> (user_id IS NULL)", name="invited"),
    )

    project_id: UUID = Field(foreign_key="projects.id", ondelete="CASCADE")
    email: str | None = None
    user_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")
    role: str
    invited_by: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))


class ProjectLink(Row, table=True):
    """Lets everybody who has its secret read a project and those below it. Only the SHA-256 of the secret is stored.

    It ends when who made it may no longer share the project: a trigger on `project_access` deletes it.
    """

    __tablename__ = "project_links"
    __table_args__ = (
        Index("ix_project_links_project", "project_id", "id"),
        Index("ix_project_links_created_by", "created_by"),
        Index("ix_project_links_expires", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )
    SECRET: ClassVar[frozenset[str]] = frozenset({"hash"})

    project_id: UUID = Field(foreign_key="projects.id", ondelete="CASCADE")
    name: str = ""
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    created_by: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Section(Row, table=True):
    """A part of a project. Tasks and series refer to it together with its project."""

    __tablename__ = "sections"
    __table_args__ = (
        Index("uq_sections_id_project", "id", "project_id", unique=True),
        Index("ix_sections_project", "project_id", "position", "id"),
    )

    project_id: UUID = Field(foreign_key="projects.id", ondelete="CASCADE")
    name: str
    position: int = 0


PROJECT, MEMBER, ACCESS, SECTION = columns(Project), columns(Member), columns(Access), columns(Section)
PROJECT_INVITATION, PROJECT_LINK = columns(ProjectInvitation), columns(ProjectLink)
