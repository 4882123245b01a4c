"""`/api/recurrences/preview`."""

from typing import Any

from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.params import JSONBody

from todo.access import Actor, requires
from todo.domain.recurrence.schemas import PreviewIn, PreviewOut
from todo.domain.recurrence.services.planning import preview_of


class RecurrenceController(Controller):
    """Rules: what they would do, before anybody saves them."""

    path = "/api/recurrences"
    tags = ["Series"]

    @post("/preview", operation_id="preview_recurrence", status_code=200, guards=[requires("series.view")])
    async def preview_recurrence(self, request: Request[Actor, Any, State], data: JSONBody[PreviewIn]) -> PreviewOut:
        """The first turns of a series nobody has saved, its rule in one sentence, and what to expect of it.

        Takes every field of a series. `start` is the first day or time that may count, in `timezone`, or without one
        wherever you are; `count` is how many turns to show, 12 unless said, at most 100. Nothing is stored.

        Example: `{"rrule": "FREQ=MONTHLY;BYMONTHDAY=31", "start": "2026-01-31T09:00", "timezone": "Europe/Berlin",
        "on_invalid_date": "backward", "count": 12}`
        """
        return preview_of(data, request.user.timezone)
