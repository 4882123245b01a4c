"""What opens in a pause: nothing, from its first day on."""

from datetime import UTC, date, datetime

import pytest

from todo.domain.recurrence.rules.plan import Plan
from todo.domain.recurrence.rules.timing import Now

DAILY = Plan.of(
    "FREQ=DAILY", datetime(2031, 3, 1), timezone="Europe/Berlin", pauses=[(date(2031, 3, 5), date(2031, 3, 9))]
)


@pytest.mark.parametrize(
    ("day", "is_open"), [(4, True), (5, False), (9, False)], ids=["day before", "first day", "last day"]
)
def test_nothing_opens_from_the_first_day_of_a_pause_on(day: int, is_open: bool) -> None:
    in_the_pause = Now(DAILY, datetime(2031, 3, 7, 12, tzinfo=UTC))

    assert in_the_pause.has_opened(datetime(2031, 3, day)) is is_open
