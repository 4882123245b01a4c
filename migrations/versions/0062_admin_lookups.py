"""Indexes by which operators look up tasks by status, people by age, and people, projects and series by words."""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None
compatible_with = "0061"

HERE = sa.text("deleted_at IS NULL")
RARE = sa.text("deleted_at IS NULL AND status <> 'open' AND status <> 'done'")
WORDS = (
    ("users", "email", "email"),
    ("users", "name", "name"),
    ("projects", "name", "name"),
    ("series", "title", "(template ->> 'title')"),
)


def upgrade() -> None:
    op.drop_index("ix_tasks_all_status", "tasks")
    op.create_index("ix_tasks_all_status", "tasks", ["status", "created_at", "id"], postgresql_where=HERE)
    op.create_index("ix_users_created", "users", ["created_at", "id"])
    for table, name, text in WORDS:
        op.execute(f"CREATE INDEX ix_{table}_{name}_trigrams ON {table} USING gin ({text} gin_trgm_ops)")


def downgrade() -> None:
    for table, name, _ in WORDS:
        op.drop_index(f"ix_{table}_{name}_trigrams", table)
    op.drop_index("ix_users_created", "users")
    op.drop_index("ix_tasks_all_status", "tasks")
    op.create_index("ix_tasks_all_status", "tasks", ["status", "id"], postgresql_where=RARE)
