"""The admin of series and occurrences."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, String, func, literal_column, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, Computed, Filter, ModelAdmin, action
from todo.admin.inlines import Inline
from todo.audit import record
from todo.database import ACTOR, Database
from todo.domain.recurrence.schemas import Opens, Pause, Rrule
from todo.domain.tasks.schemas import PRIORITY_NAMES
from todo.domain.tasks.series.locks import lock_owner
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.queries import sentence_of
from todo.domain.tasks.series.rules import Undo
from todo.domain.tasks.series.schemas import EndSeries, PauseSeries, Template
from todo.domain.tasks.series.services.missed import MissedWork
from todo.domain.tasks.series.services.series import SeriesVerbs
from todo.domain.tasks.series.upcoming import next_starts

OWN_SERIES = SERIES.owner_id == ACTOR
OF_OWN_SERIES = OCCURRENCE.series_id.in_(select(SERIES.id).where(OWN_SERIES))


# What is computed of a series needs all of it.
WHOLE_ROW: ColumnElement[Any] = func.to_jsonb(literal_column("series"))
# Exactly what its index has.
TITLE: ColumnElement[str] = SERIES.template.op("->>", return_type=String())(literal_column("'title'"))
TROUBLES = {
    "set_aside": SERIES.failures > 0,
    "late": SERIES.next_run_at < func.now() - timedelta(minutes=1),
    "none": (SERIES.failures == 0) & (SERIES.next_run_at.is_(None) | (SERIES.next_run_at >= func.now())),
}
SHOWN = 10  # occurrences to come
TIMES = ("start", "until", "last_original_start", "next_original_start")


def _series(row: Mapping[str, Any]) -> Series:
    """A series from its row as JSON."""
    return Series(**{**row, **{name: datetime.fromisoformat(row[name]) for name in TIMES if row[name]}})


def _next_starts(series: Series) -> list[str]:
    return [start.replace("T", " ") for start in next_starts(series, SHOWN)]


class SeriesAdmin(ModelAdmin[Series]):
    model = Series
    label, label_one = "Series", "Series"
    icon, group = "repeat", "Work"
    display = "title"
    columns = ("title", "repeats", "status", "owner_id", "next_run_at", "failures")
    types = {
        "rrule": Rrule, "status": Literal["active", "paused", "ended"], "kind": Literal["day", "floating", "zoned"],
        "repeats_by": Literal["due", "start"],
        "anchor": Literal["schedule", "completion"], "on_invalid_date": Literal["backward", "forward", "omit"],
        "on_missed": Literal["keep_one", "skip_to_next", "backfill", "expire"], "opens": Opens,
    }  # fmt: skip
    computed = {
        "title": Computed(TITLE, str),
        "repeats": Computed(WHOLE_ROW, str, read=lambda row: sentence_of(_series(row))),
        "next_occurrences": Computed(WHOLE_ROW, list[str], read=lambda row: _next_starts(_series(row))),
    }
    filters = (
        "status", Filter("trouble", TROUBLES), "owner_id",
        "next_run_at", "created_at", "owner.email", "owner.status", "project.name",
    )  # fmt: skip
    field_labels = {"n": "Occurrences so far", "next_n": "Number of the next", "rrule": "Rule"}
    translated = ("repeats",)  # says why a rule cannot be read
    search = ("title", "owner_id")
    fieldsets = {
        "Series": ("title", "repeats", "next_occurrences", "status", "owner_id", "project_id", "rrule", "repeats_by",
                   "start", "kind", "timezone", "template"),
        "What it does": ("anchor", "on_invalid_date", "on_missed", "opens", "lead_seconds", "shift", "holidays",
                         "pauses", "vacations", "exceptions", "until", "count", "max_open", "expire_after_seconds"),
        "Where it is": ("n", "last_original_start", "next_original_start", "next_run_at", "failures", "last_error"),
    }  # fmt: skip
    tabs = {
        "Series": ("Series", "Where it is"), "What it does": ("What it does",),
        "Occurrences": ("occurrences",), "Tasks": ("tasks",),
    }  # fmt: skip
    value_names = {"template.priority": PRIORITY_NAMES}
    schemas = {"template": Template, "pauses": Pause, "vacations": Pause}
    foreign = ("last_error",)
    shown_if = {"timezone": ("kind", ("zoned",)), "expire_after_seconds": ("on_missed", ("expire",))}
    inlines = (Inline("occurrences", via="series_id"), Inline("tasks", via="series_id"))
    heavy = ("template", "next_occurrences", "holidays", "pauses", "vacations", "exceptions")
    verbs = ("view", "export", "explain")
    every_row = "series.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_SERIES

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        """What rests is resumed, what goes on is paused, what has ended stays so."""
        if row.status == "ended" and verb in {"pause", "resume", "end", "run"}:
            return "This series has ended: give its last task a recurrence to go on."
        if row.status == "paused" and verb in {"pause", "run"}:
            return "This series is paused: resume it first."
        if row.status == "active" and verb == "resume" and not row.pauses:
            return "This series is not paused."
        return ""

    async def timezone_of(self, database: Database, actor: Actor, row: Any) -> str:
        """That of the rule or, where it has none, of the owner."""
        return str(row.timezone or row.owner_timezone)

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """The owner comes before the series: see `series/locks.py`."""
        await lock_owner(do.session, select(SERIES.owner_id).where(SERIES.id == row_id))

    @action("Pause", form=PauseSeries)
    async def pause(self, do: ActionContext, row: Series, form: PauseSeries) -> None:
        """Create no tasks from one day to another, both included; without days, until it is resumed."""
        await _verbs(do).pause(row.id, form, None)

    @action("Resume")
    async def resume(self, do: ActionContext, row: Series) -> None:
        """End a pause; what was due meanwhile stays out."""
        await _verbs(do).resume(row.id, None)

    @action("End", form=EndSeries, dangerous=True)
    async def end(self, do: ActionContext, row: Series, form: EndSeries) -> None:
        """Open nothing more."""
        await _verbs(do).end(row.id, form, None)

    @action("Skip missed")
    async def skip_missed(self, do: ActionContext, row: Series) -> str:
        """Skip every overdue occurrence, and go on with the next one."""
        done = await MissedWork(do.session, do.actor, None).skip(row.id)
        return f"{done.skipped} skipped."

    @action("Run now")
    async def run(self, do: ActionContext, row: Series) -> str:
        """Have the worker evaluate it now, also one that was set aside with an error."""
        await _verbs(do).evaluate(row.id)
        await record(do.session, "series.run", "series", subject_id=row.id)
        return "The worker looks at it now."


class OccurrenceAdmin(ModelAdmin[Occurrence]):
    model = Occurrence
    icon, group, label_one = "occurrences", "Work", "Occurrence"
    display = "original_start"
    columns = ("original_start", "status", "series_id", "task_id", "moved_to", "closed_at")
    types = {"status": Literal["open", "done", "skipped", "missed", "paused", "cancelled"]}
    filters = ("status", "series_id", "task_id", "series.title", "series.status", "series.owner.email")
    schemas = {"undo": Undo}
    every_row = "series.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OF_OWN_SERIES


def _verbs(do: ActionContext) -> SeriesVerbs:
    """The row itself has been found within the actor's scope already."""
    return SeriesVerbs(do.session, do.actor, None)
