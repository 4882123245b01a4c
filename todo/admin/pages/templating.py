"""The Jinja environment: autoescaping, and undefined names are errors."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import UNSET

from todo.admin.checks import AdminError
from todo.admin.declaration import Resource
from todo.admin.fields import Field, holds, label_of, longest, write_text
from todo.admin.filters import local_time
from todo.admin.pages.assets import asset
from todo.admin.pages.brand import Brand
from todo.admin.pages.changed_values import changed_value, notable
from todo.admin.pages.languages import FILTERS, LANGUAGES, Language, language_of, when
from todo.admin.pages.markdown import rendered
from todo.database import now

TEMPLATES = Path(__file__).parent / "templates"
TONES = {
    "good": {"active", "done", "complete", "delivered", "sent", "ok", "confirmed", "succeeded", "live", "finished"},
    "info": {"open", "queued", "new", "pending", "scheduled", "planned"},
    "accent": {"in_progress", "running", "admin", "superuser"},
    "warn": {"waiting", "leaving", "late", "retired", "paused", "retrying", "aborting", "missed", "moved"},
    "bad": {"disabled", "failed", "revoked", "expired", "aborted", "away", "error", "refused"},
}


def environment(folders: Sequence[Path], language: Language, brand: Brand) -> Environment:
    """Return the environment for a language. Templates of the engine come before those of modules."""
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    texts = language.texts
    made.install_gettext_callables(texts.gettext, texts.ngettext, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    made.globals |= {
        "asset": asset,
        "brand": brand,
        "language": language,
        "languages": [language_of(code) for code in LANGUAGES],
    }
    made.filters |= {
        "when": when, "iso": iso, "is_future": is_future, "before_dot": before_dot, "tone": tone,
        "short_id": short_id, "plain_time": plain_time, "json": as_json,
        "called": called, "displays": displays, "label": label_of,
        "changed": partial(changed_value, language), "notable": notable,
        "longest": longest_of, "unset_is_none": unset_is_none, "holds": holds, "sentence": sentence,
        "markdown": rendered, "in_order": in_order,
    }  # fmt: skip
    made.filters |= {name: getattr(language, name) for name in FILTERS}
    return made


def check_widgets(resources: Iterable[Resource], templates: Environment) -> None:
    """Raise AdminError for a widget whose template there is not."""
    found = {*templates.list_templates()}
    missing = [
        f"{type(one).__name__}: widgets has {widget!r}, which is no template of a module."
        for one in resources
        for widget in one.widgets.values()
        if widget.endswith(".html") and widget not in found
    ]
    if missing:
        raise AdminError(missing)


def iso(value: datetime | date) -> str:
    """Format for machines: RFC 3339, instants in UTC."""
    return local_time(value, UTC).isoformat() if isinstance(value, datetime) else value.isoformat()


def is_future(value: datetime) -> bool:
    """Return whether an instant is still to come."""
    return value > now()


def tone(value: Any, field: Field | None = None) -> str:
    """Return the color of a badge: as declared, or else for a state used by many tables."""
    if field is not None and field.tones:
        return f"tag-{declared}" if (declared := dict(field.tones).get(write_text(value))) else ""
    return next((f"tag-{name}" for name, known in TONES.items() if str(value) in known), "")


def short_id(value: Any) -> str:
    """Return the end of an id, where ids created at the same time differ."""
    return f"…{str(value)[-8:]}" if len(str(value)) == 36 else str(value)


def plain_time(value: Any) -> str:
    """Format a local time or a day, to the minute."""
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)


def as_json(value: Any, indent: bool = False) -> str:
    """Format a value as JSON."""
    text = msgspec.json.encode(value)
    return (msgspec.json.format(text, indent=2) if indent else text).decode()


def in_order(value: Any, field: Field) -> Any:
    """Return the data of a JSON field in the order of its schema; the database keeps none."""
    if isinstance(value, list):
        return [in_order(one, field) for one in value]
    if not isinstance(value, dict) or not (isinstance(field.schema, type) and issubclass(field.schema, msgspec.Struct)):
        return value
    names = [one.encode_name for one in msgspec.structs.fields(field.schema)]
    return dict(sorted(value.items(), key=lambda item: names.index(item[0]) if item[0] in names else len(names)))


def longest_of(field: Field) -> int:
    """Return the maximum length of a text field."""
    return longest(field.type)


def sentence(text: str) -> str:
    """Return a line of a docstring without backticks."""
    return text.replace("`", "")


def before_dot(value: str) -> str:
    """Return the group of a dotted name: `users` of `users.view`."""
    return value.partition(".")[0]


def called(row: Any, resource: Resource) -> str:
    """Return the display name of a row; for other resources the value of the field in `display`."""
    value = row.display if hasattr(row, "display") else getattr(row, resource.display)
    text = "" if value is None else str(value)
    return text[:16] if resource.fields[resource.display].kind == "local" else text


def displays(row: Any) -> Mapping[str, str]:
    """Return the display names of a row's references; empty for resources that are not tables."""
    found: Mapping[str, str] = getattr(row, "displays", {})
    return found


def unset_is_none(value: Any) -> Any:
    """Return None for unset values."""
    return None if value is UNSET else value
