"""Import a file in the background: its rows are kept until they are imported, those that are refused after that too.

A file becomes a draft (`upload`), whose columns are assigned to fields and tried out on the first rows (`preview`).
Then it is an admin run (`start`), which imports BATCH rows per transaction (`step`).
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import TEXT

from todo.admin.actions import JOB
from todo.admin.context import AdminContext, uuid_of
from todo.admin.declaration import Id
from todo.admin.editor import Editor
from todo.admin.fields import Field, write_text
from todo.admin.file_formats import csv_lines
from todo.admin.importing import Importer, Seen, sum_up
from todo.admin.models import IMPORT, IMPORT_ROW, RUN, ImportRow, Run
from todo.admin.queries import Queries
from todo.admin.schemas import Failure, ImportReport
from todo.audit import record
from todo.database import WriteSession, now, table_of
from todo.errors import Conflict, Invalid, NotFound
from todo.queue import enqueue

MOST_ROWS = 50_000
BATCH = 100  # rows per transaction; a file of no more is imported at once
NAMED = 100  # refused rows that the run itself names
SHOWN = 20  # rows that the preview tries out
KEPT = 1_000  # rows per insert
REASON = "rejected_because"  # the column with the reasons in a file of refused rows; not read from one
TWICE = "id: An earlier row has the same id."
TABLE = table_of(ImportRow)


# Of rows with the same id, the first is imported.
_ID = IMPORT_ROW["values"].op("->>")(bindparam("column", type_=TEXT))
_RANKED = select(IMPORT_ROW.number, func.row_number().over(partition_by=_ID, order_by=IMPORT_ROW.number).label("rank"))
_TWICE = _RANKED.where(IMPORT_ROW.run_id == bindparam("run"), _ID != "").subquery()
REFUSE_TWICE = update(TABLE).values(errors=[TWICE]).where(
    IMPORT_ROW.run_id == bindparam("run"), IMPORT_ROW.number.in_(select(_TWICE.c.number).where(_TWICE.c.rank > 1))
)  # fmt: skip


class ImportForm(Struct):
    """The form of an import's run: `columns` of the file, those that are imported with their fields, results so far."""

    file: str
    columns: list[str]
    lax: bool
    mapping: dict[str, str] = {}
    added: int = 0
    changed: int = 0
    unchanged: int = 0


class Draft(NamedTuple):
    """An import that has not begun: its number of rows, its form, and what the columns have in the first rows."""

    total: int
    form: ImportForm
    examples: dict[str, str]


class Imports:
    """Imports in the background."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._editor = context, editor
        self.importer = Importer(context, queries, editor)
        self.import_rows = self.importer.import_rows

    def fields(self, resource: str) -> list[Field]:
        """Return the fields that a column can be imported into. Raise Forbidden."""
        admin = self._context.table(resource, IMPORT)
        writable = {field.name for adding in (True, False) for field in self._editor.writable(resource, adding=adding)}
        return [field for field in admin.fields.values() if field.name in writable | {"id"}]

    async def upload(
        self, resource: str, file: str, rows: Iterable[dict[str, Any]], *, lax: bool, after: Id | None = None
    ) -> UUID:
        """Keep the rows of a file as a draft, and return its id. `lax` values are text as people type it.

        `after` is an earlier import, whose columns are assigned in the same way. Raise Forbidden or Invalid.
        """
        self._context.table(resource, IMPORT)
        actor = self._context.actor
        async with self._context.transaction() as session:
            earlier = await self._form_of(session, resource, after) if after else None
            run = Run(
                actor_id=actor.user_id, by_id=None if actor.by is None else actor.by.user_id,
                scopes=None if actor.scopes is None else sorted(actor.scopes), resource=resource, action=IMPORT,
                target={}, status="draft",
            )  # fmt: skip
            session.add(run)
            await session.flush()
            columns: dict[str, None] = {}
            for first, some in enumerate(_parts(rows, KEPT)):
                columns |= dict.fromkeys(name for row in some for name in row if name != REASON)
                run.total += len(some)
                _check_size(run.total)
                await session.execute(insert(TABLE), _numbered(run.id, first * KEPT, some))
            if not run.total:
                raise Invalid("The file has no rows.")
            mapping = {} if earlier is None else {one: name for one, name in earlier.mapping.items() if one in columns}
            run.form = msgspec.to_builtins(ImportForm(file[:200], list(columns), lax, mapping))
        return run.id

    async def draft(self, resource: str, run_id: Id) -> Draft:
        """Return an import of this actor that has not begun. Raise Forbidden, NotFound or Conflict."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            run = await self._own(session, resource, run_id)
            _check_draft(run)
            first = [values for _, values, _ in await _rows_after(session, run.id, 0, SHOWN)]
        form = msgspec.convert(run.form, ImportForm)
        filled = {name: [row[name] for row in first if row.get(name) not in (None, "")] for name in form.columns}
        return Draft(run.total, form, {name: write_text(values[0]) for name, values in filled.items() if values})

    async def preview(self, resource: str, run_id: Id, mapping: Mapping[str, str]) -> ImportReport:
        """Try out the first SHOWN rows, and keep nothing. Raise Forbidden, NotFound, Conflict or Invalid."""
        admin = self._context.table(resource, IMPORT)
        self._check_mapping(resource, mapping)
        report = ImportReport(False, 0, 0, 0, 0, [])
        async with self._context.transaction() as session, session.begin_nested() as point:
            run = await self._own(session, resource, run_id)
            form, seen = msgspec.convert(run.form, ImportForm), Seen()
            for number, values, _ in await _rows_after(session, run.id, 0, SHOWN):
                row = _mapped(values, mapping)
                report.rows.append(await self.importer.import_row(session, admin, number, row, seen, lax=form.lax))
            await point.rollback()
        sum_up(report)
        return report

    async def start(self, resource: str, run_id: Id, mapping: Mapping[str, str]) -> None:
        """Import a draft: a small one at once, others in the background.

        Raise Forbidden, NotFound, Conflict when it has begun, or Invalid.
        """
        self._context.table(resource, IMPORT)
        self._check_mapping(resource, mapping)
        async with self._context.transaction() as session:
            run = await self._own(session, resource, run_id, lock=True)
            _check_draft(run)
            form = msgspec.convert(run.form, ImportForm)
            run.form = msgspec.to_builtins(msgspec.structs.replace(form, mapping=dict(mapping)))
            run.status, run.updated_at, run.version = "waiting", now(), run.version + 1
            # Not that of the request, which its client may have used for other changes: an undo finds the rows by it.
            run.reason, run.request_id = self._context.origin.reason, run.id.hex
            by_id = next((column for column, name in mapping.items() if name == "id"), None)
            if by_id is not None:
                await session.execute(REFUSE_TWICE, {"run": run.id, "column": by_id})
            if run.total > BATCH:
                await enqueue(session, JOB, run_id=str(run.id))
                return
            while await self.step(session, run):
                pass

    async def step(self, session: WriteSession, run: Run) -> bool:
        """Import the next rows of a locked run in the caller's transaction. Return whether there may be more.

        A row that is imported is no longer kept; so one is never imported twice. Raise Forbidden.
        """
        admin, form = self._context.table(run.resource, IMPORT), msgspec.convert(run.form, ImportForm)
        session.origin = replace(session.origin, request_id=run.request_id)
        seen, refused, counts = Seen(), [], {"add": form.added, "change": form.changed, "nothing": form.unchanged}
        rows = await _rows_after(session, run.id, run.done + run.failed, BATCH)
        for number, values, errors in rows:
            if not errors:
                row = _mapped(values, form.mapping)
                done = await self.importer.import_row(session, admin, number, row, seen, lax=form.lax)
                errors = done.errors
            if errors:
                refused.append((number, errors))
            else:
                counts[done.action] += 1
        await _settle(session, run.id, [number for number, _, _ in rows], refused)
        added, changed, unchanged = counts.values()
        form = msgspec.structs.replace(form, added=added, changed=changed, unchanged=unchanged)
        run.form = msgspec.to_builtins(form)
        run.done, run.failed = added + changed + unchanged, run.failed + len(refused)
        failures = [Failure(str(number), " ".join(errors)) for number, errors in refused]
        run.failures = [*run.failures, *msgspec.to_builtins(failures)][:NAMED]
        run.status, run.updated_at, run.version = "running" if rows else "done", now(), run.version + 1
        if not rows:
            details = {"file": form.file, "added": added, "changed": changed, "refused": run.failed, "run": str(run.id)}
            await record(session, admin.event("import"), admin.name, after=details)
        return bool(rows)

    async def rest(self, resource: str, run_id: Id) -> AsyncIterator[bytes]:
        """Return what is left of an import as CSV, with the reason of each row. Raise Forbidden or NotFound."""
        self._context.table(resource, IMPORT)
        async with self._context.transaction() as session:
            run = await self._own(session, resource, run_id)
        return self._lines(run.id, msgspec.convert(run.form, ImportForm).columns)

    async def _lines(self, run_id: UUID, columns: Sequence[str]) -> AsyncIterator[bytes]:
        yield csv_lines([[*columns, REASON]], marked=True)
        last = 0
        while True:
            async with self._context.transaction() as session:
                rows = await _rows_after(session, run_id, last, KEPT)
            if not rows:
                return
            yield csv_lines(
                [
                    [*(values.get(name) for name in columns), " ".join(errors or ["Not imported yet."])]
                    for _, values, errors in rows
                ]
            )
            last = rows[-1][0]

    def _check_mapping(self, resource: str, mapping: Mapping[str, str]) -> None:
        """Raise Invalid for an unknown field, one with two columns, and none at all."""
        known = {field.name: field.label for field in self.fields(resource)}
        for name in mapping.values():
            if name not in known:
                raise Invalid(f"There is no field {name} to import into.")
            if [*mapping.values()].count(name) > 1:
                raise Invalid(f"Two columns are assigned to {known[name]}.")
        if not mapping:
            raise Invalid("Assign at least one column to a field.")

    async def _form_of(self, session: WriteSession, resource: str, run_id: Id) -> ImportForm:
        return msgspec.convert((await self._own(session, resource, run_id)).form, ImportForm)

    async def _own(self, session: WriteSession, resource: str, run_id: Id, *, lock: bool = False) -> Run:
        """Return an import that this actor uploaded. Raise NotFound."""
        found = select(Run).where(
            RUN.id == uuid_of(run_id), RUN.actor_id == self._context.actor.id, RUN.resource == resource,
            RUN.action == IMPORT,
        )  # fmt: skip
        run: Run | None = await session.scalar(found.with_for_update() if lock else found)
        if run is None:
            raise NotFound
        return run


def guess(columns: Sequence[str], fields: Sequence[Field], translate: Callable[[str], str] = str) -> dict[str, str]:
    """Assign columns to the fields whose name or label they have, whatever its case and blanks."""
    known: dict[str, str] = {}
    for field in fields:
        for text in (field.name, field.label, translate(field.label)):
            known.setdefault(_key(text), field.name)
    found: dict[str, str] = {}
    for column in columns:
        name = known.get(_key(column))
        if name is not None and name not in found.values():
            found[column] = name
    return found


def _key(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def _parts(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    rest = iter(rows)
    return iter(lambda: list(islice(rest, size)), [])


def _numbered(run_id: UUID, first: int, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"run_id": run_id, "number": number, "values": {name: row[name] for name in row if name != REASON}}
        for number, row in enumerate(rows, first + 1)
    ]


def _mapped(values: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    return {name: values[column] for column, name in mapping.items() if column in values}


def _check_draft(run: Run) -> None:
    if run.status != "draft":
        raise Conflict("This import has begun already.")


def _check_size(rows: int) -> None:
    if rows > MOST_ROWS:
        raise Invalid(f"A file can have at most {MOST_ROWS:,} rows. Split the file.")


async def _rows_after(session: WriteSession, run_id: UUID, number: int, limit: int) -> Sequence[Any]:
    """Return number, values and errors of the next rows that are kept."""
    found = select(IMPORT_ROW.number, IMPORT_ROW["values"], IMPORT_ROW.errors)
    found = found.where(IMPORT_ROW.run_id == run_id, IMPORT_ROW.number > number)
    return (await session.execute(found.order_by(IMPORT_ROW.number).limit(limit))).all()


async def _settle(
    session: WriteSession, run_id: UUID, numbers: Sequence[int], refused: Sequence[tuple[int, list[str]]]
) -> None:
    """Keep the refused rows with their errors, and no longer the others."""
    gone = set(numbers) - {number for number, _ in refused}
    await session.execute(delete(TABLE).where(IMPORT_ROW.run_id == run_id, IMPORT_ROW.number.in_(gone)))
    for number, errors in refused:
        at = (IMPORT_ROW.run_id == run_id) & (IMPORT_ROW.number == number)
        await session.execute(update(TABLE).where(at).values(errors=errors))
