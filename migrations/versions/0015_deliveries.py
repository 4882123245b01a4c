"""One outbox: `deliveries` in place of `mails` and `outbox`, and of the permissions for these."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROW = ("id", "created_at", "updated_at", "version")
ATTEMPTS = ("attempts", "lease_until", "lease_token", "failed_at", "last_error")
BOTH = ", ".join((*ROW, *ATTEMPTS))

MOVE_MAILS = f"""
INSERT INTO deliveries ({BOTH}, channel, recipient, subject, run_at, done_at, payload)
SELECT {BOTH}, 'email', "to", subject, send_at, sent_at,
       CASE WHEN sent_at IS NULL
            THEN jsonb_build_object('text', text, 'html', html, 'headers', headers, 'attachments', attachments)
            ELSE '{{}}' END
FROM mails
"""  # noqa: S608 -- fixed words
MOVE_OUTBOX = f"""
INSERT INTO deliveries ({BOTH}, channel, recipient, subject, user_id, dedup_key, run_at, done_at, payload)
SELECT {BOTH}, channel, user_id::text, dedup, user_id, dedup, run_at, done_at, payload FROM outbox
"""  # noqa: S608 -- fixed words
MOVE_BACK = f"""
INSERT INTO mails ({BOTH}, "to", subject, send_at, sent_at, text, html, headers, attachments)
SELECT {BOTH}, recipient, subject, run_at, done_at, coalesce(payload ->> 'text', ''), coalesce(payload ->> 'html', ''),
       coalesce(payload -> 'headers', '{{}}'), coalesce(payload -> 'attachments', '[]')
FROM deliveries WHERE channel = 'email';
"""  # noqa: S608 -- fixed words
MOVE_REST_BACK = f"""
INSERT INTO outbox ({BOTH}, channel, user_id, dedup, run_at, done_at, payload)
SELECT {BOTH}, channel, user_id, coalesce(dedup_key, id::text), run_at, done_at, payload
FROM deliveries WHERE channel <> 'email' AND user_id IS NOT NULL
"""  # noqa: S608 -- fixed words


def instant(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def create_table(name: str, done: str, *columns: sa.schema.SchemaItem, **options: object) -> None:
    """A table with what every row has, and what every attempt leaves."""
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        instant("created_at", nullable=False),
        instant("updated_at", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        instant("lease_until"),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        instant(done),
        instant("failed_at"),
        sa.Column("last_error", sa.String(), nullable=True),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        **options,
    )
    ended = f"coalesce({done}, failed_at)"
    op.create_index(f"ix_{name}_ended", name, [sa.text(ended)], postgresql_where=sa.text(f"{ended} IS NOT NULL"))


def pending_index(name: str, table: str, *columns: str, done: str = "done_at") -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(f"{done} IS NULL AND failed_at IS NULL"))


def text(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=nullable)


def json(name: str) -> sa.Column:
    return sa.Column(name, JSONB(astext_type=sa.Text()), nullable=False)


def of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id"), ondelete="CASCADE")


def upgrade() -> None:
    create_table(
        "deliveries", "done_at",
        text("channel"), text("recipient"), text("subject"),
        sa.Column("user_id", sa.Uuid(), nullable=True), text("dedup_key", nullable=True),
        json("payload"), instant("run_at", nullable=False),
        of_user("deliveries"),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_deliveries_dedup_key")),
        postgresql_with={"fillfactor": 70},
    )  # fmt: skip
    pending_index("ix_deliveries_due", "deliveries", "run_at")
    pending_index("ix_deliveries_recipient", "deliveries", "channel", "recipient", "id")
    op.create_index(op.f("ix_deliveries_user_id"), "deliveries", ["user_id"])
    op.execute(MOVE_MAILS)
    op.execute(MOVE_OUTBOX)
    op.drop_table("mails")
    op.drop_table("outbox")
    rename_permissions("^(mails|outbox)[.]", "deliveries.")
    op.execute("DELETE FROM saved_views WHERE resource IN ('mails', 'outbox')")  # they name columns that are gone


def rename_permissions(pattern: str, replacement: str) -> None:
    """In every role and personal token."""
    for table, column in (("roles", "permissions"), ("personal_tokens", "scopes")):
        renamed = f"SELECT DISTINCT regexp_replace(name, '{pattern}', '{replacement}') FROM unnest({column}) name"  # noqa: S608 -- fixed words
        concerned = f"EXISTS (SELECT FROM unnest({column}) name WHERE name ~ '{pattern}')"
        op.execute(f"UPDATE {table} SET {column} = ARRAY({renamed} ORDER BY 1) WHERE {concerned}")  # noqa: S608 -- fixed words


def downgrade() -> None:
    create_table(
        "mails", "sent_at",
        text("to"), text("subject"), text("text"), text("html"), json("headers"), json("attachments"),
        instant("send_at", nullable=False),
    )  # fmt: skip
    pending_index("ix_mails_due", "mails", "send_at", done="sent_at")
    pending_index("ix_mails_receiver", "mails", "to", "id", done="sent_at")
    create_table(
        "outbox", "done_at",
        text("channel"), sa.Column("user_id", sa.Uuid(), nullable=False), text("dedup"),
        json("payload"), instant("run_at", nullable=False),
        of_user("outbox"),
        sa.UniqueConstraint("dedup", name=op.f("uq_outbox_dedup")),
        postgresql_with={"fillfactor": 70},
    )  # fmt: skip
    pending_index("ix_outbox_due", "outbox", "run_at")
    op.create_index(op.f("ix_outbox_user_id"), "outbox", ["user_id"])
    op.execute(MOVE_BACK)
    op.execute(MOVE_REST_BACK)
    op.drop_table("deliveries")
    rename_permissions("^deliveries[.]", "mails.")
    op.execute("DELETE FROM saved_views WHERE resource = 'deliveries'")
