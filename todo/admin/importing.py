"""Rows from files: what each would change, or why it is refused; then all of them, or none."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from todo.admin.acting import sentence
from todo.admin.declaration import ModelAdmin
from todo.admin.exporting import Exporting, unsafe
from todo.admin.schemas import Difference, ImportedRow, ImportReport
from todo.audit import record
from todo.contention import is_contention
from todo.database import WriteSession
from todo.database_errors import refusal_of
from todo.errors import Invalid, NotFound, Problem

MOST = 5_000  # rows of one import


@dataclass
class Applied:
    """What one row did."""

    action: Literal["add", "change", "nothing"]
    id: str
    changes: list[Difference]


class Importing(Exporting):
    """The part of the service that reads files."""

    async def import_rows(
        self, resource: str, data: bytes, form: Literal["csv", "json"] = "csv", *, apply: bool = False
    ) -> ImportReport:
        """Read rows: those with an `id` change that row, the others are added. Nothing is kept unless `apply`.

        Fields that cannot be written are passed over, so that an export can be read back; unknown ones are refused.
        All or nothing: with one row refused, nothing is applied. Raises Forbidden, NotFound, Invalid for the file.
        """
        admin = self.table(resource, "import")
        rows = _read_csv(data) if form == "csv" else _read_json(data)
        self._check_names(admin, rows)
        report = ImportReport(False, 0, 0, 0, 0, [])
        async with self.transaction() as session, session.begin_nested() as point:
            seen: set[str] = set()
            for number, row in enumerate(rows, 1):
                report.rows.append(await self._import_row(session, admin, number, row, seen, lax=form == "csv"))
            _sum_up(report)
            if not apply or report.refused:
                await point.rollback()
                return report
            counts = {"added": report.added, "changed": report.changed}
            await record(session, self.actor, f"{resource}.import", resource, after=counts)
        report.applied = True
        return report

    def _check_names(self, admin: ModelAdmin[Any], rows: list[dict[str, Any]]) -> None:
        if not rows:
            raise Invalid.field("body.rows", "There are no rows in this file.")
        if len(rows) > MOST:
            raise Invalid.field("body.rows", f"A file holds up to {MOST} rows; split it.")
        seen = {name for row in rows for name in row}
        if unknown := sorted(seen - set(admin.fields) - {"display", "labels"}):
            raise Invalid.field(f"body.rows.{unknown[0]}", f"{admin.label} have no field {unknown[0]}.")

    async def _import_row(
        self, session: WriteSession, admin: ModelAdmin[Any], number: int, row: dict[str, Any], seen: set[str], *,
        lax: bool,
    ) -> ImportedRow:  # fmt: skip
        row_id = str(row.get("id") or "") or None
        if row_id in seen:
            return ImportedRow(number, row_id, "refused", errors=["id: A row above has the same."])
        seen |= {row_id} if row_id else set()
        try:
            async with session.begin_nested():
                done = await (
                    self._import_change(session, admin, row_id, row, lax=lax)
                    if row_id
                    else self._import_add(session, admin, row, lax=lax)
                )
            return ImportedRow(number, done.id, done.action, done.changes)
        except Exception as error:
            refusal = error if isinstance(error, Problem) else refusal_of(error)
            if refusal is None or is_contention(error):
                raise
            return ImportedRow(number, row_id, "refused", errors=_reasons(refusal))

    async def _import_add(
        self, session: WriteSession, admin: ModelAdmin[Any], row: dict[str, Any], *, lax: bool
    ) -> Applied:
        self.require(admin, "add")
        sent = self._writable_part(admin, row, adding=True)
        sent = {name: value for name, value in sent.items() if not (lax and value == "")}
        added = await self.add_within(session, admin, sent, lax=lax)
        fields = admin.fields
        changes = [
            Difference(name, fields[name].label, None, msgspec.to_builtins(getattr(added, name))) for name in sent
        ]
        return Applied("add", str(added.id), changes)

    async def _import_change(
        self, session: WriteSession, admin: ModelAdmin[Any], row_id: str, row: dict[str, Any], *, lax: bool
    ) -> Applied:
        self.require(admin, "change")
        try:
            there = await self.locked(session, admin, row_id)
        except NotFound:
            raise Invalid.field("body.id", "There is no such row.") from None
        sent = self.accept(admin, self._writable_part(admin, row, adding=False), adding=False, lax=lax)
        before = {name: msgspec.to_builtins(getattr(there, name)) for name in sent}
        new = {name: value for name, value in sent.items() if msgspec.to_builtins(value) != before[name]}
        if not new:
            return Applied("nothing", row_id, [])
        await self.change_within(session, admin, there, new)
        fields = admin.fields
        changes = [Difference(name, fields[name].label, before[name], msgspec.to_builtins(new[name])) for name in new]
        return Applied("change", row_id, changes)

    def _writable_part(self, admin: ModelAdmin[Any], row: Mapping[str, Any], *, adding: bool) -> dict[str, Any]:
        names = {field.name for field in self.writable(admin.name, adding=adding)}
        return {name: value for name, value in row.items() if name in names}


def _read_csv(data: bytes) -> list[dict[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid.field("body.csv", f"This is not a CSV file in UTF-8: {error}.") from None
    names = reader.fieldnames or []
    if len(names) == 1 and ";" in names[0]:
        raise Invalid.field("body.csv", "Set the cells apart by commas, not by semicolons.")
    if len(set(names)) < len(names):
        raise Invalid.field("body.csv", "A heading stands there twice.")
    if any(None in row or None in row.values() for row in rows):
        raise Invalid.field("body.csv", "Every line of the file must have as many cells as the heading.")
    return [{name: unsafe(text) for name, text in row.items()} for row in rows]


def _read_json(data: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(data, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid.field("body.rows", "This is not a JSON array of objects.") from None


def _reasons(refusal: Problem) -> list[str]:
    return [f"{error.field.removeprefix('body.')}: {error.message}" for error in refusal.errors] or [sentence(refusal)]


def _sum_up(report: ImportReport) -> None:
    actions = [row.action for row in report.rows]
    report.added, report.changed = actions.count("add"), actions.count("change")
    report.unchanged, report.refused = actions.count("nothing"), actions.count("refused")
