"""What a rule looks like on the wire."""

from typing import Annotated, Literal

from msgspec import Meta

from todo.schema import Schema

Rrule = Annotated[
    str,
    Meta(min_length=1, max_length=300, description="An RFC 5545 rule.", examples=["FREQ=MONTHLY;BYMONTHDAY=31"]),
]


class Recurrence(Schema):
    """How work comes back. The first occurrence is the task's due; without one, today."""

    rrule: Rrule
    anchor: Literal["schedule", "completion"] = "schedule"
    on_invalid_date: Literal["backward", "forward", "omit"] = "backward"
    on_missed: Literal["keep_one", "skip_to_next", "backfill"] = "keep_one"
    opens: Literal["on_time", "on_close"] | None = None
