"""`docs/cli.md`: every command, as its help has it. `python -m todo.cli.reference > docs/cli.md` writes it."""

import inspect
from collections.abc import Iterator

import click

from todo.cli import main
from todo.cli.lazy import LazyCommand

HEAD = """# The `todo` command

Written from the commands themselves: `python -m todo.cli.reference > docs/cli.md`. What they are for is in
[operations.md](operations.md).
Exit codes: 0 done, 1 refused, 2 wrong usage, 3 not found.
"""


def reference() -> str:
    """Return the whole page, in Markdown."""
    return "\n".join([HEAD, *_of_group(main, "todo")])


def _of_group(group: click.Group, path: str) -> Iterator[str]:
    for name, listed in sorted(group.commands.items()):
        if isinstance(listed, click.Group):
            yield from _of_group(listed, f"{path} {name}")
        else:
            yield from _of_command(listed.load() if isinstance(listed, LazyCommand) else listed, f"{path} {name}")


def _of_command(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f"## {path}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield _as_markdown(inspect.cleandoc(command.help or ""))
    if options := [one for one in command.params if isinstance(one, click.Option)]:
        yield "| option | what it does |\n|---|---|"
        for name, text in (one.get_help_record(context) or ("", "") for one in options):
            yield "| `{}` | {} |".format(name.replace("|", r"\|"), text.replace("|", r"\|"))
        yield ""


def _as_markdown(text: str) -> str:
    """Return a help text with its examples as blocks of code."""
    paragraphs = text.split("\n\n")
    shown = [f"```text\n{inspect.cleandoc(one)}\n```" if one.startswith("    ") else one for one in paragraphs]
    return "\n\n".join(shown) + "\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
