"""Collect the texts of the administration, and bring the catalogs up to date: `python -m todo.cli.messages`.

Texts come from the templates and from calls of `gettext`, from what resources, cards and links declare, and from the
sentences of errors and of messages after a save. A translator fills in `todo/locale/*/LC_MESSAGES/admin.po`.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard, cast, get_args

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract
from msgspec import Struct, structs

import todo
from todo.actions import Permission
from todo.admin.declaration import Filter, Resource
from todo.admin.fields import label_of
from todo.admin.filters import PERIODS
from todo.admin.pages.languages import CATALOGS, LANGUAGES, NAMES, SCRIPT_TEXTS, words_of
from todo.admin.pages.sentences import PARTS
from todo.admin.values import fields_of_action
from todo.app import WEB
from todo.cli.patterns import is_sentence, sentences_of, texts_of
from todo.deployment import MESSAGES
from todo.domain.accounts.controllers.account_pages import LINKS
from todo.errors import ADVICE
from todo.modules import APPLICATION, REGISTRY
from todo.permission_texts import text_of

ROOT = Path(todo.__file__).parent
CALLS = ["gettext", "ngettext", "marked", "_"]
# Calls whose sentences people read on pages.
ERRORS = {
    "__init__", "Conflict", "Conflicted", "FieldError", "FilterError", "Forbidden", "Invalid", "NotFound", "Obstacle",
    "Problem", "RuleError", "Unauthorized", "Unavailable", "cls", "field",
}  # fmt: skip
# Files that say more than errors, and in pieces.
SPOKEN = (
    "field_errors.py", "titles.py", "admin/explanations.py", "admin/fields.py", "admin/filters.py",
    "admin/undo.py", "admin/values.py", "domain/*/admin.py",
    "domain/*/admin/*.py", "domain/*/*/admin.py", "domain/*/services/explaining.py", "domain/*/services/dashboard.py",
    "domain/operations/services.py", "domain/accounts/rules.py", "domain/accounts/services/rewrap.py",
)  # fmt: skip
OTHERS = ("Dashboard", "Reference", "Other", "Operations", "Search", "Not found.")  # of the frame of all pages
Message = str | tuple[str, str]


def template() -> Catalog:
    """Return all texts, each with where it comes from."""
    catalog = Catalog(project="todo", charset="utf-8", fuzzy=False)
    for text, place in [*_of_templates(), *_of_code(), *_of_declarations()]:
        if text:
            catalog.add(text, locations=[(place, 0)] if place else [])
    return catalog


def update(code: str) -> Catalog:
    """Return the catalog of a language with today's texts: new ones without translation, old ones gone."""
    with _file(code, "po").open("rb") as file:
        catalog = read_po(file, locale=code)
    created = catalog.creation_date
    catalog.update(template(), no_fuzzy_matching=True)
    catalog.creation_date = created  # so that the file changes with its texts alone
    catalog.obsolete.clear()
    return catalog


def write(code: str, catalog: Catalog) -> None:
    with _file(code, "po").open("wb") as file:
        write_po(file, catalog, sort_output=True, width=120, include_lineno=False)
    with _file(code, "mo").open("wb") as file:
        write_mo(file, catalog)


def _file(code: str, kind: str) -> Path:
    return CATALOGS / code / "LC_MESSAGES" / f"admin.{kind}"


def _of_templates() -> Iterator[tuple[Message, str]]:
    for path in sorted([*ROOT.glob("admin/pages/templates/*.html"), *ROOT.glob("domain/*/templates/*.html")]):
        with path.open("rb") as file:
            for _, function, text, _ in babel_extract(file, CALLS, [], {"newstyle_gettext": "true"}):
                yield _message(function or "_", text), str(path.relative_to(ROOT.parent))


def _message(function: str, text: Any) -> Message:
    """Return a text as a catalog has it. A call whose text is computed has none."""
    one, many = (*text, None)[:2] if isinstance(text, tuple) else (text, None)
    if function == "ngettext":
        return (one, many) if one and many else ""
    return one or ""


def _of_code() -> Iterator[tuple[Message, str]]:
    folders = ("*.py", "listing/*.py", "admin/**/*.py", "domain/**/*.py", "http/*.py")
    for path in sorted(path for folder in folders for path in ROOT.glob(folder)):
        place = str(path.relative_to(ROOT.parent))
        with path.open("rb") as file:
            for _, function, text, _ in extract_python(file, dict.fromkeys(CALLS), [], {}):
                yield _message(str(function), text), place
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from ((text, place) for text in _said(node))
        if any(path.match(f"todo/{spoken}") for spoken in SPOKEN):
            yield from ((text, place) for text in sentences_of(tree))


def _said(call: ast.Call) -> Iterator[str]:
    """Return what a call shows to people: errors, `done` or `refused` of a redirect, texts of a figure."""
    name = ast.unparse(call.func).rpartition(".")[2]
    shown = call.args if name in ERRORS else [one.value for one in call.keywords if one.arg in {"done", "refused"}]
    if name == "Figure":
        units = [one.value for one in call.keywords if one.arg == "unit"]
        yield from (one.value for one in [*call.args[1:2], *call.args[5:6], *units] if _is_text(one))
    for one in shown:
        if _is_text(one) and " " in one.value:
            yield one.value
        elif not isinstance(one, ast.Constant):
            yield from filter(is_sentence, texts_of(one))


def _is_text(node: ast.AST) -> TypeGuard[Any]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:1].isalpha()


def _of_declarations() -> Iterator[tuple[Message, str]]:
    found = [text for resource in REGISTRY for text in _of_resource(resource)]
    links: list[Any] = [*LINKS, *WEB.navigation, *WEB.row_links, *APPLICATION.dashboard]
    for text in dict.fromkeys(
        [
            *found,
            *(link.label for link in links),
            *NAMES.values(),
            *map(words_of, PERIODS),
            *SCRIPT_TEXTS,
            *OTHERS,
            *PARTS,
            *ADVICE.values(),
            *(message for _, message in MESSAGES.values()),
        ]
    ):
        yield text, ""


def _of_resource(resource: Resource) -> Iterator[str]:
    yield from (resource.label, resource.label_one, resource.group, resource.help)
    yield from (*resource.fieldsets, *resource.tabs)
    yield from _of_fields(resource.fields.values())
    yield from resource.texts()
    yield from (label for schema in resource.schemas.values() for label in _labels_in(schema))
    yield from (field.label for field in resource.filtered.values())
    for own in (item for item in resource.filters if isinstance(item, Filter)):
        yield from (label_of(own.name), *map(words_of, own.choices))
    for action in resource.actions.values():
        yield from (action.label, action.help)
        yield from _of_fields(fields_of_action(action))
    yield from (text_of(cast(Permission, permission)) for permission in resource.permissions)


def _labels_in(schema: Any) -> Iterator[str]:
    """Return what the names in JSON of a type are called."""
    if isinstance(schema, type) and issubclass(schema, Struct):
        yield from (label_of(name) for name in [schema.__struct_config__.tag_field] if name)
        for field in structs.fields(schema):
            yield label_of(field.encode_name)
            yield from _labels_in(field.type)
    for part in get_args(schema):
        yield from _labels_in(part)


def _of_fields(fields: Iterable[Any]) -> Iterator[str]:
    for field in fields:
        yield from (field.label, field.help)
        yield from (words_of(choice) for choice in field.choices if field.kind == "choice")
        yield from (name for _, name in field.names)
        yield from (name for names in getattr(field, "names_within", {}).values() for name in names.values())


if __name__ == "__main__":
    for language in LANGUAGES[1:]:
        write(language, update(language))
