"""The bytes of private notes count as storage of who wrote them."""
# ruff: noqa: S608 -- fixed words

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None
compatible_with = "0049"

COUNTS = "INSERT INTO usage_changes (user_id, is_growth, tasks, series, reminders, tokens, storage)"
COUNT = f"""
CREATE FUNCTION private_notes_count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bytes int := coalesce(octet_length(NEW.text), 0) - coalesce(octet_length(OLD.text), 0);
BEGIN
    {COUNTS} SELECT id, bytes > 0, 0, 0, 0, 0, bytes
    FROM users WHERE id = coalesce(NEW.user_id, OLD.user_id) AND bytes <> 0;  -- not of a writer who is erased
    RETURN NULL;
END $$
"""
# What the functions of migration 0026 sum up ends with the comments.
COMMENTS = "FROM comments WHERE author_id IS NOT NULL"
NOTES = (
    f"{COMMENTS} UNION ALL SELECT user_id, 0 AS tasks, 0 AS series, 0 AS reminders, 0 AS tokens,"
    " octet_length(text) AS storage FROM private_notes"
)


def recount(found: str, replaced: str) -> str:
    return f"""
DO $do$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['recount_usage(uuid)', 'miscounted_usage()'] LOOP
        EXECUTE replace(pg_get_functiondef(name::regprocedure), '{found}', '{replaced}');
    END LOOP;
END $do$
""".replace(":", r"\:")


def upgrade() -> None:
    op.execute("LOCK TABLE private_notes IN SHARE ROW EXCLUSIVE MODE")
    op.execute(COUNT.replace(":=", r"\:="))
    op.execute(
        "CREATE TRIGGER private_notes_count_usage AFTER INSERT OR DELETE OR UPDATE OF text ON private_notes"
        " FOR EACH ROW EXECUTE FUNCTION private_notes_count_usage()"
    )
    op.execute(recount(COMMENTS, NOTES))
    op.execute(
        f"{COUNTS} SELECT user_id, false, 0, 0, 0, 0, sum(octet_length(text)) FROM private_notes GROUP BY user_id"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER private_notes_count_usage ON private_notes")
    op.execute("DROP FUNCTION private_notes_count_usage()")
    op.execute(recount(NOTES, COMMENTS))
    op.execute(
        f"{COUNTS} SELECT user_id, false, 0, 0, 0, 0, -sum(octet_length(text)) FROM private_notes GROUP BY user_id"
    )
