"""Admin resources for users, roles and invitations."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from sqlalchemy import exists, func, or_, select

from todo.actions import PERMISSIONS
from todo.admin.declaration import ActionContext, Computed, Filter, ModelAdmin, action
from todo.admin.inlines import Inline
from todo.database import now
from todo.domain.accounts.models import (
    INVITATION,
    PASSKEY,
    ROLE,
    TOTP,
    USER,
    USER_ROLE,
    Invitation,
    Role,
    User,
    UserRole,
)
from todo.domain.accounts.rules import MEMBER
from todo.domain.accounts.schemas.email_tokens import Invite, RoleName
from todo.domain.accounts.schemas.usage import QuotaIn, UsageOut
from todo.domain.accounts.schemas.users import Email, Timezone
from todo.domain.accounts.schemas.vacations import VacationIn
from todo.domain.accounts.services import account_status, email_tokens, roles
from todo.domain.accounts.services.credentials import sign_out_everywhere
from todo.domain.accounts.services.invitations import InvitationService
from todo.domain.accounts.services.quotas import set_quota
from todo.domain.accounts.services.second_factor import forget_second_factor
from todo.domain.accounts.services.service_accounts import add_service_account
from todo.domain.accounts.services.users import AccountService
from todo.domain.accounts.services.vacations import NO_VACATION, VacationService, current_of
from todo.errors import Conflict
from todo.permission_texts import text_of
from todo.schema import Line

Address = Annotated[str, Meta(min_length=5, max_length=254, pattern=r"^[^\x00-\x1f]*$")]
Permissions = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=500)]
_roles = select(ROLE.name).join(UserRole, USER_ROLE.role_id == ROLE.id).where(USER_ROLE.user_id == USER.id)
HELD = func.array(_roles.order_by(ROLE.name).correlate(User).scalar_subquery())
HAS_SECOND_FACTOR = or_(
    exists().where(TOTP.user_id == USER.id, TOTP.confirmed_at.is_not(None)),
    exists().where(PASSKEY.user_id == USER.id, PASSKEY.revoked_at.is_(None)),
)


class RoleChoice(Struct, forbid_unknown_fields=True):
    """The name of a role."""

    role: RoleName


class ServiceAccount(Struct, forbid_unknown_fields=True):
    """A service account that authenticates with tokens only, e.g. `backup-robot`, and its roles."""

    name: Annotated[str, Meta(min_length=1, max_length=63)]
    roles: Annotated[list[RoleName], Meta(max_length=20)] = []


class UserAdmin(ModelAdmin[User]):
    model = User
    icon, group, label_one = "person", "People", "User"
    display = "email"
    columns = ("email", "name", "kind", "status", "roles", "created_at")
    types = {
        "email": Address, "name": Line, "timezone": Timezone,
        "kind": Literal["person", "service"], "status": Literal["active", "disabled", "leaving"],
    }  # fmt: skip
    computed = {
        "roles": Computed(HELD, list[str]),
        "second_factor": Computed(HAS_SECOND_FACTOR, bool, "Second factor"),
        "usage": Computed(func.usage_of(USER.id), dict[str, Any]),
    }
    filters = ("status", "kind", "created_at", "email_verified_at")
    search = ("email", "name")
    sorts = ("email", "created_at")
    date_hierarchy = "created_at"
    fieldsets = {
        "Person": ("email", "name", "timezone", "kind", "status", "vacations"),
        "Access": ("roles", "second_factor", "password_hash", "email_verified_at", "deletion_at"),
        "Quotas": ("usage", "quotas"),
    }
    tabs = {
        "Person": ("Person", "Access"), "Quotas": ("Quotas",), "Sign-ins": ("sessions", "personal_tokens"),
    }  # fmt: skip
    shown_if = {
        "deletion_at": ("status", ("leaving",)),
        "second_factor": ("kind", ("person",)),
        "email_verified_at": ("kind", ("person",)),
    }
    inlines = (Inline("sessions", via="user_id"), Inline("personal_tokens", via="user_id"))
    heavy = ("vacations", "usage", "quotas")
    schemas = {"usage": UsageOut, "quotas": UsageOut, "vacations": VacationIn}
    help_texts = {"quotas": "Limits that differ from the defaults; 0 for none.", "usage": "Storage is in bytes."}
    editable = ("name", "timezone")
    hidden = ("credential_version",)
    verbs = ("view", "change", "export")

    def obstacle(self, actor: Any, verb: str, row: Any) -> str:
        """Service accounts have neither e-mail nor a second factor."""
        disabled = row.status == "disabled"
        if verb in {"send_reset", "reset_second_factor"} and row.kind != "person":
            return "This is a service account: it has tokens only. Revoke them instead."
        if verb in {"disable", "send_reset"} and disabled:
            return "This account is disabled: enable it first." if verb == "send_reset" else "This account is disabled."
        if verb == "enable" and not disabled:
            return "This account is not disabled."
        return NO_VACATION if verb == "end_vacation" and current_of(row.vacations, row.timezone) is None else ""

    async def change_row(self, do: ActionContext, row: User, values: dict[str, Any]) -> None:
        """Change the user. A new time zone moves floating dates, as if the user had changed it."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await AccountService(do.session, do.actor).change_person(row, values, "users.change")

    @action("Add role", form=RoleChoice, dangerous=True)
    async def grant_role(self, do: ActionContext, row: User, form: RoleChoice) -> None:
        """Grant a role, whose permissions you must have yourself."""
        await roles.grant(do.session, do.actor, row.id, form.role)

    @action("Remove role", form=RoleChoice, dangerous=True)
    async def take_role(self, do: ActionContext, row: User, form: RoleChoice) -> None:
        """Remove a role. Its permissions end within seconds."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await roles.revoke(do.session, do.actor, row.id, form.role)

    @action("Disable", dangerous=True)
    async def disable(self, do: ActionContext, row: User) -> None:
        """Block sign-in and end all sessions and tokens within seconds."""
        await account_status.disable(do.session, do.actor, row.id)

    @action("Enable")
    async def enable(self, do: ActionContext, row: User) -> None:
        """Allow sign-in again."""
        await account_status.enable(do.session, do.actor, row.id)

    @action("Sign out everywhere")
    async def sign_out(self, do: ActionContext, row: User) -> None:
        """End all sessions. Personal tokens remain valid."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await sign_out_everywhere(do.session, do.actor, row.id, "operator")

    @action("Mail a password reset")
    async def send_reset(self, do: ActionContext, row: User) -> None:
        """Send a link to choose a new password."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await email_tokens.send_reset(do.session, do.database.settings, row)

    @action("Remove the second factor", dangerous=True)
    async def reset_second_factor(self, do: ActionContext, row: User) -> None:
        """For users who lost it: remove authenticator app, recovery codes and passkeys, and end all sessions."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await forget_second_factor(do.session, do.actor, row)

    @action("Begin a vacation", form=VacationIn)
    async def begin_vacation(self, do: ActionContext, row: User, form: VacationIn) -> None:
        """Create no tasks of any of their series from one day to another, both included."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await VacationService(do.session, do.actor).begin(row.id, form, "users.begin_vacation")

    @action("End the vacation")
    async def end_vacation(self, do: ActionContext, row: User) -> None:
        """Let all their series go on from today, or cancel a planned vacation."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await VacationService(do.session, do.actor).end(row.id, "users.end_vacation")

    @action("Set a quota", form=QuotaIn)
    async def set_quota(self, do: ActionContext, row: User, form: QuotaIn) -> None:
        """Limit what they can store: 0 for no limit, nothing for the default. What is stored already stays."""
        await roles.require_no_escalation(do.session, do.actor, row.id)
        await set_quota(do.session, do.actor, row.id, form)

    @action("Add a service account", on="resource", form=ServiceAccount, dangerous=True)
    async def add_service_account(self, do: ActionContext, form: ServiceAccount) -> str:
        """Create an account for a program. Create its token with `todo service-accounts token`."""
        made = await add_service_account(do.session, do.actor, form.name, form.roles)
        return f"{made.email} was created."


def known_permissions() -> dict[str, str]:
    """Return every permission and what it allows."""
    return {permission: text_of(permission) for permission in sorted(PERMISSIONS)}


class RoleAdmin(ModelAdmin[Role]):
    model = Role
    icon, group = "shield", "People"
    display = "name"
    columns = ("name", "permissions", "updated_at")
    types = {"name": RoleName, "permissions": Permissions}
    search = ("name",)
    editable = ("permissions",)
    only_on_add = ("name",)
    options = {"permissions": known_permissions}
    verbs = ("view", "add", "change", "delete", "export")
    dangerous = frozenset({"add", "change", "delete"})

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> Role:
        roles.require_givable(do.actor, values.get("permissions", []))
        row: Role = await super().add_row(do, values)
        return row

    async def change_row(self, do: ActionContext, row: Role, values: dict[str, Any]) -> None:
        roles.require_editable(do.actor, row, values.get("permissions", []))
        await super().change_row(do, row, values)

    async def delete_row(self, do: ActionContext, row: Role) -> None:
        """Delete the role. Users lose its permissions."""
        if row.name == MEMBER:
            raise Conflict(
                "The role member cannot be deleted: every new user gets it. Remove its permissions instead.",
                slug="protected",
            )
        roles.require_editable(do.actor, row)
        await super().delete_row(do, row)


class InvitationAdmin(ModelAdmin[Invitation]):
    model = Invitation
    dangerous = frozenset({"add"})
    icon, group = "mail", "People"
    display = "email"
    columns = ("email", "roles", "invited_by", "expires_at", "accepted_at")
    types = {"email": Email, "roles": Annotated[list[RoleName], Meta(max_length=20)]}
    filters = (
        Filter(
            "state",
            {
                "open": INVITATION.accepted_at.is_(None) & (INVITATION.expires_at > func.now()),
                "accepted": INVITATION.accepted_at.is_not(None),
                "expired": INVITATION.accepted_at.is_(None) & (INVITATION.expires_at <= func.now()),
            },
        ),
        "invited_by",
    )
    search = ("email",)
    only_on_add = ("email", "roles")
    verbs = ("view", "add", "delete", "export")

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> Any:
        """Send an invitation to register. It replaces an earlier one for the same address."""
        data = Invite(values["email"], values.get("roles", []))
        return await InvitationService(do.session, do.actor).invite(do.database.settings, data)

    async def delete_row(self, do: ActionContext, row: Invitation) -> None:
        if row.accepted_at is not None and row.accepted_at <= now():
            raise Conflict("This invitation was accepted. Accepted invitations cannot be deleted.", slug="protected")
        await InvitationService(do.session, do.actor).withdraw(row.id)
