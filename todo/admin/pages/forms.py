"""Forms: convert values to text in the user's time zone, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET

from todo.admin.fields import Field, write_text
from todo.admin.filters import local_time
from todo.admin.pages.languages import zone
from todo.admin.pages.templating import displays
from todo.admin.queries import is_id
from todo.admin.service import AdminService
from todo.admin.values import read_fields
from todo.errors import FieldError, Invalid, Problem

WAS = "_was."  # hidden field with the initial value
ID = "_id."  # hidden field with the id of the row that the initial value of a copied reference names
MINUTES = "%Y-%m-%dT%H:%M"
Sent = Mapping[str, list[str]]


@dataclass(frozen=True)
class Control:
    """A field of a form: its text, initial value, and error."""

    field: Field
    text: str
    was: str
    error: str = ""
    required: bool = False
    may_add: bool = False  # a row that this reference may refer to
    refers_to: str = ""  # the id of the row that it refers to, if that can be opened
    names: Mapping[str, str] = dataclass_field(default_factory=dict)  # of the rows that a list refers to, by their ids
    is_new: bool = False  # a field of a new row
    copied_id: str = ""  # of the row that the initial value of a reference names, in a copy

    @property
    def choices(self) -> tuple[str, ...]:
        """Return what may be chosen: of a value that only an action changes, itself alone."""
        settable = self.field.settable
        if self.is_new or not settable:
            return self.field.choices
        return settable if self.was in ("", *settable) else (self.was,)

    @property
    def is_long(self) -> bool:
        return self.field.kind in {"long_text", "json"} and self.field.text_format is None


def text_of(field: Field, value: Any, timezone: str, label: str = "") -> str:
    """Format a value for a control: references by display name, instants in the viewer's time zone."""
    if value is None or value is UNSET or field.kind == "secret":
        return ""
    if field.kind == "reference" and label:
        return label
    if field.text_format is not None:
        return field.text_format.write(value)
    if field.kind == "instant":
        return local_time(value, zone(timezone)).strftime(MINUTES)
    if field.kind == "local":
        return str(value.strftime(MINUTES))
    return write_text(value)


def controls(
    fields: Sequence[Field],
    row: Any,
    timezone: str,
    *,
    sent: Sent | None = None,
    problem: Problem | None = None,
    adding: bool = False,
) -> list[Control]:
    """Return the controls of a form for a row, or for a new row.

    A form with errors keeps the values and initial values that were `sent`. With the initial values of the current row,
    the next save would silently undo concurrent changes.
    """
    errors = errors_of(problem)
    sent = sent or {}
    found = []
    for field in fields:
        value = field.default if row is None else getattr(row, field.name)
        label = "" if row is None else displays(row).get(field.name, "")
        now = text_of(field, value, timezone, label)
        was = _last(sent, WAS + field.name, now)
        text = _read(field, sent[field.name]) if sent.get(field.name) else now
        required = field.required and row is None
        error, copied = errors.get(field.name, ""), _last(sent, ID + field.name, "")
        found.append(Control(field, text, was, error, required, is_new=adding, copied_id=copied))
    return found


def copied(found: Sequence[Control], row: Any) -> dict[str, list[str]]:
    """Return the fields of the form of a new row that is a copy. References carry ids: several rows may have a name."""
    sent = {one.field.name: [one.text] for one in found}
    for one in found:
        if one.field.kind == "reference" and one.text:
            sent |= {WAS + one.field.name: [one.text], ID + one.field.name: [str(getattr(row, one.field.name))]}
    return sent


async def with_related(admin: AdminService, found: Sequence[Control], row: Any = None) -> list[Control]:
    """Return the controls of references with what this actor may add, and may open, to refer to."""
    return [
        _related(admin, one, row)
        if one.field.kind == "reference"
        else replace(one, names=await _names(admin, one))
        if one.field.reference
        else one
        for one in found
    ]


async def _names(admin: AdminService, one: Control) -> dict[str, str]:
    return await admin.queries.names(one.field.reference, [text for text in one.text.split(", ") if is_id(text)])


def _related(admin: AdminService, one: Control, row: Any) -> Control:
    there, now = one.field.reference, row and getattr(row, one.field.name)
    can_open = bool(now) and one.field.name in displays(row) and admin.may(there, "view")
    return replace(one, may_add=admin.may(there, "add"), refers_to=str(now) if can_open else "")


def errors_of(problem: Problem | None) -> dict[str, str]:
    """Return the messages of a problem by field."""
    found = problem.errors if problem else []
    return {error.field.removeprefix("body.").split(".")[0]: error.message for error in found}


async def read_values(
    admin: AdminService, fields: Sequence[Field], sent: Sent, timezone: str, *, whole: bool = False
) -> dict[str, str]:
    """Return the changed values (all with `whole`). Raise Invalid."""
    values: dict[str, str] = {}
    errors: list[FieldError] = []
    for field in fields:
        if field.name not in sent:
            continue
        text = _read(field, sent[field.name])
        was = _last(sent, WAS + field.name, "\x00")
        if _same(field, text, was) and not (whole and text):
            continue
        copied_id = _last(sent, ID + field.name, "") if text == was else ""
        try:
            values[field.name] = copied_id or await _value(admin, field, text, timezone)
        except Invalid as problem:
            errors += problem.errors
    if errors:
        raise Invalid("Correct the errors below.", errors=_with_others(fields, values, errors))
    return values


def _with_others(fields: Sequence[Field], values: Mapping[str, str], errors: list[FieldError]) -> list[FieldError]:
    """Return the errors with those that reading the other values finds, in the order of the form."""
    try:
        read_fields(fields, values, lax=True)
    except Invalid as problem:
        errors = [*errors, *problem.errors]
    places = {field.name: place for place, field in enumerate(fields)}
    return sorted(errors, key=lambda error: places.get(error.field.removeprefix("body.").split(".")[0], 0))


async def _value(admin: AdminService, field: Field, text: str, timezone: str) -> str:
    if field.kind == "reference":
        return await admin.queries.id_of(field, text)
    if field.reference:
        return await admin.queries.ids_of(field, text)
    if field.kind == "instant" and text:
        return _instant(field, text, timezone)
    return text


def _instant(field: Field, text: str, timezone: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone))
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Invalid.field(f"body.{field.name}", "Enter a valid date and time.") from None


def _read(field: Field, texts: list[str]) -> str:
    """Return the text of a field.

    Browsers send CRLF line breaks, lists as several values, and a flag as its last value.
    """
    if field.kind == "list":
        return ", ".join(line.strip() for text in texts for line in text.splitlines() if line.strip())
    return texts[-1].replace("\r\n", "\n")


def _same(field: Field, text: str, was: str) -> bool:
    """Return whether a field is unchanged. A picker sends a list in another order than it was stored in."""
    return text == was or (field.kind == "list" and sorted(text.split(", ")) == sorted(was.split(", ")))


def _last(sent: Sent, name: str, otherwise: str) -> str:
    return sent[name][-1] if sent.get(name) else otherwise


def version_of(sent: Sent) -> int:
    """Return the row version of a form. Raise Invalid when it is missing."""
    text = _last(sent, "_version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid.field("body._version", "The form has no row version. Reload the page.")
    return int(text)


def form_version(sent: Sent | None, row: Any) -> str:
    """Return the version for a form: the one sent when it has errors, else that of the row."""
    return _last(sent or {}, "_version", str(getattr(row, "version", "")))


async def sent_by(request: Any) -> dict[str, list[str]]:
    """Return the fields of a form, each with all values."""
    found: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return found
