"""`todo series`: seeing and steering anybody's series."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, true

from todo.app import LOOPS
from todo.audit import record
from todo.cli.calling import CommandError
from todo.cli.installation import database_url, opened, require_installed
from todo.cli.operator import cli_origin
from todo.cli.users import with_session
from todo.database import WriteSession
from todo.domain.accounts.models import USER, User
from todo.domain.accounts.services.roles import find_user
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.queries import series_out
from todo.domain.tasks.series.schemas import EndSeries, PauseSeries, SeriesOut
from todo.domain.tasks.series.services.series import SeriesVerbs
from todo.errors import NotFound
from todo.loops import run_once
from todo.settings import load_settings

Line = tuple[str, SeriesOut]


def show(owner: str | None, status: str | None, failing: bool, limit: int, as_json: bool) -> None:
    async def read(session: WriteSession) -> list[Line]:
        query = select(USER.email, Series).join_from(Series, User, USER.id == SERIES.owner_id)
        if owner:
            query = query.where(SERIES.owner_id == (await find_user(session, owner)).id)
        if status:
            query = query.where(SERIES.status == status)
        if failing:
            query = query.where(SERIES.last_error.is_not(None))
        found = await session.execute(query.order_by(SERIES.id.desc()).limit(limit))
        return [(email, series_out(series)) for email, series in found]

    lines = with_session(read)
    if as_json:
        notify([{"owner": email} | msgspec.to_builtins(series) for email, series in lines])
        return
    table = Table("Series", "Owner", "Title", "Status", "Rule", "Next", "Error")
    for email, series in lines:
        table.add_row(
            str(series.id), email, series.template.title, series.status, series.sentence,
            series.next_occurrence or "", series.last_error or "",
        )  # fmt: skip
    Console(width=200).print(table)


def show_one(series_id: str, as_json: bool) -> None:
    async def read(session: WriteSession) -> tuple[SeriesOut, list[dict[str, str]]]:
        series = await session.get(Series, id_of(series_id))
        if series is None:
            raise NotFound(f"There is no series {series_id}.")
        last = (
            select(Occurrence)
            .where(OCCURRENCE.series_id == series.id)
            .order_by(OCCURRENCE.original_start.desc())
            .limit(10)
        )
        occurrences = [{"original_start": f"{occurrence.original_start:%Y-%m-%d %H:%M}", "status": occurrence.status}
                  for occurrence in await session.scalars(last)]  # fmt: skip
        return series_out(series), occurrences

    series, occurrences = with_session(read)
    sent = msgspec.to_builtins(series)
    if as_json:
        notify(sent | {"occurrences": occurrences})
        return
    for name, value in sent.items():
        if value not in (None, [], ""):
            click.echo(f"{name:<22} {value}")
    for occurrence in occurrences:
        click.echo(f"  {occurrence['original_start']}  {occurrence['status']}")


def pause(series_id: str, begin: str | None, until: str | None) -> None:
    data = PauseSeries(begin=day_of(begin), until=day_of(until))
    steer(series_id, lambda verbs, which: verbs.pause(which, data, None), "rests")


def resume(series_id: str) -> None:
    steer(series_id, lambda verbs, which: verbs.resume(which, None), "goes on")


def end(series_id: str, cancel_open: bool) -> None:
    data = EndSeries(open="cancel" if cancel_open else "keep")
    steer(series_id, lambda verbs, which: verbs.end(which, data, None), "has ended")


def run(series_id: str) -> None:
    """Mark the series as due, then do what a worker would."""
    which = id_of(series_id)

    async def work(url: str) -> SeriesOut:
        await require_installed(settings, url)
        async with opened(settings, url) as database:
            async with database.session(cli_origin()) as session:
                await SeriesVerbs(session, session.origin.actor, true()).evaluate(which)
                await record(session, "series.run", "series", subject_id=which)
            await run_once(database, [loop for loop in LOOPS if loop.name == "materialize_due"])
            async with database.session(cli_origin()) as session:
                return series_out(await session.get_one(Series, which))

    settings = load_settings()
    with database_url(settings) as url:
        series = asyncio.run(work(url))
    if series.last_error:
        raise CommandError(f"The series {series_id} still cannot be opened: {series.last_error}")
    click.echo(
        f"Looked at {series_id}: {series.occurrence_count} occurrences so far, next {series.next_occurrence or 'none'}."
    )


def steer(series_id: str, verb: Callable[[SeriesVerbs, UUID], Awaitable[SeriesOut]], done: str) -> None:
    which = id_of(series_id)
    series = with_session(lambda session: verb(SeriesVerbs(session, session.origin.actor, true()), which))
    click.echo(f"{series.template.title!r} {done}: {series.status}, next {series.next_occurrence or 'none'}.")


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text} is not the id of a series: see `todo series list`.") from None


def day_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"{text} is not a day, like 2026-12-24.") from None


def notify(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
