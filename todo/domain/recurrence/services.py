"""Beginning series, and keeping their place: what came last, what comes next, and when to look again."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm.attributes import set_committed_value

from todo.audit import AuditedService
from todo.database import Repository
from todo.domain.recurrence.models import SERIES, Series
from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.opening import looks_again_at, opens_at
from todo.domain.recurrence.rules.plan import Anchor, Plan, Turn
from todo.domain.recurrence.rules.turns import first, next_after
from todo.domain.recurrence.schemas import Recurrence
from todo.errors import Invalid


def plan_of(series: Series) -> Plan:
    """A series as arithmetic sees it, in the zone that counts for it."""
    return Plan.of(
        series.rrule,
        series.start,
        all_day=series.kind == "day",
        timezone=series.timezone or series.owner_timezone,
        anchor=series.anchor,
        on_invalid_date=series.on_invalid_date,
        on_missed=series.on_missed,
        opens=series.opens,
        lead=timedelta(seconds=series.lead_seconds),
        until=series.until,
        count=series.count,
        holidays=[date.fromisoformat(day) for day in series.holidays],
        shift=series.shift,
        pauses=[(date.fromisoformat(begin), date.fromisoformat(end)) for begin, end in series.pauses],
        exceptions=[datetime.fromisoformat(nominal) for nominal in series.exceptions],
        max_open=series.max_open,
        expire_after=timedelta(seconds=series.expire_after_seconds) if series.expire_after_seconds else None,
    )


def place(plan: Plan, last: Turn, following: Turn | None, still_open: Sequence[datetime]) -> dict[str, Any]:
    """Where a series stands: what came last, what comes next, when to look again. Ended when nothing is to come."""
    goes_on = following is not None or bool(still_open)
    return {
        "status": "active" if goes_on else "ended",
        "last_nominal": last.nominal,
        "n": last.n,
        "next_nominal": following.nominal if following else None,
        "next_n": following.n if following else None,
        "next_run_at": looks_again_at(plan, following.nominal if following else None, still_open),
        "failures": 0,
        "last_error": None,
    }


class SeriesService(AuditedService[Series]):
    """One person's series, or for the worker everybody's, inside the caller's transaction."""

    class Repo(Repository[Series]):
        model_type = Series

    repository_type = Repo

    async def begin(
        self, data: Recurrence, start: datetime, kind: str, timezone: str | None, template: dict[str, Any]
    ) -> tuple[Series, Plan, Turn]:
        """Store a new series and give its first turn; raises Invalid for a rule that cannot be, or never happens."""
        try:
            series = Series(
                owner_id=self.actor.user_id,
                owner_timezone=self.actor.timezone,
                start=start,
                kind=kind,
                timezone=timezone,
                template=template,
                rrule=data.rrule,
                anchor=data.anchor,
                on_invalid_date=data.on_invalid_date,
                on_missed=data.on_missed,
                opens=data.opens or ("on_close" if data.anchor == "completion" else "on_time"),
            )
            plan = plan_of(series)
            turn = first(plan)
        except RuleError as error:
            field = "body.due" if error.field == "start" else f"body.recurrence.{error.field}"
            raise Invalid.field(field, error.message) from None
        if turn is None:
            raise Invalid.field("body.recurrence.rrule", "This rule never happens.")
        series.rrule, series.count, series.until = str(plan.rule), plan.count, plan.until
        for name, value in place(plan, turn, self._following(plan, turn), [turn.nominal]).items():
            setattr(series, name, value)
        await self.insert(series, "series.begin")
        return series, plan, turn

    async def lock_of(self, series_id: Select[Any]) -> Series | None:
        """The series that a query for its id finds, locked; None when there is none.

        A series is locked before its tasks, here and in the worker, so that they never wait for each other.
        """
        found = select(Series).where(SERIES.id == series_id.scalar_subquery())
        series: Series | None = await self.session.scalar(found.with_for_update())
        return series

    async def advance(self, series: Series, plan: Plan, last: Turn, following: Turn | None) -> None:
        """Note which turn came up last, and is open, and which is next. Bookkeeping: no new version, no trail entry."""
        await self.keep(series, place(plan, last, following, [last.nominal]))

    async def advance_past(self, series: Series, plan: Plan, last: Turn) -> None:
        """The same, when the next turn is simply the one after."""
        await self.advance(series, plan, last, self._following(plan, last))

    async def end(self, series: Series) -> None:
        """Note that no turn follows."""
        await self.keep(series, {"status": "ended", "next_nominal": None, "next_n": None, "next_run_at": None})

    async def move(self, owner_id: UUID, timezone: str) -> None:
        """Let the floating series of somebody who has moved go on in another zone."""
        theirs = select(Series).where(SERIES.owner_id == owner_id, SERIES.timezone.is_(None))
        for series in (await self.session.scalars(theirs.with_for_update())).all():
            series.owner_timezone = timezone
            if series.next_run_at is not None and series.next_nominal is not None:
                series.next_run_at = opens_at(plan_of(series), series.next_nominal)

    async def keep(self, series: Series, values: dict[str, Any]) -> None:
        """Write bookkeeping columns of a locked row."""
        await self.session.execute(update(Series).where(SERIES.id == series.id).values(values))
        for name, value in values.items():
            set_committed_value(series, name, value)

    def _following(self, plan: Plan, turn: Turn) -> Turn | None:
        return None if plan.anchor is Anchor.COMPLETION else next_after(plan, turn.nominal, turn.n)
