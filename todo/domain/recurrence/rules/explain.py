"""A plan in words: one sentence, and what to expect of it."""

from datetime import timedelta
from itertools import islice

from todo.domain.recurrence.rules.generator import OnInvalidDate
from todo.domain.recurrence.rules.grammar import END_OF_DAY, LONGEST_MONTH, Freq, Rule, Weekday
from todo.domain.recurrence.rules.occurrences import first, occurrences
from todo.domain.recurrence.rules.plan import Anchor, Plan, Shift
from todo.domain.recurrence.rules.words import MONTHS, joined, ordinal

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PERIODS = {
    Freq.HOURLY: "hour",
    Freq.DAILY: "day",
    Freq.WEEKLY: "week",
    Freq.MONTHLY: "month",
    Freq.YEARLY: "year",
}
ON_INVALID_DATE = {
    OnInvalidDate.BACKWARD: "in {} the last day",
    OnInvalidDate.FORWARD: "in {} the 1st of the next month",
    OnInvalidDate.OMIT: "not in {}",
}
SHIFTS = {
    Shift.PREVIOUS: "; on a holiday or weekend due the working day before",
    Shift.NEXT: "; on a holiday or weekend due the working day after",
    Shift.NEAREST: "; on a holiday or weekend due the nearest working day",
    Shift.SKIP: "; not on holidays and weekends",
}
MANY_A_YEAR = 500
YEAR = timedelta(days=365)
IDLE_HOLIDAYS = "Holidays change nothing here: shift must say where an occurrence goes that falls on one."
NEVER = "This rule never happens: no date before its end, or in all the years we look at, fits every part of it."
# How many occurrences show whether all of them are leap days.
SAMPLE = 4


def sentence(plan: Plan) -> str:
    """The plan as one English sentence without a full stop."""
    by_completion = plan.anchor is Anchor.COMPLETION
    rule = plan.rule if by_completion else plan.explicit
    period = PERIODS[rule.freq]
    every = f"Every {period}" if rule.interval == 1 else f"Every {rule.interval} {period}s"
    done = " after it is done" if by_completion else ""
    text = every + done + _days(rule) + _clock(plan) + _end(plan)
    if reaches_short_months(rule):
        where = "other years" if rule.by_month == (2,) and max(rule.by_month_day) == 29 else "shorter months"
        text += "; " + ON_INVALID_DATE[plan.on_invalid_date].format(where)
    return text + (SHIFTS[plan.shift] if plan.shift else "")


def warnings(plan: Plan) -> list[str]:
    """What a person may not expect of the plan, in sentences. An hourly plan must not be floating."""
    if first(plan) is None:
        return [NEVER]
    return ([IDLE_HOLIDAYS] if plan.holidays and plan.shift is None else []) + _of_rule(plan)


def _of_rule(plan: Plan) -> list[str]:
    if plan.anchor is Anchor.COMPLETION:
        return []
    if plan.rule.freq is Freq.HOURLY:
        return [f"This rule happens more than {MANY_A_YEAR} times a year."] if _is_often(plan) else []
    sample = [occurrence.original_start for occurrence in islice(occurrences(plan, None, 0), SAMPLE)]
    if len(sample) > 1 and all((original_start.month, original_start.day) == (2, 29) for original_start in sample):
        return ["This rule happens only in leap years."]
    if plan.on_invalid_date is OnInvalidDate.OMIT and reaches_short_months(plan.explicit):
        return ["This rule skips the months that are too short."]
    return []


def _is_often(plan: Plan) -> bool:
    if plan.rule.interval * MANY_A_YEAR > YEAR / timedelta(hours=1):
        return False
    many = [occurrence.original_start for occurrence in islice(occurrences(plan, None, 0), MANY_A_YEAR + 1)]
    return len(many) > MANY_A_YEAR and many[-1] - many[0] < YEAR


def reaches_short_months(rule: Rule) -> bool:
    """Whether the rule wishes a day that some of its months lack."""
    if rule.freq not in (Freq.MONTHLY, Freq.YEARLY) or not rule.by_month_day:
        return False
    shortest = min(28 if month == 2 else LONGEST_MONTH[month - 1] for month in rule.by_month or range(1, 13))
    return max(map(abs, rule.by_month_day)) > shortest


def _days(rule: Rule) -> str:
    by_period = rule.freq in (Freq.HOURLY, Freq.DAILY)
    text = f" in {joined(MONTHS[month - 1] for month in rule.by_month)}" if rule.by_month else ""
    if rule.by_month_day:
        text = " in every month" if rule.freq is Freq.YEARLY and not rule.by_month else text
        text += f"{', only' if by_period else ''} on {_month_days(rule)}"
        text += f" if it is {_weekdays(rule.by_day, 'or')}" if rule.by_day else ""
    elif rule.by_day:
        text += f"{', only' if by_period else ''} on {_weekdays(rule.by_day, 'and')}"
    if rule.by_set_pos:
        text += f", only the {joined(map(_place, rule.by_set_pos))} of these"
    if rule.week_start and rule.freq is Freq.WEEKLY and rule.interval > 1:
        text += f" (weeks begin on {WEEKDAYS[rule.week_start]})"
    return text


def _month_days(rule: Rule) -> str:
    from_start = [ordinal(day) for day in rule.by_month_day if day > 0]
    from_end = [f"{_place(day)} day" for day in reversed(rule.by_month_day) if day < 0]
    return "the " + joined(from_start + from_end)


def _weekdays(by_day: tuple[Weekday, ...], joined_by: str) -> str:
    if by_day == tuple(Weekday(0, day) for day in range(5)):
        return "Monday to Friday"
    names = [f"the {_place(nth)} {WEEKDAYS[day]}" if nth else WEEKDAYS[day] for nth, day in by_day]
    return joined(names, joined_by)


def _place(number: int) -> str:
    if number > 0:
        return ordinal(number)
    return "last" if number == -1 else f"{ordinal(-number)} last"


def _clock(plan: Plan) -> str:
    if plan.all_day:
        return ""
    at = "minute %M" if plan.rule.freq is Freq.HOURLY else "%H:%M:%S" if plan.start.second else "%H:%M"
    return f" at {plan.start:{at}}" + (f" ({plan.timezone})" if plan.timezone else "")


def _end(plan: Plan) -> str:
    if plan.count is not None:
        return ", once" if plan.count == 1 else f", {plan.count} times"
    if plan.until is None:
        return ""
    time = "" if plan.all_day or plan.until.time() == END_OF_DAY else f" {plan.until:%H:%M}"
    return f", until {plan.until.day} {MONTHS[plan.until.month - 1]} {plan.until.year}{time}"
