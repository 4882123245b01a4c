"""Forms: values as people type them, in their own time zone, and what they typed back into values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET

from todo.admin.declaration import Resource
from todo.admin.fields import Field, write_text
from todo.admin.pages.templating import labels, zone
from todo.admin.references import resolve
from todo.admin.service import AdminService
from todo.errors import FieldError, Invalid, Problem

WAS = "_was."  # a hidden field with the value that the form began with
MINUTES = "%Y-%m-%dT%H:%M"
Sent = Mapping[str, list[str]]


@dataclass(frozen=True)
class Control:
    """A field of a form: what stands in it, what it began with, and why it was refused."""

    field: Field
    text: str
    was: str
    error: str = ""
    required: bool = False

    @property
    def is_long(self) -> bool:
        return self.field.kind in {"long_text", "json"} and self.field.text_format is None


def text_of(field: Field, value: Any, timezone: str, label: str = "") -> str:
    """A value as a control holds it: references by what they are called, instants on the viewer's clock."""
    if value is None or value is UNSET or field.kind == "secret":
        return ""
    if field.kind == "reference" and label:
        return label
    if field.text_format is not None:
        return field.text_format.write(value)
    if field.kind == "instant":
        return str(value.astimezone(zone(timezone)).strftime(MINUTES))
    if field.kind == "local":
        return str(value.strftime(MINUTES))
    return write_text(value)


def controls(
    fields: Sequence[Field], row: Any, timezone: str, *, sent: Sent | None = None, problem: Problem | None = None
) -> list[Control]:
    """The controls of a form: of a row (or of nothing, to add one).

    One that was refused holds what was `sent`: the values, and the ones it began with. Those of the row would pass
    for what its sender has read, and the next save would silently undo what others changed meanwhile.
    """
    errors = errors_of(problem)
    sent = sent or {}
    found = []
    for field in fields:
        value = field.default if row is None else getattr(row, field.name)
        label = "" if row is None else labels(row).get(field.name, "")
        now = text_of(field, value, timezone, label)
        was = _last(sent, WAS + field.name, now)
        text = _read(field, sent[field.name]) if sent.get(field.name) else now
        found.append(Control(field, text, was, errors.get(field.name, ""), field.required and row is None))
    return found


def errors_of(problem: Problem | None) -> dict[str, str]:
    """What a refusal says about each field."""
    found = problem.errors if problem else []
    return {error.field.removeprefix("body.").split(".")[0]: error.message for error in found}


async def read_values(
    admin: AdminService, resource: Resource, fields: Sequence[Field], sent: Sent, timezone: str, *, whole: bool = False
) -> dict[str, str]:
    """The values that were changed (all with `whole`), as the service takes them; raises Invalid."""
    values: dict[str, str] = {}
    errors: list[FieldError] = []
    for field in fields:
        if field.name not in sent:
            continue
        text = _read(field, sent[field.name])
        if text == _last(sent, WAS + field.name, "\x00") and not (whole and text):
            continue
        try:
            values[field.name] = await _value(admin, resource, field, text, timezone)
        except Invalid as problem:
            errors += problem.errors
    if errors:
        raise Invalid("Something in the form cannot be accepted.", errors=errors)
    return values


async def _value(admin: AdminService, resource: Resource, field: Field, text: str, timezone: str) -> str:
    if field.kind == "reference":
        return await resolve(admin, resource.name, field, text)
    if field.kind == "instant" and text:
        return _instant(field, text, timezone)
    return text


def _instant(field: Field, text: str, timezone: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone))
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Invalid.field(f"body.{field.name}", "This is not a date and time.") from None


def _read(field: Field, texts: list[str]) -> str:
    """AdminSessions send line ends as CRLF; a list of boxes comes as several values, a flag as its last one."""
    if field.kind == "list":
        return ", ".join(line.strip() for text in texts for line in text.splitlines() if line.strip())
    return texts[-1].replace("\r\n", "\n")


def _last(sent: Sent, name: str, otherwise: str) -> str:
    return sent[name][-1] if sent.get(name) else otherwise


def version_of(sent: Sent) -> int:
    """The version of the row that a form was made from; raises Invalid when it does not say."""
    text = _last(sent, "_version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid.field("body._version", "The form does not say which version of the row it is for; load it again.")
    return int(text)


def form_version(sent: Sent | None, row: Any) -> str:
    """The version that a form carries: the one it was sent with when it is refused, else the row's."""
    return _last(sent or {}, "_version", str(getattr(row, "version", "")))


async def sent_by(request: Any) -> dict[str, list[str]]:
    """The fields of a form, each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return found
