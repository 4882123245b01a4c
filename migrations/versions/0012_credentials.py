"""Credentials end together: a count of it on each account, and sign-ins between password and second factor as rows."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("credential_version", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("users", "credential_version", server_default=None)
    op.create_table(
        "mfa_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credential_version", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_mfa_tokens_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_mfa_tokens")),
    )
    for column in ("user_id", "expires_at"):
        op.create_index(op.f(f"ix_mfa_tokens_{column}"), "mfa_tokens", [column], unique=False)


def downgrade() -> None:
    op.drop_table("mfa_tokens")
    op.drop_column("users", "credential_version")
