"""`/api/recurrences`: rules and calendars, before anybody saves them."""

import asyncio
from typing import Any

from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from todo.access import Actor, requires
from todo.database import Database
from todo.domain.recurrence.schemas import CalendarIn, HolidaysOut, PreviewIn, PreviewOut
from todo.domain.recurrence.services import holidays_of, preview_of


class RecurrenceController(Controller):
    """Rules: what they would do, before anybody saves them."""

    path = "/api/recurrences"
    tags = ["Series"]

    @post("/preview", operation_id="preview_recurrence", status_code=200, guards=[requires("series.view")])
    async def preview_recurrence(
        self, request: Request[Actor, Any, State], database: NamedDependency[Database], data: JSONBody[PreviewIn]
    ) -> PreviewOut:
        """The first occurrences of a series nobody has saved, its rule in one sentence, and what to expect of it.

        Takes every field of a series. `start` is the first day or time that may count, in `timezone`, or without one
        wherever you are; `count` is how many occurrences to show, 12 unless said, at most 100. Nothing is stored.

        Example: `{"rrule": "FREQ=MONTHLY;BYMONTHDAY=31", "start": "2026-01-31T09:00", "timezone": "Europe/Berlin",
        "on_invalid_date": "backward", "count": 12}`
        """
        return preview_of(data, request.user.timezone, hourly=database.settings.hourly_rules)

    @post("/holidays", operation_id="read_holidays", status_code=200, guards=[requires("series.view")])
    async def read_holidays(self, data: JSONBody[CalendarIn]) -> HolidaysOut:
        """The days off of a calendar file, for the field `holidays` of a series.

        Takes the whole-day events of this year and the ten years to come, at most 1,000 days; yearly ones are followed.
        Nothing is stored.

        Example: `{"ics": "BEGIN:VCALENDAR\\r\\n...END:VCALENDAR\\r\\n"}`
        """
        return await asyncio.to_thread(holidays_of, data.ics)  # a large calendar takes half a second
