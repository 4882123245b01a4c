"""`todo recurrence preview`."""

from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import rich_click as click

from todo.domain.recurrence.schemas import PreviewIn
from todo.domain.recurrence.services import holidays_of, preview_of
from todo.errors import Invalid
from todo.settings import load_settings


@click.command()
@click.argument("rrule")
@click.option("--start", help="The first day or time, like 2026-01-31T09:00; default: today.")
@click.option("--timezone", help="IANA name; without one the series has the time zone of its owner.")
@click.option("--count", type=click.IntRange(1, 100), default=12, show_default=True, help="How many to show.")
@click.option("--anchor", type=click.Choice(["schedule", "completion"]), help="What the next occurrence counts from.")
@click.option("--on-invalid-date", type=click.Choice(["backward", "forward", "omit"]), help="For a missing 31st.")
@click.option("--until", help="The last day or time.")
@click.option("--shift", type=click.Choice(["previous", "next", "nearest", "skip"]), help="On holidays and weekends.")
@click.option("--holiday", "holidays", multiple=True, help="A holiday, like 2026-12-25; may be repeated.")
@click.option("--calendar", type=click.File("r", "utf-8-sig", "replace"), help="An .ics file with holidays.")
@click.option("--exception", "exceptions", multiple=True, help="An occurrence to leave out; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(as_json: bool, calendar: TextIO | None, **options: Any) -> None:
    """Show the occurrences of a rule; needs no database.

    Example:

        todo recurrence preview "FREQ=MONTHLY;BYMONTHDAY=31" --start 2026-01-31T09:00 --timezone Europe/Berlin
    """
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
