"""Words of comments among those of their task, at the lowest weight."""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None
compatible_with = "0056"

# As `task_words` reads texts. Of very many comments the newest, so that one more costs no more than the others.
COMMENTS = r"""
CREATE FUNCTION comment_words(task uuid) RETURNS tsvector LANGUAGE sql AS $$
    SELECT setweight(to_tsvector('simple', regexp_replace(regexp_replace(
        NORMALIZE(coalesce(left(string_agg(text, ' '), 50000), ''), NFKD), '[\u0300-\u036f\u3099\u309a]', '', 'g'),
        '([\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff\uf900-\ufaff])', ' \1 ', 'g')), 'D')
    FROM (SELECT text FROM comments WHERE task_id = task ORDER BY created_at DESC, id DESC LIMIT 100) AS newest
$$
"""
WORDS = """
CREATE FUNCTION tasks_set_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words = task_words(NEW.owner_id, NEW.project_id, NEW.title, NEW.labels, NEW.notes);
    IF TG_OP = 'UPDATE' THEN
        NEW.words = NEW.words || comment_words(NEW.id);
    END IF;
    RETURN NEW;
END $$
"""
# The trigger of the task reads the comments once its row is locked: of two that are written at once, none is left out.
FOLLOW = """
CREATE FUNCTION comments_set_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tasks SET words = NULL WHERE id IN (OLD.task_id, NEW.task_id);
    RETURN NULL;
END $$
"""
CHANGED = "(OLD.owner_id, OLD.project_id, OLD.title, OLD.labels, OLD.notes)"
TRIGGERS = (
    "CREATE TRIGGER tasks_set_words_insert BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_set_words()",
    "CREATE TRIGGER tasks_set_words_update BEFORE UPDATE OF owner_id, project_id, title, labels, notes, words ON tasks"
    f" FOR EACH ROW WHEN (NEW.words IS NULL OR {CHANGED} IS DISTINCT FROM {CHANGED.replace('OLD', 'NEW')})"
    " EXECUTE FUNCTION tasks_set_words()",
    "CREATE TRIGGER comments_set_words AFTER INSERT OR DELETE OR UPDATE OF text ON comments FOR EACH ROW"
    " EXECUTE FUNCTION comments_set_words()",
)


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ALTER COLUMN words DROP EXPRESSION")
    for statement in (COMMENTS, WORDS, FOLLOW, *TRIGGERS):
        op.execute(statement)
    op.execute("UPDATE tasks SET words = NULL WHERE id IN (SELECT task_id FROM comments)")


def downgrade() -> None:
    for table, name in (
        ("tasks", "tasks_set_words_insert"),
        ("tasks", "tasks_set_words_update"),
        ("comments", "comments_set_words"),
    ):
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for function in ("tasks_set_words()", "comments_set_words()", "comment_words(uuid)"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_column("tasks", "words")
    op.execute(
        "ALTER TABLE tasks ADD COLUMN words tsvector"
        r" GENERATED ALWAYS AS (task_words(owner_id, project_id, title\:\:text, labels, notes)) STORED"
    )
    op.execute("CREATE INDEX ix_tasks_words ON tasks USING gin (words) WHERE deleted_at IS NULL")
