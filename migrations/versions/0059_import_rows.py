"""Rows of files that are imported in the background."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None
compatible_with = "0058"


def upgrade() -> None:
    op.create_table(
        "admin_import_rows",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("values", postgresql.JSONB(), nullable=False),
        sa.Column("errors", postgresql.ARRAY(postgresql.TEXT()), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["admin_runs.id"], name=op.f("fk_admin_import_rows_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_admin_import_rows")),
    )


def downgrade() -> None:
    op.drop_table("admin_import_rows")
