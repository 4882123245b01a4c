"""Process several rows in one transaction, of which some may be refused."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from todo.contention import is_contention
from todo.database import WriteSession
from todo.database_errors import problem_from
from todo.errors import Problem, QuotaReached

SIZE = 25  # rows that share a savepoint
CHECK_QUOTAS = text("SET CONSTRAINTS usage_check IMMEDIATE")
T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T], Awaitable[R]]
Prepare = Callable[[Sequence[T]], Awaitable[None]]
Finish = Callable[[Sequence[R | Problem]], Awaitable[None]]


async def process(
    session: WriteSession, items: Sequence[T], work: Work[T, R], prepare: Prepare[T], finish: Finish[R] | None = None
) -> list[R | Problem]:
    """Process the last items of a transaction: as `process_some`, and those that are beyond a quota are refused.

    The quotas of those who own the rows are locked from then on.
    """
    with suppress(QuotaReached):
        async with session.begin_nested():
            found = await process_some(session, items, work, prepare, finish)
            await check_quotas(session)
            return found
    await check_quotas(session)  # from here on with every statement
    return await process_some(session, items, work, prepare, finish)


async def check_quotas(session: WriteSession) -> None:
    """Check quotas now, and then after each statement rather than at the end. Raise QuotaReached."""
    try:
        await session.execute(CHECK_QUOTAS)
    except DBAPIError as error:
        raise problem_of(error) from None


async def process_some(
    session: WriteSession, items: Sequence[T], work: Work[T, R], prepare: Prepare[T], finish: Finish[R] | None = None
) -> list[R | Problem]:
    """Return what `work` makes of each item, or the problem for which it is refused: then nothing of it is kept.

    SIZE items share a savepoint and send their writes together, after `prepare`, which may lock them. Where one is
    refused after it has written something, each item gets a savepoint of its own. `finish` gets what was made of the
    items of a savepoint, and may refuse it.
    """
    found: list[R | Problem] = []
    for start in range(0, len(items), SIZE):
        some = items[start : start + SIZE]
        try:
            found += await _together(session, some, work, prepare, finish)
        except Exception as error:
            problem_of(error)
            found += [await _alone(session, item, work, finish) for item in some]
    return found


def problem_of(error: Exception) -> Problem:
    """Return why a row is refused. Raise the error when it is a bug, or when the transaction can be tried again."""
    problem = error if isinstance(error, Problem) else problem_from(error)
    if problem is None or is_contention(error):
        raise error
    return problem


async def _together(
    session: WriteSession, items: Sequence[T], work: Work[T, R], prepare: Prepare[T], finish: Finish[R] | None
) -> list[R | Problem]:
    found: list[R | Problem] = []
    async with session.together() as batch:
        await prepare(items)
        for item in items:
            written = batch.written
            try:
                found.append(await work(item))
            except Problem as problem:
                if batch.written > written:
                    raise
                found.append(problem)
        if finish:
            await finish(found)
    return found


async def _alone(session: WriteSession, item: T, work: Work[T, R], finish: Finish[R] | None) -> R | Problem:
    try:
        async with session.begin_nested():
            done = await work(item)
            if finish:
                await finish([done])
            return done
    except Exception as error:
        return problem_of(error)
