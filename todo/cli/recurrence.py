"""`todo recurrence preview`."""

from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import rich_click as click

from todo.domain.recurrence.schemas import PreviewIn
from todo.domain.recurrence.services import holidays_of, preview_of
from todo.errors import Invalid
from todo.settings import load_settings


def show(as_json: bool, calendar: TextIO | None, **options: Any) -> None:
    notes: list[str] = []
    if calendar:
        days_off = holidays_of(calendar.read())
        notes = days_off.notes
        options["holidays"] = [*options["holidays"], *(str(one.day) for one in days_off.days)]
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value}
    given.setdefault("start", datetime.now(UTC).date().isoformat())
    try:
        data = msgspec.convert(given, PreviewIn)
    except msgspec.ValidationError as error:
        raise Invalid.field("body", f"{error}.") from None
    found = preview_of(data, "UTC", hourly=load_settings().hourly_rules)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    click.echo(f"{found.sentence}.")
    for occurrence in found.occurrences:
        click.echo(
            f"  {occurrence.original_start:<20} {occurrence.at:%Y-%m-%d %H:%MZ}  {occurrence.note or ''}".rstrip()
        )
    for warning in [*found.warnings, *notes]:
        click.echo(f"Note: {warning}")
