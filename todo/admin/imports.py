"""Import a file in the background: its rows are kept until they are imported, those that are refused after that too.

A file becomes a draft (`upload`), whose columns are assigned to fields (`assign`) and tried out on the first rows
(`preview`). Then it is an admin run (`start`), which imports a hundred rows per transaction (`step`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, literal, select
from sqlalchemy.exc import IntegrityError

from todo.admin.actions import JOB
from todo.admin.context import AdminContext, uuid_of
from todo.admin.declaration import Id
from todo.admin.editor import Editor
from todo.admin.fields import write_text
from todo.admin.file_formats import csv_lines
from todo.admin.import_columns import REASON, check_mapping, guess, mapped
from todo.admin.import_rows import REFUSE_TWICE, keep, next_part, rows_after
from todo.admin.import_steps import ImportForm, Steps, form_of
from todo.admin.import_writes import Seen
from todo.admin.importing import Importer, sum_up
from todo.admin.models import IMPORT, RUN, Run
from todo.admin.queries import Queries
from todo.admin.schemas import Failure, ImportColumn, ImportJob, ImportReport
from todo.admin.spreadsheets import MOST_COLUMNS
from todo.database import WriteSession, now
from todo.errors import Conflict, Invalid, NotFound, Stale
from todo.queue import enqueue

MOST_ROWS = 50_000
SHOWN = 20  # rows that the preview tries out
KEPT = 1_000  # rows per insert
BEGUN = ("waiting", "running", "done", "failed")


class Imports:
    """Imports in the background."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context = context
        self.importer = Importer(context, queries, editor)
        self.import_rows, self.fields = self.importer.import_rows, self.importer.fields
        self._steps = Steps(context, self.importer)
        self.step = self._steps.step

    async def upload(
        self, resource: str, file: str, rows: Iterable[dict[str, Any]], *, lax: bool, after: Id | None = None,
        translate: Callable[[str], str] = str, digest: str = "",
    ) -> UUID:  # fmt: skip
        """Keep the rows of a file as a draft, and return its id. `lax` values are text as people type it.

        `interrupted` finds it by the `digest` of the file.

        Columns are assigned to the fields whose name or label they have, in the language of `translate` too; or as in
        the earlier import `after`. Raise Forbidden or Invalid.
        """
        fields, actor = self.fields(resource), self._context.actor
        async with self._context.transaction() as session:
            earlier = await self._earlier(session, resource, after) if after else None
            run = Run(
                actor_id=actor.id, by_id=None if actor.by is None else actor.by.id,
                scopes=None if actor.scopes is None else sorted(actor.scopes), resource=resource, action=IMPORT,
                target={}, status="draft",
            )  # fmt: skip
            session.add(run)
            await session.flush()
            columns, rest = dict[str, None](), iter(rows)
            while some := await asyncio.to_thread(next_part, rest, KEPT):
                columns |= dict.fromkeys(name for row in some for name in row if name != REASON)
                _check_size(run.total + len(some), len(columns))
                await keep(session, run.id, run.total, some)
                run.total += len(some)
            if not run.total:
                raise Invalid("The file has no rows.")
            mapping = guess([*columns], fields, translate) if earlier is None else earlier.mapping
            mapping = {column: name for column, name in mapping.items() if column in columns}
            operator = actor.by or actor
            form = ImportForm(file[:200], list(columns), lax, mapping, digest=digest)
            form.operator = operator.name if operator.id is None else ""
            run.form = msgspec.to_builtins(form)
        return run.id

    async def get(self, resource: str, run_id: Id) -> ImportJob:
        """Return an import of this actor. Raise Forbidden or NotFound."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            return await self._shown(session, await self._own(session, resource, run_id))

    async def draft(self, resource: str, run_id: Id) -> ImportJob:
        """Return an import of this actor that has not begun. Raise Forbidden, NotFound or Conflict."""
        found = await self.get(resource, run_id)
        _check_draft(found)
        return found

    async def assign(
        self, resource: str, run_id: Id, mapping: Mapping[str, str], versions: frozenset[int] | None = None
    ) -> ImportJob:
        """Assign the columns of a draft to fields. Raise Forbidden, NotFound, Stale, Conflict or Invalid."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            run = await self._own_draft(session, resource, run_id, versions)
            self._assign(run, mapping)
            return await self._shown(session, run)

    async def preview(self, resource: str, run_id: Id, mapping: Mapping[str, str] | None = None) -> ImportReport:
        """Try out the first SHOWN rows, and keep nothing. Raise Forbidden, NotFound, Conflict or Invalid."""
        admin = self._context.table(resource, IMPORT)
        report = ImportReport(False, 0, 0, 0, 0, [])
        async with self._context.transaction() as session, session.begin_nested() as point:
            run = await self._own(session, resource, run_id)
            form, seen = form_of(run), Seen()
            mapping = form.mapping if mapping is None else mapping
            check_mapping(mapping, form.columns, self.fields(resource))
            found = await rows_after(session, run.id, 0, SHOWN)
            rows = [(number, mapped(values, mapping)) for number, values, _ in found]
            report.rows = await self.importer.import_some(session, admin, rows, seen, lax=form.lax)
            await point.rollback()
        sum_up(report)
        return report

    async def start(
        self, resource: str, run_id: Id, mapping: Mapping[str, str] | None = None,
        versions: frozenset[int] | None = None,
    ) -> ImportJob:  # fmt: skip
        """Import a draft: a small one at once, others in the background, or by `finish` for an operator of the machine.

        Raise Forbidden, NotFound, Stale, Conflict when it or an import of the same file has begun, or Invalid.
        """
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            run = await self._own_draft(session, resource, run_id, versions)
            self._assign(run, form_of(run).mapping if mapping is None else mapping)
            run.status = "waiting"
            await self._check_first(session, run)
            # Not that of the request, which its client may have used for other changes: an undo finds the rows by it.
            run.reason, run.request_id = self._context.origin.reason, run.id.hex
            by_id = next((column for column, name in form_of(run).mapping.items() if name == "id"), None)
            if by_id is not None:
                await session.execute(REFUSE_TWICE, {"run": run.id, "column": by_id})
            if self._steps.are_few(run):
                while await self.step(session, run):
                    pass
            elif (self._context.actor.by or self._context.actor).id is not None:
                await enqueue(session, JOB, run_id=str(run.id))
            return await self._shown(session, run)

    async def finish(self, resource: str, run_id: Id, progress: Callable[[int, int], None]) -> ImportJob:
        """Import what is left of a run that no worker continues: at the command line the operator waits for the end.

        `progress` is called with the number of rows done and of all. Raise Forbidden or NotFound.
        """
        more = True
        while more:
            async with self._context.transaction() as session:
                run = await self._own(session, resource, run_id, lock=True)
                more = run.status in {"waiting", "running"} and await self.step(session, run)
            progress(run.done + run.failed, run.total)
        return await self.get(resource, run_id)

    async def interrupted(self, resource: str, digest: str, *, reported: bool = False) -> ImportJob | None:
        """Return the import of a file that this actor has begun at the command line, and whose result was not reported.

        With `reported`, also one whose result was. A worker may have finished it. Raise Forbidden.
        """
        self._context.table(resource, IMPORT)
        found = self._begun(resource, digest)
        if not reported:
            found = found.where(RUN.form["reported"].astext == "false")
        async with self._context.transaction() as session:
            run_id = await session.scalar(found.order_by(RUN.id.desc()).limit(1))
        return await self.get(resource, run_id) if run_id else None

    def _begun(self, resource: str, digest: str) -> Select[Any]:
        """Select the imports of a file that this actor has begun at the command line."""
        return select(RUN.id).where(
            RUN.actor_id.is_not_distinct_from(self._context.actor.id), RUN.resource == resource, RUN.action == IMPORT,
            RUN.form["digest"].astext == digest, literal(digest) != "", RUN.status.in_(BEGUN),
        )  # fmt: skip

    async def note_reported(self, resource: str, run_id: Id) -> None:
        """Note that who has begun an import knows its result. Raise Forbidden or NotFound."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            run = await self._own(session, resource, run_id, lock=True)
            run.form = run.form | {"reported": True}

    async def delete(self, resource: str, run_id: Id, versions: frozenset[int] | None = None) -> None:
        """Delete a draft with its rows. Raise Forbidden, NotFound, Stale, or Conflict when it has begun."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            await session.delete(await self._own_draft(session, resource, run_id, versions))

    async def rest(self, resource: str, run_id: Id) -> AsyncIterator[bytes]:
        """Return what is left of an import as CSV, with the reason of each row. Raise Forbidden or NotFound."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            run = await self._own(session, resource, run_id)
        return self._lines(run.id, form_of(run).columns)

    async def _lines(self, run_id: UUID, columns: Sequence[str]) -> AsyncIterator[bytes]:
        yield csv_lines([[*columns, REASON]], marked=True)
        last = 0
        while True:
            async with self._context.transaction() as session:
                rows = await rows_after(session, run_id, last, KEPT)
            if not rows:
                return
            yield csv_lines(
                [
                    [*(values.get(name) for name in columns), " ".join(errors or ["Not imported yet."])]
                    for _, values, errors in rows
                ]
            )
            last = rows[-1][0]

    async def _check_first(self, session: WriteSession, run: Run) -> None:
        """Write that a run has begun. Raise Conflict when the same command has begun another at the same time."""
        begun = Conflict("An import of this file has begun already.")
        try:
            await session.flush()
        except IntegrityError:
            raise begun from None
        # The other may have ended since this draft was made, and its result been reported.
        others = self._begun(run.resource, form_of(run).digest).where(RUN.id != run.id)
        if await session.scalar(others.where(RUN.updated_at > run.created_at)):
            raise begun

    def _assign(self, run: Run, mapping: Mapping[str, str]) -> None:
        form = form_of(run)
        check_mapping(mapping, form.columns, self.fields(run.resource))
        run.form = msgspec.to_builtins(msgspec.structs.replace(form, mapping=dict(mapping)))
        run.updated_at, run.version = now(), run.version + 1

    async def _shown(self, session: WriteSession, run: Run) -> ImportJob:
        """Return an import as interfaces show it. A draft has what its columns hold in the first rows."""
        form, first = form_of(run), []
        if run.status == "draft":
            first = [values for _, values, _ in await rows_after(session, run.id, 0, SHOWN)]
        filled = {name: [row[name] for row in first if row.get(name) not in (None, "")] for name in form.columns}
        columns = [
            ImportColumn(name, write_text(filled[name][0]) if filled[name] else "", form.mapping.get(name))
            for name in form.columns
        ]
        counts = (run.total, run.done, run.failed, form.added, form.changed, form.unchanged)
        failures = msgspec.convert(run.failures, list[Failure])
        status: Any = run.status
        return ImportJob(run.id, run.version, status, form.file, *counts, columns, failures)

    async def _earlier(self, session: WriteSession, resource: str, after: Id) -> ImportForm:
        try:
            return form_of(await self._own(session, resource, after))
        except NotFound:
            raise Invalid.field("body.after", "There is no such import.", "not_found") from None

    async def _own_draft(
        self, session: WriteSession, resource: str, run_id: Id, versions: frozenset[int] | None
    ) -> Run:
        """Return a locked draft of this actor. Raise NotFound, Stale or Conflict."""
        run = await self._own(session, resource, run_id, lock=True)
        if versions is not None and run.version not in versions:
            raise Stale(await self._shown(session, run))
        _check_draft(run)
        return run

    async def _own(self, session: WriteSession, resource: str, run_id: Id, *, lock: bool = False) -> Run:
        """Return an import that this actor uploaded. Raise NotFound."""
        found = select(Run).where(
            RUN.id == uuid_of(run_id), RUN.actor_id.is_not_distinct_from(self._context.actor.id),
            RUN.resource == resource, RUN.action == IMPORT,
        )  # fmt: skip
        found = found.with_for_update() if lock else found
        run: Run | None = await session.scalar(found.execution_options(populate_existing=True))
        if run is None:
            raise NotFound
        return run


def _check_draft(run: Run | ImportJob) -> None:
    if run.status != "draft":
        raise Conflict("This import has begun already.")


def _check_size(rows: int, columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise Invalid(f"A file can have at most {MOST_COLUMNS} columns.")
    if rows > MOST_ROWS:
        raise Invalid(f"A file can have at most {MOST_ROWS:,} rows. Split the file.")
