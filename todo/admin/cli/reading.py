"""Commands that read: one call of the service each, its answer as a table for people or as JSON for scripts."""

from collections.abc import Sequence
from typing import BinaryIO

import rich_click as click

from todo.admin import describing
from todo.admin.cli import output
from todo.admin.cli.commands import (
    CSV,
    JSON,
    MATCHING,
    REASON,
    RESOURCE,
    ROW,
    SORT,
    command,
    filters_of,
    say,
)
from todo.admin.cli.output import progress_bar
from todo.admin.file_formats import Format, csv_of
from todo.admin.references import resolve_filters, row_id_of
from todo.admin.schemas import ListQuery, Match
from todo.admin.service import AdminService


@command("describe", click.argument("resource", required=False), JSON)
async def describe(admin: AdminService, resource: str | None, as_json: bool) -> int:
    """List the resources, or the fields, filters and actions of one.

    Example:

        todo admin describe tasks
    """
    if resource is None:
        found = [describing.describe(one, admin.actor) for one in admin.resources()]
        say(found) if as_json else output.resources(found)
        return 0
    one = describing.describe(admin.resource(resource), admin.actor)
    say(one) if as_json else output.resource(one)
    return 0


@command(
    "list", RESOURCE, *MATCHING, SORT,
    click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many rows at most."),
    click.option("--cursor", help="Continue where the list before ended; it prints the cursor."),
    click.option("--columns", help="The fields to show, separated by commas."),
    JSON, CSV,
)  # fmt: skip
async def list_rows(
    admin: AdminService, resource: str, filters: Sequence[str], q: str, trash: bool, sort: str, limit: int,
    cursor: str | None, columns: str | None, as_json: bool, as_csv: bool = False, match: Match = "all",
) -> int:  # fmt: skip
    """List rows.

    Example:

        todo admin list tasks --filter status=open --filter due_at=..today --sort due_at --csv
    """
    found = admin.resource(resource)
    given = await resolve_filters(admin, resource, filters_of(filters))
    names = columns.split(",") if columns else list(found.columns)
    if unknown := [name for name in names if name not in found.fields]:
        raise click.UsageError(f"--columns: {found.label} have no field {unknown[0]}, only {', '.join(found.fields)}.")
    query = ListQuery(filters=given, match=match, q=q, trash=trash, sort=sort, limit=limit, cursor=cursor)
    page = await admin.queries.page(resource, query)
    if as_csv:
        click.echo(csv_of(["id", *(name for name in names if name != "id")], page.items).rstrip())
        return 0
    say(page) if as_json else output.page(found, names, page)
    return 0


@command("get", RESOURCE, ROW, JSON)
async def get(admin: AdminService, resource: str, row_id: str, as_json: bool) -> int:
    """Show one row with all its fields.

    Example:

        todo admin get users ada@example.com
    """
    row = await admin.queries.get(resource, await row_id_of(admin, resource, row_id))
    say(row) if as_json else output.row(admin.resource(resource), row)
    return 0


@command(
    "history", RESOURCE, ROW,
    click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many at most."),
    click.option("--cursor", help="Continue where the history before ended; it prints the cursor."),
    JSON,
)  # fmt: skip
async def history(
    admin: AdminService, resource: str, row_id: str, limit: int, cursor: str | None, as_json: bool
) -> int:
    """List the changes of a row, newest first.

    Example:

        todo admin history users ada@example.com
    """
    found = await admin.history.of_row(resource, await row_id_of(admin, resource, row_id), cursor, limit)
    say(found) if as_json else output.history(found)
    return 0


@command("explain", RESOURCE, ROW, JSON)
async def explain(admin: AdminService, resource: str, row_id: str, as_json: bool) -> int:
    """Explain why a task or a series did or did not come up.

    Lists what holds now, then the timeline: occurrences, worker, reminders, messages. `!` marks what blocks it.

    Example:

        todo admin explain tasks 0190f5f0-7c1d-7000-8000-000000000000
    """
    found = await admin.explanations.of_row(resource, await row_id_of(admin, resource, row_id))
    say(found) if as_json else output.explanation(found)
    return 0


@command(
    "export", RESOURCE,
    click.option("--format", "form", type=click.Choice(["csv", "json", "xlsx"]), default="csv", show_default=True),
    click.option("--output", "-o", "file", type=click.File("wb", lazy=True), default="-", help="Default: stdout."),
    click.option("--columns", help="The fields to write, separated by commas; all without it."),
    *MATCHING, SORT, REASON,
)  # fmt: skip
async def export(
    admin: AdminService, resource: str, form: Format, file: BinaryIO, filters: Sequence[str], q: str, trash: bool,
    sort: str, columns: str | None = None, match: Match = "all",
) -> int:  # fmt: skip
    """Write up to 100,000 rows to a file.

    No text in it can be a formula of a spreadsheet.

    Example:

        todo admin export tasks --filter status=open --format xlsx --output open.xlsx
    """
    given = await resolve_filters(admin, resource, filters_of(filters))
    query = ListQuery(filters=given, match=match, q=q, trash=trash, sort=sort)
    written = 0
    with progress_bar(what="Bytes") as progress:
        async for part in await admin.files.export(resource, query, form, columns.split(",") if columns else ()):
            file.write(part)
            progress(written := written + len(part), None)
    return 0
