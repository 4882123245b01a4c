"""Reminders, notifications, preferences, the outbox; headers and attachments of mail.

The triggers say only "look again" (see todo/domain/notifications/models.py): the arithmetic is the worker's.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GRANTED = (
    "reminders.view", "reminders.add", "reminders.change", "reminders.delete",
    "notifications.view", "notifications.change",
)  # fmt: skip

# Ids are UUIDv7 here as everywhere; PostgreSQL has a function for them only since 18.
NEW_ID = """
CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6
    ), 52, 1), 53, 1), 'hex')::uuid
$$
"""

TOUCH = """
CREATE FUNCTION tasks_touch_reminders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM after JOIN reminders ON reminders.task_id = after.id) THEN
        RETURN NULL;
    END IF;
    -- What a task that enters a series is reminded of, its next turns are reminded of too.
    INSERT INTO reminders (id, created_at, updated_at, version, user_id, series_id, timing, urgent)
    SELECT DISTINCT ON (r.user_id, a.series_id, r.timing, r.urgent)
           new_id(), now(), now(), 1, r.user_id, a.series_id, r.timing, r.urgent
    FROM after a JOIN before b USING (id) JOIN reminders r ON r.task_id = a.id
    WHERE b.series_id IS NULL AND a.series_id IS NOT NULL AND r.timing ->> 'kind' = 'relative';
    -- In another series, a reminder belongs to what that series has in the place of its own.
    UPDATE reminders r SET template_id = t.id
    FROM after a JOIN before b USING (id) JOIN reminders t ON t.series_id = a.series_id
    WHERE r.task_id = a.id AND a.series_id IS DISTINCT FROM b.series_id
      AND (b.series_id IS NULL OR r.template_id IS NOT NULL)
      AND (t.user_id, t.timing, t.urgent) = (r.user_id, r.timing, r.urgent);
    UPDATE reminders r SET run_at = now(),
        user_id = CASE WHEN r.user_id = b.owner_id THEN a.owner_id ELSE r.user_id END
    FROM after a JOIN before b USING (id)
    WHERE r.task_id = a.id
      AND (a.due, a.due_at, a.start, a.status, a.deleted_at, a.owner_id)
          IS DISTINCT FROM (b.due, b.due_at, b.start, b.status, b.deleted_at, b.owner_id);
    IF FOUND THEN
        PERFORM pg_notify('todo_due', 'reminders');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_touch_reminders AFTER UPDATE ON tasks
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tasks_touch_reminders()
"""

COPY = """
CREATE FUNCTION tasks_copy_reminders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reminders (id, created_at, updated_at, version, user_id, task_id, template_id, timing, urgent, run_at)
    SELECT new_id(), now(), now(), 1, r.user_id, n.id, r.id, r.timing, r.urgent, to_timestamp(0)
    FROM fresh n JOIN reminders r ON r.series_id = n.series_id;
    IF FOUND THEN
        PERFORM pg_notify('todo_due', 'reminders');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_copy_reminders AFTER INSERT ON tasks REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION tasks_copy_reminders()
"""

INHERIT = """
CREATE FUNCTION series_inherit_reminders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reminders (id, created_at, updated_at, version, user_id, series_id, timing, urgent)
    SELECT new_id(), now(), now(), 1, r.user_id, n.id, r.timing, r.urgent
    FROM fresh n JOIN reminders r ON r.series_id = n.predecessor_id;
    RETURN NULL;
END $$;
CREATE TRIGGER series_inherit_reminders AFTER INSERT ON series REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION series_inherit_reminders()
"""

# At the epoch means: tell it even if the new zone has put it into the past.
MOVED = """
CREATE FUNCTION users_touch_reminders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status THEN
        UPDATE reminders SET run_at = now() WHERE user_id = NEW.id AND task_id IS NOT NULL;
    ELSE
        UPDATE reminders SET run_at = to_timestamp(0) WHERE user_id = NEW.id AND remind_at IS NOT NULL;
        UPDATE notification_preferences SET next_digest_at = now()
        WHERE user_id = NEW.id AND next_digest_at IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_touch_reminders AFTER UPDATE OF timezone, status ON users FOR EACH ROW
    WHEN ((OLD.timezone, OLD.status) IS DISTINCT FROM (NEW.timezone, NEW.status))
    EXECUTE FUNCTION users_touch_reminders()
"""

TRIGGERS = (
    ("tasks_touch_reminders", "tasks"),
    ("tasks_copy_reminders", "tasks"),
    ("series_inherit_reminders", "series"),
    ("users_touch_reminders", "users"),
)


def row() -> tuple[sa.Column, ...]:
    """What every table has."""
    return (
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )


def jsonb() -> postgresql.JSONB:
    return postgresql.JSONB(astext_type=sa.Text())


def instant(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def belongs(table: str, column: str, other: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=ondelete)


def index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    op.create_index(name, table, columns, unique=False, postgresql_where=sa.text(where) if where else None)


def upgrade() -> None:
    op.add_column("mails", sa.Column("headers", jsonb(), nullable=False, server_default="{}"))
    op.add_column("mails", sa.Column("attachments", jsonb(), nullable=False, server_default="[]"))
    op.alter_column("mails", "headers", server_default=None)
    op.alter_column("mails", "attachments", server_default=None)
    create_reminders()
    create_notifications()
    create_preferences()
    create_outbox()
    op.execute(NEW_ID)
    for statements in (TOUCH, COPY, INHERIT, MOVED):
        function, _, trigger = statements.partition("END $$;")
        op.execute(f"{function}END $$")
        op.execute(trigger)
    grant("array_agg(DISTINCT name ORDER BY name) FROM unnest(permissions || CAST(:names AS varchar[])) name")


def grant(permissions: str) -> None:
    """Give the role of members other permissions, also where operators have edited it."""
    changed = sa.text(f"UPDATE roles SET permissions = (SELECT {permissions}) WHERE name = 'member'")  # noqa: S608 -- ours
    op.execute(changed.bindparams(sa.bindparam("names", list(GRANTED), sa.ARRAY(sa.String))))


def create_reminders() -> None:
    op.create_table(
        "reminders",
        *row(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("series_id", sa.Uuid(), nullable=True),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("timing", jsonb(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        instant("snoozed_until"),
        instant("remind_at"),
        instant("run_at"),
        sa.Column("told", sa.String(), nullable=True),
        instant("told_at"),
        sa.Column("last_error", sa.String(), nullable=True),
        belongs("reminders", "user_id", "users"),
        belongs("reminders", "task_id", "tasks"),
        belongs("reminders", "series_id", "series"),
        belongs("reminders", "template_id", "reminders", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        postgresql_with={"fillfactor": 80},
    )
    index("ix_reminders_due", "reminders", ["run_at"], "run_at IS NOT NULL")
    index("ix_reminders_upcoming", "reminders", ["user_id", "remind_at", "id"], "remind_at IS NOT NULL")
    index("ix_reminders_task", "reminders", ["task_id"])
    index("ix_reminders_series", "reminders", ["series_id"], "series_id IS NOT NULL")
    index("ix_reminders_template", "reminders", ["template_id"], "template_id IS NOT NULL")


def create_notifications() -> None:
    op.create_table(
        "notifications",
        *row(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("dedup", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        instant("read_at"),
        belongs("notifications", "user_id", "users"),
        belongs("notifications", "task_id", "tasks", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("dedup", name=op.f("uq_notifications_dedup")),
    )
    index("ix_notifications_user", "notifications", ["user_id", "id"], "in_app")
    index("ix_notifications_unread", "notifications", ["user_id", "id"], "in_app AND read_at IS NULL")
    index("ix_notifications_task", "notifications", ["task_id"], "task_id IS NOT NULL")


def create_preferences() -> None:
    op.create_table(
        "notification_preferences",
        *row(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Boolean(), nullable=False),
        *(sa.Column(kind, jsonb(), nullable=False) for kind in ("reminder", "missed", "digest", "overdue")),
        sa.Column("digest_time", sa.String(), nullable=False),
        sa.Column("day_time", sa.String(), nullable=False),
        sa.Column("quiet_begin", sa.String(), nullable=True),
        sa.Column("quiet_end", sa.String(), nullable=True),
        instant("next_digest_at"),
        belongs("notification_preferences", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_preferences")),
        sa.UniqueConstraint("user_id", name=op.f("uq_notification_preferences_user_id")),
    )
    index(
        "ix_notification_preferences_digest",
        "notification_preferences",
        ["next_digest_at"],
        "next_digest_at IS NOT NULL",
    )


def create_outbox() -> None:
    op.create_table(
        "outbox",
        *row(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("dedup", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("payload", jsonb(), nullable=False),
        instant("run_at", nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        instant("lease_until"),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        instant("done_at"),
        instant("failed_at"),
        sa.Column("last_error", sa.String(), nullable=True),
        belongs("outbox", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedup", name=op.f("uq_outbox_dedup")),
        postgresql_with={"fillfactor": 70},
    )
    index("ix_outbox_due", "outbox", ["run_at"], "done_at IS NULL AND failed_at IS NULL")
    index(op.f("ix_outbox_user_id"), "outbox", ["user_id"])


def downgrade() -> None:
    for name, table in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP FUNCTION new_id()")
    grant("coalesce(array_agg(name), '{}') FROM unnest(permissions) name WHERE name <> ALL (CAST(:names AS varchar[]))")
    for table in ("outbox", "notification_preferences", "notifications", "reminders"):
        op.drop_table(table)
    op.drop_column("mails", "attachments")
    op.drop_column("mails", "headers")
