"""A plan in words: one sentence."""

from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.generator import times_of_day
from todo.domain.recurrence.rules.grammar import END_OF_DAY, LONGEST_MONTH, Freq, Rule, Weekday
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


def reaches_short_months(rule: Rule) -> bool:
    """Whether the rule wishes a day that some of its months lack."""
    if rule.freq not in (Freq.MONTHLY, Freq.YEARLY) or not rule.by_month_day:
        return False
    shortest = min(28 if month == 2 else LONGEST_MONTH[month - 1] for month in rule.by_month or range(1, 13))
    return max(map(abs, rule.by_month_day)) > shortest


def _days(rule: Rule) -> str:
    by_period = rule.freq in (Freq.HOURLY, Freq.DAILY)
    text = f" in {joined(MONTHS[month - 1] for month in rule.by_month)}" if rule.by_month else ""
    every_month = rule.freq is Freq.YEARLY and not rule.by_month
    if rule.by_month_day:
        text = " in every month" if every_month else text
        text += f"{', only' if by_period else ''} on {_month_days(rule)}"
        text += f" if it is {_weekdays(rule.by_day, 'or')}" if rule.by_day else ""
        text += " of the year" if every_month and any(day.nth for day in rule.by_day) else ""
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
    times = joined(f"{one:{at}}" for one in times_of_day(plan.rule, plan.start.time()))
    return f" at {times}" + (f" ({plan.timezone})" if plan.timezone else "")


def _end(plan: Plan) -> str:
    if plan.count is not None:
        return ", once" if plan.count == 1 else f", {plan.count} times"
    if plan.until is None:
        return ""
    time = "" if plan.all_day or plan.until.time() == END_OF_DAY else f" {plan.until:%H:%M}"
    return f", until {plan.until.day} {MONTHS[plan.until.month - 1]} {plan.until.year}{time}"
