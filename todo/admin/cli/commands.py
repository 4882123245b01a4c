"""What the commands of the admin share: how they are declared, their options, and how values are written."""

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import rich_click as click

from todo.admin.service import AdminService

Work = Callable[[AdminService], Awaitable[int]]  # the exit code, 0 or 1
Body = Callable[..., Awaitable[int]]
Serve = Callable[[Work, str | None, str | None], None]  # opens the service for a person, with a reason
Parameter = Callable[[Any], Any]

AS = click.option("--as", "user", metavar="USER", help="Act with the permissions of this user (e-mail address).")
REASON = click.option("--reason", help="Why, for the audit log.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
CSV = click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with the ids of references.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
RESOURCE = click.argument("resource")
ROW = click.argument("row_id", metavar="ROW")
SORT = click.option("--sort", default="", metavar="FIELDS", help="Up to three fields; `-` before one sorts descending.")
VALUES = click.argument("values", nargs=-1, metavar="NAME=VALUE...")
MATCHING = (
    click.option(
        "--filter", "filters", multiple=True, metavar="NAME=VALUE",
        help="status=open, due_at=2026-11, priority=1..3, owner.email=ada; may be repeated.",
    ),
    click.option(
        "--match", type=click.Choice(["all", "any"]), default="all", show_default=True,
        help="Whether rows must match all filters, or any of them.",
    ),
    click.option("--search", "q", default="", help="Words to search for, or an id."),
    click.option("--trash", is_flag=True, help="Rows in the trash instead."),
)  # fmt: skip


class AdminCommand(click.RichCommand):
    """A command whose `body` gets the AdminService that its context's `obj`, a `Serve`, opens."""

    def __init__(self, name: str, body: Body, help: str, parameters: Sequence[Parameter | click.Parameter]):
        super().__init__(name=name, help=help)
        self.body = body
        for one in (*parameters, AS):
            if isinstance(one, click.Parameter):
                self.params.append(one)
            else:
                one(self)

    def invoke(self, ctx: click.Context) -> None:
        options = dict(ctx.params)
        user, reason = options.pop("user"), options.pop("reason", None)
        serve: Serve = ctx.obj
        serve(lambda admin: self.body(admin, **options), user, reason)


def command(name: str, *parameters: Parameter) -> Callable[[Body], AdminCommand]:
    """Make a function a command; its docstring is the help."""
    return lambda body: AdminCommand(name, body, inspect.getdoc(body) or "", parameters)


@contextmanager
def answered_by(option: str) -> Iterator[None]:
    """Ask on the terminal in this block. Raise UsageError, which names the option, when there is none."""
    try:
        yield
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError(f"There is no terminal to answer this: give {option}.") from None


def confirm(question: str) -> None:
    """Ask before something that cannot be undone. Raise Abort when the answer is no."""
    with answered_by("--yes"):
        agreed = click.confirm(f"{question} Continue?".lstrip(), err=True)
    if not agreed:
        raise click.Abort


def say(answer: Any) -> None:
    """An answer as the API gives it, a line for each value."""
    click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def values_of(texts: Iterable[str]) -> dict[str, str]:
    """`name=value` of each, once."""
    found: dict[str, str] = {}
    for name, value in map(_pair, texts):
        if name in found:
            raise click.UsageError(f"{name} is given twice.")
        found[name] = value
    return found


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
