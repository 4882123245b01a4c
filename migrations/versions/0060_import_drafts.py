"""An index of imports that have not begun, which are deleted after a day."""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None
compatible_with = "0059"


def upgrade() -> None:
    op.create_index("ix_admin_runs_draft", "admin_runs", ["updated_at"], postgresql_where=sa.text("status = 'draft'"))


def downgrade() -> None:
    op.drop_index("ix_admin_runs_draft", "admin_runs")
