"""Our occurrences beside those of rrule-temporal, an independent implementation (tests/recurrence/npm)."""

import json
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from support.rules import Listed, is_of_the_rfc, is_read, listed, ours, random_rule, random_start
from support.vectors import rfc_vectors

from todo.domain.recurrence.rules.clock import to_instant
from todo.domain.recurrence.rules.plan import Plan

NPM = Path(__file__).parent / "npm"
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo")
RULES = 600
OCCURRENCES = 30


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not (shutil.which("node") and (NPM / "node_modules").is_dir()):
        reason = "rrule-temporal is not installed: npm ci --prefix tests/recurrence/npm"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def icalendar(plan: Plan) -> str:
    zone, end = plan.timezone, ""
    if plan.count:
        end = f";COUNT={plan.count}"
    if plan.until:
        end = f";UNTIL={to_instant(plan.until, zone):%Y%m%dT%H%M%SZ}"
    excepted = "".join(f"\nEXDATE;TZID={zone}:{text:%Y%m%dT%H%M%S}" for text in sorted(plan.exceptions))
    return f"DTSTART;TZID={zone}:{plan.start:%Y%m%dT%H%M%S}\nRRULE:{plan.rule}{end}{excepted}"


def differences(found: list[Listed]) -> list[str]:
    asked = json.dumps([(icalendar(plan), len(starts)) for _, plan, starts in found])
    command = ["node", str(NPM / "occurrences.mjs")]
    answer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=120)
    theirs = json.loads(answer.stdout)
    return [
        f"{case.name}: {instants}, not {case.original_starts}"
        for case, instants in zip(found, theirs, strict=True)
        if [to_instant(start, case.plan.timezone) for start in case.original_starts]
        != list(map(datetime.fromisoformat, instants))
    ]


def test_vectors_agree_with_rrule_temporal() -> None:
    comparable = rfc_vectors()

    assert len(comparable) > 180
    assert differences(comparable) == []


def test_random_rules_agree_with_rrule_temporal() -> None:
    random, found = Random(7529), []
    while len(found) < RULES:
        text, start, zone = random_rule(random), random_start(random), random.choice(ZONES)
        if is_read(text) and ours(text, start, None, 1):
            plan = Plan.of(text, start, timezone=zone, on_invalid_date="omit")
            found.append(listed(f"{text} from {start} in {zone}", plan, OCCURRENCES))
    comparable = [case for case in found if is_of_the_rfc(case)]

    assert len(comparable) > RULES * 0.7
    assert differences(comparable) == []
