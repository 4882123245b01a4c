"""The views that people have saved."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from todo.database import Row, columns


class View(Row, table=True):
    """A filter with a sort and a grouping: of one person, or of a project. The trigger `views_count` limits them."""

    __tablename__ = "views"
    __table_args__ = (
        Index("ix_views_user_position", "user_id", "position", "id"),
        Index("ix_views_project_position", "project_id", "position", "id"),
        CheckConstraint("(user_id IS NULL) <> (project_id IS NULL)", name="place"),
    )

    user_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")
    project_id: UUID | None = Field(default=None, foreign_key="projects.id", ondelete="CASCADE")
    name: str
    filter: str = ""
    sort: str | None = None
    group_by: str = "none"
    color: str | None = None
    position: int = 0


VIEW = columns(View)
