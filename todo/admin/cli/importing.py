"""`todo admin import`: a file as a whole, or the rows of it that are accepted."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import rich_click as click

from todo.admin.cli import output
from todo.admin.cli.commands import JSON, REASON, RESOURCE, command, say
from todo.admin.cli.output import progress_bar
from todo.admin.file_formats import Format, csv_rows, read_json
from todo.admin.schemas import ImportJob
from todo.admin.service import AdminService
from todo.admin.spreadsheets import xlsx_rows
from todo.errors import Conflict, Problem


@command(
    "import", RESOURCE, click.argument("file", type=click.File("rb")),
    click.option(
        "--format", "form", type=click.Choice(["csv", "json", "xlsx"]), help="Default: as the file is called, else csv."
    ),
    click.option(
        "--map", "columns", multiple=True, metavar="COLUMN=FIELD",
        help="The field that a column goes into, where its name does not say so; none: not imported. May be repeated.",
    ),
    click.option("--apply/--trial", default=False, help="Save the rows, or try them out.  [default: trial]"),
    click.option(
        "--refused", type=click.File("wb", lazy=True), metavar="FILE",
        help="With --apply: import the rows that are accepted, and write the others here as CSV, with their reasons.",
    ),
    REASON, JSON,
)  # fmt: skip
async def import_rows(
    admin: AdminService, resource: str, file: BinaryIO, form: Format | None, apply: bool, as_json: bool,
    columns: Sequence[str] = (), refused: BinaryIO | None = None,
) -> int:  # fmt: skip
    """Add and change rows from a file: all of them, or none.

    Rows with an `id` change the row that has it; the others are added. With `--refused`, the rows that are accepted:
    interrupted, it goes on by the same command, or in the background.

    Example:

        todo admin import tasks open.csv --map What=title --apply --refused rest.csv
    """
    if refused and not apply:
        raise click.UsageError("--refused needs --apply.")
    form, mapping = form or _form_of(file), dict(map(_column, columns))
    if refused:
        return await _import_some(admin, resource, file, form, mapping, refused, as_json)
    with progress_bar(as_json) as progress:
        report = await admin.imports.import_rows(
            resource, file.read(), form, apply=apply, columns=mapping, progress=progress
        )
    say(report) if as_json else output.report(report)
    return 1 if report.refused else 0


async def _import_some(
    admin: AdminService, resource: str, file: BinaryIO, form: Format, mapping: dict[str, str], refused: BinaryIO,
    as_json: bool,
) -> int:  # fmt: skip
    job = await _begun(admin, resource, file, form, mapping)
    with progress_bar(as_json) as progress:
        job = await admin.imports.finish(resource, job.id, progress)
    if job.done < job.total:
        async for part in await admin.imports.rest(resource, job.id):
            refused.write(part)
        refused.flush()
    await admin.imports.note_reported(resource, job.id)
    say(job) if as_json else output.import_job(job)
    return 1 if job.done < job.total else 0


async def _begun(
    admin: AdminService, resource: str, file: BinaryIO, form: Format, mapping: dict[str, str]
) -> ImportJob:  # fmt: skip
    """Begin an import, or find the one of this file that was interrupted: its rows are not to be added twice."""
    digest = _digest(file) if file.seekable() else ""
    if job := await admin.imports.interrupted(resource, digest):
        return _continued(job)
    rows, name = _rows_of(file, form), Path(file.name).name
    run = await admin.imports.upload(resource, name, rows, lax=form != "json", digest=digest)
    try:
        return await _start(admin, resource, await admin.imports.draft(resource, run), mapping)
    except Conflict:  # the same command, at the same time
        if job := await admin.imports.interrupted(resource, digest, reported=True):
            return _continued(job)
        raise


def _continued(job: ImportJob) -> ImportJob:
    is_open = job.status in {"waiting", "running"}
    now = f"continues after {job.done + job.failed:,} of {job.total:,} rows" if is_open else "has ended since"
    click.echo(f"An import of this file has begun before, and {now}.", err=True)
    return job


async def _start(admin: AdminService, resource: str, draft: ImportJob, given: dict[str, str]) -> ImportJob:
    """Begin an import whose columns are assigned as given, and those not named as suggested."""
    chosen = {column: name for column, name in (draft.mapping | given).items() if name}
    try:
        return await admin.imports.start(resource, draft.id, chosen)
    except Problem:
        await admin.imports.delete(resource, draft.id)
        raise


def _digest(file: BinaryIO) -> str:
    """Return what knows the content of a file again."""
    found = sha256()
    while part := file.read(65_536):
        found.update(part)
    file.seek(0)
    return found.hexdigest()


def _rows_of(file: BinaryIO, form: Format) -> Iterable[dict[str, Any]]:
    if form == "json":
        return read_json(file.read())
    return xlsx_rows(file) if form == "xlsx" else csv_rows(file)


def _form_of(file: BinaryIO) -> Format:
    forms: dict[str, Format] = {".json": "json", ".xlsx": "xlsx"}
    return forms.get(Path(file.name).suffix.lower(), "csv")


def _column(text: str) -> tuple[str, str]:
    column, equals, name = text.rpartition("=")
    if not equals:
        raise click.UsageError(f"Write --map column=field, not {text}.")
    return column, name
