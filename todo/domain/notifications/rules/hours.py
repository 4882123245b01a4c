"""A person's clock: quiet hours, and the hour of the day something is told at, whatever the clocks do."""

from datetime import date, datetime, time, timedelta

from todo.domain.recurrence.rules.clock import SECOND_PASS, to_instant, zone


def at(day: date, clock: str, timezone: str) -> datetime:
    """The instant of `HH:MM` on a local day; one that does not exist moves forward by the gap."""
    return to_instant(datetime.combine(day, time.fromisoformat(clock)), timezone)


def after_quiet(moment: datetime, begin: str | None, end: str | None, timezone: str) -> datetime:
    """The moment itself or, inside the quiet hours `begin` to `end` (which may span midnight), their end."""
    if begin is None or end is None:
        return moment
    local = moment.astimezone(zone(timezone))
    clock = f"{local:%H:%M}"
    evening, morning = clock >= begin, clock < end
    if not (evening and morning if begin < end else evening or morning):
        return moment
    day = local.date() if morning else local.date() + timedelta(days=1)
    ends = at(day, end, timezone)
    if ends > moment:
        return ends
    # It is the second pass of a repeated hour, and the end meant is the second one too.
    again = datetime.combine(day, time.fromisoformat(end)).replace(microsecond=SECOND_PASS)
    return max(moment, to_instant(again, timezone))


def next_at(clock: str, timezone: str, now: datetime) -> datetime:
    """When clocks there show `HH:MM` next, after now."""
    today = now.astimezone(zone(timezone)).date()
    return min(moment for days in range(-1, 3) if (moment := at(today + timedelta(days), clock, timezone)) > now)


def latest_at(clock: str, timezone: str, now: datetime) -> tuple[date, datetime]:
    """The local day and the instant when clocks there showed `HH:MM` last, now included."""
    today = now.astimezone(zone(timezone)).date()
    moment = max(moment for days in range(-2, 2) if (moment := at(today + timedelta(days), clock, timezone)) <= now)
    return moment.astimezone(zone(timezone)).date(), moment


def day_of(moment: datetime, timezone: str) -> tuple[datetime, datetime]:
    """The beginning and the end of the local day that a moment lies in."""
    today = moment.astimezone(zone(timezone)).date()
    return at(today, "00:00", timezone), at(today + timedelta(days=1), "00:00", timezone)
