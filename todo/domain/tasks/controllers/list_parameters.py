"""The questions that a list of tasks can be asked, as query parameters."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from todo.access import Actor
from todo.database import now
from todo.domain.tasks import rules
from todo.domain.tasks.filters.compiled import read_filter
from todo.domain.tasks.filters.syntax import MAX_LENGTH, MAX_LEVELS, MAX_LOOKUPS, MAX_TERMS, FilterError
from todo.domain.tasks.filters.times import Asker
from todo.domain.tasks.includes import NAMES, names_of
from todo.domain.tasks.labels.rules import MAX_LABELS, MOST_LABEL, clean_labels
from todo.domain.tasks.newest import NEWEST
from todo.domain.tasks.queries import ORDERS, RANGES
from todo.domain.tasks.schemas import Status
from todo.domain.tasks.search import MOST
from todo.domain.tasks.views.queries import BUILT_IN, Chosen, ViewReads
from todo.errors import Invalid
from todo.schema import read_instant

SORTS = [sign + order.split(",")[0].removeprefix("-") for order in ORDERS for sign in ("", "-")]


def _instant(description: str) -> QueryParameter:
    return QueryParameter(max_length=40, schema_extra={"format": "date-time"}, description=description)


AHEAD = timedelta(days=30)
When = Literal["overdue", "today", "upcoming"]
StatusFilter = Annotated[list[Status] | None, QueryParameter(max_items=5, description="One or more of these.")]
PriorityFilter = Annotated[
    int | None, QueryParameter(ge=0, le=4, schema_extra={"minimum": 0}, description="Of this priority.")
]
WhenFilter = Annotated[
    When | None,
    QueryParameter(
        description="Open tasks by your calendar: `overdue`, the late ones; `today`, due today, late or not;"
        " `upcoming`, due after today, for `days`. What is due on a day is due on that day wherever you are."
    ),
]
Days = Annotated[
    int | None, QueryParameter(ge=1, le=366, description="With `when=upcoming`: how many days after today; 7.")
]
DueBefore = Annotated[str | None, _instant("Due before this instant, e.g. `2026-12-31T09:00:00Z`.")]
DueAfter = Annotated[str | None, _instant("Due at or after this instant.")]
ChangedSince = Annotated[
    str | None,
    _instant(
        "Added or changed at or after this instant, the longest unchanged first. Deleted tasks are not listed. A change"
        " shows once it is committed, seconds after its `updated_at` at most: ask again with a minute of overlap."
    ),
]
CompletedBefore = Annotated[str | None, _instant("Completed or cancelled before this instant.")]
CompletedAfter = Annotated[str | None, _instant("Completed or cancelled at or after this instant.")]
Words = Annotated[
    str | None,
    QueryParameter(
        max_length=200,
        description="With all of these words in title, labels, notes or comments, whatever their case and accents; the"
        ' last may be the beginning of one. `"two words"` finds them in this order, `-word` what has no such word. The'
        " best matches come first.",
    ),
]
FilterText = Annotated[
    str | None,
    QueryParameter(
        name="filter",
        max_length=MAX_LENGTH,
        description=f"Conditions in the filter language, which `GET /api/filters/fields` describes: at most"
        f" {MAX_TERMS} comparisons and values, {MAX_LOOKUPS} of them of names, texts or subtasks, and {MAX_LEVELS}"
        " levels deep. They apply besides the other parameters. Days are those of your time zone. Names that you do not"
        " see match nothing. `sort` comes before `order by`; without both, the list has the order of the first"
        " condition, such as `due_at`.",
        examples=[Example(value="due < today+7d and priority >= high and not closed order by due, -priority")],
    ),
]
ViewName = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        description="The filter of this view, its sort and its project where you send none: the id of a view that you"
        f" see, or {', '.join(f'`{name}`' for name in BUILT_IN)}. Not with `filter`.",
        examples=[Example(value="today")],
    ),
]
ProjectFilter = Annotated[
    UUID | None, QueryParameter(description="Of this project; your inbox has your own id. Otherwise of all.")
]
SectionFilter = Annotated[UUID | None, QueryParameter(description="In this section.")]
LabelFilter = Annotated[
    list[str] | None,
    QueryParameter(
        max_items=MAX_LABELS,
        schema_extra={"items": {"type": "string", "minLength": 1, "maxLength": MOST_LABEL}},
        description="With this label, whatever its case. Repeat the parameter for tasks that have all of them.",
    ),
]
AssigneeFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        schema_extra={
            "anyOf": [{"type": "string", "const": word} for word in ("me", "none")]
            + [{"type": "string", "format": "uuid"}]
        },
        description="Assigned to the person with this id, or to you: `me`; `none`: to nobody.",
    ),
]
BlockedFilter = Annotated[
    bool | None, QueryParameter(description="Whether they wait for an open task that is not in the trash.")
]
SeriesFilter = Annotated[UUID | None, QueryParameter(description="Of this series.")]
ParentFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        schema_extra={"anyOf": [{"type": "string", "const": "none"}, {"type": "string", "format": "uuid"}]},
        description="Directly below this task; `none`: below no task.",
    ),
]


def _include(names: Sequence[str], description: str) -> QueryParameter:
    return QueryParameter(
        max_items=len(names), schema_extra={"items": {"type": "string", "enum": [*names]}}, description=description
    )


WITH_TASK = (
    "`series`: the rule of the series of a task, its sentence and status. `subtasks`: the tasks directly below it, the"
    " oldest first, at most 100. Repeat the parameter, or separate values by commas."
)
Include = Annotated[list[str] | None, _include(NAMES, f"Add to the task: {WITH_TASK}")]
IncludeInList = Annotated[
    list[str] | None,
    _include(
        [*NAMES, "upcoming"],
        f"Add to each task: {WITH_TASK} `upcoming`: beside the tasks, the occurrences of your series to come, until"
        " `until`: computed, not stored.",
    ),
]
Until = Annotated[
    str | None,
    _instant("With `include=upcoming`: how far ahead, at most 366 days; by default 30. Shows at most 500."),
]
SortBy = Annotated[
    str | None,
    QueryParameter(
        max_length=100,
        schema_extra={"enum": [*SORTS, "-priority,due_at", "priority,-due_at", "rank"]},
        description="By this field; `-` reverses the order. `rank`, with `q` and then the default: the best match"
        f" first, of the newest {MOST:,} tasks that match; where many match, of these in the newest {NEWEST:,} tasks"
        " alone. `position`, the order of people, goes with `project_id`,"
        " `section_id` or `parent_id`. Equal priorities are in the order of `due_at`, the most"
        " important and soonest first, or reversed. `start` sorts by its local time. Tasks without a due, start or"
        " deadline come last, those not completed before the completed ones. Filters by due, change or completion list"
        " in the order of that instant.",
    ),
]


def filters_of(
    actor: Actor,
    *,
    when: When | None,
    days: int | None,
    parent_id: str | None,
    status: Any,
    label: list[str] | None,
    assignee: str | None,
    blocked: bool | None,
    q: str | None,
    **asked: Any,
) -> dict[str, Any]:
    """Return the filters of `Listing.page` for these parameters, asked by somebody. Raise Invalid."""
    filters = {
        name: read_instant(f"query.{name}", value) if value is not None and name in INSTANTS else value
        for name, value in asked.items()
    }
    if days is not None and when != "upcoming":
        raise Invalid.field("query.days", "`days` goes with `when=upcoming`.")
    if when == "overdue":
        filters["overdue"] = rules.day_after(rules.day_of(now(), actor.timezone), actor.timezone)
    elif when is not None:
        begin, end = (0, 1) if when == "today" else (1, 1 + (days or 7))
        for name, days in {"when": begin, "when_until": end}.items():
            instant = rules.day_of(now(), actor.timezone, days)
            filters |= {name: instant, f"{name}_day": rules.day_after(instant, actor.timezone)}
    filters["label"] = None if label is None else clean_labels(label, "query.label")
    filters |= {"only_status": status[0]} if status and len(status) == 1 else {"status": status}
    filters |= {"is_blocked": blocked or None, "not_blocked": True if blocked is False else None}
    # So that the planner sees that an index of open tasks has them all.
    filters["is_open"] = True if when or (status and not rules.CLOSED & set(status)) else None
    return filters | _parent(parent_id) | _assignee(assignee, actor) | _words(q)


def included_of(include: list[str] | None, until: str | None) -> tuple[frozenset[str], datetime | None]:
    """Return what each task includes, and until when occurrences to come are listed. Raise Invalid."""
    names = names_of(include, (*NAMES, "upcoming"))
    ahead = None if until is None else read_instant("query.until", until)
    if "upcoming" in names:
        return names - {"upcoming"}, ahead or now() + AHEAD
    if ahead is not None:
        raise Invalid.field("query.until", "`until` goes with `include=upcoming`.")
    return names, None


INSTANTS = frozenset({"due_before", "due_after", "changed_since", "completed_before", "completed_after"})


async def viewed(name: str | None, views: ViewReads, filter_text: str | None) -> Chosen:
    """Return what a view says, or the filter that was sent instead. Raise Invalid."""
    if name is None:
        return Chosen(filter_text, None, None)
    if filter_text is not None:
        raise Invalid.field("query.filter", "Send `filter` or `view`, not both.")
    return await views.chosen(name)


def filtered(
    text: str | None, actor: Actor, filters: Mapping[str, Any], sort: str | None, field: str = "query.filter"
) -> dict[str, Any]:
    """Return the options of `Listing.page` for the filter language and a sort. Raise Invalid."""
    is_search = filters.get("q") is not None
    if sort == "rank" and not is_search:
        raise Invalid.field("query.sort", "`rank` goes with `q`.")
    if text is None:
        return {"sort": sort or ("rank" if is_search else None)}
    try:
        read = read_filter(text, Asker(actor.user_id, actor.timezone, now()))
    except FilterError as error:
        raise error.at(field) from None
    natural = None if any(filters.get(name) is not None for name in RANGES) else read.natural
    natural = "rank" if is_search else natural
    return {"sort": sort or read.sort or natural, "where": read.where, "project_names": read.projects, **read.values}


def _words(q: str | None) -> dict[str, Any]:
    """The words of a search, the last one as a prefix."""
    if q is None:
        return {}
    terms = rules.search_terms(q)
    if terms is None:
        raise Invalid.field("query.q", "Search for at least one word of letters or digits.")
    return {"q": terms}


def _assignee(assignee: str | None, actor: Actor) -> dict[str, Any]:
    if assignee is None or assignee == "none":
        return {"unassigned": True if assignee else None}
    try:
        return {"assignee": [actor.user_id if assignee == "me" else UUID(assignee)]}
    except ValueError:
        raise Invalid.field("query.assignee", "This must be the id of a person, `me` or `none`.") from None


def _parent(parent_id: str | None) -> dict[str, Any]:
    if parent_id is None or parent_id == "none":
        return {"top_level": True if parent_id else None}
    try:
        return {"parent_id": UUID(parent_id)}
    except ValueError:
        raise Invalid.field("query.parent_id", "This must be the id of a task, or `none`.") from None
