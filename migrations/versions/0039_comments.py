"""Comments of tasks: up to 5,000 of each, their bytes counted as storage of who wrote them."""
# ruff: noqa: S608 -- fixed words

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None
compatible_with = "0038"

MOST = 5_000
CHECK_NUMBER = f"""
CREATE FUNCTION comments_check_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('comments ' || task_id, 0))
    FROM (SELECT DISTINCT task_id FROM new_rows ORDER BY 1) AS tasks;
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT task_id FROM new_rows) AS tasks
        WHERE (SELECT count(*) FROM comments WHERE comments.task_id = tasks.task_id) > {MOST}
    ) THEN
        RAISE EXCEPTION 'A task can have {MOST:,} comments.' USING ERRCODE = 'LIMIT';
    END IF;
    RETURN NULL;
END $$
"""
COUNTS = "INSERT INTO usage_changes (user_id, is_growth, tasks, series, reminders, tokens, storage)"
COUNT = f"""
CREATE FUNCTION comments_count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {COUNTS} SELECT author_id, true, 0, 0, 0, 0, sum(octet_length(text))
        FROM new_rows WHERE author_id IS NOT NULL GROUP BY 1;
    ELSIF TG_OP = 'DELETE' THEN  -- not of an author who is erased
        {COUNTS} SELECT users.id, false, 0, 0, 0, 0, -sum(octet_length(text))
        FROM old_rows JOIN users ON users.id = author_id GROUP BY 1;
    ELSE
        {COUNTS} SELECT users.id, sum(bytes) > 0, 0, 0, 0, 0, sum(bytes)
        FROM (VALUES (OLD.author_id, -octet_length(OLD.text)), (NEW.author_id, octet_length(NEW.text)))
            AS change (author_id, bytes) JOIN users ON users.id = author_id GROUP BY 1;
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER comments_check_number AFTER INSERT ON comments REFERENCING NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION comments_check_number()",
    "CREATE TRIGGER comments_count_insert AFTER INSERT ON comments REFERENCING NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION comments_count_usage()",
    "CREATE TRIGGER comments_count_delete AFTER DELETE ON comments REFERENCING OLD TABLE AS old_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION comments_count_usage()",
    "CREATE TRIGGER comments_count_update AFTER UPDATE ON comments FOR EACH ROW WHEN"
    " ((OLD.author_id, octet_length(OLD.text)) IS DISTINCT FROM (NEW.author_id, octet_length(NEW.text)))"
    " EXECUTE FUNCTION comments_count_usage()",
)
# What the functions of migration 0026 sum up ends with the tokens.
TOKENS = "FROM personal_tokens"
COMMENTS = (
    f"{TOKENS} UNION ALL SELECT author_id AS user_id, 0 AS tasks, 0 AS series, 0 AS reminders, 0 AS tokens,"
    " octet_length(text) AS storage FROM comments WHERE author_id IS NOT NULL"
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
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], "fk_comments_task_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], "fk_comments_author_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_comments"),
    )
    op.create_index("ix_comments_task", "comments", ["task_id", "created_at", "id"])
    op.create_index("ix_comments_author", "comments", ["author_id"])
    op.create_table(
        "comment_mentions",
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], "fk_comment_mentions_comment_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_comment_mentions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name="pk_comment_mentions"),
    )
    op.create_index("ix_comment_mentions_user", "comment_mentions", ["user_id"])
    for statement in (CHECK_NUMBER, COUNT, *TRIGGERS, recount(TOKENS, COMMENTS)):
        op.execute(statement)


def downgrade() -> None:
    op.execute(recount(COMMENTS, TOKENS))
    op.drop_table("comment_mentions")
    op.drop_table("comments")
    op.execute("DROP FUNCTION comments_check_number()")
    op.execute("DROP FUNCTION comments_count_usage()")
