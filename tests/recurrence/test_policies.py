"""What becomes of an occurrence depends on its series and the time, and not on when the worker looked."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from todo.domain.recurrence.rules.missed import decide_missed
from todo.domain.recurrence.rules.occurrences import first
from todo.domain.recurrence.rules.plan import OnMissed, Opens, Plan, PlannedOccurrence, Shift
from todo.domain.recurrence.rules.timing import OpenOccurrence, capacity, over_at
from todo.domain.tasks.series.rules import ScheduleState, following

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 10, 20)  # clocks change in Berlin on the 25th, in New York on the 1st
DAYS = 16
PLANS = 20  # for each policy and way of opening
WEEKENDS = "FREQ=WEEKLY;BYDAY=SA,SU"
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=2",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    WEEKENDS,
    "FREQ=WEEKLY",
)


def random_plan(random: Random, on_missed: OnMissed, opens: Opens) -> Plan:
    rrule, all_day = random.choice(RULES), random.random() < 0.4
    hour = 0 if all_day else random.choice((0, 2, 9, 23))
    dates = [BEGIN.date() + timedelta(days=days) for days in range(DAYS)]
    pauses = [sorted(random.choices(dates, k=2)) for _ in range(random.choice((0, 0, 1, 2)))]
    ends = {"count": random.randint(1, 9)} if random.random() < 0.2 else {}
    anchor = random.choice(("schedule", "schedule", "schedule", "completion"))
    # Counted from completion or from Saturday, what is skipped on weekends may have no next one.
    shifts = [shift for shift in Shift if shift is not Shift.SKIP or (anchor == "schedule" and rrule != WEEKENDS)]
    return Plan.of(
        rrule,
        BEGIN + timedelta(hours=hour),
        all_day=all_day,
        timezone=random.choice(("Europe/Berlin", "America/New_York", "Pacific/Kiritimati")),
        on_missed=on_missed,
        opens=opens,
        anchor=anchor,
        lead=timedelta(hours=random.choice((0, 0, 1, 24, 80, 200))),
        expire_after=timedelta(hours=random.choice((1, 24, 30, 100))),
        max_open=random.randint(1, 4),
        pauses=[tuple(pause) for pause in pauses],
        holidays=random.choices(dates, k=2),
        shift=random.choice((None, *shifts)),
        **ends,
    )


@dataclass
class Simulation:
    """A series whose first occurrence is open and that nobody touches."""

    plan: Plan
    moved: dict[datetime, datetime] = field(default_factory=dict)  # to when they are late
    rows: dict[datetime, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        begun = first(self.plan)
        assert begun is not None
        self.rows[begun.original_start] = "open"
        self.save(begun, following(self.plan, begun), BEGIN.replace(tzinfo=UTC))

    @property
    def open(self) -> list[OpenOccurrence]:
        starts = sorted(start for start, status in self.rows.items() if status == "open")
        return [OpenOccurrence(start, self.late_at(start)) for start in starts]

    def late_at(self, start: datetime) -> datetime:
        return self.moved.get(start) or over_at(self.plan, start)

    def save(self, last: PlannedOccurrence, coming: PlannedOccurrence | None, moment: datetime) -> None:
        self.state = ScheduleState.after(self.plan, last, coming, self.open, moment)

    def look(self, moment: datetime) -> None:
        state = self.state
        last = PlannedOccurrence(state.last_original_start or BEGIN, state.n)
        coming = PlannedOccurrence(state.next_original_start, state.next_n or 0) if state.next_original_start else None
        decision = decide_missed(self.plan, coming, self.open, moment, last)
        missed = [*decision.closes, *(occurrence.original_start for occurrence in decision.missed)]
        assert all(self.late_at(start) <= moment for start in missed), "missed before its time"
        self.rows |= {occurrence.original_start: "open" for occurrence in decision.opens}
        self.rows |= {occurrence.original_start: "paused" for occurrence in decision.paused}
        self.rows |= dict.fromkeys(missed, "missed")
        self.save(decision.last or last, decision.next, moment)
        assert len(self.open) <= capacity(self.plan)

    def outcome(self) -> tuple[dict[datetime, str], ScheduleState]:
        return dict(sorted(self.rows.items())), self.state


def at_each(simulation: Simulation, moments: Iterable[datetime]) -> tuple[dict[datetime, str], ScheduleState]:
    for moment in moments:
        simulation.look(moment)
    return simulation.outcome()


def when_it_says(simulation: Simulation, end: datetime) -> tuple[dict[datetime, str], ScheduleState]:
    while (moment := simulation.state.next_run_at) is not None and moment <= end:
        simulation.look(moment)
        assert simulation.state.next_run_at is None or simulation.state.next_run_at > moment, "stands still"
    return simulation.outcome()


@pytest.mark.parametrize("on_missed", list(OnMissed))
@pytest.mark.parametrize("opens", list(Opens))
def test_once_at_the_end_each_hour_and_when_the_series_says_are_the_same(on_missed: OnMissed, opens: Opens) -> None:
    random = Random(f"{on_missed} {opens}")
    for _ in range(PLANS):
        plan = random_plan(random, on_missed, opens)
        end = BEGIN.replace(tzinfo=UTC) + DAYS * DAY + timedelta(minutes=random.randrange(1440))
        hours = [end - number * HOUR for number in range(24 * DAYS, -1, -1)]

        once = at_each(Simulation(plan), [end])

        assert at_each(Simulation(plan), hours) == once, plan
        assert when_it_says(Simulation(plan), end) == once, plan


@pytest.mark.parametrize("on_missed", list(OnMissed))
@pytest.mark.parametrize("opens", list(Opens))
def test_after_a_long_downtime_it_is_the_same(on_missed: OnMissed, opens: Opens) -> None:
    random = Random(f"{opens} {on_missed}")
    for _ in range(PLANS):
        plan = random_plan(random, on_missed, opens)
        end = BEGIN.replace(tzinfo=UTC) + timedelta(days=random.randrange(60, 200), minutes=random.randrange(1440))
        often = [end - number * timedelta(hours=50) for number in range(100, -1, -1)]

        assert at_each(Simulation(plan), often) == at_each(Simulation(plan), [end]), plan


@pytest.mark.parametrize("on_missed", list(OnMissed))
@pytest.mark.parametrize("opens", list(Opens))
def test_an_occurrence_that_was_moved_is_judged_by_its_new_date(on_missed: OnMissed, opens: Opens) -> None:
    random = Random(f"moved {on_missed} {opens}")
    for _ in range(2 * PLANS):
        plan = random_plan(random, on_missed, opens)
        begun = first(plan)
        assert begun is not None
        moved = {begun.original_start: BEGIN.replace(tzinfo=UTC) + timedelta(hours=random.randrange(24 * DAYS))}
        end = BEGIN.replace(tzinfo=UTC) + timedelta(days=random.choice([DAYS, 90]), minutes=random.randrange(1440))
        hours = [end - number * HOUR for number in range(24 * DAYS, -1, -1)]

        once = at_each(Simulation(plan, moved), [end])

        assert at_each(Simulation(plan, moved), hours) == once, (plan, moved)
        assert when_it_says(Simulation(plan, moved), end) == once, (plan, moved)


def test_a_month_of_hours_is_recorded_in_full() -> None:
    plan = Plan.of("FREQ=HOURLY", BEGIN, timezone="UTC")
    begun = PlannedOccurrence(BEGIN, 1)

    decision = decide_missed(plan, begun, [], BEGIN.replace(tzinfo=UTC) + timedelta(days=31))

    assert decision.all_listed
    assert len(decision.opens) + len(decision.missed) == 31 * 24 + 1


def test_what_a_pause_covers_is_never_missed() -> None:
    pauses = [(date(2026, 10, 22), date(2026, 10, 30))]
    plan = Plan.of("FREQ=DAILY", BEGIN, all_day=True, timezone="UTC", pauses=pauses)

    decision = decide_missed(plan, PlannedOccurrence(BEGIN, 1), [], datetime(2026, 11, 2, tzinfo=UTC))

    assert [occurrence.original_start.day for occurrence in decision.paused] == list(range(22, 31))
    assert [occurrence.original_start.day for occurrence in decision.missed] == [21, 31, 1]
