"""Declares `todo recurrence` and `todo series`."""

from typing import Any

import rich_click as click

from todo.cli.calling import call

JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")
SERIES = click.argument("series_id", metavar="SERIES")


@click.group()
def recurrence() -> None:
    """Rules: what they would do.

    Example:

        todo recurrence preview "FREQ=MONTHLY;BYMONTHDAY=31"
    """


@recurrence.command()
@click.argument("rrule")
@click.option("--start", help="First day or time that may count, like 2026-01-31T09:00; today unless said.")
@click.option("--timezone", help="IANA name; without one the series floats with its owner.")
@click.option(
    "--count", type=click.IntRange(1, 100), default=12, show_default=True, help="How many occurrences to show."
)
@click.option("--anchor", type=click.Choice(["schedule", "completion"]))
@click.option(
    "--on-invalid-date", type=click.Choice(["backward", "forward", "omit"]), help="What a missing 31st means."
)
@click.option("--until", help="Last day or time that counts.")
@click.option("--shift", type=click.Choice(["previous", "next", "nearest", "skip"]), help="On holidays and weekends.")
@click.option("--holiday", "holidays", multiple=True, help="A day on which nobody works; may be repeated.")
@click.option(
    "--calendar", type=click.File("r", "utf-8-sig", "replace"), help="An .ics file whose whole days are holidays."
)
@click.option("--exception", "exceptions", multiple=True, help="An occurrence that does not happen; may be repeated.")
@JSON
def preview(**options: Any) -> None:
    """Show when work would come back, before anybody saves it; needs no database.

    Example:

        todo recurrence preview "FREQ=MONTHLY;BYMONTHDAY=31" --start 2026-01-31T09:00 --timezone Europe/Berlin
    """
    call("recurrence:show", **options)


@click.group()
def series() -> None:
    """Series: what makes tasks come back, of anybody.

    Example:

        todo series list --owner ada@example.com
    """


@series.command("list")
@click.option("--owner", help="Only of this e-mail address.")
@click.option("--status", type=click.Choice(["active", "paused", "ended"]))
@click.option("--failing", is_flag=True, help="Only those that could not be opened.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@JSON
def list_series(**options: Any) -> None:
    """Show series, newest first.

    Example:

        todo series list --failing
    """
    call("series:show", **options)


@series.command("show")
@SERIES
@JSON
def show_series(**options: Any) -> None:
    """Show one series with its rule in words, its place and the last occurrences of its occurrences.

    Example:

        todo series show 0190f5f0-7c1d-7000-8000-000000000000
    """
    call("series:show_one", **options)


@series.command()
@SERIES
@click.option("--from", "begin", help="First day, like 2026-12-24; today unless said.")
@click.option("--until", help="Last day; without it until somebody resumes it.")
def pause(**options: Any) -> None:
    """Let nothing come for a while.

    Example:

        todo series pause 0190f5f0-7c1d-7000-8000-000000000000 --until 2027-01-06
    """
    call("series:pause", **options)


@series.command()
@SERIES
def resume(**options: Any) -> None:
    """End a pause; what came meanwhile is up to the series' on_missed.

    Example:

        todo series resume 0190f5f0-7c1d-7000-8000-000000000000
    """
    call("series:resume", **options)


@series.command()
@SERIES
@click.option("--cancel-open", is_flag=True, help="Move the open occurrences to the trash.")
def end(**options: Any) -> None:
    """Let nothing more come; what was stays.

    Example:

        todo series end 0190f5f0-7c1d-7000-8000-000000000000
    """
    call("series:end", **options)


@series.command()
@SERIES
def run(**options: Any) -> None:
    """Look at a series now, also at one that was set aside, and open what is due.

    Example:

        todo series run 0190f5f0-7c1d-7000-8000-000000000000
    """
    call("series:run", **options)
