"""Which task waits for which."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from todo.database import Row, columns


class Dependency(Row, table=True):
    """A task that waits for another one, its blocker.

    Triggers keep `tasks.blocked`, refuse the 51st blocker of a task, the 501st task that waits for one, and, at commit,
    a cycle that two requests close at once. At commit they also end what waits for a task that the owner of its project
    no longer sees, and record it in the audit log as done by who acts (`name_actor`).
    """

    __tablename__ = "dependencies"
    __table_args__ = (
        Index("uq_dependencies_task_blocker", "task_id", "blocker_id", unique=True),
        Index("ix_dependencies_blocker", "blocker_id"),
        CheckConstraint("task_id <> blocker_id", name="blocker"),
    )

    task_id: UUID = Field(foreign_key="tasks.id", ondelete="CASCADE")
    blocker_id: UUID = Field(foreign_key="tasks.id", ondelete="CASCADE")


DEPENDENCY = columns(Dependency)
