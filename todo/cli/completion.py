"""`todo completion`."""

import rich_click as click
from click.shell_completion import get_completion_class


@click.command()
@click.pass_context
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(context: click.RichContext, shell: str) -> None:
    """Print the script that completes `todo` in a shell.

    Example:

        todo completion bash > ~/.local/share/bash-completion/completions/todo
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 -- one of the choices
    click.echo(kind(context.find_root().command, {}, "todo", "_TODO_COMPLETE").source())
