"""Columns under the names of the field: original start, deletion, reauthentication, sent."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

COLUMNS = (
    ("occurrences", "nominal", "original_start"),
    ("series", "last_nominal", "last_original_start"),
    ("series", "next_nominal", "next_original_start"),
    ("users", "leaves_at", "deletion_at"),
    ("sessions", "proven_at", "reauthenticated_at"),
    ("reminders", "told", "sent_key"),
    ("reminders", "told_at", "sent_at"),
)
INDEX = ("uq_occurrences_series_id_nominal", "uq_occurrences_series_id_original_start")


def upgrade() -> None:
    for table, old, new in COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    op.execute(f"ALTER INDEX {INDEX[0]} RENAME TO {INDEX[1]}")
    rename_undo_keys("nominal", "original_start")


def downgrade() -> None:
    rename_undo_keys("original_start", "nominal")
    op.execute(f"ALTER INDEX {INDEX[1]} RENAME TO {INDEX[0]}")
    for table, old, new in COLUMNS:
        op.alter_column(table, new, new_column_name=old)


def rename_undo_keys(old: str, new: str) -> None:
    """The state of a series before an occurrence was closed is kept as JSON, by the names of its columns."""
    for side in ("last", "next"):
        before = f"(undo->'before') - '{side}_{old}'::text"
        renamed = f"jsonb_build_object('{side}_{new}', undo->'before'->'{side}_{old}')"
        op.execute(
            f"UPDATE occurrences SET undo = jsonb_set(undo, '{{before}}', ({before}) || {renamed})"  # noqa: S608 -- names from above
            f" WHERE undo->'before' ? '{side}_{old}'"
        )
