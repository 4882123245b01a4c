"""At most 500 tasks wait for one: each is written when that is closed or opened again, by whoever does it."""

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None
compatible_with = None  # code without the limit answers 500 where it refuses

LIMIT = """
CREATE FUNCTION dependencies_limit_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('waiting ' || NEW.blocker_id, 0));
    IF (SELECT count(*) FROM dependencies WHERE blocker_id = NEW.blocker_id) >= 500 THEN
        RAISE EXCEPTION 'For one task, 500 others can wait.' USING ERRCODE = 'LIMIT';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.execute(LIMIT)
    op.execute(
        "CREATE TRIGGER dependencies_limit_waiting BEFORE INSERT ON dependencies"
        " FOR EACH ROW EXECUTE FUNCTION dependencies_limit_waiting()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER dependencies_limit_waiting ON dependencies")
    op.execute("DROP FUNCTION dependencies_limit_waiting()")
