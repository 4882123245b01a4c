"""Saved views, background actions, and the orders in which operators list everybody's rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FAR_AWAY = "'9999-12-31 00:00:00+00'::timestamptz"
TASKS: dict[str, list[object]] = {
    "ix_tasks_all_created": ["created_at", "id"],
    "ix_tasks_all_updated": ["updated_at", "id"],
    "ix_tasks_all_priority": ["priority", "id"],
    "ix_tasks_all_due": [sa.text(f"coalesce(due_at, {FAR_AWAY})"), "id"],
    "ix_tasks_all_status": ["status", "id"],
}


def row() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "saved_views",
        *row(),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_saved_views_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("owner_id", "resource", "name", name=op.f("uq_saved_views_owner_id_resource_name")),
    )
    op.create_table(
        "admin_runs",
        *row(),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.TEXT()), nullable=True),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", postgresql.JSONB(), nullable=False),
        sa.Column("form", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("failures", postgresql.JSONB(), nullable=False),
        sa.Column("messages", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_admin_runs_actor_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["by_id"], ["users.id"], name=op.f("fk_admin_runs_by_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_runs")),
    )
    op.create_index("ix_admin_runs_actor", "admin_runs", ["actor_id", "id"])
    for name, columns in TASKS.items():
        op.create_index(name, "tasks", columns, postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_index(
        "ix_tasks_all_trash", "tasks", ["created_at", "id"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")  # trusted: the owner of a database may
    for column in ("title", "notes"):
        op.create_index(
            f"ix_tasks_{column}_trigrams", "tasks", [column], postgresql_using="gin",
            postgresql_ops={column: "gin_trgm_ops"},
        )  # fmt: skip
    op.create_index("ix_audit_events_action", "audit_events", ["action", "id"])
    op.create_index("ix_audit_events_at", "audit_events", ["at"])


def downgrade() -> None:
    op.drop_index("ix_audit_events_at", table_name="audit_events")
    op.drop_index("ix_audit_events_action", table_name="audit_events")
    for name in (*TASKS, "ix_tasks_all_trash", "ix_tasks_title_trigrams", "ix_tasks_notes_trigrams"):
        op.drop_index(name, table_name="tasks")
    op.execute("DROP EXTENSION IF EXISTS pg_trgm")
    op.drop_table("admin_runs")
    op.drop_table("saved_views")
