"""`todo outbox`: what is on its way out."""

import json
from uuid import UUID

import rich_click as click
from rich.console import Console
from rich.table import Table

from todo.cli.calling import CommandError
from todo.cli.users import with_session
from todo.delivery import outbox


def show(failed: bool, limit: int, as_json: bool) -> None:
    found = with_session(lambda session: outbox.find(session, failed=failed, limit=limit))
    if as_json:
        click.echo(json.dumps([item._asdict() for item in found], default=str, indent=2))
        return
    table = Table("Id", "Channel", "To", "Subject", "Attempts", "Next try" if not failed else "Last try", "Error")
    for item in found:
        tried = f"{item.run_at:%Y-%m-%d %H:%M} UTC"
        error = (item.last_error or "")[:60]
        table.add_row(str(item.id), item.channel, item.recipient, item.subject[:60], str(item.attempts), tried, error)
    Console(width=190).print(table)


def retry(id: str | None, everything: bool, as_json: bool) -> None:
    if (id is None) != everything:
        raise CommandError("Name one by its id, or say --all.")
    count = with_session(lambda session: outbox.retry(session, _uuid(id) if id else None))
    if id and not count:
        raise CommandError(f"Nothing with the id {id} was given up: see `todo outbox list --failed`.")
    click.echo(json.dumps({"retried": count}) if as_json else f"{count} will be tried again at once.")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text} is not an id: see `todo outbox list --failed`.") from None
