"""The people a task is assigned to: they see its project.

The triggers `tasks_keep_assignees`, `series_keep_assignees` and `project_access_end_assignments` end an assignment, in
the same transaction, when somebody loses access or a task moves to where they have none. They record it in the audit
log as done by who acts (`name_actor`).
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from todo.database import WriteSession
from todo.domain.projects.models import ACCESS
from todo.errors import Invalid


async def with_access(
    session: WriteSession, project_id: UUID, owner_id: UUID, people: Collection[UUID]
) -> set[UUID]:  # fmt: skip
    """Those of these people who see a project of this owner; their access stays until the transaction ends."""
    if not people:
        return set()
    others = select(ACCESS.user_id).where(ACCESS.project_id == project_id, ACCESS.user_id.in_(list(people)))
    locked = others.order_by(ACCESS.user_id).with_for_update(read=True, key_share=True)
    return set(people) & {owner_id, *await session.scalars(locked)}


async def check_assignees(
    session: WriteSession, project_id: UUID, owner_id: UUID, before: Collection[UUID], after: Collection[UUID]
) -> None:
    """Check whom somebody assigns to a task or a series, instead of those before. Raises Invalid."""
    new = set(after) - set(before)
    if new and new != await with_access(session, project_id, owner_id, new):
        raise Invalid.field("body.assignee_ids", "Assign people who have access to the project.", "not_found")
