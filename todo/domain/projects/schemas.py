"""Projects and their members in requests and responses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.domain.accounts.schemas.users import Email
from todo.domain.projects.rules import MemberRole, Role
from todo.schema import ONE_LINE, Schema, Text

MOST_NAME = 200
Name = Annotated[str, Meta(min_length=1, max_length=MOST_NAME, pattern=ONE_LINE, examples=["House"])]
Color = Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}$", description="Red, green and blue.", examples=["#3b82f6"])]
Description = Annotated[Text, Meta(description="What the project is about, as Markdown.")]


class ProjectIn(Schema):
    """A new project; with `parent_id` below another one, whose owner it gets."""

    name: Name
    description: Description = ""
    color: Color | None = None
    parent_id: UUID | None = None
    enforce_dependencies: bool = False


class ProjectPatch(Schema):
    """Absent fields stay; `null` clears. An archived project takes no tasks, and its tasks are left out of lists."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    color: Color | None | UnsetType = UNSET
    parent_id: UUID | None | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    enforce_dependencies: bool | UnsetType = UNSET


class ProjectOut(Struct):
    """A project. `role` is yours. `parent_id` is null where you do not see the project above."""

    id: UUID
    version: int
    name: str
    description: str
    color: str | None
    parent_id: UUID | None
    owner_id: UUID
    role: Role
    inbox: bool
    shared: bool
    archived: bool
    enforce_dependencies: bool
    created_at: datetime
    updated_at: datetime


class MemberOut(Struct):
    """Somebody with a role in a project. `inherited`: by a project above this one."""

    user_id: UUID
    name: str
    role: Role
    inherited: bool


class MemberPatch(Schema):
    """Another role for a member."""

    role: MemberRole


class Transfer(Schema):
    """Who gets the project: one of its members."""

    user_id: UUID


class ProjectInvitationIn(Schema):
    """Whom to invite: an e-mail address, or somebody with whom you share a project already."""

    role: MemberRole
    email: Email | None = None
    user_id: UUID | None = None


class ProjectInvitationOut(Struct):
    """An open invitation, as those see it who may share the project."""

    id: UUID
    email: str | None
    user_id: UUID | None
    name: str | None
    role: MemberRole
    invited_by: UUID
    invited_by_name: str
    created_at: datetime
    expires_at: datetime


class MyProjectInvitation(Struct):
    """An open invitation, as the invited person sees it."""

    id: UUID
    project_name: str
    role: MemberRole
    invited_by_name: str
    created_at: datetime
    expires_at: datetime


class ProjectLinkIn(Schema):
    """A new read-only link."""

    name: Annotated[str, Meta(max_length=100, pattern=ONE_LINE, examples=["For the neighbors"])] = ""
    expires_in_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None


class ProjectLinkOut(Struct):
    """A read-only link, without its secret."""

    id: UUID
    version: int
    name: str
    created_by: UUID
    created_by_name: str
    created_at: datetime
    expires_at: datetime | None


class ProjectLinkMade(ProjectLinkOut):
    """A new read-only link. `secret` is shown only once: read `GET /api/shared/{secret}`."""

    secret: str


class LinkedProject(Struct):
    """A project as a link shows it."""

    id: UUID
    name: str
    description: str
    color: str | None
    parent_id: UUID | None
