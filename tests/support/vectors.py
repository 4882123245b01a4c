"""The published vectors (tests/vectors/recurrence/README.md)."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.rules import Listed, is_of_the_rfc, listed

from todo.domain.recurrence.rules.plan import Plan

VECTORS = Path(__file__).parents[1] / "vectors" / "recurrence"
Case = dict[str, Any]


def all_cases(file: str) -> list[Case]:
    found: list[Case] = json.loads((VECTORS / f"{file}.json").read_text())
    return found


def cases(kind: str) -> list[Any]:
    """The cases that state this kind of fact, from all files."""
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted(VECTORS.glob("*.json"))
        for case in all_cases(path.stem)
        if kind in case
    ]


def plan_of(case: Case) -> Plan:
    series = dict(case["series"])
    all_day = "T" not in series["start"]
    times = {name: local(series.pop(name)) for name in ("start", "until") if name in series}
    lengths = {
        name: timedelta(seconds=series.pop(f"{name}_seconds"))
        for name in ("lead", "expire_after")
        if f"{name}_seconds" in series
    }
    lists = {
        "holidays": map(date.fromisoformat, series.pop("holidays", [])),
        "exceptions": map(local, series.pop("exceptions", [])),
        "pauses": [tuple(map(date.fromisoformat, pause)) for pause in series.pop("pauses", [])],
    }
    return Plan.of(all_day=all_day, **series, **times, **lengths, **lists)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def rfc_vectors() -> list[Listed]:
    """The vectors that RFC 5545 alone decides."""
    found = [(case.id or "", case.values[0]) for case in cases("occurrences")]
    every = [listed(name, plan_of(case), len(case["occurrences"])) for name, case in found]
    return [case for case in every if is_of_the_rfc(case)]
