"""Values of the audit log as people read them: references by name, times in the viewer's time zone."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from todo.admin.fields import Field, label_of, write_text
from todo.admin.pages.languages import Language, when
from todo.admin.schemas import Difference

EMPTY: tuple[Any, ...] = (None, "", [], {})
KEPT_BY_THE_DATABASE = {"id", "version", "created_at", "updated_at"}


def changed_value(
    language: Language, value: Any, field: Field | None, timezone: str, names: Mapping[str, str] | None = None
) -> str:
    """Format a value as one line of text. `names` are those of referenced rows, by their ids."""
    if value in EMPTY:
        return language.gettext("nothing")
    if field is not None and field.text_format is not None:
        return field.text_format.write(value)
    if field is not None and field.names:
        return language.words(field.name_of(value))
    if field is not None and field.kind == "choice":
        return language.words(value)
    if field is not None and field.kind == "local":
        return str(value)[:16].replace("T", " ")
    if field is not None and field.kind == "instant":
        return when(value if isinstance(value, datetime) else datetime.fromisoformat(value), timezone)
    return _text(language, value, names or {}, field)


def _text(language: Language, value: Any, names: Mapping[str, str], field: Field | None = None) -> str:
    match value:
        case bool():
            return language.gettext("Yes") if value else language.gettext("No")
        case list():
            return ", ".join(_text(language, one, names, field) for one in value)
        case dict():
            held = {name: one for name, one in value.items() if one not in EMPTY}
            labels = {name: language.translate(label_of(name)) for name in held}
            called = {name: field.name_within(name, one) if field else "" for name, one in held.items()}
            texts = {name: language.words(called[name]) or _text(language, one, names) for name, one in held.items()}
            return "; ".join(f"{labels[name]}: {text}" for name, text in texts.items())
    return names.get(str(value), write_text(value))


def notable(changes: Iterable[Difference]) -> list[Difference]:
    """Return the changes without what the database keeps of every row; what has a value before what has none."""
    found = [
        one
        for one in changes
        if one.field not in KEPT_BY_THE_DATABASE and one.before != one.after and (one.before or one.after not in EMPTY)
    ]
    return sorted(found, key=lambda one: one.after is None)
