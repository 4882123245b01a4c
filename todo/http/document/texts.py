"""The texts of the documents: what they open on, and what each group of operations is about."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from msgspec import json

from todo import __version__

# In the order in which pages show them.
TAGS = {
    "Tasks": "Add, list, change, complete and delete tasks.",
    "Projects": "Projects, their members and roles: what tasks belong to, and what people share.",
    "Series": "Recurring tasks: their rules, occurrences and pauses, and what a rule would do.",
    "Notifications": "Reminders, the list of notifications, and when to send which.",
    "Accounts": "Sign in, and manage your account: sessions, tokens, second factors, invitations.",
    "Operations": "Whether the service works, for those who run it.",
    "Admin": "Administration of everything: resources, search, recent changes.",
}


def read_text(name: str) -> str:
    """Return a text file of this package."""
    return (files(__package__) / name).read_text(encoding="utf-8")


@lru_cache
def field_texts() -> dict[str, dict[str, str]]:
    """Return the descriptions of fields: by name in `fields`, and by schema and name."""
    return tomllib.loads(read_text("fields.toml"))


def field_text(schema: str, field: str) -> str | None:
    """Return the description of a field whose type has none, or None."""
    found = field_texts()
    return found.get(schema, {}).get(field) or found["fields"].get(field)


@lru_cache
def examples() -> dict[str, Any]:
    """Return an example by the name of its schema: of each body, and of the most important answers."""
    found: dict[str, Any] = json.decode(read_text("examples.json"))
    return found


def info() -> dict[str, Any]:
    """Return the `info` of a document."""
    return {
        "title": "todo",
        "version": __version__,
        "summary": "A self-hosted, multi-user task service.",
        "description": read_text("getting-started.md"),
        "license": {"name": "MIT", "identifier": "MIT"},
    }


def tags_of(paths: dict[str, Any]) -> list[dict[str, str]]:
    """Describe the tags of these paths, those of the administration last."""
    used = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    about = TAGS | {tag: f"Administration of {tag.partition(': ')[2].lower()}." for tag in sorted(used - TAGS.keys())}
    return [{"name": tag, "description": words} for tag, words in about.items() if tag in used]
