"""The tokens that confirm a new e-mail address."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail_tokens", sa.Column("email", sa.String(), nullable=True))
    op.add_column("mail_tokens", sa.Column("session_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_mail_tokens_email"), "mail_tokens", "(purpose = 'change') = (email IS NOT NULL)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM mail_tokens WHERE purpose = 'change'")
    op.drop_constraint(op.f("ck_mail_tokens_email"), "mail_tokens", type_="check")
    op.drop_column("mail_tokens", "session_id")
    op.drop_column("mail_tokens", "email")
