"""Through what each change came, in four words; and the request that a waiting job is for."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SOURCES = "source IN ('api', 'admin', 'cli', 'worker')"


def upgrade() -> None:
    op.alter_column("audit_events", "face", new_column_name="source")
    op.execute("""
        UPDATE audit_events SET source = CASE
            WHEN source = 'rest' THEN 'api'
            WHEN source = 'pages' THEN 'admin'
            WHEN source IN ('cli', 'worker') THEN source
            WHEN actor_kind = 'operator' THEN 'cli'
            ELSE 'worker'
        END
    """)
    op.create_check_constraint(op.f("ck_audit_events_source"), "audit_events", SOURCES)
    op.add_column("waiting_jobs", sa.Column("request_id", sa.String(), nullable=False, server_default=""))
    op.alter_column("waiting_jobs", "request_id", server_default=None)


def downgrade() -> None:
    op.drop_column("waiting_jobs", "request_id")
    op.drop_constraint(op.f("ck_audit_events_source"), "audit_events", type_="check")
    op.execute("""
        UPDATE audit_events SET source = CASE source WHEN 'api' THEN 'rest' WHEN 'admin' THEN 'pages' ELSE source END
    """)
    op.alter_column("audit_events", "source", new_column_name="face")
