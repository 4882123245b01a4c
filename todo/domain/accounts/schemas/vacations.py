"""API schemas of vacations."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct, field

from todo.schema import Schema

First = Annotated[date, Meta(description="Its first day, today or later; today when absent.", examples=["2026-12-24"])]
Last = Annotated[date, Meta(description="Its last day.", examples=["2027-01-06"])]


class VacationIn(Schema):
    """The first and the last day of a vacation, both included, at most 366 days apart."""

    until: Last
    begin: First | None = field(default=None, name="from")


class VacationOut(Struct):
    """Your vacation, running or planned; both days are null when there is none. `version` is that of your account."""

    version: int
    begin: date | None = field(name="from")
    until: date | None
