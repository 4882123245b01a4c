"""Changing more of a series than one occurrence: this one and those after it, or all that is not open yet."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import select, update

from todo.database import now
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import Freq, parse
from todo.domain.recurrence.rules.occurrences import first
from todo.domain.recurrence.rules.plan import Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import unmoved
from todo.domain.recurrence.rules.warn import nothing_happens
from todo.domain.recurrence.schemas import RecurrencePatch, rule_problems
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import Scope, TaskPatch
from todo.domain.tasks.series.models import OCCURRENCE, Occurrence, Series
from todo.domain.tasks.series.rules import TEMPLATE, columns_of, template_of
from todo.domain.tasks.series.services.occurrences import SeriesService, TaskWriter, fields_of
from todo.domain.tasks.subtasks import change_all, descendants
from todo.errors import Conflict, Invalid

WHOLE = {*TEMPLATE, "due", "project_id", "section_id"}  # what a series has of a task


def read_scope(text: str | None) -> Scope | None:
    """Raises Invalid for any other word."""
    try:
        scope: Scope | None = msgspec.convert(text, Scope | None)
    except msgspec.ValidationError:
        raise Invalid.field("query.scope", "This is none of this, following, all.") from None
    return scope


def scope_of(sent: Mapping[str, Any], scope: Scope | None) -> Scope:
    """What a change is for; a rule is for all unless said otherwise. Raises Invalid for what cannot be."""
    if "recurrence" in sent:
        if scope == "this":
            raise Invalid.field("query.scope", "A rule belongs to the whole series: say following or all.")
        return scope or "all"
    if scope in ("following", "all") and (strange := sent.keys() - WHOLE):
        raise Invalid.field("query.scope", f"{', '.join(sorted(strange))} can be changed in this occurrence only.")
    return scope or "this"


class SeriesChanges:
    """Changes of locked series, inside the caller's transaction."""

    def __init__(self, series: SeriesService):
        self.series = series
        self.session = series.session

    async def apply(
        self, series: Series | None, task: Task, values: dict[str, Any], data: TaskPatch, scope: Scope,
        timezone: str,
    ) -> dict[str, Any]:  # fmt: skip
        """Change the series of a task, or make it one; the columns that the task itself must change besides.

        Only a rule that is sent begins a series: in one that has ended, other changes are the task's alone.
        """
        recurrence = data.recurrence
        if recurrence is None:
            if series and series.status != "ended":
                await self.series.stop(series)
            return {}
        if series is None:
            return await self._begin(task, values, recurrence, timezone)
        if recurrence is UNSET and series.status == "ended":
            await self.series.note_moved(series, task, values)
            return {}
        by = series.repeats_by
        _check_date(series, values)
        with rule_problems("body.recurrence"):
            sent = {} if recurrence is UNSET else recurrence.columns()
        moment = values.get(by) or series.date_of(task)
        moment = moment or rules.moment_at(original_start_of(task), series.kind, series.timezone)
        sent |= {"template": series.template | template_of(_without(by, values), moment)}
        sent |= {"section_id": values["section_id"]} if "section_id" in values else {}
        if task.status in rules.CLOSED and (scope == "following" or by in values or series.status == "ended"):
            raise Conflict(
                "This occurrence is closed: change the series by an occurrence that is open.", slug="task-closed"
            )
        if scope == "following" or series.status == "ended":
            changes = await self._split(series, task, values.get(by), sent)
        else:
            changes = await self._change_all(series, task, values, sent)
        return changes | dates_along(series, task, values, moment, changes.get(by, moment))

    async def end_from(self, series: Series | None, task: Task, scope: Scope) -> None:
        """End the series of a task, its open occurrences (from this one on, or all) cancelled and in the trash."""
        if series is None:
            raise Invalid.field("query.scope", "This task belongs to no series.")
        if series.status != "ended":
            await self.series.stop(series)
        original_start = original_start_of(task) if scope == "following" else None
        await self.cancel_open(series, original_start, but=task)

    async def cancel_open(self, series: Series, since: datetime | None = None, but: Task | None = None) -> None:
        """Close open occurrences (from an original start on) as cancelled, and move their tasks to the trash, except
        one.
        """
        which = [OCCURRENCE.series_id == series.id, OCCURRENCE.status == "open"]
        which += [OCCURRENCE.original_start >= since] if since else []
        closed = update(Occurrence).where(*which).values(status="cancelled", closed_at=now())
        ids = [task_id for task_id in await self.session.scalars(closed.returning(OCCURRENCE.task_id)) if task_id]
        wanted = [task_id for task_id in ids if but is None or task_id != but.id]
        if not wanted:
            return
        query = select(Task).where(TASK.id.in_(wanted), TASK.deleted_at.is_(None)).order_by(TASK.id)
        rows = await self.session.scalars(query.with_for_update(key_share=True))
        tasks = [*rows, *await descendants(self.session, wanted, TASK.deleted_at.is_(None))]
        await change_all(self.session, tasks, {"deleted_at": now()}, "tasks.delete")

    async def _begin(
        self, task: Task, values: dict[str, Any], recurrence: RecurrencePatch | Any, timezone: str
    ) -> dict[str, Any]:
        if recurrence is UNSET:
            raise Invalid.field("query.scope", "This task belongs to no series.")
        if recurrence.rrule is UNSET:
            raise Invalid.field("body.recurrence.rrule", "A task becomes a series by a rule.")
        if task.parent_id is not None or values.get("parent_id") is not None:
            raise Invalid.field(
                "body.recurrence", "A subtask cannot come back by itself; it comes back with its parent."
            )
        if task.status in rules.CLOSED:
            raise Conflict("This task is closed; reopen it first.", slug="task-closed")
        changed = Task(**(task.model_dump() | values))
        return await self.series.begin(changed, recurrence, timezone)

    async def _change_all(
        self, series: Series, task: Task, values: dict[str, Any], sent: dict[str, Any]
    ) -> dict[str, Any]:
        """The open occurrences stay what they are, this one with what was sent; those to come follow the new rule.

        A new time of day of one occurrence is that of all to come. A new day moves the start, where the rule takes its
        days from it; a rule that names its days is changed by `recurrence`.
        """
        last = series.last.original_start
        if moment := values.get(series.repeats_by):
            times, distance = retimed(series, original_start_of(task), moment, fresh="rrule" in sent)
            sent |= times
            last += distance
        await self.series.replan(series, sent, PlannedOccurrence(last, series.n), "body.recurrence")
        await self.series.note_moved(series, task, values)
        return {}

    async def _split(
        self, series: Series, task: Task, moment: dict[str, Any] | None, sent: dict[str, Any]
    ) -> dict[str, Any]:
        """End a series before this occurrence, and begin one that goes on with it and knows its predecessor."""
        original_start = original_start_of(task)
        like = Series(**series.model_dump(exclude=NOT_COPIED), predecessor_id=series.id)
        was_paused = series.status == "paused"
        fresh = "rrule" in sent or "anchor" in sent or moment is not None
        with rule_problems("body.recurrence", **fields_of(series)):
            if fresh:
                successor, plan, last = self._restart(series, like, original_start, moment, sent)
            else:
                successor = like.changed(sent, hourly=self.series.hourly)
                plan, last = successor.plan(), series.last_original_start or original_start
        still_open = await self.series.open_occurrences(series, series.plan())
        opened = [other for other in still_open if other.original_start >= original_start]
        kept = opened[:1] if fresh else opened
        if successor.count in (None, series.count):  # it counts on from the first occurrence of all
            occurrence = PlannedOccurrence(last, series.n - len(opened) + len(kept))
        else:
            occurrence = PlannedOccurrence(last, max(1, len(kept)))
        if series.status != "ended":
            await self.series.stop(series)
        await self.series.store(
            successor, plan, occurrence, [unmoved(plan, occurrence.original_start)] if fresh else opened
        )
        values = await self._hand_over(series, successor, plan, occurrence, task, fresh)
        if was_paused:
            await self.series.pause(successor)
        return values

    def _restart(
        self,
        series: Series,
        like: Series,
        original_start: datetime,
        moment: dict[str, Any] | None,
        sent: dict[str, Any],
    ) -> tuple[Series, Plan, datetime]:
        """A series with other times, and its first one. An end that is not sent stays that of the predecessor."""
        plan = series.plan()
        times: dict[str, Any] = {"start": original_start}
        if moment:
            times, _ = retimed(series, original_start, moment, fresh="rrule" in sent)
            times["start"] = rules.local_time_of(moment)
        if "rrule" in sent:
            sent = sent | {"rrule": _with_days_of(sent["rrule"], plan)}
        elif times["start"].date() == original_start.date():
            sent = sent | {"rrule": str(plan.explicit)}
        begun = like.changed(sent | times, hourly=self.series.hourly)
        found = first(plan := begun.plan())
        if found is None:
            raise Invalid.field("body.recurrence.rrule", nothing_happens(plan))
        return begun, plan, found.original_start

    async def _hand_over(
        self, old: Series, new: Series, plan: Plan, occurrence: PlannedOccurrence, task: Task, fresh: bool
    ) -> dict[str, Any]:
        """Give this occurrence, and those after it that are open, to another series; those have no place at other
        times.
        """
        original_start = original_start_of(task)
        later = (
            OCCURRENCE.series_id == old.id,
            OCCURRENCE.status == "open",
            OCCURRENCE.original_start > original_start,
        )
        this = update(Occurrence).where(OCCURRENCE.series_id == old.id, OCCURRENCE.task_id == task.id)
        if fresh:
            await self.cancel_open(old, original_start + timedelta(microseconds=1))
            await self.session.execute(
                this.values(series_id=new.id, original_start=occurrence.original_start, moved_to=None, undo=None)
            )
            return new.occurrence_values(plan, occurrence.original_start)
        handed = update(Occurrence).where(*later).values(series_id=new.id, undo=None).returning(OCCURRENCE.task_id)
        ids = (await self.session.scalars(handed)).all()
        tasks = TaskWriter(self.session, self.series.actor)
        found = select(Task).where(TASK.id.in_(ids)).order_by(TASK.id).with_for_update(key_share=True)
        for row in await self.session.scalars(found):
            await tasks.update({"series_id": new.id}, row, action="tasks.change")
        await self.session.execute(this.values(series_id=new.id, undo=None))
        return {"series_id": new.id}


NOT_COPIED = {
    "id", "created_at", "updated_at", "version", "status", "predecessor_id", "next_original_start", "next_n",
    "next_run_at", "end_notice_at", "failures", "last_error",
}  # fmt: skip


def original_start_of(task: Task) -> datetime:
    """The original start of an occurrence."""
    return datetime.fromisoformat(task.occurrence or "")


def dates_along(
    series: Series, task: Task, values: dict[str, Any], sent: dict[str, Any], moment: dict[str, Any]
) -> dict[str, Any]:
    """`start` and `deadline` of a task that is at `moment`, as far from it as they were or, where values have them, as
    they are from the date that was sent. A start that the series repeats by is not among them.
    """
    dates = _without(series.repeats_by, {"start": task.start, "deadline": task.deadline})
    given = {name: values[name] for name in dates.keys() & values.keys()}
    template = template_of(dates, series.date_of(task) or sent) | template_of(given, sent)
    return {name: value for name, value in columns_of(template, moment).items() if name in dates}


def _without(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {other: value for other, value in values.items() if other != name}


def _check_date(series: Series, values: Mapping[str, Any]) -> None:
    """Raises Invalid for a change that would take from a series the date it repeats by, or give it another one."""
    by = series.repeats_by
    if by in values and values[by] is None:
        raise Invalid.field(f"body.{by}", f"An occurrence of this series has a {by}: end the series first.")
    if by == "start" and values.get("due"):
        raise Invalid.field("body.due", "This series repeats by its start: only one occurrence can have a due.")


def retimed(
    series: Series, original_start: datetime, moment: dict[str, Any], fresh: bool
) -> tuple[dict[str, Any], timedelta]:
    """The times of a series one of whose occurrences shall be then, and how far its occurrences move; raises
    Invalid.

    `fresh`: there is a new rule, which counts from that moment.
    """
    when, rule, field = rules.local_time_of(moment), series.plan().rule, f"body.{series.repeats_by}"
    same_day = when.date() == original_start.date()
    names_days = rule.by_day or rule.by_month or rule.by_month_day
    if names_days and not same_day and not fresh:
        raise Invalid.field(field, "The rule names its days: for another day change recurrence.rrule.")
    if (rule.by_hour or rule.by_minute) and when.time() != original_start.time() and not fresh:
        raise Invalid.field(field, "The rule names its times of day: for another time change recurrence.rrule.")
    start = datetime.combine(series.start.date(), when.time()) if same_day and not fresh else when
    distance = when - original_start
    try:
        moved = [datetime.fromisoformat(text) + distance for text in series.exceptions]
    except OverflowError:
        raise Invalid.field(field, "This would move exceptions beyond the calendar.") from None
    exceptions = [written(original_start, all_day=moment["kind"] == "day") for original_start in moved]
    times = {"start": start, "kind": moment["kind"], "timezone": moment.get("timezone"), "exceptions": exceptions}
    return times, distance


def _with_days_of(rrule: str, before: Plan) -> str:
    """A monthly rule that names no days, with those of the plan before it, so that a 31st is not forgotten."""
    rule, old = parse(rrule).rule, before.explicit
    if rule.freq is old.freq is Freq.MONTHLY and old.by_month_day and not (rule.by_day or rule.by_month_day):
        return f"{rrule};BYMONTHDAY={','.join(map(str, old.by_month_day))}"
    return rrule
