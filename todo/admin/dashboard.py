"""The dashboard: modules declare cards, each with a number, its last thirty days, or what has gone wrong lately."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Column, ColumnElement, DateTime, String, bindparam, func, select

from todo.access import Actor
from todo.database import Database, Query, now

log = logging.getLogger(__name__)
DAYS = 30


class Line(NamedTuple):
    """One thing behind a number, such as an error, and when it happened."""

    text: str
    at: datetime | None = None
    href: str = ""
    error: str = ""  # in English, where no catalog has it


@dataclass(frozen=True)
class Figure:
    """A number and its explanation. `series` has the counts per day, oldest first, today last."""

    value: int | str
    note: str = ""
    href: str = ""
    tone: str = ""  # good | warn | bad: whether it needs attention
    series: Sequence[int] = ()
    unit: str = ""  # what the series counts, e.g. "sign-ins"
    lines: Sequence[Line] = ()  # the latest of what is counted


@dataclass(frozen=True)
class Card:
    """A number on the dashboard, for holders of `permission`. An alert comes first, and only while it is not 0."""

    label: str
    icon: str
    permission: str
    read: Callable[[Database, Actor], Awaitable[Figure]]
    is_alert: bool = False


@dataclass(frozen=True)
class Shown:
    """A card with its number, or None when it could not be read."""

    card: Card
    figure: Figure | None


async def read_dashboard(cards: Iterable[Card], database: Database, actor: Actor) -> list[Shown]:
    """Read the cards this actor may see, concurrently. One that fails does not affect the others."""
    allowed = [card for card in cards if actor.may(card.permission)]
    dashboard = await asyncio.gather(*(card.read(database, actor) for card in allowed), return_exceptions=True)
    for card, figure in zip(allowed, dashboard, strict=True):
        if isinstance(figure, BaseException):
            log.warning("cannot read the dashboard card %s", card.label, exc_info=figure)
    return [
        Shown(card, figure if isinstance(figure, Figure) else None)
        for card, figure in zip(allowed, dashboard, strict=True)
    ]


class Daily:
    """Count rows per day of the viewer by an instant; compiled once."""

    def __init__(self, instant: Column[Any], *where: ColumnElement[bool]):
        local = func.timezone(bindparam("zone", type_=String()), instant)
        day = func.date(local)
        recent = instant >= bindparam("since", type_=DateTime(timezone=True))
        statement = select(day, func.count()).where(recent, *where).group_by(day)
        self._query: Query[tuple[date, int]] = Query(lambda day, count: (day, count), statement)

    async def series(self, database: Database, actor: Actor) -> list[int]:
        """Return one number for each of the last thirty days, zeros included."""
        zone = ZoneInfo(actor.timezone)
        today = now().astimezone(zone).date()
        first = today - timedelta(days=DAYS - 1)
        since = datetime.combine(first, time.min, zone)
        found = dict(await database.reads.all(self._query, zone=actor.timezone, since=since))
        return [found.get(first + timedelta(days=number), 0) for number in range(DAYS)]


def first_line(error: str | None, most: int = 160) -> str:
    """Return the beginning of an error, for a line of a card; of a traceback its end, which says what happened."""
    lines = (error or "").strip().splitlines()
    text = lines[-1] if lines and lines[0].startswith("Traceback") else "".join(lines[:1])
    return text if len(text) <= most else f"{text[:most]}…"


def one(statement: Any) -> Query[Any]:
    """Return a query for a single row of numbers."""
    return Query(lambda *numbers: numbers, statement)
