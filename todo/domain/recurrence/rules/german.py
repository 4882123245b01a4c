"""Plans and occurrences in German."""

from collections.abc import Iterable, Sequence
from datetime import date

from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.grammar import Freq, Weekday
from todo.domain.recurrence.rules.phrases import MONDAY_TO_FRIDAY
from todo.domain.recurrence.rules.plan import Shift
from todo.domain.recurrence.rules.words import joined

WEEKDAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)
# Every one, one, several.
PERIODS = {
    Freq.HOURLY: ("Jede Stunde", "eine Stunde", "Stunden"),
    Freq.DAILY: ("Jeden Tag", "einen Tag", "Tage"),
    Freq.WEEKLY: ("Jede Woche", "eine Woche", "Wochen"),
    Freq.MONTHLY: ("Jeden Monat", "einen Monat", "Monate"),
    Freq.YEARLY: ("Jedes Jahr", "ein Jahr", "Jahre"),
}
ON_INVALID_DATE = {
    OnInvalidDate.BACKWARD: "; in {} am letzten Tag",
    OnInvalidDate.FORWARD: "; in {} am 1. des nächsten Monats",
    OnInvalidDate.OMIT: "; nicht in {}",
}
SHIFTS = {
    Shift.PREVIOUS: "; an Feiertagen und Wochenenden am Arbeitstag davor fällig",
    Shift.NEXT: "; an Feiertagen und Wochenenden am Arbeitstag danach fällig",
    Shift.NEAREST: "; an Feiertagen und Wochenenden am nächstgelegenen Arbeitstag fällig",
    Shift.SKIP: "; nicht an Feiertagen und Wochenenden",
}
UNITS = ("", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
FROM_END = (  # without the last letters, as in "drittletzt"
    *("", "", "vor", "dritt", "viert", "fünft", "sechst", "siebt", "acht", "neunt", "zehnt", "elft", "zwölft"),
    *("dreizehnt", "vierzehnt", "fünfzehnt", "sechzehnt", "siebzehnt", "achtzehnt", "neunzehnt", "zwanzigst"),
    *(f"{unit}undzwanzigst" for unit in UNITS[1:]),
    *("dreißigst", "einunddreißigst"),
)


class German:
    """The phrases of German."""

    in_every_month = " in jedem Monat"
    only = ", nur"

    def every(self, freq: Freq, interval: int) -> str:
        every, _, several = PERIODS[freq]
        return every if interval == 1 else f"Alle {interval} {several}"

    def after_completion(self, freq: Freq, interval: int) -> str:
        _, one, several = PERIODS[freq]
        return f"Jeweils {one if interval == 1 else f'{interval} {several}'} nach dem Erledigen"

    def in_months(self, months: Sequence[int]) -> str:
        return f" im {_and(MONTHS[month - 1] for month in months)}"

    def on_month_days(self, days: Sequence[int]) -> str:
        from_end = [_place(day, "n") for day in reversed(days) if day < 0]
        found = [f"{day}." for day in days if day > 0] + from_end
        return f" am {_and(found)}{' Tag' if from_end else ''}"

    def if_it_is(self, by_day: Sequence[Weekday], *, of_year: bool) -> str:
        if tuple(by_day) == MONDAY_TO_FRIDAY:
            return ", falls das ein Tag von Montag bis Freitag ist"
        names = [f"der {_place(nth)} {WEEKDAYS[day]}" if nth else f"ein {WEEKDAYS[day]}" for nth, day in by_day]
        return f", falls das {joined(names, 'oder')}{' des Jahres' if of_year else ''} ist"

    def on_weekdays(self, by_day: Sequence[Weekday]) -> str:
        if tuple(by_day) == MONDAY_TO_FRIDAY:
            return " von Montag bis Freitag"
        if not any(nth for nth, _ in by_day):
            return f" am {_and(WEEKDAYS[day] for _, day in by_day)}"
        names = (f"{_place(nth, 'n')} {WEEKDAYS[day]}" if nth else WEEKDAYS[day] for nth, day in by_day)
        return f" {_and(f'am {name}' for name in names)}"

    def only_these(self, places: Sequence[int]) -> str:
        return f", davon nur der {' und der '.join(map(_place, places))}"

    def weeks_begin(self, weekday: int) -> str:
        return f" (Wochen beginnen am {WEEKDAYS[weekday]})"

    def at(self, times: Sequence[str], *, minutes: bool) -> str:
        return f" zur Minute {_and(times)}" if minutes else f" um {_and(times)} Uhr"

    def times(self, count: int) -> str:
        return ", einmal" if count == 1 else f", {count}-mal"

    def until(self, day: date, time: str) -> str:
        return f", bis {self.day(day)} {day.year}{time and f', {time} Uhr'}"

    def short_months(self, policy: OnInvalidDate, *, leap: bool) -> str:
        return ON_INVALID_DATE[policy].format("anderen Jahren" if leap else "kürzeren Monaten")

    def shifted(self, shift: Shift) -> str:
        return SHIFTS[shift]

    def day(self, day: date) -> str:
        return f"{day.day}. {MONTHS[day.month - 1]}"

    def lacks(self, month: date, day: int, instead: date, *, leap: bool) -> str:
        name = f"{MONTHS[month.month - 1]} {month.year}" if leap else MONTHS[month.month - 1]
        what = f"{instead.day}." if instead.month == month.month else self.day(instead)
        return f"{name} hat keinen {day}.: am {what}"

    def due_on(self, day: date, *, holiday: bool) -> str:
        return f"{'Feiertag' if holiday else 'Wochenende'}: fällig am {self.day(day)}"

    def no_such_day(self, wished: date, shown: date) -> str:
        return f"den {self.day(wished)} gibt es dort nicht: am {self.day(shown)}"

    def no_such_time(self, wished: str, shown: str) -> str:
        return f"{wished} Uhr gibt es in dieser Nacht nicht: um {shown} Uhr"

    def second_time(self, wished: str) -> str:
        return f"{wished} Uhr zum zweiten Mal in dieser Nacht"

    def first_time(self, wished: str) -> str:
        return f"{wished} Uhr kommt in dieser Nacht zweimal: das erste Mal"

    def paused(self, resumed: date) -> str:
        return f"pausiert: öffnet am {self.day(resumed)}"


def _and(values: Iterable[str]) -> str:
    return joined(values, "und")


def _place(number: int, ending: str = "") -> str:
    """Return `1.` or `vorletzte`, with the ending of its case."""
    return f"{number}." if number > 0 else f"{FROM_END[-number]}letzte{ending}"
