"""Beginning series, and keeping their place: what came last, what comes next, and when to look again."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm.attributes import set_committed_value

from todo.audit import AuditedService
from todo.database import Repository
from todo.domain.recurrence.models import SERIES, Series
from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.opening import opens_at
from todo.domain.recurrence.rules.plan import Anchor, Opens, Plan, Turn
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
        for name, value in self._place(plan, turn, self._following(plan, turn)).items():
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

    async def claim(self, limit: int) -> Sequence[Series]:
        """Lock up to `limit` series whose time has come, passing over those that another worker has."""
        due = select(Series).where(SERIES.next_run_at <= func.now())
        found = await self.session.scalars(
            due.order_by(SERIES.next_run_at).limit(limit).with_for_update(skip_locked=True)
        )
        return found.all()

    async def advance(self, series: Series, plan: Plan, last: Turn, following: Turn | None) -> None:
        """Note which turn came up last and which is next. Bookkeeping: no new version, no trail entry."""
        await self.keep(series, self._place(plan, last, following))

    async def advance_past(self, series: Series, plan: Plan, last: Turn) -> None:
        """The same, when the next turn is simply the one after."""
        await self.advance(series, plan, last, self._following(plan, last))

    async def end(self, series: Series) -> None:
        """Note that no turn follows."""
        await self.keep(series, {"status": "ended", "next_nominal": None, "next_n": None, "next_run_at": None})

    async def set_aside(self, series_id: UUID, failures: int, error: Exception) -> None:
        """Note why a series could not be opened, and look at it again later: in 2, 4, 8 ... minutes, at most a day."""
        pause = timedelta(minutes=min(2**failures, 1440))
        values = {"failures": failures, "last_error": repr(error)[:500], "next_run_at": func.now() + pause}
        await self.session.execute(update(Series).where(SERIES.id == series_id).values(values))

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

    def _place(self, plan: Plan, last: Turn, following: Turn | None) -> dict[str, Any]:
        waits = following is not None and plan.opens is Opens.ON_TIME
        return {
            "last_nominal": last.nominal,
            "n": last.n,
            "next_nominal": following.nominal if following else None,
            "next_n": following.n if following else None,
            "next_run_at": opens_at(plan, following.nominal) if following and waits else None,
            "failures": 0,
            "last_error": None,
        }
