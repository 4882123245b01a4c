"""What a language says of plans and occurrences. Phrases of a sentence begin with what joins them to it."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.grammar import Freq, Weekday
from todo.domain.recurrence.rules.plan import Shift

MONDAY_TO_FRIDAY = tuple(Weekday(0, day) for day in range(5))


class Phrases(Protocol):
    """The phrases of one language."""

    in_every_month: str
    only: str  # before days that a period of at most a day is restricted to

    def every(self, freq: Freq, interval: int) -> str:
        """Every 2 weeks."""

    def after_completion(self, freq: Freq, interval: int) -> str:
        """Every 2 weeks after it is done."""

    def in_months(self, months: Sequence[int]) -> str:
        """In March and July."""

    def on_month_days(self, days: Sequence[int]) -> str:
        """On the 1st and last day. Negative days count from the end."""

    def if_it_is(self, by_day: Sequence[Weekday], *, of_year: bool) -> str:
        """If it is Friday. `of_year`: numbers count the weekdays of the year."""

    def on_weekdays(self, by_day: Sequence[Weekday]) -> str:
        """On Monday and Sunday."""

    def only_these(self, places: Sequence[int]) -> str:
        """Only the 1st and last of these."""

    def weeks_begin(self, weekday: int) -> str:
        """Weeks begin on Sunday."""

    def at(self, times: Sequence[str], *, minutes: bool) -> str:
        """At 09:00 and 21:00; of hourly rules the minute."""

    def times(self, count: int) -> str:
        """5 times."""

    def until(self, day: date, time: str) -> str:
        """Until 1 May 2026; `time` may be empty."""

    def short_months(self, policy: OnInvalidDate, *, leap: bool) -> str:
        """What happens in months, or with `leap` in years, that lack the day."""

    def shifted(self, shift: Shift) -> str:
        """What happens on holidays and weekends."""

    def day(self, day: date) -> str:
        """3 March."""

    def lacks(self, month: date, day: int, instead: date, *, leap: bool) -> str:
        """February has no 31st: the 28th. With `leap` the year is named; in another month `instead` is."""

    def due_on(self, day: date, *, holiday: bool) -> str:
        """Holiday, or weekend: due on 3 March."""

    def no_such_day(self, wished: date, shown: date) -> str:
        """30 December does not exist there: 31 December."""

    def no_such_time(self, wished: str, shown: str) -> str:
        """02:30 does not exist that night: 03:30."""

    def second_time(self, wished: str) -> str:
        """01:30 for the second time that night."""

    def first_time(self, wished: str) -> str:
        """01:30 comes twice that night: the first."""

    def paused(self, resumed: date) -> str:
        """Paused: opens on 3 March."""
