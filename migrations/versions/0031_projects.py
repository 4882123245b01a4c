"""Projects, their members and access; every task and series is in a project, at first in the inbox of its owner."""
# ruff: noqa: S608 -- fixed words

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ROLES = ("viewer", "commenter", "completer", "editor", "manager")
ROLE = f"role IN ({', '.join(map(repr, ROLES))})"
ADD_INBOX = """
CREATE FUNCTION users_add_inbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO projects (id, created_at, updated_at, version, owner_id, name, description)
    VALUES (NEW.id, NEW.created_at, NEW.created_at, 1, NEW.id, 'Inbox', '');
    RETURN NULL;
END $$
"""
REWRITE_ACCESS = f"""
CREATE FUNCTION rewrite_project_access(root uuid) RETURNS void LANGUAGE sql AS $$
    WITH RECURSIVE below AS (
        SELECT id FROM projects WHERE id = root
        UNION ALL SELECT projects.id FROM projects JOIN below ON parent_id = below.id
    ), above AS (  -- each project below, with itself and those above it
        SELECT id AS project_id, id AS place_id FROM below
        UNION ALL SELECT project_id, parent_id FROM above JOIN projects ON id = place_id WHERE parent_id IS NOT NULL
    ), granted AS (
        SELECT DISTINCT ON (user_id, above.project_id) user_id, above.project_id, role
        FROM above JOIN project_members ON project_members.project_id = place_id
        ORDER BY user_id, above.project_id, array_position(ARRAY{list(ROLES)!r}, role) DESC
    ), gone AS (
        DELETE FROM project_access USING below WHERE project_id = below.id
            AND (user_id, project_id) NOT IN (SELECT user_id, project_id FROM granted)
    )
    INSERT INTO project_access (user_id, project_id, role) SELECT user_id, project_id, role FROM granted
    ON CONFLICT (user_id, project_id) DO UPDATE SET role = excluded.role WHERE project_access.role <> excluded.role
$$
"""
# A series that changes hands takes over the vacations of its new owner; the worker moves its zone.
FOLLOW_OWNER = """
CREATE FUNCTION series_follow_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT vacations INTO NEW.vacations FROM users WHERE id = NEW.owner_id;
    UPDATE users SET timezone_pending_since = now() WHERE id = NEW.owner_id AND timezone_pending_since IS NULL;
    RETURN NEW;
END $$
"""
DUE = "coalesce(due_at, '9999-12-31 00:00:00+00'::timestamptz)"
PLACED = "deleted_at IS NULL AND project_id <> owner_id"
INDEXES = {
    "ix_tasks_project_created": ("project_id, created_at, id", PLACED),
    "ix_tasks_project_updated": ("project_id, updated_at, id", PLACED),
    "ix_tasks_project_due": (f"project_id, ({DUE}), id", PLACED),
    "ix_tasks_project_priority": (f"project_id, (- priority), ({DUE}), id", PLACED),
    "ix_tasks_project_trash": (
        "project_id, deleted_at, id", "deleted_at IS NOT NULL AND project_id <> owner_id",
    ),
}  # fmt: skip
WORDS = (
    "to_tsvector('simple'::regconfig, regexp_replace(NORMALIZE((title::text || ' '::text) || notes::text, NFKD),"
    " '[\u0300-\u036f]'::text, ''::text, 'g'::text)) || array_to_tsvector(ARRAY[chr(1) || owner_id::text"
)
MARKS = "chr(2) || project_id::text"


def beginning() -> list[sa.Column[object]]:
    """The columns of every table."""
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    ]


def add_tables() -> None:
    op.create_table(
        "projects",
        *beginning(),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("color", sa.String(), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id <> owner_id OR (parent_id IS NULL AND archived_at IS NULL)", "ck_projects_inbox"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], "fk_projects_owner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
    )
    op.create_index("uq_projects_id_owner", "projects", ["id", "owner_id"], unique=True)
    op.create_foreign_key(
        "fk_projects_parent_id_owner_id", "projects", "projects", ["parent_id", "owner_id"], ["id", "owner_id"],
        ondelete="CASCADE", onupdate="CASCADE",
    )  # fmt: skip
    op.create_index("ix_projects_owner", "projects", ["owner_id", "id"])
    op.create_index(
        "ix_projects_parent", "projects", ["parent_id", "owner_id"], postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.create_index(
        "ix_projects_archived", "projects", ["owner_id"], postgresql_where=sa.text("archived_at IS NOT NULL")
    )
    op.create_table(
        "project_members",
        *beginning(),
        *who("project_members"),
        sa.PrimaryKeyConstraint("id", name="pk_project_members"),
    )
    op.create_index("uq_project_members_project_user", "project_members", ["project_id", "user_id"], unique=True)
    op.create_index("ix_project_members_user", "project_members", ["user_id"])
    op.create_table(
        "project_access",
        *who("project_access"),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_project_access"),
    )
    op.create_index("ix_project_access_project", "project_access", ["project_id"])


def who(table: str) -> list[sa.schema.SchemaItem]:
    """Who has which role in which project."""
    return [
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.CheckConstraint(ROLE, f"ck_{table}_role"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], f"fk_{table}_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], f"fk_{table}_project_id", ondelete="CASCADE"),
    ]


def upgrade() -> None:
    op.execute("LOCK TABLE users, tasks, series IN SHARE ROW EXCLUSIVE MODE")
    add_tables()
    op.execute(ADD_INBOX)
    op.execute("CREATE TRIGGER users_add_inbox AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION users_add_inbox()")
    op.execute(
        "INSERT INTO projects (id, created_at, updated_at, version, owner_id, name, description)"
        " SELECT id, created_at, created_at, 1, id, 'Inbox', '' FROM users"
    )
    for table in ("tasks", "series"):
        op.add_column(table, sa.Column("project_id", sa.Uuid(), nullable=True))
    op.add_column("tasks", sa.Column("created_by", sa.Uuid(), nullable=True))
    op.execute("ALTER TABLE tasks DISABLE TRIGGER USER")
    op.execute("UPDATE tasks SET project_id = owner_id, created_by = owner_id")
    op.execute("ALTER TABLE tasks ENABLE TRIGGER USER")
    op.execute("ALTER TABLE series DISABLE TRIGGER USER")
    op.execute("UPDATE series SET project_id = owner_id")
    op.execute("ALTER TABLE series ENABLE TRIGGER USER")
    op.alter_column("tasks", "created_by", nullable=False)
    for table in ("tasks", "series"):
        op.alter_column(table, "project_id", nullable=False)
        op.create_foreign_key(
            f"fk_{table}_project_id_owner_id", table, "projects", ["project_id", "owner_id"], ["id", "owner_id"],
            ondelete="CASCADE", onupdate="CASCADE",
        )  # fmt: skip
    op.drop_index("ix_tasks_words", "tasks")
    op.execute(f"CREATE INDEX ix_tasks_words ON tasks USING gin (({WORDS}, {MARKS}]))) WHERE deleted_at IS NULL")
    for name, (columns, where) in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON tasks ({columns}) WHERE {where}")
    op.create_index("ix_series_project", "series", ["project_id", "id"])
    op.execute(REWRITE_ACCESS)
    op.execute(FOLLOW_OWNER)
    op.execute(
        "CREATE TRIGGER series_follow_owner BEFORE UPDATE OF owner_id ON series FOR EACH ROW"
        " WHEN (OLD.owner_id <> NEW.owner_id) EXECUTE FUNCTION series_follow_owner()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER series_follow_owner ON series")
    op.execute("DROP TRIGGER users_add_inbox ON users")
    op.drop_index("ix_series_project", "series")
    op.drop_index("ix_tasks_words", "tasks")
    op.execute(f"CREATE INDEX ix_tasks_words ON tasks USING gin (({WORDS}]))) WHERE deleted_at IS NULL")
    for name in INDEXES:
        op.drop_index(name, "tasks")
    for table in ("tasks", "series"):
        op.drop_constraint(f"fk_{table}_project_id_owner_id", table)
        op.drop_column(table, "project_id")
    op.drop_column("tasks", "created_by")
    op.drop_table("project_access")
    op.drop_table("project_members")
    op.drop_table("projects")
    for function in ("users_add_inbox()", "rewrite_project_access(uuid)", "series_follow_owner()"):
        op.execute(f"DROP FUNCTION {function}")
