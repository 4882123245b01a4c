"""`either` is a value of `opens`, and what `on_time` did until now."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE series SET opens = 'either' WHERE opens = 'on_time'")


def downgrade() -> None:
    op.execute("UPDATE series SET opens = 'on_time' WHERE opens = 'either'")
