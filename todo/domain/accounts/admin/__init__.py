"""Admin resources for users and their credentials."""

from todo.admin.declaration import Resource
from todo.domain.accounts.admin.credentials import IdentityAdmin, PasskeyAdmin, PersonalTokenAdmin, SessionAdmin
from todo.domain.accounts.admin.keys import IdentityProviderAdmin, SigningKeyAdmin
from todo.domain.accounts.admin.users import InvitationAdmin, RoleAdmin, UserAdmin

ADMINS: list[type[Resource]] = [
    UserAdmin, RoleAdmin, InvitationAdmin, SessionAdmin, PersonalTokenAdmin, PasskeyAdmin, IdentityAdmin,
    SigningKeyAdmin, IdentityProviderAdmin,
]  # fmt: skip
