"""Whom an activity in shared work concerns, and as what."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

TITLES = {
    "assigned": "{} assigned you: {}",
    "mentioned": "{} mentioned you: {}",
    "commented": "{} commented: {}",
    "completed": "{} completed: {}",
}
DIRECT = frozenset({"assigned", "mentioned"})  # what names a person


class Involved(NamedTuple):
    """Who has to do with a task: who added it, to whom it is assigned, who assigned it, who commented on it."""

    creator: UUID
    assignees: Collection[UUID]
    assigners: Collection[UUID]
    authors: Collection[UUID]


def recipients(kind: str, people: Collection[UUID], actor_id: UUID | None, task: Involved) -> Mapping[UUID, str]:
    """Return whom to notify, each with the kind of notification, but not who did it.

    `people` are those whom the activity newly names.
    """
    if kind == "assigned":
        found = dict.fromkeys(set(people) & set(task.assignees), "assigned")
    elif kind == "completed":
        found = dict.fromkeys((task.creator, *task.assigners), "completed")
    else:
        others = (task.creator, *task.assignees, *task.authors) if kind == "commented" else ()
        found = dict.fromkeys(others, "commented") | dict.fromkeys(people, "mentioned")
    return {person: as_what for person, as_what in found.items() if person != actor_id}


def is_wanted_in(project_id: UUID, kind: str, levels: Collection[Mapping[str, Any]]) -> bool:
    """Return whether somebody with these levels is notified of this kind in a project."""
    level = next((one["level"] for one in levels if one["project_id"] == str(project_id)), "all")
    return level == "all" or (level == "mentions" and kind in DIRECT)
