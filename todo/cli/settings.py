"""`todo settings`."""

import json
import shlex

import rich_click as click

from todo.setting_errors import PREFIX
from todo.settings import Settings, load_settings, masked


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings(as_json: bool) -> None:
    """Show every setting, as lines of an environment file.

    Secrets are masked, in comments.

    Example:

        todo settings > todo.env
    """
    found = load_settings()
    if as_json:
        values = {PREFIX + name.upper(): masked(getattr(found, name)) for name in Settings.model_fields}
        click.echo(json.dumps(values, indent=2))
        return
    for name, field in Settings.model_fields.items():
        click.secho(f"# {field.description}", dim=True)
        click.secho(line_of(name, getattr(found, name)) + "\n", bold=name in found.model_fields_set)


def line_of(name: str, value: object) -> str:
    """Return a setting as a line that a shell, Compose and we read; what is masked in a comment."""
    text, variable = masked(value), PREFIX + name.upper()
    if "********" in text:
        return f"# {variable}={text}"
    return f"{variable}={shlex.quote(text) if text else ''}"
