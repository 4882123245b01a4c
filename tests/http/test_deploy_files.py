"""The alert rules and the dashboard: every metric and label in them is one that `/metrics` has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from support.factories import World

from todo.database import Database
from todo.http.health import beat

FOLDER = Path(__file__).parents[2] / "deploy"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
METRIC = re.compile(r"\b(?:todo|process)_[a-z_]+\b")
WITH_LABELS = re.compile(r"\b((?:todo|process)_[a-z_]+)\{([^}]*)\}")
OF_PROMETHEUS = {"job", "instance"}


@pytest.fixture
async def known(world: World, database: Database) -> dict[str, set[str]]:
    """The labels of every metric of an installation with a worker."""
    await beat(database)
    operator = await world.person("operator", "admin")
    await (await world.person("ada")).add()
    text = (await operator.http.get("/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        found[family.name] = set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        if family.type == "counter":
            found.setdefault(f"{family.name}_total", set())
    return found


async def test_every_metric_and_label_exists(known: dict[str, set[str]]) -> None:
    named = {name for expression in EXPRESSIONS for name in METRIC.findall(expression)}
    selected = {
        (name, label)
        for expression in EXPRESSIONS
        for name, labels in WITH_LABELS.findall(expression)
        for label in re.findall(r"(\w+)(?:=|!)", labels)
    }

    assert named - known.keys() == set()
    assert len(named) > 10
    lacking = {(name, label) for name, label in selected if label not in known[name] | OF_PROMETHEUS}
    assert {(name, label) for name, label in lacking if known[name]} == set()


def test_every_alert_has_a_reason_and_a_severity() -> None:
    for rule in RULES:
        assert rule["annotations"]["summary"], rule["alert"]
        assert len(rule["annotations"]["reason"]) > 30, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_parentheses_and_braces_are_balanced() -> None:
    for expression in EXPRESSIONS:
        assert [expression.count(sign) for sign in "({["] == [expression.count(sign) for sign in ")}]"], expression
