"""Short names for verbs of the admin: `todo users disable ada@example.com`."""

from functools import partial
from typing import Any

import rich_click as click

from todo.admin.cli.commands import JSON, MATCHING, REASON, YES, AdminCommand, Parameter
from todo.admin.cli.reading import explain, get, list_rows
from todo.admin.cli.writing import VERSION, act, add, delete, set_fields
from todo.admin.declaration import Action
from todo.admin.fields import Field
from todo.admin.schemas import Match
from todo.admin.service import AdminService
from todo.admin.values import fields_of_action
from todo.cli.admin import serve
from todo.cli.lazy import ShortName
from todo.modules import REGISTRY

PLAIN = {"list": list_rows, "get": get, "explain": explain, "add": add, "set": set_fields, "delete": delete}
ROWS = click.argument("ids", nargs=-1, metavar="ROW...")
ALL = click.option("--all", "everything", is_flag=True, help="All rows that match --filter and --search.")


def command_of(short: ShortName) -> click.Command:
    """The command of a short name: one that every resource has, or an action with the fields of its form as arguments
    and options.
    """
    resource = REGISTRY[short.resource]
    if short.verb in PLAIN:
        plain = PLAIN[short.verb]
        command = AdminCommand(short.name or "", partial(plain.body, resource=short.resource), "", plain.params[1:-1])
    else:
        command = _action(short, resource.actions[short.verb])
    command.help = f"{short.help}\n\nExample:\n\n    todo {short.path} {short.example}".rstrip()
    command.context_settings["obj"] = serve
    return command


def _action(short: ShortName, action: Action) -> AdminCommand:
    fields = fields_of_action(action)
    on_rows: tuple[Parameter, ...] = (ROWS,) if action.on == "row" else ()

    async def body(
        admin: AdminService, as_json: bool, ids: tuple[str, ...] = (), everything: bool = False,
        filters: tuple[str, ...] = (), match: Match = "all", q: str = "", trash: bool = False,
        version: int | None = None, yes: bool = False, **form: str | None,
    ) -> int:  # fmt: skip
        if on_rows and not ids and not everything:
            raise click.UsageError("Name rows, or give --all.")
        values = [f"{field.name}={text}" for field in fields if (text := form[_parameter(field)]) is not None]
        return await act.body(
            admin, resource=short.resource, action=action.name, ids=ids, everything=everything, filters=filters,
            match=match, q=q, trash=trash, values=values, version=version,
            yes=yes or not everything, as_json=as_json,
        )  # fmt: skip

    matching = (ALL, *MATCHING, VERSION, YES) if on_rows else ()
    parameters = [*on_rows, *map(_parameter_of, fields), *matching, REASON, JSON]
    return AdminCommand(short.name or "", body, "", parameters)


def _parameter_of(field: Field) -> Parameter:
    """An argument for what an action needs, an option for what it may get."""
    if field.required:
        return click.argument(_parameter(field), metavar=field.name.upper())
    kind: Any = click.Choice(field.choices) if field.choices else str
    return click.option(f"--{field.name.replace('_', '-')}", _parameter(field), type=kind, help=f"{field.label}.")


def _parameter(field: Field) -> str:
    """The name of the parameter, which may be a word of Python such as `from`."""
    return f"form_{field.name}"
