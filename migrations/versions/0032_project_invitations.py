"""Invitations and links to projects, which end when who made them may no longer share the project."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

ROLES = ("viewer", "commenter", "completer", "editor", "manager")
ROLE = f"role IN ({', '.join(map(repr, ROLES))})"
END_SHARING = """
CREATE FUNCTION project_access_end_sharing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM projects WHERE id = OLD.project_id AND owner_id = OLD.user_id) THEN
        DELETE FROM project_invitations WHERE project_id = OLD.project_id AND invited_by = OLD.user_id;
        DELETE FROM project_links WHERE project_id = OLD.project_id AND created_by = OLD.user_id;
    END IF;
    RETURN NULL;
END $$
"""


def beginning() -> list[sa.Column[object]]:
    """The columns of both tables."""
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "project_invitations",
        *beginning(),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(ROLE, op.f("ck_project_invitations_role")),
        sa.CheckConstraint("(email IS NULL) <> (user_id IS NULL)", op.f("ck_project_invitations_invited")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], "fk_project_invitations_project_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_project_invitations_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], "fk_project_invitations_invited_by", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_project_invitations"),
    )
    for name, columns, unique in (
        ("uq_project_invitations_project_email", ["project_id", "email"], True),
        ("uq_project_invitations_project_user", ["project_id", "user_id"], True),
        ("ix_project_invitations_email", ["email"], False),
        ("ix_project_invitations_user", ["user_id"], False),
        ("ix_project_invitations_invited_by", ["invited_by"], False),
        ("ix_project_invitations_expires", ["expires_at"], False),
    ):
        op.create_index(name, "project_invitations", columns, unique=unique)
    op.create_table(
        "project_links",
        *beginning(),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], "fk_project_links_project_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], "fk_project_links_created_by", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_project_links"),
        sa.UniqueConstraint("hash", name="uq_project_links_hash"),
    )
    op.create_index("ix_project_links_project", "project_links", ["project_id", "id"])
    op.create_index("ix_project_links_created_by", "project_links", ["created_by"])
    op.create_index(
        "ix_project_links_expires", "project_links", ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )  # fmt: skip
    op.execute(END_SHARING)
    op.execute(
        "CREATE TRIGGER project_access_end_sharing AFTER DELETE OR UPDATE OF role ON project_access FOR EACH ROW"
        " WHEN (OLD.role = 'manager') EXECUTE FUNCTION project_access_end_sharing()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER project_access_end_sharing ON project_access")
    op.execute("DROP FUNCTION project_access_end_sharing()")
    op.drop_table("project_links")
    op.drop_table("project_invitations")
