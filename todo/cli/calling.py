"""From a declared command to the code that does the work."""

import importlib
import sys
from typing import Any

import rich_click as click


class CommandError(Exception):
    """Ends the command with exit code 1 and this sentence."""


def call(target: str, **arguments: Any) -> None:
    """Run `module:function` with these arguments; what it refuses becomes one sentence and exit code 1."""
    module, _, name = target.partition(":")
    try:
        getattr(importlib.import_module(f"todo.cli.{module}"), name)(**arguments)
    except BrokenPipeError:
        raise  # whoever read our output has gone, such as `head`: click ends quietly
    except Exception as error:
        sentence = importlib.import_module("todo.cli.failures").sentence_of(error)
        if sentence is None:
            raise
        click.echo(f"Error: {sentence}", err=True)
        sys.exit(1)
