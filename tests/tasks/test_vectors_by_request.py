"""The published vectors (tests/vectors/recurrence/README.md) of closing an occurrence, asked of the API."""

from datetime import datetime

import pytest
from support.factories import Person
from support.series import Sql, act, day
from support.vectors import Case, cases


@pytest.mark.parametrize("case", cases("closed"))
@pytest.mark.parametrize("verb", ["complete", "skip"])
async def test_the_next_appears_when_the_vector_says(ada: Person, sql: Sql, case: Case, verb: str) -> None:
    recurrence, wanted = dict(case["series"]), case["closed"]
    start, zone = recurrence.pop("start"), recurrence.pop("timezone")
    due = {"kind": "zoned", "at": start, "timezone": zone} if "T" in start else day(start)
    task = await ada.add(due=due, recurrence=recurrence)

    following = (await act(ada, task, verb))["next_task"]

    assert task["occurrence"] == wanted["original_start"]
    if wanted["appears"] is None:
        assert following["occurrence"] == wanted["next"]
    else:
        series = await sql.fetchrow("SELECT next_original_start, next_run_at FROM series")
        assert following is None
        assert series["next_original_start"] == datetime.fromisoformat(wanted["next"])
        assert series["next_run_at"] == datetime.fromisoformat(wanted["appears"])
