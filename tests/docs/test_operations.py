"""What the pages for operators name exists: settings, options of commands, files and tests."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from docs.pages import ROOT

from todo.cli import main
from todo.cli.lazy import LazyCommand
from todo.settings import PREFIX, Settings

TEXT = {name: (ROOT / "docs" / name).read_text() for name in ("operations.md", "scaling.md")}
TESTS = set(re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", "\n".join(TEXT.values())))
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OTHERS = {"TODO_SITE", "TODO_HTTP", "TODO_HTTPS", "TODO_X_FILE"}  # of docker-compose.yml, and an example


@pytest.mark.parametrize(("path", "name"), sorted(TESTS))
def test_each_test_exists(path: str, name: str) -> None:
    assert f"def {name}" in (ROOT / path).read_text()


@pytest.mark.parametrize("page", TEXT)
def test_each_setting_exists(page: str) -> None:
    named = set(re.findall(r"\bTODO_[A-Z0-9_]*[A-Z0-9]\b", TEXT[page]))

    assert named - {PREFIX + name.upper() for name in Settings.model_fields} - OTHERS == set()


@pytest.mark.parametrize("page", TEXT)
def test_each_option_exists(page: str) -> None:
    unknown = [(words, option) for words in commands_of(TEXT[page]) for option in unknown_options(words)]

    assert unknown == []


@pytest.mark.parametrize("page", TEXT)
def test_each_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", TEXT[page])

    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def commands_of(text: str) -> Iterator[list[str]]:
    """The words after `todo` of each command, in sentences and in blocks."""
    lines = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)) + "\n".join(BLOCK.findall(text)).splitlines()
    for line in lines:
        if "kubectl" not in line and (found := re.search(r"(?:^| )todo ([a-z][^|>#]*)", line)):
            yield shlex.split(found[1])


def unknown_options(words: list[str]) -> set[str]:
    """Those that no command on the way to the named one has."""
    command: click.Command = main
    known = options_of(command) | {"--help"}
    for word in words:
        if isinstance(command, click.Group) and (found := command.get_command(click.Context(command), word)):
            command = found.load() if isinstance(found, LazyCommand) else found
            known |= options_of(command)
    return {word.partition("=")[0] for word in words if word.startswith("--")} - known


def options_of(command: click.Command) -> set[str]:
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
