"""API schemas of accounts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.schema import Line, Schema

# Validated with our own messages; in the document, in place of `pattern`, for clients that validate first.
ADDRESS = r"^ *[^@\s\x00-\x1f]{1,64}@[^@\s.\x00-\x1f]+(\.[^@\s.\x00-\x1f]+)+ *$"
Email = Annotated[
    str,
    Meta(
        min_length=5,
        max_length=254,
        pattern=r"^[^\x00-\x1f]*$",
        examples=["ada@example.com"],
        extra_json_schema={"allOf": [{"pattern": ADDRESS}]},
    ),
]
Password = Annotated[str, Meta(min_length=1, max_length=1024, examples=["correct horse battery staple"])]
Timezone = Annotated[str, Meta(min_length=1, max_length=64, description="An IANA name.", examples=["Europe/Berlin"])]


class Registration(Schema):
    """A new account."""

    email: Email
    password: Password
    name: Line = ""
    timezone: Timezone = "UTC"
    invitation: Annotated[str, Meta(max_length=64, description="The token of an invitation mail.")] = ""


class Registered(Struct):
    """The same response whether or not the address has an account, so that accounts cannot be enumerated."""

    email: str
    message: str


class Login(Schema):
    """E-mail address and password."""

    email: Email
    password: Password


class Me(Struct):
    """Your account."""

    id: UUID
    email: str
    name: str
    timezone: str
    roles: list[str]
    version: int
    created_at: datetime
    updated_at: datetime


class MePatch(Schema):
    """Absent fields are unchanged. A new time zone moves all tasks due at a floating time."""

    name: Line | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
