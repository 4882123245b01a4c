"""Answers as people read them in a terminal."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import rich_click as click
from msgspec import UNSET
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table
from rich.text import Text

from todo.admin.declaration import Resource
from todo.admin.describing import Description
from todo.admin.explanations import Explanation
from todo.admin.fields import write_text
from todo.admin.lookups import CAP
from todo.admin.schemas import Difference, HistoryPage, ImportJob, ImportReport, ListResult, Outcome, Preview

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def page(resource: Resource, names: Sequence[str], found: ListResult) -> None:
    grid = Table("Id", *(resource.fields[name].label for name in names if name != "id"))
    for item in found.items:
        grid.add_row(str(item.id), *(cell(item, name) for name in names if name != "id"))
    show(grid)
    click.echo(f"{len(found.items)} of {total(found)} {resource.label.lower()}.")
    for name, number in (found.sums or {}).items():
        click.echo(f"{resource.fields[name].label} in total: {number:,}.")
    if found.looked_through:
        click.echo(f"{found.looked_through:,} were looked through in this order; more may match.")
    if found.next_cursor:
        click.echo(f"The next ones: --cursor {found.next_cursor}")


def total(found: ListResult) -> str:
    """Return how many rows match, as far as it is known."""
    number = found.total or 0
    if found.total_is_exact:
        return f"{number:,}"
    return f"at least {number:,}" if number < CAP else f"about {number:,}"


def row(resource: Resource, item: Any) -> None:
    grid = Table("Field", "Value", show_header=False)
    for field in resource.fields.values():
        if getattr(item, field.name) is not UNSET:
            grid.add_row(field.name, cell(item, field.name))
    show(grid)


def cell(item: Any, name: str) -> Text:
    """A field; a reference also as what it leads to is called. Nothing in it is markup."""
    value = getattr(item, name)
    named = getattr(item, "displays", {}).get(name)
    return Text(harmless(f"{named} ({value})") if named else text(value))


def text(value: Any) -> str:
    if value is UNSET:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S %Z}".strip() if isinstance(value, datetime) else harmless(write_text(value))


def harmless(value: str) -> str:
    """A text without the characters that steer a terminal; anybody may have written it."""
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", value)


def history(found: HistoryPage) -> None:
    grid = Table("When", "Who", "What", "Changes", "Reason", "Event")
    for entry in found.items:
        who = f"{entry.actor or 'Another user'} ({entry.source})"
        grid.add_row(
            text(entry.at),
            Text(harmless(who)),
            entry.action,
            Text(differences(entry.changes)),
            Text(harmless(entry.reason or "")),
            str(entry.id),
        )
    show(grid)
    if found.next_cursor:
        click.echo(f"Earlier ones: --cursor {found.next_cursor}")


def explanation(found: Explanation) -> None:
    """What blocks is marked with `!`."""
    grid = Table("", "UTC", found.timezone, "What", "Why")
    for one in found.entries:
        utc, local = text(one.at) if one.at else "now", (one.local or "").replace("T", " ")
        grid.add_row("!" if one.blocks else "", utc, local, Text(harmless(one.what)), Text(harmless(one.why)))
    show(grid)


def differences(changes: Sequence[Difference]) -> str:
    return "\n".join(f"{one.field}: {text(one.before)} -> {text(one.after)}" for one in changes)


def preview(found: Preview) -> None:
    """To the other stream, so that what is asked does not mix with what is answered."""
    place = "into the trash" if found.to_trash else "for good"
    click.echo(f"To delete {place}: {harmless(', '.join(one.label or one.value for one in found.rows))}", err=True)
    for taken in found.taken:
        click.echo(f"  {taken.count:,} {taken.label.lower()}: {taken.effect}", err=True)


def outcome(found: Outcome) -> None:
    if found.run is not None:
        click.echo(f"Running in the background: todo admin get runs {found.run}")
        return
    click.echo(f"{found.done:,} done.")
    for message in found.messages:
        click.echo(harmless(message))
    for failure in found.failed:
        click.echo(f"Refused: {failure.id}: {failure.message}", err=True)


def report(found: ImportReport) -> None:
    for line in found.rows:
        for reason in line.errors:
            click.echo(f"Row {line.number}: {reason}", err=True)
    grid = Table("Row", "Does", "Changes")
    for line in found.rows:
        grid.add_row(str(line.number), line.action, Text(differences(line.changes)))
    show(grid)
    if found.ignored:
        click.echo(f"Read-only, not imported: {', '.join(found.ignored)}.")
    counts = f"{found.added} to add, {found.changed} to change, {found.unchanged} unchanged, {found.refused} refused"
    click.echo(f"Applied: {counts}." if found.applied else f"Nothing is kept: {counts}.")


def import_job(found: ImportJob) -> None:
    """What an import did, and how it is undone."""
    for failure in found.failures:
        click.echo(f"Row {failure.id}: {harmless(failure.message)}", err=True)
    left_out = [column.name for column in found.columns if column.field is None]
    if left_out:
        click.echo(f"Not imported: the columns {harmless(', '.join(left_out))}.")
    click.echo(
        f"{found.added:,} added, {found.changed:,} changed, {found.unchanged:,} unchanged, {found.failed:,} refused."
    )
    click.echo(f"To undo it: todo admin act runs undo {found.id}")


def resources(found: Sequence[Description]) -> None:
    grid = Table("Resource", "What it is", "You may")
    for one in found:
        grid.add_row(one.name, one.help, ", ".join(one.may))
    show(grid)


def resource(one: Description) -> None:
    click.echo(f"{one.label}: {one.help}")
    grid = Table("Field", "Kind", "Written", "Choices", "Filter", "Sort")
    for field in one.fields:
        written = ", ".join(word for word, may in (("add", field.on_add), ("set", field.on_change)) if may)
        marks = ("yes" if field.name in names else "" for names in (one.filters, one.sorts))
        grid.add_row(field.name, field.kind, written, ", ".join(field.choices), *marks)
    show(grid)
    for action in one.actions:
        click.echo(f"Action {action.name}: {action.help or action.label}")


@contextmanager
def progress_bar(hidden: bool = False, what: str = "Rows") -> Iterator[Callable[[int, int | None], None]]:
    """Show how many rows are done, on the other stream and when somebody looks. What it gives takes done and total."""
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True),
                  transient=True, disable=hidden or not sys.stderr.isatty()) as bar:  # fmt: skip
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(grid: Table) -> None:
    """As wide as the terminal; whole when nobody looks."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
        grid.expand = False
    console.print(grid)
