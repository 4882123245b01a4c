"""Heartbeats of every worker, how the jobs went, and what waits for a queue elsewhere."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_runs",
        sa.Column("function", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("function", name=op.f("pk_job_runs")),
    )
    op.create_table(
        "waiting_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("function", sa.String(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_jobs")),
    )
    deleted = sa.text("deleted_at IS NOT NULL")
    op.create_index("ix_tasks_deleted", "tasks", ["deleted_at"], unique=False, postgresql_where=deleted)
    set_aside = sa.text("failures > 0")
    op.create_index("ix_series_set_aside", "series", ["id"], unique=False, postgresql_where=set_aside)
    op.execute("DELETE FROM heartbeats")  # the next beat is seconds away
    op.add_column("heartbeats", sa.Column("started_at", sa.DateTime(timezone=True), nullable=False))
    op.add_column("heartbeats", sa.Column("release", sa.String(), nullable=False))
    op.add_column("heartbeats", sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False))


def downgrade() -> None:
    for column in ("counts", "release", "started_at"):
        op.drop_column("heartbeats", column)
    op.drop_index("ix_series_set_aside", table_name="series", postgresql_where=sa.text("failures > 0"))
    op.drop_index("ix_tasks_deleted", table_name="tasks", postgresql_where=sa.text("deleted_at IS NOT NULL"))
    op.drop_table("waiting_jobs")
    op.drop_table("job_runs")
