"""From wall-clock times to instants and back, also in the nights when the clocks change."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from todo.domain.recurrence.rules.grammar import RuleError

# Hourly work happens twice in the hour that the clocks repeat. Its nominal times must still differ, also in a column
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


def to_instant(nominal: datetime, timezone: str | None) -> datetime:
    """The instant (UTC) of a wall-clock time. One that does not exist moves forward by the gap; of two equal ones the
    first is meant (RFC 5545 3.3.5), the second if it carries the mark SECOND_PASS."""
    fold = nominal.microsecond == SECOND_PASS
    return nominal.replace(microsecond=0, fold=fold, tzinfo=zone(timezone)).astimezone(UTC)


def to_local(instant: datetime, timezone: str | None) -> datetime:
    """The wall-clock time of an instant, to the second, with the mark SECOND_PASS in a repeated hour."""
    local = instant.astimezone(zone(timezone))
    return local.replace(microsecond=SECOND_PASS * local.fold, fold=0, tzinfo=None)


def is_repeated(nominal: datetime, timezone: str | None) -> bool:
    """Whether clocks show this time twice."""
    second = to_instant(nominal.replace(microsecond=SECOND_PASS), timezone)
    return to_local(second, timezone) == nominal.replace(microsecond=SECOND_PASS)


def written(nominal: datetime, all_day: bool = False) -> str:
    """A nominal time as text: a day, or a time to the minute, with seconds or the mark SECOND_PASS where it has them.

    `datetime.fromisoformat` reads it back.
    """
    if all_day:
        return nominal.date().isoformat()
    return nominal.isoformat(timespec="auto" if nominal.second or nominal.microsecond else "minutes")
