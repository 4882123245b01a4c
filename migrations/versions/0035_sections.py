"""Sections of projects, with tasks and series in them."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], "fk_sections_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sections"),
    )
    op.create_index("uq_sections_id_project", "sections", ["id", "project_id"], unique=True)
    op.create_index("ix_sections_project", "sections", ["project_id", "position", "id"])
    for table in ("tasks", "series"):
        op.add_column(table, sa.Column("section_id", sa.Uuid(), nullable=True))
        op.create_foreign_key(
            f"fk_{table}_section_id_project_id", table, "sections", ["section_id", "project_id"], ["id", "project_id"],
            ondelete="SET NULL (section_id)",
        )  # fmt: skip
    there = sa.text("section_id IS NOT NULL")
    op.create_index("ix_tasks_section", "tasks", ["section_id", "created_at", "id"], postgresql_where=there)
    op.create_index("ix_series_section", "series", ["section_id"], postgresql_where=there)


def downgrade() -> None:
    for table in ("tasks", "series"):
        op.drop_constraint(f"fk_{table}_section_id_project_id", table)
        op.drop_column(table, "section_id")
    op.drop_table("sections")
