"""Beginning series, and keeping their place: what came last, what comes next, and when to look again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm.attributes import set_committed_value

from todo.audit import AuditedService
from todo.database import now
from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.rules.grammar import Freq, parse
from todo.domain.recurrence.rules.occurrences import after_completion, first, next_after
from todo.domain.recurrence.rules.plan import Anchor, Plan, PlannedOccurrence, check_exceptions
from todo.domain.recurrence.rules.timing import next_run_at
from todo.domain.recurrence.schemas import RecurrencePatch, rule_problems
from todo.domain.tasks.series.models import SERIES, Series
from todo.errors import Invalid
from todo.loops import LONGEST_SLEEP
from todo.queue import enqueue


def place(
    plan: Plan,
    last: PlannedOccurrence,
    following: PlannedOccurrence | None,
    still_open: Sequence[datetime],
    moment: datetime,
) -> dict[str, Any]:
    """The bookkeeping columns of a series: what came last, what comes next, and when to look at it again.

    Counted from completion, the next is known once nothing is open; a series of which nothing is open and nothing
    follows has ended.
    """
    if plan.anchor is Anchor.COMPLETION and following is None and not still_open:
        following = after_completion(plan, last.original_start, to_local(moment, plan.timezone), last.n)
    return {
        "status": "active" if following or still_open else "ended",
        "last_original_start": last.original_start,
        "n": last.n,
        "next_original_start": following.original_start if following else None,
        "next_n": following.n if following else None,
        "next_run_at": next_run_at(plan, following.original_start if following else None, still_open),
        "failures": 0,
        "last_error": None,
    }


def following(plan: Plan, occurrence: PlannedOccurrence) -> PlannedOccurrence | None:
    """The occurrence after this one as far as it is known: counted from completion, it is not."""
    return None if plan.anchor is Anchor.COMPLETION else next_after(plan, occurrence.original_start, occurrence.n)


def merged(series: Series, sent: Mapping[str, Any], *, hourly: bool) -> Series:
    """A series with some columns changed and its rule in canonical form, not stored. Raises RuleError.

    An end that is sent, in the rule or beside it, replaces the old one. `hourly`: whether a new rule may be; what
    is stored goes on.
    """
    if sent.get("rrule") not in (None, series.rrule):
        parse(sent["rrule"], hourly)
    ends = dict.fromkeys(("count", "until")) if _says_end(sent) else {}
    changed = Series(**(series.model_dump() | ends | dict(sent)))
    plan = changed.plan()
    check_exceptions(changed.exceptions, changed.kind)
    changed.rrule, changed.count, changed.until = str(plan.rule), plan.count, plan.until
    return changed


def remembering(rrule: str, before: Plan) -> str:
    """A monthly rule that names no days, with those of the plan before it, so that a 31st is not forgotten."""
    rule, old = parse(rrule).rule, before.explicit
    if rule.freq is old.freq is Freq.MONTHLY and old.by_month_day and not (rule.by_day or rule.by_month_day):
        return f"{rrule};BYMONTHDAY={','.join(map(str, old.by_month_day))}"
    return rrule


def _says_end(sent: Mapping[str, Any]) -> bool:
    parsed = parse(sent["rrule"]) if "rrule" in sent else None
    return bool(sent.get("count") or sent.get("until") or (parsed and (parsed.count or parsed.until)))


class SeriesService(AuditedService[Series], model=Series):
    """One person's series, or for the worker everybody's, inside the caller's transaction."""

    @property
    def hourly(self) -> bool:
        """Whether new rules may repeat by the hour here."""
        return self.session.settings.hourly_rules

    async def begin(
        self, data: RecurrencePatch, like: Series, body: str = "body.recurrence"
    ) -> tuple[Series, Plan, PlannedOccurrence]:
        """Store a series that begins like another, unstored one; raises Invalid for a rule that never happens."""
        with rule_problems(body, start="body.due", timezone="body.due.timezone"):
            series = merged(like, data.columns(), hourly=self.hourly)
            plan = series.plan()
            occurrence = first(plan)
        if occurrence is None:
            raise Invalid.field(f"{body}.rrule", "This rule never happens.")
        await self.store(series, plan, occurrence, [occurrence.original_start])
        return series, plan, occurrence

    async def store(self, series: Series, plan: Plan, last: PlannedOccurrence, still_open: Sequence[datetime]) -> None:
        """Insert a series that has come as far as `last`."""
        for name, value in place(plan, last, following(plan, last), still_open, now()).items():
            setattr(series, name, value)
        await self.create(series, action="series.begin")
        await self._ask_when_due(series.next_run_at)

    async def replan(
        self,
        series: Series,
        sent: Mapping[str, Any],
        last: PlannedOccurrence,
        still_open: Sequence[datetime],
        body: str,
    ) -> None:
        """Change a locked series and compute again what has not come yet; raises Invalid."""
        with rule_problems(body, start="body.due", timezone="body.due.timezone"):
            changed = merged(series, sent, hourly=self.hourly)
            plan = changed.plan()
            coming = following(plan, last)
        names = sent.keys() | {"rrule", "count", "until"}
        await self.update({name: getattr(changed, name) for name in names}, series, action="series.change")
        if plan.anchor is Anchor.COMPLETION and series.next_original_start and not still_open:
            waiting = PlannedOccurrence(series.next_original_start, series.next_n or 0)
            coming = None if plan.is_beyond_end(waiting) else waiting
        await self._put(series, place(plan, last, coming, still_open, now()))

    async def pause(self, series: Series) -> None:
        """Let nothing come until somebody resumes it."""
        await self.update({"status": "paused"}, series, action="series.pause")
        await self.keep(series, {"next_run_at": None})

    async def resume(self, series: Series, still_open: Sequence[datetime]) -> None:
        """Let occurrences come again; what came meanwhile is up to `on_missed`."""
        await self.update({"status": "active"}, series, action="series.resume")
        plan = series.plan()
        last = PlannedOccurrence(series.last_original_start or series.start, series.n)
        coming = (
            PlannedOccurrence(series.next_original_start, series.next_n or 0) if series.next_original_start else None
        )
        await self.keep(series, place(plan, last, coming, still_open, now()))

    async def stop(self, series: Series) -> None:
        """End a series because somebody says so."""
        await self.update({"status": "ended"}, series, action="series.end")
        await self.end(series)

    async def lock_of(self, series_id: Select[Any]) -> Series | None:
        """The series that a query for its id finds, locked; None when there is none.

        Whoever waited for the lock must look again whether it is still the one.
        """
        found = select(Series).where(SERIES.id == series_id.scalar_subquery()).with_for_update(key_share=True)
        series: Series | None = await self.session.scalar(found.execution_options(populate_existing=True))
        return series

    async def advance(
        self,
        series: Series,
        plan: Plan,
        last: PlannedOccurrence,
        following: PlannedOccurrence | None,
        still_open: Sequence[datetime],
    ) -> None:
        """Note which occurrence came up last, which is next, which are open. Bookkeeping: no new version, no trail
        entry.
        """
        await self.keep(series, place(plan, last, following, still_open, now()))

    async def wait(self, series: Series, plan: Plan, occurrence: PlannedOccurrence) -> None:
        """Note that an occurrence follows which cannot appear yet, because the series rests."""
        last = PlannedOccurrence(series.last_original_start or series.start, series.n)
        await self._put(series, place(plan, last, occurrence, (), now()))

    async def end(self, series: Series) -> None:
        """Note that no occurrence follows."""
        await self.keep(series, {"status": "ended", "next_original_start": None, "next_n": None, "next_run_at": None})

    async def move(self, series: Series, timezone: str) -> None:
        """Let a floating series go on in another zone, where its owner has moved; the worker looks at it anew."""
        await self.update({"owner_timezone": timezone}, series, action="series.change")
        if series.next_run_at is not None:  # for the next occurrence, or for the expiry of an open one
            await self.keep(series, {"next_run_at": now()})

    async def keep(self, series: Series, values: dict[str, Any]) -> None:
        """Write bookkeeping columns of a locked row."""
        await self.session.execute(update(Series).where(SERIES.id == series.id).values(values))
        for name, value in values.items():
            set_committed_value(series, name, value)
        await self._ask_when_due(values.get("next_run_at"))

    async def _ask_when_due(self, next_run_at: datetime | None) -> None:
        if next_run_at is not None and next_run_at < now() + timedelta(seconds=LONGEST_SLEEP):
            await enqueue(self.session, "materialize_due")

    async def _put(self, series: Series, values: dict[str, Any]) -> None:
        """Keep a place; a paused series stays paused."""
        if series.status == "paused":
            values |= {"status": "paused", "next_run_at": None}
        await self.keep(series, values)
