"""Events of the audit log are called as the permission for what they tell."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NAMES = {
    "accounts.add_service": "users.add_service_account",
    "accounts.disable": "users.disable",
    "accounts.enable": "users.enable",
    "accounts.grant": "users.grant_role",
    "accounts.passkey_add": "passkeys.add",
    "accounts.passkey_revoke": "passkeys.revoke",
    "accounts.revoke": "users.take_role",
    "accounts.second_factor_forget": "users.reset_second_factor",
    "accounts.send_reset": "users.send_reset",
    "accounts.token_add": "personal_tokens.add",
    "accounts.token_revoke": "personal_tokens.revoke",
    "jobs.run": "schedules.run_now",
    "keys.activate": "signing_keys.rotate",
    "keys.add": "signing_keys.add",
    "keys.retire": "signing_keys.retire",
    "keys.revoke": "signing_keys.revoke",
}


def rename(names: dict[str, str]) -> None:
    pairs = ", ".join(f"('{old}', '{new}')" for old, new in names.items())
    op.execute(
        f"UPDATE audit_events SET action = new FROM (VALUES {pairs}) AS names (old, new) WHERE action = old"  # noqa: S608 -- ours
    )


def upgrade() -> None:
    rename(NAMES)


def downgrade() -> None:
    rename({new: old for old, new in NAMES.items()})
