"""Import the rows of a draft that has begun, BATCH rows per transaction."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from todo.admin.context import AdminContext
from todo.admin.import_columns import mapped
from todo.admin.import_rows import rows_after, settle
from todo.admin.import_writes import Seen
from todo.admin.importing import Importer
from todo.admin.models import IMPORT, Run
from todo.admin.schemas import Failure
from todo.audit import record
from todo.database import WriteSession, now

BATCH = 100  # rows per transaction; a file of no more is imported at once
NAMED = 100  # refused rows that the run itself names


class ImportForm(Struct):
    """The form of an import's run: `columns` of the file, those that are imported with their fields, results so far.

    At the command line also the `operator`, the `digest` of the file, and whether the result was `reported`.
    """

    file: str
    columns: list[str]
    lax: bool
    mapping: dict[str, str] = {}
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    operator: str = ""
    digest: str = ""
    reported: bool = False


def form_of(run: Run) -> ImportForm:
    return msgspec.convert(run.form, ImportForm)


class Steps:
    """The steps of imports."""

    def __init__(self, context: AdminContext, importer: Importer):
        self._context, self._importer = context, importer

    def are_few(self, run: Run) -> bool:
        """Return whether one step suffices for all rows."""
        return run.total <= BATCH

    async def step(self, session: WriteSession, run: Run) -> bool:
        """Import the next rows of a locked run in the caller's transaction. Return whether there may be more.

        A row that is imported is no longer kept; so one is never imported twice. Raise Forbidden.
        """
        admin, form = self._context.table(run.resource, IMPORT), form_of(run)
        session.origin = replace(session.origin, request_id=run.request_id)
        counts = {"add": form.added, "change": form.changed, "nothing": form.unchanged}
        rows = await rows_after(session, run.id, run.done + run.failed, BATCH)
        refused = [(number, errors) for number, _, errors in rows if errors]
        some = [(number, mapped(values, form.mapping)) for number, values, errors in rows if not errors]
        for done in await self._importer.import_some(session, admin, some, Seen(), lax=form.lax):
            if done.action == "refused":
                refused.append((done.number, done.errors))
            else:
                counts[done.action] += 1
        refused.sort()
        await settle(session, run.id, [number for number, _, _ in rows], refused)
        _note(run, form, counts, refused)
        if not rows:
            await record(session, admin.event("import"), admin.name, after=_details(run))
        run.status = "running" if rows else "done"
        return bool(rows)


def _note(run: Run, form: ImportForm, counts: Mapping[str, int], refused: list[tuple[int, list[str]]]) -> None:
    added, changed, unchanged = counts.values()
    form = msgspec.structs.replace(form, added=added, changed=changed, unchanged=unchanged)
    run.form = msgspec.to_builtins(form)
    run.done, run.failed = added + changed + unchanged, run.failed + len(refused)
    failures = [Failure(str(number), " ".join(errors)) for number, errors in refused]
    run.failures = [*run.failures, *msgspec.to_builtins(failures)][:NAMED]
    run.updated_at, run.version = now(), run.version + 1


def _details(run: Run) -> dict[str, Any]:
    """Return what the audit log has of an import."""
    form = form_of(run)
    counts = {"added": form.added, "changed": form.changed, "refused": run.failed}
    return {"file": form.file, **counts, "run": str(run.id)}
