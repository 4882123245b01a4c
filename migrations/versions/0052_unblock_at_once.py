"""What is no longer blocked by dependencies that end together, which can be thousands, in one statement."""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None
compatible_with = "0051"

UNBLOCK = """
CREATE FUNCTION dependencies_unblock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM update_blocked(ARRAY(SELECT DISTINCT task_id FROM old_rows));
    RETURN NULL;
END $$
"""
EACH_ROW = "ON dependencies FOR EACH ROW EXECUTE FUNCTION dependencies_update_blocked()"


def upgrade() -> None:
    op.execute(UNBLOCK)
    op.execute("DROP TRIGGER dependencies_update_blocked ON dependencies")
    op.execute(f"CREATE TRIGGER dependencies_update_blocked AFTER INSERT {EACH_ROW}")
    op.execute(
        "CREATE TRIGGER dependencies_unblock AFTER DELETE ON dependencies REFERENCING OLD TABLE AS old_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION dependencies_unblock()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER dependencies_unblock ON dependencies")
    op.execute("DROP FUNCTION dependencies_unblock()")
    op.execute("DROP TRIGGER dependencies_update_blocked ON dependencies")
    op.execute(f"CREATE TRIGGER dependencies_update_blocked AFTER INSERT OR DELETE {EACH_ROW}")
