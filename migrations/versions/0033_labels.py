"""Labels of tasks: a column, an index of what has them, and their part of the quota for texts."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

KEYS = """
CREATE FUNCTION label_keys(place uuid, labels text[]) RETURNS text[] IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT coalesce(array_agg(place::text || lower(label)), '{}') FROM unnest(labels) AS label
$$
"""
# The functions of the quota are those of migration 0026, with the length of the labels added to that of the notes.
NOTES, WITH_LABELS = (
    r"octet_length\(((?:\w+\.)?)notes\)",
    r"octet_length(\1notes) + octet_length(array_to_string(\1labels, ''''))",
)
PLAIN = (
    r" \+ octet_length\(array_to_string\((?:\w+\.)?labels, ''''\)\)",
    "",
)


def recount(found: str, replaced: str) -> str:
    return f"""
DO $do$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tasks_count_usage()', 'recount_usage(uuid)', 'miscounted_usage()'] LOOP
        EXECUTE regexp_replace(pg_get_functiondef(name::regprocedure), '{found}', '{replaced}', 'g');
    END LOOP;
END $do$
""".replace(":", r"\:")


def trigger(size: str) -> str:
    old, new = (f"({row}.owner_id, {size.format(row=row)})" for row in ("OLD", "NEW"))
    return (
        "CREATE TRIGGER tasks_count_update AFTER UPDATE ON tasks"
        f" FOR EACH ROW WHEN ({old} IS DISTINCT FROM {new}) EXECUTE FUNCTION tasks_count_usage()"
    )


TEXTS = "octet_length({row}.title) + octet_length({row}.notes)"


def upgrade() -> None:
    op.execute(KEYS)
    op.execute("ALTER TABLE tasks ADD COLUMN labels text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE tasks ADD CONSTRAINT ck_tasks_labels CHECK (cardinality(labels) <= 50)")
    op.execute(
        "CREATE INDEX ix_tasks_labels ON tasks USING gin"
        " ((label_keys(owner_id, labels) || label_keys(project_id, labels)))"
        " WHERE deleted_at IS NULL AND labels <> '{}'"
    )
    op.execute(recount(NOTES, WITH_LABELS))
    op.execute("DROP TRIGGER tasks_count_update ON tasks")
    op.execute(trigger(f"{TEXTS} + octet_length(array_to_string({{row}}.labels, ''))"))


def downgrade() -> None:
    op.execute("DROP TRIGGER tasks_count_update ON tasks")
    op.execute(recount(*PLAIN))
    op.execute(trigger(TEXTS))
    op.drop_index("ix_tasks_labels", "tasks")
    op.drop_column("tasks", "labels")
    op.execute("DROP FUNCTION label_keys(uuid, text[])")
