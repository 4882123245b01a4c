"""Groups that show their help without importing what their commands need."""

import gc
import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import rich_click as click
from click.exceptions import Exit
from click.shell_completion import CompletionItem


class CommandError(Exception):
    """Ends the command with exit code 1 and this sentence."""


class LazyCommand(click.RichCommand):
    """A name, its line of help, and where the command is: `todo.cli.up:up`, or a group that has it."""

    def __init__(self, name: str, line: str, target: str):
        # A shell that completes reads options and arguments without knowing them: `completing.py` does.
        super().__init__(
            name=name, help=line, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
        )
        self.target = target

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        found: Any = getattr(imported(module), attribute)
        command: click.Command = found.commands[str(self.name)] if isinstance(found, click.Group) else found
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found: list[CompletionItem] = imported("todo.cli.completing").complete(self, ctx, incomplete)
        return found


class ShortName(LazyCommand):
    """A short name for a verb of the admin: `users.disable` is `todo admin act users disable`.

    `example` is what follows the command in the example of its help.
    """

    def __init__(self, name: str, line: str, verb: str, example: str = ""):
        super().__init__(name, line, "todo.cli.short:command_of")
        self.resource, _, self.verb = verb.partition(".")
        self.path, self.example = "", example

    def load(self) -> click.Command:
        command: click.Command = imported("todo.cli.short").command_of(self)
        return command


class LazyGroup(click.RichGroup):
    """A group of lazy commands. What a command refuses becomes one sentence and its exit code."""

    def __init__(self, name: str, help: str, commands: Iterable[click.Command], **options: Any):
        super().__init__(name=name, help=help, commands=list(commands), **options)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        completes = ctx.resilient_parsing  # a shell wants names, for which nothing need be loaded
        return name, command.load() if isinstance(command, LazyCommand) and not completes else command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, click.ClickException, click.Abort, Exit):
            raise  # click ends these; a broken pipe is a reader that has gone, such as `head`
        except Exception as error:
            failures = imported("todo.cli.failures")
            sentence = failures.sentence_of(error)
            if sentence is None:
                raise
            click.echo(f"Error: {sentence}", err=True)
            sys.exit(failures.exit_code_of(error))


def imported(name: str) -> ModuleType:
    """A module, imported without collecting garbage meanwhile: nothing that a module defines is garbage."""
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()
