"""What people write about tasks for themselves alone."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None
compatible_with = "0041"


def upgrade() -> None:
    op.create_table(
        "private_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_private_notes_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], "fk_private_notes_task_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_private_notes"),
    )
    op.create_index("uq_private_notes_user_task", "private_notes", ["user_id", "task_id"], unique=True)
    op.create_index("ix_private_notes_task", "private_notes", ["task_id"])


def downgrade() -> None:
    op.drop_table("private_notes")
