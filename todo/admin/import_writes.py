"""Write rows of a file: those with an `id` change that row, the others are added."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from functools import partial
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from todo.admin.actions import sentence
from todo.admin.context import AdminContext
from todo.admin.declaration import ModelAdmin
from todo.admin.editor import Editor
from todo.admin.import_rows import TWICE
from todo.admin.queries import Queries, is_id
from todo.admin.schemas import Difference, ImportedRow
from todo.admin.several import process, process_some
from todo.database import WriteSession
from todo.errors import Invalid, NotFound, Problem

NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")  # as spreadsheets have times: without a zone


@dataclass
class Applied:
    """The effect of one row; `sent` are the fields of a new one, whose values are read at the end."""

    action: Literal["add", "change", "nothing"]
    id: UUID | str
    changes: list[Difference]
    sent: Sequence[str] = ()


@dataclass
class Seen:
    """What earlier rows of a file have had: ids, names of references with their ids, and names without one."""

    ids: set[str] = member(default_factory=set)
    named: dict[tuple[str, str], str] = member(default_factory=dict)
    unclear: dict[tuple[str, str], str] = member(default_factory=dict)  # and why


class Given(NamedTuple):
    """A row as the file has it."""

    number: int
    row_id: str | None
    row: dict[str, Any]


class Rows:
    """Adds and changes the rows of a file in the transaction of the caller."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._queries, self._editor = context, queries, editor

    async def import_some(
        self, session: WriteSession, admin: ModelAdmin[Any], rows: Sequence[tuple[int, dict[str, Any]]], seen: Seen, *,
        lax: bool, go_on: bool = False,
    ) -> list[ImportedRow]:  # fmt: skip
        """Add or change rows, which have these numbers. Report what became of each, in their order: or why nothing.

        Unless the transaction is to `go_on` with others, those that are beyond a quota are refused.
        """
        given, done = [], dict[int, ImportedRow]()
        for number, row in rows:
            row_id = str(row.get("id") or "") or None
            if row_id in seen.ids:
                done[number] = ImportedRow(number, row_id, "refused", errors=[TWICE])
                continue
            seen.ids |= {row_id} if row_id else set()
            given.append(Given(number, row_id, row))
        applied = await (process_some if go_on else process)(
            session, given, partial(self._import, session, admin, seen, lax), partial(self._hold, session, admin),
            partial(self._read, session, admin),
        )  # fmt: skip
        done |= {one.number: _report(admin, one, result, seen) for one, result in zip(given, applied, strict=True)}
        return [done[number] for number, _ in rows]

    async def _hold(self, session: WriteSession, admin: ModelAdmin[Any], given: Sequence[Given]) -> None:
        ids = [UUID(one.row_id) for one in given if one.row_id and is_id(one.row_id)]
        await self._context.hold(session, admin, ids)

    async def _import(
        self, session: WriteSession, admin: ModelAdmin[Any], seen: Seen, lax: bool, given: Given
    ) -> Applied:  # fmt: skip
        row = await self._with_ids(admin, given.row, seen)
        if given.row_id:
            return await self._change(session, admin, given.row_id, row, lax=lax)
        self._context.require(admin, "add")
        sent = self._writable_part(admin, row, adding=True)
        sent = {name: value for name, value in sent.items() if not (lax and value == "")}
        return Applied("add", (await self._editor.add_in(session, admin, sent, lax=lax)).id, [], [*sent])

    async def _read(self, session: WriteSession, admin: ModelAdmin[Any], results: Sequence[Applied | Problem]) -> None:
        """Read the values of rows that were added. Raise Forbidden when the actor may not see them."""
        added = {UUID(str(one.id)): one for one in results if isinstance(one, Applied) and one.action == "add"}
        for row in await self._context.read_all(session, admin, [*added]) if added else ():
            changes = {name: msgspec.to_builtins(getattr(row, name)) for name in added[row.id].sent}
            added[row.id].changes = [
                Difference(name, admin.fields[name].label, None, changes[name]) for name in changes
            ]

    async def _change(
        self, session: WriteSession, admin: ModelAdmin[Any], row_id: str, row: Mapping[str, Any], *, lax: bool
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


def _report(admin: ModelAdmin[Any], given: Given, result: Applied | Problem, seen: Seen) -> ImportedRow:
    if isinstance(result, Applied):
        return ImportedRow(given.number, str(result.id), result.action, result.changes)
    unclear = _unclear(admin, given.row, seen)
    return ImportedRow(given.number, given.row_id, "refused", errors=_reasons(result, unclear))


def _unclear(admin: ModelAdmin[Any], row: Mapping[str, Any], seen: Seen) -> dict[str, str]:
    """Return why references of a row name no row, or several, by field."""
    texts = {name: text for name, text in row.items() if name in admin.fields and isinstance(text, str)}
    keys = {name: (admin.fields[name].reference, text) for name, text in texts.items()}
    return {name: seen.unclear[key] for name, key in keys.items() if key in seen.unclear}


def _reasons(problem: Problem, unclear: Mapping[str, str]) -> list[str]:
    errors = [(error.field.removeprefix("body."), error.message) for error in problem.errors]
    return [f"{name}: {unclear.get(name, message)}" for name, message in errors] or [sentence(problem)]
