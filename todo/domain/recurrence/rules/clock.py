"""From wall-clock times to instants and back, also in the nights when the clocks change."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from todo.domain.recurrence.rules.grammar import RuleError

# Hourly work happens twice in the hour that the clocks repeat. Its original starts must still differ, also in a column
# without zone, so the second one carries this mark.
SECOND_PASS = 1  # microsecond


@lru_cache(maxsize=1024)
def zone(name: str | None) -> ZoneInfo:
    """The time zone of this IANA name. Raises RuleError for any other; None is a floating plan not given a zone yet."""
    try:
        # "localtime" would be the zone of the machine
        return ZoneInfo(name if name and name != "localtime" else "")
    except (KeyError, ValueError, OSError):
        raise RuleError("timezone", f"{str(name)[:60]!r} is not a time zone; use a name like Europe/Berlin.") from None


def to_instant(local: datetime, timezone: str | None) -> datetime:
    """The instant (UTC) of a wall-clock time. One that does not exist moves forward by the gap; of two equal ones the
    first is meant (RFC 5545 3.3.5), the second if it carries the mark SECOND_PASS."""
    fold = local.microsecond == SECOND_PASS
    return local.replace(microsecond=0, fold=fold, tzinfo=zone(timezone)).astimezone(UTC)


def to_local(instant: datetime, timezone: str | None) -> datetime:
    """The wall-clock time of an instant, to the second, with the mark SECOND_PASS in a repeated hour."""
    local = instant.astimezone(zone(timezone))
    return local.replace(microsecond=SECOND_PASS * local.fold, fold=0, tzinfo=None)


def is_repeated(local: datetime, timezone: str | None) -> bool:
    """Whether clocks show this time twice."""
    second = to_instant(local.replace(microsecond=SECOND_PASS), timezone)
    return to_local(second, timezone) == local.replace(microsecond=SECOND_PASS)


def written(local: datetime, all_day: bool = False) -> str:
    """An original start as text: a day, or a time to the minute, with seconds or the mark SECOND_PASS where it has
    them.

    `datetime.fromisoformat` reads it back.
    """
    if all_day:
        return local.date().isoformat()
    return local.isoformat(timespec="auto" if local.second or local.microsecond else "minutes")
