"""Background runs: a hundred rows per transaction, each continuing where the last one ended."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from time import monotonic
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, select

from todo.access import EVERYTHING, Actor, Origin
from todo.admin.actions import JOB, KEPT, sentence
from todo.admin.import_steps import form_of
from todo.admin.models import IMPORT, RUN, Run
from todo.admin.registry import Registry
from todo.admin.schemas import Failure, Outcome, Selection
from todo.admin.service import AdminService
from todo.admin.undo import Undone, finish_undo, undo_part
from todo.cleanup import Expired
from todo.contention import retry
from todo.database import Database, WriteSession, now
from todo.database_errors import problem_from
from todo.errors import Problem
from todo.queue import enqueue

PART = 200  # rows of an import that are undone in a transaction
STINT = 60  # seconds; a job has five minutes
LAPSED = timedelta(minutes=2)  # since the last step of a run
MOST = 100  # runs queued again at once
DAYS = timedelta(days=90)
DRAFT_DAYS = timedelta(days=1)
EXPIRED = (
    Expired(Run, RUN.updated_at < func.now() - DAYS),  # one that is not over by then never will be
    Expired(Run, and_(RUN.status == "draft", RUN.updated_at < func.now() - DRAFT_DAYS)),
)
FindActor = Callable[[WriteSession, UUID], Awaitable[Actor | None]]


async def carry_out(
    registry: Registry, database: Database, find_actor: FindActor, run_id: UUID, origin: Origin
) -> None:
    """Continue a run until it is done, or for STINT seconds; then another job continues.

    Safe to repeat: each step locks the run and starts where it stands.
    """
    until = monotonic() + STINT
    try:
        while await retry(partial(_step, registry, database, find_actor, run_id, origin)):
            if monotonic() > until:
                async with database.session(origin) as session:
                    await enqueue(session, JOB, run_id=str(run_id))
                return
    except Exception as error:
        problem = problem_from(error)  # such as a quota, which the database checks at the end of a transaction
        async with database.session(origin) as session:
            run = await _locked(session, run_id)
            if run is not None:
                _fail(run, sentence(problem) if problem else "Internal error. See the log.")
        raise


async def _step(registry: Registry, database: Database, find_actor: FindActor, run_id: UUID, origin: Origin) -> bool:
    """Process the next rows. Return whether there may be more."""
    async with database.session(origin) as session:
        run = await _locked(session, run_id)
        if run is None or run.status not in {"waiting", "running"}:
            return False
        actor = await _actor_of(session, find_actor, run)
        if actor is None:
            _fail(run, "The user who started this no longer exists.")
            return False
        acting = replace(origin.by(actor), request_id=run.request_id or origin.request_id)
        try:
            return await _next(AdminService(registry, database, acting, session, run.reason), run)
        except Problem as problem:
            _fail(run, sentence(problem))
            return False


async def _actor_of(session: WriteSession, find_actor: FindActor, run: Run) -> Actor | None:
    """Return the actor with the current permissions, but no more than at the start."""
    operator = _operator_of(run)
    actor = operator if run.actor_id is None else await find_actor(session, run.actor_id)
    by = (operator if run.actor_id else None) if run.by_id is None else await find_actor(session, run.by_id)
    if actor is None or (by is None and run.by_id is not None):
        return None
    return replace(actor, by=by, scopes=None if run.scopes is None else frozenset(run.scopes))


def _operator_of(run: Run) -> Actor | None:
    """Return the operator of the machine who has begun an import at the command line."""
    name = form_of(run).operator if run.action == IMPORT else ""
    return Actor(None, name, "operator", frozenset({EVERYTHING})) if name else None


async def continue_lapsed(database: Database, origin: Origin) -> None:
    """Queue the runs that nobody continues: the command that imported a file was killed, or their job was lost.

    Who processes a run has locked it during a step, and notes the time of each.
    """
    lapsed = select(Run).where(RUN.status.in_(["waiting", "running"]), RUN.updated_at < func.now() - LAPSED)
    async with database.session(origin) as session:
        for run in await session.scalars(lapsed.with_for_update(skip_locked=True).limit(MOST)):
            run.updated_at = now()
            await enqueue(session, JOB, run_id=str(run.id))


async def _next(service: AdminService, run: Run) -> bool:
    if run.action == IMPORT:
        async with service.context.transaction() as session:
            return await service.imports.step(session, run)
    actions, admin = service.actions, service.context.table(run.resource)
    actions.require_action(admin, run.action)
    on = msgspec.convert(run.target, Selection)
    async with service.context.transaction() as session:
        ids = await actions.next_ids(session, admin, on, run.last_id)
        if admin.model is Run and run.action == "undo" and ids:
            return await _undo(service, session, run, ids[0])
        given = actions.read_form(admin, run.action, run.form)
        outcome = await actions.act_in(session, admin, run.action, on, ids, given)
    _note(run, outcome)
    run.status, run.last_id = ("running", ids[-1]) if ids else ("done", run.last_id)
    return bool(ids)


async def _undo(service: AdminService, session: WriteSession, run: Run, undone_id: UUID) -> bool:
    """Undo the next rows of another run: as many as an import had would take longer than a job may."""
    so_far, admin = msgspec.convert(run.form, Undone), service.context.table(run.resource)
    more = False
    try:
        async with session.begin_nested():
            other = await service.context.locked(session, admin, undone_id)
            service.context.require(admin, "undo", other)
            more = await undo_part(service, session, other, so_far, PART)
            message = "" if more else await finish_undo(session, other, so_far)
        _note(run, Outcome(0 if more else 1, messages=[message] if message else []))
    except Problem as problem:
        _note(run, Outcome(0, [Failure(str(undone_id), sentence(problem))]))
    run.form = msgspec.to_builtins(so_far) if more else {}
    run.status, run.last_id = "running", run.last_id if more else undone_id
    return True


def _note(run: Run, outcome: Outcome) -> None:
    run.done += outcome.done
    run.failed += len(outcome.failed)
    run.failures = [*run.failures, *msgspec.to_builtins(outcome.failed)][:KEPT]
    run.messages = [*run.messages, *outcome.messages][:KEPT]
    run.updated_at, run.version = now(), run.version + 1


def _fail(run: Run, why: str) -> None:
    run.status = "failed"
    _note(run, Outcome(0, [Failure("", why)]))


async def _locked(session: WriteSession, run_id: UUID) -> Run | None:
    run: Run | None = await session.scalar(select(Run).where(RUN.id == run_id).with_for_update())
    return run
