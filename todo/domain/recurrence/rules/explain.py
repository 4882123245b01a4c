"""A plan in words: one sentence."""

from todo.domain.recurrence.rules.generator import times_of_day
from todo.domain.recurrence.rules.grammar import END_OF_DAY, LONGEST_MONTH, Freq, Rule
from todo.domain.recurrence.rules.languages import ENGLISH
from todo.domain.recurrence.rules.phrases import Phrases
from todo.domain.recurrence.rules.plan import Anchor, Plan


def sentence(plan: Plan, say: Phrases = ENGLISH) -> str:
    """The plan as one sentence without a full stop."""
    by_completion = plan.anchor is Anchor.COMPLETION
    rule = plan.rule if by_completion else plan.explicit
    every = say.after_completion if by_completion else say.every
    text = every(rule.freq, rule.interval) + _days(rule, say) + _clock(plan, say) + _end(plan, say)
    if reaches_short_months(rule):
        leap = rule.by_month == (2,) and max(rule.by_month_day) == 29
        text += say.short_months(plan.on_invalid_date, leap=leap)
    return text + (say.shifted(plan.shift) if plan.shift else "")


def reaches_short_months(rule: Rule) -> bool:
    """Whether the rule wishes a day that some of its months lack."""
    if rule.freq not in (Freq.MONTHLY, Freq.YEARLY) or not rule.by_month_day:
        return False
    shortest = min(28 if month == 2 else LONGEST_MONTH[month - 1] for month in rule.by_month or range(1, 13))
    return max(map(abs, rule.by_month_day)) > shortest


def _days(rule: Rule, say: Phrases) -> str:
    only = say.only if rule.freq in (Freq.HOURLY, Freq.DAILY) else ""
    text = say.in_months(rule.by_month) if rule.by_month else ""
    every_month = rule.freq is Freq.YEARLY and not rule.by_month
    if rule.by_month_day:
        text = say.in_every_month if every_month else text
        text += only + say.on_month_days(rule.by_month_day)
        of_year = every_month and any(day.nth for day in rule.by_day)
        text += say.if_it_is(rule.by_day, of_year=of_year) if rule.by_day else ""
    elif rule.by_day:
        text += only + say.on_weekdays(rule.by_day)
    text += say.only_these(rule.by_set_pos) if rule.by_set_pos else ""
    counts_weeks = rule.week_start and rule.freq is Freq.WEEKLY and rule.interval > 1
    return text + (say.weeks_begin(rule.week_start) if counts_weeks else "")


def _clock(plan: Plan, say: Phrases) -> str:
    if plan.all_day:
        return ""
    hourly = plan.rule.freq is Freq.HOURLY
    at = "%M" if hourly else "%H:%M:%S" if plan.start.second else "%H:%M"
    times = [f"{one:{at}}" for one in times_of_day(plan.rule, plan.start.time())]
    return say.at(times, minutes=hourly) + (f" ({plan.timezone})" if plan.timezone else "")


def _end(plan: Plan, say: Phrases) -> str:
    if plan.count is not None:
        return say.times(plan.count)
    if plan.until is None:
        return ""
    day_only = plan.all_day or plan.until.time() == END_OF_DAY
    return say.until(plan.until.date(), "" if day_only else f"{plan.until:%H:%M}")
