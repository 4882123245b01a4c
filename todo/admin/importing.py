"""Import the rows of a file: those with an `id` change that row, the others are added."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any, Literal

import msgspec

from todo.admin.actions import sentence
from todo.admin.context import AdminContext
from todo.admin.declaration import ModelAdmin
from todo.admin.editor import Editor
from todo.admin.fields import Field
from todo.admin.file_formats import Format, read_rows
from todo.admin.import_columns import renamed
from todo.admin.queries import Queries
from todo.admin.schemas import Difference, ImportedRow, ImportReport
from todo.audit import record
from todo.contention import is_contention
from todo.database import WriteSession
from todo.database_errors import problem_from
from todo.errors import Invalid, NotFound, Problem

NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")  # as spreadsheets have times: without a zone
MOST_AT_ONCE = 5_000  # rows of a file that is imported as a whole


@dataclass
class Applied:
    """The effect of one row."""

    action: Literal["add", "change", "nothing"]
    id: str
    changes: list[Difference]


@dataclass
class Seen:
    """What earlier rows of a file have had: ids, names of references with their ids, and names without one."""

    ids: set[str] = member(default_factory=set)
    named: dict[tuple[str, str], str] = member(default_factory=dict)
    unclear: dict[tuple[str, str], str] = member(default_factory=dict)  # and why


class Importer:
    """Imports a file as a whole: all rows or none."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._queries, self._editor = context, queries, editor

    async def import_rows(
        self, resource: str, data: bytes, form: Format = "csv", *, apply: bool = False,
        columns: Mapping[str, str] | None = None, progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:  # fmt: skip
        """Import rows: those with an `id` change that row, the others are added. Nothing is saved unless `apply`.

        Read-only fields are ignored, so that an export can be imported; unknown fields are errors. If one row is
        rejected, nothing is applied. `columns` of the file go into other fields than their names
        say. `progress` is called with the number of rows done and of all.

        Raise Forbidden, NotFound, or Invalid for the file.
        """
        admin = self._context.table(resource, "import")
        rows = await asyncio.to_thread(read_rows, data, form)
        if columns is not None:
            rows = renamed(rows, self.fields(resource), columns, admin.fields.keys() | {"display", "displays"})
        self._check_names(admin, rows)
        report = ImportReport(False, 0, 0, 0, 0, [], self._ignored(admin, rows))
        async with self._context.transaction() as session, session.begin_nested() as point:
            seen = Seen()
            for number, row in enumerate(rows, 1):
                report.rows.append(await self.import_row(session, admin, number, row, seen, lax=form != "json"))
                if progress:
                    progress(number, len(rows))
            sum_up(report)
            if not apply or report.refused:
                await point.rollback()
                return report
            counts = {"added": report.added, "changed": report.changed}
            await record(session, admin.event("import"), resource, after=counts)
        report.applied = True
        return report

    def fields(self, resource: str) -> list[Field]:
        """Return the fields that a column can be imported into. Raise Forbidden."""
        admin = self._context.table(resource, "import")
        writable = {field.name for adding in (True, False) for field in self._editor.writable(resource, adding=adding)}
        return [field for field in admin.fields.values() if field.name in writable | {"id"}]

    def _check_names(self, admin: ModelAdmin[Any], rows: list[dict[str, Any]]) -> None:
        if not rows:
            raise Invalid.field("body.rows", "The file has no rows.")
        if len(rows) > MOST_AT_ONCE:
            raise Invalid.field("body.rows", f"A file can have at most {MOST_AT_ONCE} rows. Split the file.")
        seen = {name for row in rows for name in row}
        if unknown := sorted(seen - set(admin.fields) - {"display", "displays"}):
            raise Invalid.field(f"body.rows.{unknown[0]}", f"Unknown field {unknown[0]}.")

    def _ignored(self, admin: ModelAdmin[Any], rows: list[dict[str, Any]]) -> list[str]:
        """Return the columns with a value in a row where they cannot be written."""
        kinds = (False, True)
        writable = {kind: {field.name for field in self._editor.writable(admin.name, adding=kind)} for kind in kinds}
        ignored = {
            name for row in rows for name, value in row.items()
            if value not in (None, "") and name not in writable[not row.get("id")] | {"id", "display", "displays"}
        }  # fmt: skip
        return sorted(ignored)

    async def import_row(
        self, session: WriteSession, admin: ModelAdmin[Any], number: int, row: dict[str, Any], seen: Seen, *,
        lax: bool,
    ) -> ImportedRow:  # fmt: skip
        """Add or change a row in a savepoint of the caller's transaction, or report why it is refused."""
        row_id = str(row.get("id") or "") or None
        if row_id in seen.ids:
            return ImportedRow(number, row_id, "refused", errors=["id: An earlier row has the same id."])
        seen.ids |= {row_id} if row_id else set()
        try:
            row = await self._with_ids(admin, row, seen)
            async with session.begin_nested():
                done = await (
                    self._import_change(session, admin, row_id, row, lax=lax)
                    if row_id
                    else self._import_add(session, admin, row, lax=lax)
                )
            return ImportedRow(number, done.id, done.action, done.changes)
        except Exception as error:
            problem = error if isinstance(error, Problem) else problem_from(error)
            if problem is None or is_contention(error):
                raise
            return ImportedRow(number, row_id, "refused", errors=_reasons(problem, _unclear(admin, row, seen)))

    async def _with_ids(self, admin: ModelAdmin[Any], row: dict[str, Any], seen: Seen) -> dict[str, Any]:
        """Return the row with ids for the names of references that name one row, and times without a zone as UTC."""
        found = dict(row)
        for name, text in row.items():
            field = admin.fields.get(name)
            if field is not None and field.kind == "instant" and isinstance(text, str) and NAIVE.fullmatch(text):
                found[name] = f"{text}Z"
            if field is None or not field.reference or not isinstance(text, str):
                continue
            read = self._queries.id_of if field.kind == "reference" else self._queries.ids_of
            key = (field.reference, text)
            if key not in seen.named:
                try:
                    seen.named[key] = await read(field, text)
                except Invalid as problem:  # reported with the other fields of the row, which are read later
                    seen.named[key] = text
                    seen.unclear[key] = problem.errors[0].message
            found[name] = seen.named[key]
        return found

    async def _import_add(
        self, session: WriteSession, admin: ModelAdmin[Any], row: dict[str, Any], *, lax: bool
    ) -> Applied:
        self._context.require(admin, "add")
        sent = self._writable_part(admin, row, adding=True)
        sent = {name: value for name, value in sent.items() if not (lax and value == "")}
        added = await self._context.read(session, admin, (await self._editor.add_in(session, admin, sent, lax=lax)).id)
        fields = admin.fields
        changes = [
            Difference(name, fields[name].label, None, msgspec.to_builtins(getattr(added, name))) for name in sent
        ]
        return Applied("add", str(added.id), changes)

    async def _import_change(
        self, session: WriteSession, admin: ModelAdmin[Any], row_id: str, row: dict[str, Any], *, lax: bool
    ) -> Applied:
        self._context.require(admin, "change")
        try:
            there = await self._context.locked(session, admin, row_id)
        except NotFound:
            raise Invalid.field("body.id", "There is no row with this id.", "not_found") from None
        sent = self._editor.accept(admin, self._writable_part(admin, row, adding=False), adding=False, lax=lax)
        before = {name: msgspec.to_builtins(getattr(there, name)) for name in sent}
        new = {name: value for name, value in sent.items() if msgspec.to_builtins(value) != before[name]}
        if not new:
            return Applied("nothing", row_id, [])
        await self._editor.change_locked(session, admin, there, new)
        fields = admin.fields
        changes = [Difference(name, fields[name].label, before[name], msgspec.to_builtins(new[name])) for name in new]
        return Applied("change", row_id, changes)

    def _writable_part(self, admin: ModelAdmin[Any], row: Mapping[str, Any], *, adding: bool) -> dict[str, Any]:
        names = {field.name for field in self._editor.writable(admin.name, adding=adding)}
        return {name: value for name, value in row.items() if name in names}


def _unclear(admin: ModelAdmin[Any], row: Mapping[str, Any], seen: Seen) -> dict[str, str]:
    """Return why references of a row name no row, or several, by field."""
    texts = {name: text for name, text in row.items() if name in admin.fields and isinstance(text, str)}
    keys = {name: (admin.fields[name].reference, text) for name, text in texts.items()}
    return {name: seen.unclear[key] for name, key in keys.items() if key in seen.unclear}


def _reasons(problem: Problem, unclear: Mapping[str, str]) -> list[str]:
    errors = [(error.field.removeprefix("body."), error.message) for error in problem.errors]
    return [f"{name}: {unclear.get(name, message)}" for name, message in errors] or [sentence(problem)]


def sum_up(report: ImportReport) -> None:
    actions = [row.action for row in report.rows]
    report.added, report.changed = actions.count("add"), actions.count("change")
    report.unchanged, report.refused = actions.count("nothing"), actions.count("refused")
