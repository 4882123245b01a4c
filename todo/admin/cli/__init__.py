"""The third face: commands over the same service. Light imports, so that help is quick; the work is in `performing`."""

from collections.abc import Callable
from typing import Any

import rich_click as click

Perform = Callable[..., None]  # perform(verb, user=..., reason=..., **options)

AS = click.option(
    "--as", "user", metavar="USER", help="With the rights and the rows of this person (an e-mail address)."
)
REASON = click.option("--reason", help="Why, for the trail.")
JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
RESOURCE = click.argument("resource")
ID = click.argument("row_id", metavar="ID")
FILTER = click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="NAME=VALUE",
    help="status=open, due_at=2026-11, priority=1..3; may be repeated.",
)
SEARCH = click.option(
    "--search", "q", default="", help="Words to search for (of one or two letters: where words begin), or an id."
)
SORT = click.option("--sort", default="", metavar="FIELDS", help="Up to three fields; `-` turns one round.")
TRASH = click.option("--trash", is_flag=True, help="What lies in the trash instead.")
VALUES = click.argument("values", nargs=-1, metavar="NAME=VALUE...")


def options_of(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order."""

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


MATCHING = options_of(FILTER, SEARCH, TRASH)
SHOWN = options_of(JSON, AS)
WRITTEN = options_of(REASON, JSON, AS)


def admin_commands(perform: Perform) -> click.RichGroup:
    """The group `admin`; `perform` opens the service and hands over to `performing.perform`."""

    @click.group()
    def admin() -> None:
        """List and change whatever can be administered.

        Exit codes: 0 done, 1 refused, 2 not a command, 3 not found. Without --as, it acts as the operator of this
        machine, who may do everything, and the trail names the account of the operating system.

        Example:

            todo admin list tasks --filter status=open --sort due_at
        """

    for command in (*_reading(perform), *_writing(perform), *_filing(perform)):
        admin.add_command(command)
    return admin


def _reading(perform: Perform) -> list[click.Command]:
    @click.command()
    @click.argument("resource", required=False)
    @SHOWN
    def describe(**options: Any) -> None:
        """Tell what there is to administer, or what a resource has: fields, filters, actions.

        Example:

            todo admin describe tasks
        """
        perform("describe", **options)

    @click.command("list")
    @RESOURCE
    @MATCHING
    @SORT
    @click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many rows.")
    @click.option("--cursor", help="Where to go on; a list tells.")
    @click.option("--columns", help="Which fields to show, separated by commas.")
    @SHOWN
    def list_rows(**options: Any) -> None:
        """List rows.

        Example:

            todo admin list tasks --filter status=open --filter due_at=..today --sort due_at
        """
        perform("list", **options)

    @click.command()
    @RESOURCE
    @ID
    @SHOWN
    def get(**options: Any) -> None:
        """Show one row, whole.

        Example:

            todo admin get users 0190f5f0-7c1d-7000-8000-000000000000
        """
        perform("get", **options)

    @click.command()
    @RESOURCE
    @ID
    @click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many entries.")
    @click.option("--cursor", help="Where to go on; a history tells.")
    @SHOWN
    def history(**options: Any) -> None:
        """Tell what happened to a row, newest first.

        Example:

            todo admin history tasks 0190f5f0-7c1d-7000-8000-000000000000
        """
        perform("history", **options)

    return [describe, list_rows, get, history]


def _writing(perform: Perform) -> list[click.Command]:
    @click.command()
    @RESOURCE
    @VALUES
    @WRITTEN
    def add(**options: Any) -> None:
        """Add a row.

        Example:

            todo admin add tasks title="Water the plants" priority=2 owner_id=0190f5f0-7c1d-7000-8000-000000000000
        """
        perform("add", **options)

    @click.command("set")
    @RESOURCE
    @ID
    @VALUES
    @click.option("--version", type=click.IntRange(1), help="Refuse when it has another version by now.")
    @WRITTEN
    def set_fields(**options: Any) -> None:
        """Change fields of a row; nothing after the `=` clears one.

        Example:

            todo admin set tasks 0190f5f0-7c1d-7000-8000-000000000000 priority=3 deadline=
        """
        perform("set", **options)

    @click.command()
    @RESOURCE
    @ID
    @click.argument("event_id", metavar="EVENT")
    @WRITTEN
    def revert(**options: Any) -> None:
        """Undo one change of a row's history: the fields it changed get their values back.

        Example:

            todo admin revert tasks 0190f5f0-7c1d-7000-8000-000000000000 0190f5f1-0d2e-7000-8000-000000000000
        """
        perform("revert", **options)

    @click.command()
    @RESOURCE
    @click.argument("ids", nargs=-1, required=True, metavar="ID...")
    @YES
    @WRITTEN
    def delete(**options: Any) -> None:
        """Delete rows, into the trash where there is one; asks, and shows what goes along.

        Example:

            todo admin delete tasks 0190f5f0-7c1d-7000-8000-000000000000 --reason "Ticket 17"
        """
        perform("delete", **options)

    @click.command()
    @RESOURCE
    @click.argument("action")
    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @click.option("--all", "everything", is_flag=True, help="All rows that --filter and --search leave.")
    @MATCHING
    @click.option(
        "--set", "values", multiple=True, metavar="NAME=VALUE", help="What the action asks for; may be repeated."
    )
    @YES
    @WRITTEN
    def act(**options: Any) -> None:
        """Carry out an action on rows, or on the resource; `change`, `delete` and `restore` work likewise.

        Example:

            todo admin act tasks change --all --filter status=open --set priority=3
        """
        perform("act", **options)

    return [add, set_fields, revert, delete, act]


def _filing(perform: Perform) -> list[click.Command]:
    @click.command()
    @RESOURCE
    @click.option("--format", "form", type=click.Choice(["csv", "json", "xlsx"]), default="csv", show_default=True)
    @click.option("--output", "-o", type=click.File("wb", lazy=True), default="-", help="A file; else the terminal.")
    @MATCHING
    @SORT
    @REASON
    @AS
    def export(**options: Any) -> None:
        """Write rows to a file, up to 100,000; no text in it is ever a formula.

        Example:

            todo admin export tasks --filter status=open --format xlsx --output open.xlsx
        """
        perform("export", **options)

    @click.command("import")
    @RESOURCE
    @click.argument("file", type=click.File("rb"))
    @click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
    @click.option("--apply", is_flag=True, help="Keep it; without, it is only tried.")
    @WRITTEN
    def import_rows(**options: Any) -> None:
        """Read rows from a file: those with an `id` change that row, the others are added; all of them, or none.

        Example:

            todo admin import tasks open.csv --apply
        """
        perform("import", **options)

    return [export, import_rows]
