"""Plans and occurrences in English."""

from collections.abc import Sequence
from datetime import date

from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.grammar import Freq, Weekday
from todo.domain.recurrence.rules.phrases import MONDAY_TO_FRIDAY
from todo.domain.recurrence.rules.plan import Shift
from todo.domain.recurrence.rules.words import MONTHS, WEEKDAYS, joined, ordinal

PERIODS = {
    Freq.HOURLY: "hour",
    Freq.DAILY: "day",
    Freq.WEEKLY: "week",
    Freq.MONTHLY: "month",
    Freq.YEARLY: "year",
}
ON_INVALID_DATE = {
    OnInvalidDate.BACKWARD: "; in {} the last day",
    OnInvalidDate.FORWARD: "; in {} the 1st of the next month",
    OnInvalidDate.OMIT: "; not in {}",
}
SHIFTS = {
    Shift.PREVIOUS: "; on a holiday or weekend due the working day before",
    Shift.NEXT: "; on a holiday or weekend due the working day after",
    Shift.NEAREST: "; on a holiday or weekend due the nearest working day",
    Shift.SKIP: "; not on holidays and weekends",
}


class English:
    """The phrases of English."""

    in_every_month = " in every month"
    only = ", only"

    def every(self, freq: Freq, interval: int) -> str:
        return f"Every {PERIODS[freq]}" if interval == 1 else f"Every {interval} {PERIODS[freq]}s"

    def after_completion(self, freq: Freq, interval: int) -> str:
        return f"{self.every(freq, interval)} after it is done"

    def in_months(self, months: Sequence[int]) -> str:
        return f" in {joined(MONTHS[month - 1] for month in months)}"

    def on_month_days(self, days: Sequence[int]) -> str:
        from_start = [ordinal(day) for day in days if day > 0]
        from_end = [f"{_place(day)} day" for day in reversed(days) if day < 0]
        return f" on the {joined(from_start + from_end)}"

    def if_it_is(self, by_day: Sequence[Weekday], *, of_year: bool) -> str:
        return f" if it is {_weekdays(by_day, 'or')}{' of the year' if of_year else ''}"

    def on_weekdays(self, by_day: Sequence[Weekday]) -> str:
        return f" on {_weekdays(by_day, 'and')}"

    def only_these(self, places: Sequence[int]) -> str:
        return f", only the {joined(map(_place, places))} of these"

    def weeks_begin(self, weekday: int) -> str:
        return f" (weeks begin on {WEEKDAYS[weekday]})"

    def at(self, times: Sequence[str], *, minutes: bool) -> str:
        return f" at {'minute ' if minutes else ''}{joined(times)}"

    def times(self, count: int) -> str:
        return ", once" if count == 1 else f", {count} times"

    def until(self, day: date, time: str) -> str:
        return f", until {self.day(day)} {day.year}{time and f' {time}'}"

    def short_months(self, policy: OnInvalidDate, *, leap: bool) -> str:
        return ON_INVALID_DATE[policy].format("other years" if leap else "shorter months")

    def shifted(self, shift: Shift) -> str:
        return SHIFTS[shift]

    def day(self, day: date) -> str:
        return f"{day.day} {MONTHS[day.month - 1]}"

    def lacks(self, month: date, day: int, instead: date, *, leap: bool) -> str:
        name = f"{MONTHS[month.month - 1]} {month.year}" if leap else MONTHS[month.month - 1]
        what = f"the {ordinal(instead.day)}" if instead.month == month.month else self.day(instead)
        return f"{name} has no {ordinal(day)}: {what}"

    def due_on(self, day: date, *, holiday: bool) -> str:
        return f"{'holiday' if holiday else 'weekend'}: due on {self.day(day)}"

    def no_such_day(self, wished: date, shown: date) -> str:
        return f"{self.day(wished)} does not exist there: {self.day(shown)}"

    def no_such_time(self, wished: str, shown: str) -> str:
        return f"{wished} does not exist that night: {shown}"

    def second_time(self, wished: str) -> str:
        return f"{wished} for the second time that night"

    def first_time(self, wished: str) -> str:
        return f"{wished} comes twice that night: the first"

    def paused(self, resumed: date) -> str:
        return f"paused: opens on {self.day(resumed)}"


def _weekdays(by_day: Sequence[Weekday], joined_by: str) -> str:
    if tuple(by_day) == MONDAY_TO_FRIDAY:
        return "Monday to Friday"
    names = [f"the {_place(nth)} {WEEKDAYS[day]}" if nth else WEEKDAYS[day] for nth, day in by_day]
    return joined(names, joined_by)


def _place(number: int) -> str:
    if number > 0:
        return ordinal(number)
    return "last" if number == -1 else f"{ordinal(-number)} last"
