"""Dependencies in requests."""

from uuid import UUID

from todo.schema import Schema


class DependencyIn(Schema):
    """The task to wait for."""

    blocker_id: UUID
