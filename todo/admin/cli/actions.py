"""What the commands do: one call of the service each, its answer as a table for people or as JSON for scripts."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec
import rich_click as click

from todo.admin.cli import output
from todo.admin.cli.output import harmless
from todo.admin.context import uuid_of
from todo.admin.declaration import RowsAdmin
from todo.admin.describing import describe
from todo.admin.file_formats import Format
from todo.admin.schemas import ListQuery, Outcome, Selection
from todo.admin.service import AdminService

Verb = Callable[..., Awaitable[int]]


async def perform(admin: AdminService, verb: str, options: Mapping[str, Any]) -> int:
    """Carry out a command; the exit code, 0 or 1. Raises what the service raises, click.UsageError, click.Abort."""
    return await VERBS[verb](admin, **options)


async def _describe(admin: AdminService, resource: str | None, as_json: bool) -> int:
    if resource is None:
        found = [describe(one, admin.actor) for one in admin.resources()]
        say(found) if as_json else output.resources(found)
        return 0
    one = describe(admin.resource(resource), admin.actor)
    say(one) if as_json else output.resource(one)
    return 0


async def _list(
    admin: AdminService, resource: str, filters: Sequence[str], q: str, trash: bool, sort: str, limit: int,
    cursor: str | None, columns: str | None, as_json: bool,
) -> int:  # fmt: skip
    list_query = ListQuery(filters=filters_of(filters), q=q, trash=trash, sort=sort, limit=limit, cursor=cursor)
    found = admin.resource(resource)
    names = columns.split(",") if columns else list(found.columns)
    if unknown := [name for name in names if name not in found.fields]:
        raise click.UsageError(f"{found.label} have no field {unknown[0]}.")
    page = await admin.queries.page(resource, list_query)
    say(page) if as_json else output.page(found, names, page)
    return 0


async def _get(admin: AdminService, resource: str, row_id: str, as_json: bool) -> int:
    row = await admin.queries.get(resource, row_id)
    say(row) if as_json else output.row(admin.resource(resource), row)
    return 0


async def _history(
    admin: AdminService, resource: str, row_id: str, limit: int, cursor: str | None, as_json: bool
) -> int:
    found = await admin.history.of_row(resource, row_id, cursor, limit)
    say(found) if as_json else output.history(found)
    return 0


async def _add(admin: AdminService, resource: str, values: Sequence[str], as_json: bool) -> int:
    row = await admin.editor.add(resource, values_of(values), lax=True)
    say(row) if as_json else click.echo(f"Added {harmless(row.display)} ({row.id}).")
    return 0


async def _set(
    admin: AdminService, resource: str, row_id: str, values: Sequence[str], version: int | None, as_json: bool
) -> int:
    if not values:
        raise click.UsageError("Say which fields to change, as name=value.")
    row = await admin.editor.change(resource, row_id, values_of(values), version=version, lax=True)
    say(row) if as_json else click.echo(
        f"Changed {harmless(row.display)} ({row.id}); it has version {row.version} now."
    )
    return 0


async def _revert(admin: AdminService, resource: str, row_id: str, event_id: str, as_json: bool) -> int:
    row = await admin.history.revert(resource, row_id, uuid_of(event_id))
    say(row) if as_json else click.echo(f"Undone: {harmless(row.display)} ({row.id}) has version {row.version} now.")
    return 0


async def _delete(admin: AdminService, resource: str, ids: Sequence[str], yes: bool, as_json: bool) -> int:
    if not yes:
        output.preview(await admin.editor.preview(resource, ids))
        click.confirm("Go on?", abort=True, err=True)
    if len(ids) > 1:
        return notify(
            await admin.actions.act(resource, "delete", Selection(ids=[uuid_of(one) for one in ids])), as_json
        )
    await admin.editor.delete(resource, ids[0])
    return notify(Outcome(1), as_json)


async def _act(
    admin: AdminService, resource: str, action: str, ids: Sequence[str], everything: bool, filters: Sequence[str],
    q: str, trash: bool, values: Sequence[str], yes: bool, as_json: bool,
) -> int:  # fmt: skip
    if everything and ids:
        raise click.UsageError("Name rows by their ids, or take --all; not both.")
    if not everything and (filters or q or trash):
        raise click.UsageError("--filter, --search and --trash narrow --all; take that as well.")
    list_query = ListQuery(filters=filters_of(filters), q=q, trash=trash, limit=1) if everything else None
    await _ask(admin, resource, action, ids, list_query, yes=yes)
    form = values_of(values)
    if len(ids) == 1:
        return notify(await _act_on_one(admin, resource, action, ids[0], form), as_json)
    tables = not isinstance(admin.registry[resource], RowsAdmin)
    chosen: Any = [uuid_of(one) for one in ids] if tables else list(ids)
    return notify(
        await admin.actions.act(resource, action, Selection(ids=chosen, matching=list_query), form, lax=True), as_json
    )


async def _act_on_one(admin: AdminService, resource: str, action: str, row_id: str, form: Mapping[str, Any]) -> Outcome:
    return await admin.actions.act_on_one(resource, action, row_id, form, lax=True)


async def _ask(
    admin: AdminService, resource: str, name: str, ids: Sequence[str], list_query: ListQuery | None, *, yes: bool
) -> None:
    """Dangerous things, and what is done to all that match, are asked for."""
    found = admin.registry[resource]
    action = admin.actions.require_action(found, name)
    dangerous = name == "delete" or (action is not None and action.dangerous)
    if yes or not (dangerous or list_query):
        return
    many = f"{len(ids)}"
    if list_query:
        page = await admin.queries.page(resource, list_query)
        many = f"{page.total or 0:,}" if page.total_is_exact else f"about {page.total:,}"
    what = (
        f"{found.label_one} {ids[0]}"
        if len(ids) == 1
        else f"{many} {found.label}"
        if ids or list_query
        else found.label
    )
    click.confirm(f"{action.label if action else name.capitalize()}: {what}. Go on?", abort=True, err=True)


async def _export(
    admin: AdminService, resource: str, form: Format, output: BinaryIO, filters: Sequence[str], q: str, trash: bool,
    sort: str,
) -> int:  # fmt: skip
    list_query = ListQuery(filters=filters_of(filters), q=q, trash=trash, sort=sort)
    async for part in await admin.files.export(resource, list_query, form):
        output.write(part)
    return 0


async def _import(admin: AdminService, resource: str, file: BinaryIO, form: Any, apply: bool, as_json: bool) -> int:
    report = await admin.files.import_rows(resource, file.read(), form, apply=apply)
    say(report) if as_json else output.report(report)
    return 1 if report.refused else 0


VERBS: dict[str, Verb] = {
    "describe": _describe, "list": _list, "get": _get, "history": _history, "add": _add, "set": _set,
    "revert": _revert, "delete": _delete, "act": _act, "export": _export, "import": _import,
}  # fmt: skip


def notify(outcome: Outcome, as_json: bool) -> int:
    """What an action did; 1 when a row refused."""
    say(outcome) if as_json else output.outcome(outcome)
    return 1 if outcome.failed else 0


def say(answer: Any) -> None:
    """An answer as the API gives it, a line for each value."""
    click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def values_of(texts: Iterable[str]) -> dict[str, str]:
    """`name=value` of each, once."""
    pairs = [_pair(text) for text in texts]
    if len({name for name, _ in pairs}) < len(pairs):
        raise click.UsageError("A field is named twice.")
    return dict(pairs)


def filters_of(texts: Iterable[str]) -> dict[str, list[str]]:
    """`name=value` of each; a name may have several values."""
    found: dict[str, list[str]] = {}
    for name, value in map(_pair, texts):
        found.setdefault(name, []).append(value)
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"Write name=value, not {text}.")
    return name, value
