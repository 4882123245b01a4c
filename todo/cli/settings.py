"""`todo settings`."""

import json

import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from todo.settings import PREFIX, Settings, load_settings, masked


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings(as_json: bool) -> None:
    """Show every setting; secrets are masked.

    Example:

        todo settings
    """
    found = load_settings()
    values = {name: masked(getattr(found, name)) for name in Settings.model_fields}
    if as_json:
        click.echo(json.dumps({PREFIX + name.upper(): value for name, value in values.items()}, indent=2))
        return
    table = Table("Variable", "Value", "What it means", expand=True)
    for name, field in Settings.model_fields.items():
        style = "bold" if name in found.model_fields_set else ""
        table.add_row(PREFIX + name.upper(), Text(values[name], style), Text(field.description or ""))
    Console().print(table)
