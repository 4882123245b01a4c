"""SECURITY.md says what is so: the tests it names exist, and its limits are those of the code."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from todo import cleanup
from todo.domain.accounts.rules import COMMON_PASSWORDS, LONGEST_PASSWORD
from todo.domain.accounts.services import (
    email_tokens,
    identity_providers,
    invitations,
    jwks,
    mfa_tokens,
    passkeys,
    second_factor,
    sessions,
)
from todo.http.heads import MAX_HEADERS, MAX_URL_BYTES
from todo.http.limits import POLICIES
from todo.http.middleware import ANONYMOUS_BODY_BYTES
from todo.http.protocol import MIN_BODY_RATE
from todo.http.requests import MAX_FORM_FIELDS
from todo.settings import Settings

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "SECURITY.md").read_text()
LIMITS = TEXT.partition("| what | limit |")[2].partition("##")[0]


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    there = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}

    assert len(named) > 100
    assert sorted(named - there) == []


def test_every_row_of_the_checklist_names_a_test() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", TEXT.partition("## Checklist")[2], re.MULTILINE)

    assert len(rows) > 60
    assert [
        name for name, shown in rows if name not in {"requirement", "risk", "case", "---"} and "`test_" not in shown
    ] == []


def default(setting: str) -> Any:
    return Settings.model_fields[setting].default


def test_the_limits_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (\d+) in (\d+) s \|$", TEXT, re.MULTILINE)
    sent = {name: (int(limit), int(seconds)) for name, limit, seconds in rows}

    assert (sent.pop("TODO_RATE_LIMIT"), default("rate_limit")) == ((100, 60), "100/minute")
    assert sent == {
        name: (policy.window // policy.cost, policy.window.total_seconds()) for name, policy in POLICIES.items()
    }
    for what, values in {
        "characters .* to .* bytes": (default("password_min_length"), LONGEST_PASSWORD),
        "1 MiB": (1, ANONYMOUS_BODY_BYTES / 1024, MAX_FORM_FIELDS),
        "headers": (default("max_header_bytes") / 1024, MAX_HEADERS, MAX_URL_BYTES / 1024),
        "time for the headers": (default("head_timeout"), default("body_timeout"), MIN_BODY_RATE / 1024),
        "connections to a process": (default("max_connections"), default("max_connections_per_address")),
        "statement": (default("database_statement_timeout"), cleanup.BATCH_SECONDS, default("database_wait")),
        "access token": (default("access_token_seconds") / 60, mfa_tokens.LIFETIME.seconds / 60),
        "refresh token": (sessions.IDLE.days, sessions.ABSOLUTE.days),
        "mailed link": (
            *(hours(email_tokens.PURPOSES[name].lasts) for name in ("reset", "verify", "change")),
            invitations.LASTS.days,
        ),
        "recovery codes": (second_factor.HOW_MANY, 80),
        "outside token": (identity_providers.LONGEST_TOKEN / 1024, 24, 30),
        "outside keys": (jwks.LARGEST_BODY / 1024, jwks.TIMEOUT, jwks.HARD / 3600),
        "quotas of a user": [
            default(f"quota_{name}") for name in ("tasks", "series", "reminders", "tokens", "storage_mb")
        ],
        "sessions, passkeys": (sessions.MOST, passkeys.MOST),
        "deleted account": (default("deletion_days"),),
    }.items():
        row = re.search(rf"^\| .*{what}.* \|$", LIMITS, re.MULTILINE)
        assert row is not None, what
        assert [float(number) for number in re.findall(r"\d+", row[0])][: len(values)] == [*map(float, values)], what
    assert passkeys.GOOD_FOR == mfa_tokens.LIFETIME
    assert default("max_body_bytes") == 2**20
    assert sum(len(password) >= 15 for password in COMMON_PASSWORDS) > 3000


def hours(span: timedelta) -> float:
    return span.total_seconds() / 3600
