"""Words of tasks as a column: titles weigh more than labels, labels more than notes."""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None
compatible_with = None  # older code would search without an index

# Without accents, and with blanks around kana and Han, which are written without any.
PLAIN = (
    "regexp_replace(regexp_replace(NORMALIZE({text}, NFKD), '[\u0300-\u036f\u3099\u309a]', '', 'g'),"
    r" '([\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff\uf900-\ufaff])', ' \1 ', 'g')"
)
PARTS = {"title": "A", "array_to_string(labels, ', ')": "B", "notes": "C"}
WEIGHED = " || ".join(
    f"setweight(to_tsvector('simple', {PLAIN.format(text=text)}), '{weight}')" for text, weight in PARTS.items()
)
FUNCTION = f"""
CREATE FUNCTION task_words(owner_id uuid, project_id uuid, title text, labels text[], notes text) RETURNS tsvector
IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT {WEIGHED} || array_to_tsvector(ARRAY[chr(1) || owner_id::text, chr(2) || project_id::text])
$$
"""
BEFORE = (
    "to_tsvector('simple'::regconfig, regexp_replace(NORMALIZE((title::text || ' '::text) || notes::text, NFKD),"
    " '[\u0300-\u036f]'::text, ''::text, 'g'::text)) || array_to_tsvector(ARRAY[chr(1) || owner_id::text,"
    " chr(2) || project_id::text])"
)


def upgrade() -> None:
    op.execute(FUNCTION.replace(":", r"\:"))
    op.drop_index("ix_tasks_words", "tasks")
    op.execute(
        "ALTER TABLE tasks ADD COLUMN words tsvector"
        r" GENERATED ALWAYS AS (task_words(owner_id, project_id, title\:\:text, labels, notes)) STORED"
    )
    op.execute("CREATE INDEX ix_tasks_words ON tasks USING gin (words) WHERE deleted_at IS NULL")


def downgrade() -> None:
    op.drop_column("tasks", "words")
    op.execute("DROP FUNCTION task_words")
    index = f"CREATE INDEX ix_tasks_words ON tasks USING gin (({BEFORE})) WHERE deleted_at IS NULL"
    op.execute(index.replace(":", r"\:"))
