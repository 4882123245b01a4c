"""Admin resources for signing keys and identity providers."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct
from sqlalchemy import func, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin, RowsAdmin, action
from todo.database import Database
from todo.domain.accounts.models import SigningKey
from todo.domain.accounts.services.key_rotation import LOCK, STILL_SIGNS, KeyService
from todo.domain.accounts.services.rewrap import rewrap
from todo.errors import Conflict
from todo.setting_errors import SettingsError
from todo.settings import secret_key


class SigningKeyAdmin(ModelAdmin[SigningKey]):
    model = SigningKey
    icon, group, label_one = "key", "Sign-ins", "Signing key"
    columns = ("id", "status", "created_at", "retired_at")
    types = {"status": Literal["pending", "active", "retired"]}
    filters = ("status",)
    verbs = ("view", "export")

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        return STILL_SIGNS if verb == "revoke" and row.status == "active" else ""

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        await do.session.execute(select(func.pg_advisory_xact_lock(LOCK)))

    @action("Rotate", on="resource", dangerous=True)
    async def rotate(self, do: ActionContext) -> str:
        """Activate the pending key. Tokens signed by the previous key stay valid until they expire."""
        await do.session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        active = await self._keys(do).rotate()
        return f"{active.id} signs tokens now."

    @action("Rewrap", on="resource", dangerous=True)
    async def rewrap(self, do: ActionContext) -> str:
        """Encrypt with the current TODO_SECRET_KEY what was encrypted with a former one."""
        await do.session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        try:
            return f"Encrypted again: {await rewrap(do.session, secret_key(do.database.settings))}."
        except SettingsError as error:
            raise Conflict(f"{error} Add the key they were encrypted with to TODO_SECRET_KEY_FALLBACKS.") from error

    @action("Revoke", dangerous=True)
    async def revoke(self, do: ActionContext, row: SigningKey) -> None:
        """Delete the key. Its tokens are rejected within seconds."""
        await self._keys(do).revoke(row.id)

    def _keys(self, do: ActionContext) -> KeyService:
        return KeyService(do.session, do.actor, secret_key(do.database.settings))


class IdentityProviderRow(Struct):
    """An identity provider from `TODO_ISSUERS`."""

    id: str
    issuer: str
    profile: Literal["better-auth", "rfc9068", "oidc"]
    audience: list[str]
    keys: str
    algorithms: list[str]
    auto_provision: bool
    link_by_verified_email: bool


class IdentityProviderAdmin(RowsAdmin):
    name, label = "issuers", "Identity providers"
    label_one = "Identity provider"
    icon, group = "globe", "Sign-ins"
    help = "Who else's tokens open: the entries of `TODO_ISSUERS`."
    row = IdentityProviderRow
    display = "issuer"
    columns = ("issuer", "profile", "audience", "auto_provision")
    search = ("issuer",)

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        return [
            IdentityProviderRow(
                str(place), one.issuer, one.profile, list(one.audience), one.jwks_url or "found by discovery",
                list(one.algorithms), one.auto_provision, one.link_by_verified_email,
            )
            for place, one in enumerate(database.settings.issuers, 1)
        ]  # fmt: skip
