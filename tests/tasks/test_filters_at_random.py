"""Random filters over random tasks find what a plain reading of them in Python finds."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, TypeAlias
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person

Task: TypeAlias = dict[str, Any]
Test: TypeAlias = Callable[[Task], bool]
ZONE = ZoneInfo("Europe/Berlin")
PRIORITIES = ["none", "low", "medium", "high", "urgent"]
LABELS = ["home", "garden", "office", "car"]
STATUSES = ["open", "in_progress", "waiting", "done", "cancelled"]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other, "!=": lambda one, other: one != other, "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other, ">": lambda one, other: one > other, ">=": lambda one, other: one >= other,
}  # fmt: skip


def compared(one: Any, operator: str, other: Any) -> bool:
    """A comparison, which does not hold where there is nothing to compare; what is nothing differs from anything."""
    return operator == "!=" if one is None else COMPARE[operator](one, other)


def due_day(task: Task) -> date | None:
    return datetime.fromisoformat(task["due_at"]).astimezone(ZONE).date() if task["due_at"] else None


def deadline(task: Task) -> date | None:
    return date.fromisoformat(task["deadline"]) if task["deadline"] else None


def start(task: Task) -> date | None:
    return date.fromisoformat((task["start"].get("date") or task["start"]["at"])[:10]) if task["start"] else None


DAYS: dict[str, Callable[[Task], date | None]] = {"due": due_day, "deadline": deadline, "start": start}


def condition(random: Random, today: date, depth: int) -> tuple[str, Test]:
    """A random condition, and what it means."""
    if depth and random.random() < 0.6:
        parts = [condition(random, today, depth - 1) for _ in range(random.randint(2, 3))]
        word = random.choice(["and", "or"])
        holds = all if word == "and" else any
        text = f" {word} ".join(f"({text})" for text, _ in parts)
        return text, lambda task: holds(test(task) for _, test in parts)
    if depth and random.random() < 0.3:
        inner, test = condition(random, today, depth - 1)
        return f"not ({inner})", lambda task: not test(task)
    return random.choice([days, none, priority, status, estimate, flag, several, label])(random, today)


def days(random: Random, today: date) -> tuple[str, Test]:
    field, operator, offset = random.choice(list(DAYS)), random.choice(list(COMPARE)), random.randint(-3, 3)
    day = today + timedelta(days=offset)
    value = random.choice([f"today{offset:+}d", day.isoformat()])
    return f"{field} {operator} {value}", lambda task: compared(DAYS[field](task), operator, day)


def none(random: Random, _: date) -> tuple[str, Test]:
    field = random.choice([*DAYS, "estimate"])
    name = {"due": "due", "estimate": "estimate_minutes"}.get(field, field)
    text, wanted = random.choice([("{} = none", True), ("has {}", False), ("{} != none", False)])
    return text.format(field), lambda task: (task[name] is None) is wanted


def priority(random: Random, _: date) -> tuple[str, Test]:
    operator, level = random.choice(list(COMPARE)), random.randrange(5)
    return f"priority {operator} {PRIORITIES[level]}", lambda task: COMPARE[operator](task["priority"], level)


def status(random: Random, _: date) -> tuple[str, Test]:
    one = random.choice(STATUSES)
    return f"status != {one}", lambda task: task["status"] != one


def several(random: Random, _: date) -> tuple[str, Test]:
    some = random.sample(STATUSES, 2)
    word, wanted = random.choice([("in", True), ("not in", False)])
    return f"status {word} ({', '.join(some)})", lambda task: (task["status"] in some) is wanted


def label(random: Random, _: date) -> tuple[str, Test]:
    some = random.sample(LABELS, 2)
    word, wanted = random.choice([("in", True), ("not in", False)])
    if random.random() < 0.2:
        return "has label", lambda task: bool(task["labels"])
    return f"label {word} ({', '.join(some)})", lambda task: bool({*some} & {*task["labels"]}) is wanted


def estimate(random: Random, _: date) -> tuple[str, Test]:
    operator, minutes = random.choice(list(COMPARE)), random.choice([30, 60, 90])
    return (
        f"estimate {operator} {minutes // 60}h{minutes % 60}m",
        lambda task: compared(task["estimate_minutes"], operator, minutes),
    )


def flag(random: Random, _: date) -> tuple[str, Test]:
    return random.choice(
        [
            ("closed", lambda task: task["status"] in ("done", "cancelled")),
            ("overdue", lambda task: bool(task["overdue"])),
            ("has notes", lambda task: bool(task["notes"])),
        ]
    )


async def add(ada: Person, random: Random, today: date) -> None:
    def moment() -> Any:
        day = today + timedelta(days=random.randint(-3, 3))
        return random.choice([None, {"kind": "day", "date": f"{day}"}, {"kind": "floating", "at": f"{day}T10:00"}])

    due = random.choice([None, f"{today + timedelta(days=random.randint(-3, 3))}"])
    await ada.add(
        status=random.choice(STATUSES), priority=random.randrange(5), due=moment(), start=moment(), deadline=due,
        estimate_minutes=random.choice([None, 30, 60, 90]), notes=random.choice(["", "More."]),
        labels=random.sample(LABELS, random.randrange(3)),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
async def test_a_filter_finds_what_it_says(ada: Person, seed: int) -> None:
    random, today = Random(seed), datetime.now(ZONE).date()
    for _ in range(30):
        await add(ada, random, today)
    tasks = (await ada.http.get("/api/tasks?limit=200")).json()["items"]
    for _ in range(60):
        text, holds = condition(random, today, depth=2)
        answer = await ada.http.get(f"/api/tasks?limit=200&filter={quote(text)}")
        assert answer.status_code == 200, (text, answer.text)
        assert {task["id"] for task in answer.json()["items"]} == {task["id"] for task in tasks if holds(task)}, text
