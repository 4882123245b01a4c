"""A file at the command line is imported once at a time, also by two commands that begin together."""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None
compatible_with = "0063"

# Of imports of one file whose results nobody saw, the last one is what the next command continues.
KEEP_LAST = """
UPDATE admin_runs SET form = form || '{"reported": true}'
WHERE action = 'import' AND form ->> 'digest' <> '' AND form ->> 'reported' = 'false' AND status <> 'draft'
  AND EXISTS (
    SELECT FROM admin_runs later
    WHERE later.action = 'import' AND later.id > admin_runs.id AND later.resource = admin_runs.resource
      AND later.actor_id IS NOT DISTINCT FROM admin_runs.actor_id AND later.status <> 'draft'
      AND later.form ->> 'digest' = admin_runs.form ->> 'digest' AND later.form ->> 'reported' = 'false'
  )
"""
WHERE = (
    "action = 'import' AND status <> 'draft' AND status <> 'cancelled'"
    " AND form ->> 'digest' <> '' AND form ->> 'reported' = 'false'"
)


def upgrade() -> None:
    op.execute(KEEP_LAST)
    op.create_index(
        "uq_admin_runs_file",
        "admin_runs",
        ["actor_id", "resource", sa.text("(form ->> 'digest')")],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(WHERE),
    )


def downgrade() -> None:
    op.drop_index("uq_admin_runs_file", "admin_runs")
