"""People and everything that proves who they are, as operators see them."""

from typing import Annotated, Literal

from msgspec import Meta

from todo.admin.declaration import ModelAdmin
from todo.domain.accounts.models import User
from todo.domain.accounts.schemas.people import Timezone
from todo.schema import Line

UserStatus = Literal["active", "disabled", "leaving"]
UserKind = Literal["person", "service"]
Address = Annotated[str, Meta(min_length=5, max_length=254, pattern=r"^[^\x00-\x1f]*$")]


class UserAdmin(ModelAdmin[User]):
    model = User
    icon, group, label_one = "person", "People", "User"
    display = "email"
    columns = ("email", "name", "kind", "status", "created_at")
    types = {"email": Address, "name": Line, "timezone": Timezone, "kind": UserKind, "status": UserStatus}
    filters = ("status", "kind", "created_at", "email_verified_at")
    search = ("email", "name")
    sorts = ("email", "created_at")
    date_hierarchy = "created_at"
    editable = ("name", "timezone")
    verbs = ("view", "change", "export")


ADMINS = [UserAdmin]
