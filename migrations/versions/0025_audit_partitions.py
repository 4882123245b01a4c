"""The audit log is partitioned by month, by ranges of its ids: these are UUIDv7 and begin with the time.

The existing table becomes the first partition, which ends with this month. Its rows are scanned, not copied.
"""
# ruff: noqa: S608 -- fixed words and ids

from datetime import UTC, datetime
from uuid import UUID

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

AHEAD = 3  # months
INDEXES = {
    "ix_audit_events_subject": "subject, subject_id, id",
    "ix_audit_events_actor": "actor_id, id",
    "ix_audit_events_action": "action, id",
    "ix_audit_events_at": "at",
}


def months() -> list[tuple[str, UUID]]:
    """Return the names of the coming partitions and the ids they begin with, and one more as the end of the last."""
    today, found = datetime.now(UTC), []
    for number in range(today.month, today.month + AHEAD + 1):
        begin = datetime(today.year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
        found.append((f"audit_events_{begin:%Y_%m}", UUID(int=int(begin.timestamp() * 1000) << 80)))
    return found


def upgrade() -> None:
    op.execute("ALTER TABLE audit_events RENAME TO audit_events_first")
    op.execute("ALTER TABLE audit_events_first RENAME CONSTRAINT pk_audit_events TO audit_events_first_pkey")
    for name in INDEXES:
        op.execute(f"ALTER INDEX {name} RENAME TO {name.replace('ix_audit_events', 'audit_events_first')}_idx")
    op.execute(
        "CREATE TABLE audit_events (LIKE audit_events_first INCLUDING CONSTRAINTS,"
        " CONSTRAINT pk_audit_events PRIMARY KEY (id)) PARTITION BY RANGE (id)"
    )
    coming = months()
    for (name, begin), (_, end) in zip(coming, coming[1:], strict=False):
        op.execute(f"CREATE TABLE {name} PARTITION OF audit_events FOR VALUES FROM ('{begin}') TO ('{end}')")
    op.execute("CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT")
    next_month = coming[0][1]
    op.execute(
        f"WITH later AS (DELETE FROM audit_events_first WHERE id >= '{next_month}' RETURNING *)"
        " INSERT INTO audit_events SELECT * FROM later"
    )
    op.execute(
        f"ALTER TABLE audit_events ATTACH PARTITION audit_events_first FOR VALUES FROM (MINVALUE) TO ('{next_month}')"
    )
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON audit_events ({columns})")


def downgrade() -> None:
    op.execute("CREATE TABLE audit_events_whole (LIKE audit_events INCLUDING CONSTRAINTS)")
    op.execute("INSERT INTO audit_events_whole SELECT * FROM audit_events")
    op.execute("DROP TABLE audit_events")
    op.execute("ALTER TABLE audit_events_whole RENAME TO audit_events")
    op.execute("ALTER TABLE audit_events ADD CONSTRAINT pk_audit_events PRIMARY KEY (id)")
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON audit_events ({columns})")
