"""Views: filters of tasks that are kept, of a person or of a project."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None
compatible_with = "0040"

COUNT = """
CREATE FUNCTION views_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    most int := CASE WHEN NEW.user_id IS NULL THEN 100 ELSE 200 END;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('views ' || coalesce(NEW.user_id, NEW.project_id), 0));
    IF (SELECT count(*) FROM views WHERE user_id = NEW.user_id OR project_id = NEW.project_id) >= most THEN
        RAISE EXCEPTION 'There can be % views.', most USING ERRCODE = 'LIMIT';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "views",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("filter", sa.String(), nullable=False),
        sa.Column("sort", sa.String(), nullable=True),
        sa.Column("group_by", sa.String(), nullable=False),
        sa.Column("color", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_views_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], "fk_views_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_views"),
        sa.CheckConstraint("(user_id IS NULL) <> (project_id IS NULL)", name="ck_views_place"),
    )
    op.create_index("ix_views_user_position", "views", ["user_id", "position", "id"])
    op.create_index("ix_views_project_position", "views", ["project_id", "position", "id"])
    op.execute(COUNT)
    op.execute("CREATE TRIGGER views_count BEFORE INSERT ON views FOR EACH ROW EXECUTE FUNCTION views_count()")


def downgrade() -> None:
    op.drop_table("views")
    op.execute("DROP FUNCTION views_count()")
