"""What is locked before what, in requests, jobs and the worker, so that they cannot deadlock.

tests/tasks/test_lock_order.py reads the statements of every verb.

1. The projects of an owner (`lock_projects`), by requests that change the tree, its members or its owner; then the tree
   of an owner's tasks (`lock_tree`), by requests that make a task a subtask, or what the tasks of two owners wait for
   (`lock_dependencies`), by those that let one wait for another.
   Before them, the order of a project (`lock_order`) by moves in it, and the labels or the private notes of a person by
   a change of one.
2. The owner, FOR KEY SHARE (`lock_owner`), by whatever stores a due or adds tasks. A change of the time zone and the
   deletion of the account take FOR UPDATE: what was stored with the old zone is committed before the zone changes. The
   deletion waits here for those who hold the rest. Roles come after users. With the owner comes the project to which a
   task goes (`lock_place`), and after it the role of who writes (`lock_access`): it stays until the write is committed.
3. Series, in the order of their ids. The worker skips what others have locked, and so waits for nobody.
4. Occurrences, which are written by the holder of their series alone.
5. Tasks, those above first, otherwise in the order of their ids; then, by triggers, their reminders.

What was read to find a lock is read again under it; a verb whose task has changed its series meanwhile starts over
(`Contention`). Bulk actions lock the owners, then the tasks of a batch that depend on no other (`held.py`), go from row
to row for the rest, and can meet each other across rows: the database then ends one of them, and `todo.contention` runs
it again.
"""

from collections.abc import Collection, Iterable
from functools import partial
from uuid import UUID

from sqlalchemy import Select, func, select

from todo.database import WriteSession
from todo.domain.accounts.models import USER, User
from todo.errors import Conflict, NotFound


async def lock_tree(session: WriteSession, owner_id: UUID) -> None:
    """Lock the tree of this person's tasks against other moves until the transaction ends.

    Two moves at once could make a cycle that neither of them sees.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"parents {owner_id}", 0))))


async def lock_dependencies(session: WriteSession, owners: Iterable[UUID]) -> None:
    """Lock what the tasks of these people wait for, until the transaction ends.

    Two requests at once could make a cycle that neither of them sees.
    """
    for owner_id in sorted(set(owners)):
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"dependencies {owner_id}", 0))))


async def lock_owner(session: WriteSession, owner_id: UUID | Select[tuple[UUID]]) -> str:
    """The time zone of a person, which stays as it is until the transaction ends.

    Raises NotFound when the query finds nobody, Conflict when an account that was named is gone.
    """
    which = owner_id if isinstance(owner_id, UUID) else owner_id.scalar_subquery()
    found = select(USER.timezone).where(USER.id == which).with_for_update(read=True, key_share=True)
    read = partial(session.scalar, found)
    timezone: str | None = await (session.once(("owner", owner_id), read) if isinstance(owner_id, UUID) else read())
    if timezone is None:
        raise (
            Conflict("This account no longer exists.", slug="account-gone") if isinstance(owner_id, UUID) else NotFound
        )
    return timezone


async def lock_owner_of(session: WriteSession, row: Select[tuple[UUID]]) -> tuple[UUID, str]:
    """The owner of a row and their time zone, as `lock_owner`. Raises NotFound when the query finds no row.

    The row may change hands meanwhile: the caller compares its owner once it is locked.
    """
    found = select(USER.id, USER.timezone).where(USER.id == row.scalar_subquery())
    owner = (await session.execute(found.with_for_update(read=True, key_share=True))).one_or_none()
    if owner is None:
        raise NotFound
    return owner.id, owner.timezone


def unlocked_owners(ids: Collection[UUID]) -> Select[User]:
    """Lock those of these people whom nobody else has locked, without waiting: for the worker, which claims series
    first, and leaves those of the others for later.
    """
    return select(User).where(USER.id.in_(ids)).with_for_update(read=True, key_share=True, skip_locked=True)
