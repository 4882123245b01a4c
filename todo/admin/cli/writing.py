"""Commands that write: one call of the service each."""

from collections.abc import Sequence
from typing import Any

import rich_click as click

from todo.admin.cli import output
from todo.admin.cli.commands import (
    JSON,
    MATCHING,
    REASON,
    RESOURCE,
    ROW,
    VALUES,
    YES,
    command,
    confirm,
    filters_of,
    say,
    values_of,
)
from todo.admin.cli.output import harmless, progress_bar
from todo.admin.context import uuid_of
from todo.admin.declaration import RowsAdmin
from todo.admin.references import resolve_filters, resolve_form, resolve_values, row_id_of
from todo.admin.schemas import ListQuery, Match, Outcome, Selection
from todo.admin.service import AdminService

ROWS = click.argument("ids", nargs=-1, metavar="[ROW]...")
VERSION = click.option("--version", type=click.IntRange(1), help="Refuse if the row has another version by now.")


@command("add", RESOURCE, VALUES, REASON, JSON)
async def add(admin: AdminService, resource: str, values: Sequence[str], as_json: bool) -> int:
    """Add a row.

    Example:

        todo admin add tasks title="Water the plants" priority=2 owner_id=ada@example.com
    """
    given = await resolve_values(admin, resource, values_of(values))
    row = await admin.editor.add(resource, given, lax=True)
    say(row) if as_json else click.echo(f"Added {harmless(row.display)} ({row.id}).")
    return 0


@command(
    "set", RESOURCE, ROW, VALUES,
    VERSION, REASON, JSON,
)  # fmt: skip
async def set_fields(
    admin: AdminService, resource: str, row_id: str, values: Sequence[str], version: int | None, as_json: bool
) -> int:
    """Change fields of a row; an empty value clears a field.

    Example:

        todo admin set tasks 0190f5f0-7c1d-7000-8000-000000000000 priority=3 deadline=
    """
    if not values:
        raise click.UsageError("Say which fields to change, as name=value.")
    given = await resolve_values(admin, resource, values_of(values))
    row_id = await row_id_of(admin, resource, row_id)
    row = await admin.editor.change(resource, row_id, given, version=version, lax=True)
    say(row) if as_json else click.echo(f"Changed {harmless(row.display)} ({row.id}), now version {row.version}.")
    return 0


@command("revert", RESOURCE, ROW, click.argument("event_id", metavar="EVENT"), REASON, JSON)
async def revert(admin: AdminService, resource: str, row_id: str, event_id: str, as_json: bool) -> int:
    """Undo one change in the history of a row.

    The fields that it changed get their values back.

    Example:

        todo admin revert tasks 0190f5f0-7c1d-7000-8000-000000000000 0190f5f1-0d2e-7000-8000-000000000000
    """
    row = await admin.history.revert(resource, await row_id_of(admin, resource, row_id), uuid_of(event_id))
    say(row) if as_json else click.echo(f"Reverted {harmless(row.display)} ({row.id}), now version {row.version}.")
    return 0


@command(
    "delete", RESOURCE, click.argument("ids", nargs=-1, required=True, metavar="ROW..."), VERSION, YES, REASON, JSON
)
async def delete(
    admin: AdminService, resource: str, ids: Sequence[str], yes: bool, as_json: bool, version: int | None = None
) -> int:
    """Delete rows, or move them to the trash if there is one.

    Shows what is deleted with them and asks for confirmation.

    Example:

        todo admin delete tasks 0190f5f0-7c1d-7000-8000-000000000000 --reason "Ticket 17"
    """
    _require_one(ids, version)
    ids = [await row_id_of(admin, resource, one) for one in ids]
    if not yes:
        output.preview(await admin.editor.preview(resource, ids))
        confirm("")
    if len(ids) > 1:
        return _report(await admin.actions.act(resource, "delete", Selection(ids=[*map(uuid_of, ids)])), as_json)
    await admin.editor.delete(resource, ids[0], version=version)
    return _report(Outcome(1), as_json)


@command(
    "act", RESOURCE, click.argument("action"), ROWS,
    click.option("--all", "everything", is_flag=True, help="All rows that match --filter and --search."),
    *MATCHING,
    click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A field of its form; may be repeated."),
    VERSION, YES, REASON, JSON,
)  # fmt: skip
async def act(
    admin: AdminService, resource: str, action: str, ids: Sequence[str], everything: bool, filters: Sequence[str],
    q: str, trash: bool, values: Sequence[str], yes: bool, as_json: bool, match: Match = "all",
    version: int | None = None,
) -> int:  # fmt: skip
    """Run an action on rows, or on the resource.

    `change`, `delete` and `restore` work like actions.

    Example:

        todo admin act tasks change --all --filter status=open --set priority=3
    """
    if everything and ids:
        raise click.UsageError("Name rows, or give --all; not both.")
    if not everything and (filters or q or trash):
        raise click.UsageError("--filter, --search and --trash need --all.")
    _require_one(ids, version)
    query = None
    if everything:
        given = await resolve_filters(admin, resource, filters_of(filters))
        query = ListQuery(filters=given, match=match, q=q, trash=trash, limit=1)
    form = values_of(values)
    if action == "change":
        form = await resolve_values(admin, resource, form)
    elif declared := admin.registry[resource].actions.get(action):
        form = await resolve_form(admin, declared, form)
    total = await _confirm(admin, resource, action, ids, query, yes=yes)
    ids = [await row_id_of(admin, resource, one) for one in ids]
    if len(ids) == 1:
        done = await admin.actions.act_on_one(resource, action, ids[0], form, version=version, lax=True)
        return _report(done, as_json)
    chosen: Any = ids if isinstance(admin.registry[resource], RowsAdmin) else [uuid_of(one) for one in ids]
    with progress_bar(as_json) as progress:
        admin.actions.progress = lambda done: progress(done, total)
        outcome = await admin.actions.act(resource, action, Selection(ids=chosen, matching=query), form, lax=True)
    return _report(outcome, as_json)


async def _confirm(
    admin: AdminService, resource: str, name: str, ids: Sequence[str], query: ListQuery | None, *, yes: bool
) -> int | None:
    """Ask before a dangerous action, and before one on all rows that match. Return how many there are, if known."""
    found = admin.registry[resource]
    action = admin.actions.require_action(found, name)
    dangerous = name == "delete" or (action is not None and action.dangerous)
    page = await admin.queries.page(resource, query) if query else None
    total = page.total if page and page.total_is_exact else len(ids) or None
    if yes or not (dangerous or query):
        return total
    what = f"{len(ids)} {found.label}" if ids else found.label
    if page:
        what = f"{output.total(page)} {found.label}"
    elif len(ids) == 1:
        what = f"{found.label_one} {ids[0]}"
    confirm(f"{action.label if action else name.capitalize()}: {what}.")
    return total


def _require_one(ids: Sequence[str], version: int | None) -> None:
    if version is not None and len(ids) != 1:
        raise click.UsageError("--version is that of one row: name one.")


def _report(outcome: Outcome, as_json: bool) -> int:
    """Print what was done; 1 when a row was refused."""
    say(outcome) if as_json else output.outcome(outcome)
    return 1 if outcome.failed else 0
