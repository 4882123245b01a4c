"""The template of a series holds how far start and deadline are from the due."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# What the open occurrence of a series has, those to come shall have too.
FILL = """
    UPDATE series SET template = template || jsonb_build_object(
        'start_offset', CASE WHEN begins IS NOT NULL THEN jsonb_build_object(
            'kind', begin->>'kind', 'timezone', begin->>'timezone',
            'seconds', extract(epoch FROM begins - CASE begin->>'kind' WHEN 'day' THEN due::date ELSE due END)::bigint
        ) END,
        'deadline_offset_days', deadline - due::date
    )
    FROM (
        SELECT DISTINCT ON (occurrences.series_id) occurrences.series_id AS id, tasks.start AS begin, deadline,
            date_trunc('second', coalesce(due->>'date', due->>'at')::timestamp) AS due,
            date_trunc('second', coalesce(tasks.start->>'date', tasks.start->>'at')::timestamp) AS begins
        FROM occurrences JOIN tasks ON tasks.id = task_id
        WHERE occurrences.status = 'open' AND due IS NOT NULL
        ORDER BY occurrences.series_id, nominal DESC
    ) AS last
    WHERE series.id = last.id AND (begins IS NOT NULL OR deadline IS NOT NULL)"""


def upgrade() -> None:
    op.execute(FILL)


def downgrade() -> None:
    op.execute("UPDATE series SET template = template - 'start_offset' - 'deadline_offset_days'")
