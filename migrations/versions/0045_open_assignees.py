"""What is open and assigned to somebody, found without all that was ever done."""

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None
compatible_with = "0044"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_tasks_open_assignees ON tasks USING gin"
        " ((assignee_keys(owner_id, assignee_ids) || assignee_keys(project_id, assignee_ids)))"
        " WHERE assignee_ids <> '{}' AND deleted_at IS NULL AND status <> 'done' AND status <> 'cancelled'"
    )


def downgrade() -> None:
    op.drop_index("ix_tasks_open_assignees", "tasks")
