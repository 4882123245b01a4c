"""A plan is a series as arithmetic sees it; its occurrences are the original starts it gives, counted from 1."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from todo.domain.recurrence.rules.clock import to_local, zone
from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.generator import explicit
from todo.domain.recurrence.rules.grammar import END_OF_DAY, MAX_COUNT, YEARS, Freq, Rule, RuleError, parse

LONGEST = timedelta(days=366)
# Numbering the occurrences of a counted hourly rule visits its days: a century of them takes too long.
HOURLY_SINCE = 1970
MAX_OPEN = 100
MAX_PAUSES = 100
MAX_VACATIONS = 20  # of the owner, which are pauses too

Choice = TypeVar("Choice", bound=StrEnum)


class Anchor(StrEnum):
    """Whether the next occurrence is counted from the rule or from when the last one was done."""

    SCHEDULE = "schedule"
    COMPLETION = "completion"


class OnMissed(StrEnum):
    """What happens when an occurrence comes while an earlier one is still open, or came while no worker ran."""

    KEEP_ONE = "keep_one"
    SKIP_TO_NEXT = "skip_to_next"
    BACKFILL = "backfill"
    EXPIRE = "expire"


class Opens(StrEnum):
    """When an occurrence appears: when the one before it is closed, when its own time minus `lead` comes, or at the
    first of these.
    """

    EITHER = "either"
    ON_CLOSE = "on_close"
    ON_TIME = "on_time"


class Shift(StrEnum):
    """Where the due date of an occurrence goes when its day is a holiday or weekend; `skip`: the occurrence does not
    happen.
    """

    PREVIOUS = "previous"
    NEXT = "next"
    NEAREST = "nearest"
    SKIP = "skip"


class PlannedOccurrence(NamedTuple):
    """One occurrence: its original start and its number. What is excepted or skipped for a holiday has a number too
    (RFC 5545: COUNT bounds what the rule gives).
    """

    original_start: datetime
    n: int


@dataclass(frozen=True)
class Plan:
    """Every field of a series that matters to arithmetic. All times are local, without zone; build it with `Plan.of`.

    `timezone` None is floating: give it its owner's zone (`in_zone`) before asking for instants, or for occurrences of
    a rule that is hourly or has several times a day. `until` is the last local moment that counts. `pauses` are first
    and last day, `weekend` weekdays from Monday = 0.
    """

    rule: Rule
    start: datetime
    all_day: bool = False
    timezone: str | None = None
    anchor: Anchor = Anchor.SCHEDULE
    on_invalid_date: OnInvalidDate = OnInvalidDate.BACKWARD
    on_missed: OnMissed = OnMissed.KEEP_ONE
    opens: Opens = Opens.EITHER
    lead: timedelta = timedelta()
    until: datetime | None = None
    count: int | None = None
    holidays: frozenset[date] = frozenset()
    shift: Shift | None = None
    weekend: frozenset[int] = frozenset({5, 6})
    pauses: tuple[tuple[date, date], ...] = ()
    exceptions: frozenset[datetime] = frozenset()
    max_open: int = 50
    expire_after: timedelta | None = None

    @classmethod
    def of(cls, rrule: str, start: datetime, **columns: Any) -> "Plan":
        """A plan from the columns of a series: texts for choices, any iterable for lists, None for a default.

        COUNT and UNTIL in the text become `count` and `until`; a UNTIL in UTC is converted to the time of `timezone`,
        for whole days to the later of its days there and in UTC. Raises RuleError for what cannot be.
        """
        parsed = parse(rrule)
        until = parsed.until
        given = {name: value for name, value in columns.items() if value is not None}
        if until and until.tzinfo:
            local = to_local(until, given.get("timezone", "UTC"))
            last_day = max(until.date(), local.date())
            until = datetime.combine(last_day, END_OF_DAY) if given.get("all_day") else local
        for name, value in (("count", parsed.count), ("until", until)):
            if value is not None and given.setdefault(name, value) != value:
                raise RuleError(name, f"The rule says another {name} than the field {name}: say it once.")
        return cls(rule=parsed.rule, start=start, **_typed(given))

    @classmethod
    def from_columns(
        cls,
        rrule: str,
        start: datetime,
        *,
        kind: str,
        lead_seconds: int = 0,
        expire_after_seconds: int | None = None,
        holidays: Sequence[str] = (),
        pauses: Sequence[Sequence[str]] = (),
        exceptions: Sequence[str] = (),
        **columns: Any,
    ) -> "Plan":
        """A plan from a series as it is stored: days and times as text, lengths in seconds. Raises RuleError."""
        return cls.of(
            rrule,
            start,
            all_day=kind == "day",
            lead=timedelta(seconds=lead_seconds),
            expire_after=timedelta(seconds=expire_after_seconds) if expire_after_seconds else None,
            holidays=[date.fromisoformat(day) for day in holidays],
            pauses=[(date.fromisoformat(first), date.fromisoformat(last)) for first, last in pauses],
            exceptions=[datetime.fromisoformat(text) for text in exceptions],
            **columns,
        )

    def __post_init__(self) -> None:
        _check_times(self)
        _check_end(self)
        _check_limits(self)
        if self.anchor is Anchor.COMPLETION:
            _check_completion(self.rule)
        if self.timezone is not None:
            zone(self.timezone)

    @cached_property
    def explicit(self) -> Rule:
        """The rule with the days that `start` implies written out."""
        return explicit(self.rule, self.start)

    @cached_property
    def weekdays_off(self) -> frozenset[int]:
        """The weekend, but for days that the rule names."""
        rule = self.rule if self.anchor is Anchor.COMPLETION else self.explicit
        return self.weekend - {day.weekday for day in rule.by_day}

    def is_beyond_end(self, occurrence: PlannedOccurrence) -> bool:
        """Whether an occurrence comes after the last one that `count` or `until` allows."""
        too_many = self.count is not None and occurrence.n > self.count
        return too_many or (self.until is not None and occurrence.original_start > self.until)

    def in_zone(self, owner_zone: str) -> "Plan":
        """The same plan, no longer floating."""
        return self if self.timezone else replace(self, timezone=owner_zone)


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    anchor = _choice("anchor", Anchor, given.get("anchor", "schedule"))
    chosen: dict[str, Any] = {
        "anchor": anchor,
        "opens": _choice("opens", Opens, given.get("opens", default_opens(anchor))),
        "on_invalid_date": _choice("on_invalid_date", OnInvalidDate, given.get("on_invalid_date", "backward")),
        "on_missed": _choice("on_missed", OnMissed, given.get("on_missed", "keep_one")),
        "pauses": tuple(sorted((first, last) for first, last in given.get("pauses", ()))),
    }
    if "shift" in given:
        chosen["shift"] = _choice("shift", Shift, given["shift"])
    sets = {name: frozenset(given[name]) for name in ("holidays", "weekend", "exceptions") if name in given}
    return given | sets | chosen


def default_opens(anchor: str) -> str:
    return Opens.ON_CLOSE.value if anchor == Anchor.COMPLETION else Opens.EITHER.value


def _choice(field: str, choices: type[Choice], value: str) -> Choice:
    if value not in choices.__members__.values():
        raise RuleError(field, f"{field} must be one of {', '.join(choices)}.")
    return choices(value)


def _check_times(plan: Plan) -> None:
    if plan.start.tzinfo or plan.start.microsecond:
        raise RuleError("start", "start must be a local date or time, without offset and fractions of a second.")
    if plan.start.year not in YEARS:
        raise RuleError("start", f"start must be between the years {YEARS[0]} and {YEARS[-1]}.")
    if plan.rule.freq is Freq.HOURLY and plan.start.year < HOURLY_SINCE:
        raise RuleError("start", f"start must not be before {HOURLY_SINCE} for an HOURLY rule.")
    if plan.all_day and plan.start.time() != time.min:
        raise RuleError("start", "start must be a day, without a time, when the work is for whole days.")
    if plan.all_day and plan.rule.freq is Freq.HOURLY:
        raise RuleError("rrule", "An HOURLY rule needs a start with a time.")
    if plan.all_day and (plan.rule.by_hour or plan.rule.by_minute):
        raise RuleError(
            "rrule", "BYHOUR and BYMINUTE need a time of day: start, or the due of the task, must have one."
        )


def _check_end(plan: Plan) -> None:
    if plan.count is not None and plan.until is not None:
        raise RuleError("count", "count and until cannot be combined: a series has one end.")
    if plan.count is not None and not 1 <= plan.count <= MAX_COUNT:
        raise RuleError("count", f"count must be between 1 and {MAX_COUNT}.")
    if plan.until is not None and plan.until.tzinfo:
        raise RuleError("until", "until must be a local date or time, without offset.")
    if plan.until is not None and plan.until.year not in YEARS:
        raise RuleError("until", f"until must be between the years {YEARS[0]} and {YEARS[-1]}.")


def _check_limits(plan: Plan) -> None:
    if not timedelta() <= plan.lead <= LONGEST:
        raise RuleError("lead", f"lead must be between 0 and {LONGEST.days} days.")
    if not 1 <= plan.max_open <= MAX_OPEN:
        raise RuleError("max_open", f"max_open must be between 1 and {MAX_OPEN}.")
    if plan.on_missed is OnMissed.EXPIRE and plan.expire_after is None:
        raise RuleError(
            "expire_after", "expire_after must say how long an occurrence stays open, since on_missed is expire."
        )
    if plan.expire_after is not None and not timedelta() < plan.expire_after <= LONGEST:
        raise RuleError("expire_after", f"expire_after must be longer than 0 and at most {LONGEST.days} days.")
    if plan.rule.freq is Freq.HOURLY and plan.shift not in (None, Shift.SKIP):
        raise RuleError("shift", "An HOURLY rule can only leave holidays out: shift must be skip.")
    if len(plan.pauses) > MAX_PAUSES + MAX_VACATIONS or any(first > last for first, last in plan.pauses):
        raise RuleError("pauses", f"pauses must be at most {MAX_PAUSES} pairs of a first and a last day.")
    if any(day.year not in YEARS for pause in plan.pauses for day in pause):
        raise RuleError("pauses", f"pauses must be between the years {YEARS[0]} and {YEARS[-1]}.")


def _check_completion(rule: Rule) -> None:
    if replace(rule, interval=1, week_start=0, by_day=()) != Rule(rule.freq) or any(day.nth for day in rule.by_day):
        raise RuleError("rrule", "A rule counted from completion takes only FREQ, INTERVAL and weekdays in BYDAY.")


def check_exceptions(exceptions: Sequence[str], kind: str) -> None:
    """Raises RuleError for an exception that no occurrence of this kind could ever be: it would silently do nothing."""
    timed = kind != "day"
    for text in exceptions:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise RuleError("exceptions", f"There is no day or time {text}.") from None
        if ("T" in text) is not timed:
            raise RuleError("exceptions", f"exceptions must be {'times' if timed else 'days'}, as the occurrences are.")
