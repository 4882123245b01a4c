"""Comments of tasks, and whom they mention."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index
from sqlmodel import Field, SQLModel

from todo.database import Row, columns


class Comment(Row, table=True):
    """What somebody wrote below a task. It stays when they no longer see the task; an erased author is null."""

    __tablename__ = "comments"
    __table_args__ = (
        Index("ix_comments_task", "task_id", "created_at", "id"),
        Index("ix_comments_author", "author_id"),
    )

    task_id: UUID = Field(foreign_key="tasks.id", ondelete="CASCADE")
    author_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    text: str
    edited_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Mention(SQLModel, table=True):
    """Somebody whom a comment mentions, and who could see the task when it was written."""

    __tablename__ = "comment_mentions"
    __table_args__ = (Index("ix_comment_mentions_user", "user_id"),)

    comment_id: UUID = Field(foreign_key="comments.id", ondelete="CASCADE", primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)


COMMENT, MENTION = columns(Comment), columns(Mention)
