"""What a shell completes after a command: options, resources, fields, filters and actions.

The names are in `completion.json`, since loading the resources at every touch of the key would take a second.
`python -m todo.cli.completing > todo/cli/completion.json` writes it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from todo.cli.lazy import LazyCommand, ShortName, imported

NAMES = Path(__file__).parent / "completion.json"
OF_OPTION = {"--filter": "filters", "--sort": "sorts", "--columns": "fields"}


def complete(command: LazyCommand, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return what can come next. Names that a value follows end in `=`."""
    names = json.loads(NAMES.read_text(encoding="utf-8"))
    options: dict[str, bool] = names["options"].get(ctx.command_path, {})
    words, option = _read([*ctx.args], options)
    if isinstance(command, ShortName):
        words, verb = [command.resource, *words], command.verb
    else:
        verb = str(command.name) if ctx.command_path.startswith("todo admin ") else ""
    found = options if incomplete.startswith("-") else _next(names["resources"], verb, words, option)
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _read(args: list[str], options: dict[str, bool]) -> tuple[list[str], str]:
    """Return the words of a line without its options, and the option whose value comes next."""
    words, option = [], ""
    for one in args:
        if option:
            option = ""
        elif one.startswith("-"):
            option = one if options.get(one) else ""
        else:
            words.append(one)
    return words, option


def _next(resources: dict[str, Any], verb: str, words: list[str], option: str) -> list[str]:
    if not verb:
        return []
    if not words:
        return list(resources)
    known = resources.get(words[0], {})
    if option:
        ending = "=" if option == "--filter" else ""
        return [f"{name}{ending}" for name in known.get(OF_OPTION.get(option, ""), [])]
    if verb == "act" and len(words) == 1:
        return list(known.get("actions", []))
    if verb == "add" or (verb == "set" and len(words) > 1):
        return [f"{name}=" for name in known.get("written", [])]
    return []


def names() -> dict[str, Any]:
    """Return what the file has: of each resource its names, and the options of each command, which may take a value."""
    main = imported("todo.cli").main
    resources = {
        one.name: {
            "fields": list(one.fields),
            "filters": list(one.filter_names),
            "sorts": list(one.sortable),
            "written": [field.name for field in one.fields.values() if field.on_add or field.on_change],
            "actions": [*one.actions, *(verb for verb in ("change", "delete") if verb in one.verbs)],
        }
        for one in imported("todo.modules").REGISTRY
    }
    return {"resources": resources, "options": dict(_options(main, "todo"))}


def _options(group: click.Group, path: str) -> Iterator[tuple[str, dict[str, bool]]]:
    for name, listed in group.commands.items():
        if isinstance(listed, click.Group):
            yield from _options(listed, f"{path} {name}")
            continue
        command = listed.load() if isinstance(listed, LazyCommand) else listed
        options = [one for one in command.params if isinstance(one, click.Option)]
        known = {name: not one.is_flag for one in options for name in one.opts if name.startswith("--")}
        yield f"{path} {name}", {**known, "--help": False}


if __name__ == "__main__":
    click.echo(json.dumps(names(), separators=(",", ":")))
