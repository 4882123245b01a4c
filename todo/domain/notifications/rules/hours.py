"""Local times of a user: quiet hours and daily times, across daylight saving changes."""

from datetime import date, datetime, time, timedelta

from todo.domain.recurrence.rules.clock import SECOND_PASS, to_instant, zone


def at(day: date, clock: str, timezone: str) -> datetime:
    """Return the instant of `HH:MM` on a local day. A time in a gap moves forward by the length of the gap."""
    return to_instant(datetime.combine(day, time.fromisoformat(clock)), timezone)


def after_quiet(moment: datetime, begin: str | None, end: str | None, timezone: str) -> datetime:
    """Return the moment or, inside the quiet hours `begin` to `end` (which may span midnight), their end."""
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
    # The moment is in the second pass of a repeated hour, so the end is in the second pass too.
    again = datetime.combine(day, time.fromisoformat(end)).replace(microsecond=SECOND_PASS)
    return max(moment, to_instant(again, timezone))


def next_at(clock: str, timezone: str, now: datetime) -> datetime:
    """Return the next instant after `now` at which it is `HH:MM` there."""
    today = now.astimezone(zone(timezone)).date()
    return min(moment for days in range(-1, 3) if (moment := at(today + timedelta(days), clock, timezone)) > now)


def latest_at(clock: str, timezone: str, now: datetime) -> tuple[date, datetime]:
    """Return the local day and instant when it was last `HH:MM` there, `now` included."""
    today = now.astimezone(zone(timezone)).date()
    moment = max(moment for days in range(-2, 2) if (moment := at(today + timedelta(days), clock, timezone)) <= now)
    return moment.astimezone(zone(timezone)).date(), moment


def day_of(moment: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Return the start and end of the local day that contains the moment."""
    today = moment.astimezone(zone(timezone)).date()
    return at(today, "00:00", timezone), at(today + timedelta(days=1), "00:00", timezone)
