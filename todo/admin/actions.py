"""Actions on one row, a selection, all matching rows, or the resource. Many rows are processed in the background."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from todo.admin.context import AdminContext, uuid_of
from todo.admin.declaration import Action, Id, ModelAdmin, Resource, RowsAdmin
from todo.admin.editor import Editor, Versions
from todo.admin.lookups import CAP
from todo.admin.models import Run
from todo.admin.queries import Queries
from todo.admin.schemas import Failure, ListQuery, Outcome, Selection
from todo.admin.several import process
from todo.admin.values import read_action_form
from todo.database import WriteSession, columns, now
from todo.errors import FieldError, Invalid, NotFound, Problem
from todo.queue import enqueue

AT_ONCE = 100  # rows per request; more are processed in the background
KEPT = 100  # failures and messages kept
USUAL = {
    "change": "change",
    "delete": "delete",
    "restore": "delete",
}  # actions on many rows, and the permissions they need
JOB = "run_admin_action"


class Actions:
    """Run actions, and the built-in verbs on many rows."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._queries, self._editor = context, queries, editor
        self.progress: Callable[[int], None] = lambda rows: None  # gets how many rows are through

    async def act(
        self, resource: str, name: str, on: Selection, form: Mapping[str, Any] | None = None, *, lax: bool = False
    ) -> Outcome:
        """Run an action. Rows that fail are listed in `failed`; the others are changed.

        `change`, `delete` and `restore` are actions too. More than AT_ONCE rows, or an action declared with
        `background`, run in the background: `run` is then the id of the row that reports progress. Raise Forbidden,
        NotFound or Invalid.
        """
        found = self._context.registry[resource]
        action = self.require_action(found, name)
        given = self.read_form(found, name, form or {}, lax=lax)
        if action is not None and action.on == "resource":
            return await self._on_resource(action, given)
        if not on.ids and on.matching is None:
            raise Invalid.field("body.ids", "Give the ids of the rows, or select all that match.")
        if isinstance(found, RowsAdmin):
            return await self._on_rows(found, name, [str(row_id) for row_id in on.ids], given)
        admin = self._context.registry.table(resource)
        on = await self._as_it_is(admin, name, on)
        if (self._context.actor.by or self._context.actor).id is None:
            return await self._run_now(admin, name, on, given)
        many = len(on.ids) if on.matching is None else await self._how_many(admin, on.matching)
        if many > AT_ONCE or (action is not None and action.background):
            return await self._enqueue(admin, name, on, given, many)
        async with self._context.transaction() as session:
            ids = await self.next_ids(session, admin, on, None)
            return await self.act_in(session, admin, name, on, ids, given)

    async def act_on_one(
        self, resource: str, name: str, row_id: Id, form: Mapping[str, Any] | None = None, *,
        version: Versions = None, lax: bool = False,
    ) -> Outcome:  # fmt: skip
        """Run an action on one row. Raise Forbidden, NotFound, Conflicted, Invalid, and the action's own errors."""
        found = self._context.registry[resource]
        action = self.require_action(found, name)
        if action is not None and action.on == "resource":
            raise NotFound
        if action is not None and action.background and isinstance(found, ModelAdmin):
            async with self._context.transaction() as session:
                row = await self._context.locked(session, self._context.registry.table(resource), row_id)
                self._context.require(found, name, row)
                await self._editor.check_version(session, self._context.registry.table(resource), row, version, {})
            return await self.act(resource, name, Selection(ids=[uuid_of(row_id)]), form, lax=lax)
        given = self.read_form(found, name, form or {}, lax=lax)
        async with self._context.transaction() as session:
            if isinstance(found, RowsAdmin):
                row = await self._queries.get(resource, row_id)
            else:
                admin = self._context.registry.table(resource)
                row = await self._context.locked(session, admin, row_id)
                await self._editor.check_version(session, admin, row, version, {})
            message = await self._one(session, found, name, row, given)
        return Outcome(1, messages=[message] if message else [])

    async def act_in(
        self, session: WriteSession, admin: ModelAdmin[Any], name: str, on: Selection, ids: Sequence[UUID], given: Any
    ) -> Outcome:
        """Run an action on these rows in the caller's transaction."""
        ordered = await admin.in_order(self._context.action_context(session), ids)

        async def one(row_id: UUID) -> str:
            row = await self._still_to_do(session, admin, name, on, row_id)
            return "" if row is None else await self._one(session, admin, name, row, given)

        results = await process(session, ordered, one, partial(self._context.hold, session, admin))
        failed = [
            Failure(str(row_id), sentence(result))
            for row_id, result in zip(ordered, results, strict=True)
            if isinstance(result, Problem)
        ]
        messages = [result for result in results if isinstance(result, str) and result]
        return Outcome(len(results) - len(failed), failed, messages)

    async def next_ids(
        self, session: WriteSession, admin: ModelAdmin[Any], on: Selection, after: UUID | None
    ) -> list[UUID]:
        """Return the next rows to process, ordered by id."""
        if on.matching is None:
            ids = sorted({uuid_of(row_id) for row_id in on.ids})
            return [row_id for row_id in ids if after is None or row_id > after][:AT_ONCE]
        reads = self._context.reads(admin)
        given = self._queries.lists.params(admin, on.matching)
        found = reads.ids(given, trashed=on.matching.trash, after=after is not None).limit(AT_ONCE)
        rows = await session.scalars(
            found, {**given, **self._queries.lists.common_params, "after": after, "until": on.until}
        )
        return list(rows.all())

    def read_form(self, resource: Resource, name: str, form: Mapping[str, Any], *, lax: bool = False) -> Any:
        """Convert the form of an action to its type. Raise Invalid."""
        action = resource.actions.get(name)
        if action is None and name == "change":
            if not form:
                raise Invalid.field("body.form", "Give the fields to change.")
            return self._editor.accept(self._context.registry.table(resource.name), form, adding=False, lax=lax)
        if action is None or action.form is None:
            if form:
                raise Invalid.field(f"body.{sorted(form)[0]}", "This action has no fields.")
            return None
        return read_action_form(action, action.form, form, lax=lax)

    def require_action(self, resource: Resource, name: str) -> Action | None:
        """Return the action, or None for a built-in verb. Raise Forbidden or NotFound."""
        action = resource.actions.get(name)
        if action is None and (name not in USUAL or isinstance(resource, RowsAdmin)):
            known = ", ".join(resource.actions) or "none"
            raise NotFound(f"There is no action {name} for {resource.label.lower()}. Actions: {known}.")
        self._context.require(resource, USUAL[name] if action is None else name)
        return action

    async def _one(self, session: WriteSession, resource: Resource, name: str, row: Any, given: Any) -> str:
        action = resource.actions.get(name)
        if action is None:
            admin = self._context.registry.table(resource.name)
            await {
                "change": lambda: self._editor.change_locked(session, admin, row, given),
                "delete": lambda: self._editor.delete_locked(session, admin, row),
                "restore": lambda: self._editor.restore_locked(session, admin, row),
            }[name]()
            return ""
        self._context.require(resource, name, row)
        arguments = (row,) if action.form is None else (row, given)
        return str(await action.run(self._context.action_context(session), *arguments) or "")

    async def _as_it_is(self, admin: ModelAdmin[Any], name: str, on: Selection) -> Selection:
        """Fix the selection in time: an action may create or trash other rows that match. Raise Invalid."""
        purge = on.matching is not None and on.matching.trash
        if name == "delete" and admin.trash and on.ids:
            table, trashed = columns(admin.model), columns(admin.model)[admin.trash].is_not(None)
            found = select(func.bool_or(trashed), func.bool_and(trashed)).where(
                table["id"].in_(on.ids), *self._context.scope(admin)
            )
            async with self._context.transaction() as session:
                some, purge = (await session.execute(found.params(actor=self._context.actor.id))).one()
            if some and not purge:
                raise Invalid.field("body.ids", "Select either rows in the trash or rows outside it, not both.")
        return msgspec.structs.replace(on, until=now(), purge=bool(purge))

    async def _still_to_do(
        self, session: WriteSession, admin: ModelAdmin[Any], name: str, on: Selection, row_id: UUID
    ) -> Any | None:
        """Return the row, locked, or None when it was deleted along with another one, as subtasks are.

        Raise NotFound.
        """
        try:
            row = await self._context.locked(session, admin, row_id)
        except NotFound:
            if name == "delete" and on.matching is not None:
                return None
            raise
        trashed = bool(admin.trash) and getattr(row, admin.trash) is not None
        went_along = (name == "delete" and trashed and not on.purge) or (
            name == "restore" and bool(admin.trash) and not trashed
        )
        return None if went_along else row

    async def _on_resource(self, action: Action, given: Any) -> Outcome:
        async with self._context.transaction() as session:
            message = await action.run(self._context.action_context(session), *([] if action.form is None else [given]))
        return Outcome(1, messages=[str(message)] if message else [])

    async def _on_rows(self, resource: RowsAdmin, name: str, ids: Sequence[str], given: Any) -> Outcome:
        outcome = Outcome(0)
        for row_id in ids:
            try:
                async with self._context.transaction() as session, session.begin_nested():
                    row = await self._queries.get(resource.name, row_id)
                    message = await self._one(session, resource, name, row, given)
                outcome.done += 1
                outcome.messages += [message] if message else []
            except Problem as problem:
                outcome.failed.append(Failure(row_id, sentence(problem)))
        return outcome

    async def _run_now(self, admin: ModelAdmin[Any], name: str, on: Selection, given: Any) -> Outcome:
        """Process all rows at once: on the command line the operator waits for the result."""
        outcome, last = Outcome(0), None
        while True:
            async with self._context.transaction() as session:
                ids = await self.next_ids(session, admin, on, last)
                part = await self.act_in(session, admin, name, on, ids, given)
            outcome = Outcome(
                outcome.done + part.done, outcome.failed + part.failed, (outcome.messages + part.messages)[:KEPT]
            )
            self.progress(outcome.done + len(outcome.failed))
            if len(ids) < AT_ONCE:
                return outcome
            last = ids[-1]

    async def _how_many(self, admin: ModelAdmin[Any], list_query: ListQuery) -> int:
        """Count the matching rows, up to CAP."""
        given = self._queries.lists.params(admin, list_query)
        gauge = await self._queries.lists.gauge(admin, given, list_query)
        counts = await self._queries.lists.counts(admin, given, list_query, gauge)
        return min(counts.total, CAP) if counts.exact else CAP

    async def _enqueue(self, admin: ModelAdmin[Any], name: str, on: Selection, given: Any, total: int) -> Outcome:
        """Queue the action for the worker, with the form as already parsed here."""
        scopes = None if self._context.actor.scopes is None else sorted(self._context.actor.scopes)
        by_id = None if self._context.actor.by is None else self._context.actor.by.user_id
        run = Run(
            actor_id=self._context.actor.user_id, by_id=by_id, scopes=scopes, resource=admin.name, action=name,
            target=msgspec.to_builtins(on), form=msgspec.to_builtins(given or {}), total=total,
            reason=self._context.origin.reason,
        )  # fmt: skip
        run.request_id = run.id.hex  # not that of the request, as of an import: an undo finds the rows by it
        async with self._context.transaction() as session:
            session.add(run)
            await session.flush()
            await enqueue(session, JOB, run_id=str(run.id))
        return Outcome(0, run=run.id)


def sentence(problem: Problem) -> str:
    """Return the problem as one line, with the fields it is about."""
    return " ".join(_named(error) for error in problem.errors) or problem.detail


def _named(error: FieldError) -> str:
    name = error.field.removeprefix("body").removeprefix(".form").lstrip(".")
    return f"{name}: {error.message}" if name else error.message
