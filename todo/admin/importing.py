"""Import the rows of a file: those with an `id` change that row, the others are added."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from todo.admin.context import AdminContext
from todo.admin.declaration import ModelAdmin
from todo.admin.editor import Editor
from todo.admin.fields import Field
from todo.admin.file_formats import Format, read_rows
from todo.admin.import_columns import renamed
from todo.admin.import_writes import Rows, Seen
from todo.admin.queries import Queries
from todo.admin.schemas import ImportReport
from todo.admin.several import check_quotas
from todo.audit import record
from todo.errors import Invalid

AT_ONCE = 100  # rows between two calls of `progress`
MOST_AT_ONCE = 5_000  # rows of a file that is imported as a whole


class Importer:
    """Imports a file as a whole: all rows or none."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._editor = context, editor
        self.import_some = Rows(context, queries, editor).import_some

    async def import_rows(
        self, resource: str, data: bytes, form: Format = "csv", *, apply: bool = False,
        columns: Mapping[str, str] | None = None, progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:  # fmt: skip
        """Import rows: those with an `id` change that row, the others are added. Nothing is saved unless `apply`.

        Read-only fields are ignored, so that an export can be imported; unknown fields are errors. If one row is
        rejected, nothing is applied. `columns` of the file go into other fields than their names
        say. `progress` is called with the number of rows done and of all.

        Raise Forbidden, NotFound, QuotaReached, or Invalid for the file.
        """
        admin = self._context.table(resource, "import")
        rows = await asyncio.to_thread(read_rows, data, form)
        if columns is not None:
            rows = renamed(rows, self.fields(resource), columns, admin.fields.keys() | {"display", "displays"})
        self._check_names(admin, rows)
        report = ImportReport(False, 0, 0, 0, 0, [], self._ignored(admin, rows))
        async with self._context.transaction() as session, session.begin_nested() as point:
            seen = Seen()
            for start in range(0, len(rows), AT_ONCE):
                some = [*enumerate(rows, 1)][start : start + AT_ONCE]
                report.rows += await self.import_some(session, admin, some, seen, lax=form != "json", go_on=True)
                if progress:
                    progress(len(report.rows), len(rows))
            sum_up(report)
            await check_quotas(session)  # also of a trial
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


def sum_up(report: ImportReport) -> None:
    actions = [row.action for row in report.rows]
    report.added, report.changed = actions.count("add"), actions.count("change")
    report.unchanged, report.refused = actions.count("nothing"), actions.count("refused")
