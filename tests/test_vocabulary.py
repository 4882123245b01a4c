"""One thing has one name: retired words stay out of identifiers, the API, the pages and the documentation."""

import ast
import json
import re
import tokenize
from pathlib import Path

import pytest
from litestar import Litestar

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "todo").rglob("*.py"))
TEMPLATES = sorted((ROOT / "todo").rglob("*.html"))
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Retired word in a name -> the word to use (docs/glossary.md).
NAMES = {
    "turn": "occurrence", "turns": "occurrences", "ledger": "occurrences", "nominal": "original_start",
    "told": "sent", "tell": "notify", "tells": "notify", "telling": "sending", "letter": "email", "letters": "emails",
    "verdict": "action", "trail": "audit log", "traced": "audited", "face": "source, interface", "faces": "interfaces",
    "room": "module", "rooms": "modules", "house": "application", "visit": "admin session", "visits": "admin sessions",
    "detour": "required step", "unproven": "reauthentication",
    "proof": "reauthentication", "proven": "reauthenticated", "prove": "reauthenticate", "browsers": "admin sessions",
    "acts": "actions", "performing": "actions", "doing": "action context",
    "lens": "read view", "cells": "inline edit",
    "histories": "history",
    "spelling": "text format", "leaving": "account deletion", "leaves": "deletion", "newcomers": "provisioning",
    "mailed": "email token", "rights": "permissions", "figures": "dashboard", "melt": "expire", "shell": "middleware",
    "enrolment": "enrollment", "normalise": "normalize", "serialise": "serialize",
    "refusals": "problems", "refusal": "problem", "mend": "fix", "whoever": "user", "anew": "again", "afresh": "again",
}  # fmt: skip
# Names that are those of others, or of the shell one types into.
ALLOWED = {"shell_complete", "shell", "dbshell"}
# In texts: whole words that nobody in the field says.
TEXT = re.compile(
    r"\b(turns? of (a|the|its) series|ledgers?|nominal|audit trail|the trail|faces?|whoever|mend|rooms?"
    r"|outside issuers?"
    r"|is told|are told|was told|be told|shut out|let in|likewise|one a line|letters? (is|are) (sent|written))\b",
    re.IGNORECASE,
)

# In docstrings and comments besides.
PROSE = re.compile(TEXT.pattern + r"|\b(whichever|anew|afresh|told|trail|refusals?|rights)\b", re.IGNORECASE)


def words(name: str) -> set[str]:
    """The words of an identifier in snake case or camel case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def identifiers(tree: ast.AST) -> set[str]:
    """Every name that a file defines: classes, functions, arguments, variables."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_defines_no_retired_name(path: Path) -> None:
    names = identifiers(ast.parse(path.read_text())) | {path.stem}

    retired = {name: words(name) & NAMES.keys() for name in names - ALLOWED}

    assert {name: [NAMES[word] for word in found] for name, found in retired.items() if found} == {}


def prose(path: Path) -> str:
    """The docstrings and comments of a file."""
    docs = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    with path.open("rb") as file:
        comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    return "\n".join(docs + comments)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_and_comments_have_no_retired_word(path: Path) -> None:
    assert sorted({match.group().lower() for match in PROSE.finditer(prose(path))}) == []


@pytest.mark.parametrize("path", [*TEMPLATES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_no_retired_word(path: Path) -> None:
    assert sorted({match.group().lower() for match in TEXT.finditer(path.read_text())}) == []


@pytest.mark.parametrize("path", ["/openapi.json"])
async def test_the_api_has_no_retired_word(app: Litestar, client: object, path: str) -> None:
    document = json.dumps((await client.get(path)).json())  # type: ignore[attr-defined]  # httpx, untyped here

    assert sorted({match.group().lower() for match in TEXT.finditer(document)}) == []
