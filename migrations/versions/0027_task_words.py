"""Search of tasks by their words."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

WORDS = (
    "to_tsvector('simple'::regconfig, regexp_replace(NORMALIZE((title::text || ' '::text) || notes::text, NFKD),"
    " '[\u0300-\u036f]'::text, ''::text, 'g'::text)) || array_to_tsvector(ARRAY[chr(1) || owner_id::text])"
)


def upgrade() -> None:
    op.execute(f"CREATE INDEX ix_tasks_words ON tasks USING gin (({WORDS})) WHERE deleted_at IS NULL")


def downgrade() -> None:
    op.drop_index("ix_tasks_words", "tasks")
