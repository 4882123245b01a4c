"""Notifications of shared work end with their task, as nobody finds them any more: their titles have its title."""

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None
compatible_with = "0048"

KINDS = "kind IN ('assigned', 'mentioned', 'commented', 'completed')"
END = """
CREATE FUNCTION notifications_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM notifications WHERE id = NEW.id;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(f"DELETE FROM notifications WHERE task_id IS NULL AND {KINDS}")  # noqa: S608 -- fixed words
    op.execute(END)
    op.execute(
        "CREATE TRIGGER notifications_end AFTER UPDATE OF task_id ON notifications FOR EACH ROW"
        f" WHEN (OLD.task_id IS NOT NULL AND NEW.task_id IS NULL AND NEW.{KINDS})"
        " EXECUTE FUNCTION notifications_end()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER notifications_end ON notifications")
    op.execute("DROP FUNCTION notifications_end()")
