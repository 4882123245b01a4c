"""Vacations of users, and a copy of them in their series.

The copy is kept by triggers (see todo/domain/tasks/series/models.py), so that a plan is read in one row and no path,
raw SQL included, can leave a series without it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# In the order of their ids, as everywhere. The worker evaluates again what waits for a time.
COPY = """
CREATE FUNCTION users_copy_vacations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE series SET vacations = NEW.vacations, next_run_at = CASE WHEN next_run_at IS NOT NULL THEN now() END
    FROM (SELECT id FROM series WHERE owner_id = NEW.id ORDER BY id FOR NO KEY UPDATE) AS theirs
    WHERE series.id = theirs.id;
    PERFORM pg_notify('todo_due', 'materialize_due');
    RETURN NULL;
END $$;
CREATE TRIGGER users_copy_vacations AFTER UPDATE OF vacations ON users FOR EACH ROW
    WHEN (OLD.vacations IS DISTINCT FROM NEW.vacations) EXECUTE FUNCTION users_copy_vacations()
"""
INHERIT = """
CREATE FUNCTION series_inherit_vacations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.vacations := coalesce((SELECT vacations FROM users WHERE id = NEW.owner_id), '[]');
    RETURN NEW;
END $$;
CREATE TRIGGER series_inherit_vacations BEFORE INSERT ON series FOR EACH ROW
    EXECUTE FUNCTION series_inherit_vacations()
"""
TABLES = ("users", "series")


def upgrade() -> None:
    for table in TABLES:
        none = sa.text("'[]'")
        op.add_column(table, sa.Column("vacations", postgresql.JSONB(), nullable=False, server_default=none))
    for statements in (COPY, INHERIT):
        function, _, trigger = statements.partition("END $$;")
        op.execute(f"{function}END $$")
        op.execute(trigger)


def downgrade() -> None:
    for function, table in (("series_inherit_vacations", "series"), ("users_copy_vacations", "users")):
        op.execute(f"DROP TRIGGER {function} ON {table}")
        op.execute(f"DROP FUNCTION {function}")
    for table in TABLES:
        op.drop_column(table, "vacations")
