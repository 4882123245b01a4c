"""SECURITY.md says what is so: the tests it names exist, and its limits are those of the code."""

import re
from pathlib import Path

from conftest import settings_for

from todo.domain.accounts.rules import COMMON_PASSWORDS, LONGEST_PASSWORD
from todo.domain.accounts.services import invitations, issuers, jwks, mailed, passkeys, second_factor, sessions, sign_in
from todo.http.limits import POLICIES

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "SECURITY.md").read_text()


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    there = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}

    assert len(named) > 100
    assert sorted(named - there) == []


def test_every_row_of_the_checklist_says_what_shows_it() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", TEXT.partition("## Checklist")[2], re.MULTILINE)

    assert [
        name for name, shown in rows if name not in {"requirement", "risk", "case", "---"} and len(shown) < 12
    ] == []


def test_the_limits_are_those_of_the_code() -> None:
    settings = settings_for("")
    fields = type(settings).model_fields
    told = {name: (int(limit), int(seconds)) for name, limit, seconds in re.findall(
        r"^\| `(\w+)` \| .+ \| (\d+) in (\d+) s \|$", TEXT, re.MULTILINE
    )}  # fmt: skip

    assert told.pop("TODO_RATE_LIMIT") == (100, 60)
    assert fields["rate_limit"].default == "100/minute"
    assert told == {
        name: (round(policy.window / policy.cost), policy.window.total_seconds()) for name, policy in POLICIES.items()
    }
    for line, values in {
        "15 characters (`TODO_PASSWORD_MIN_LENGTH`) to 1024 bytes": (
            fields["password_min_length"].default, LONGEST_PASSWORD,
        ),
        "15 s (`TODO_DATABASE_STATEMENT_TIMEOUT`); waiting for a connection 5 s": (
            fields["database_statement_timeout"].default, fields["database_wait"].default,
        ),
        "10 min (`TODO_ACCESS_TOKEN_SECONDS`); `mfa_token` and passkey challenge 5 min": (
            fields["access_token_seconds"].default / 60, sign_in.FIRST_STEP_SECONDS / 60,
        ),
        "14 days idle, 90 days in all": (sessions.IDLE.days, sessions.ABSOLUTE.days),
        "10 of 80 bits": (second_factor.HOW_MANY,),
        "erased after 30 days": (fields["leaving_days"].default,),
        "8 KiB, 24 h": (issuers.LONGEST_TOKEN / 1024, 24),
        "64 KiB and 3 s a fetch, 24 h": (jwks.LARGEST_BODY / 1024, jwks.TIMEOUT, jwks.HARD / 3600),
    }.items():  # fmt: skip
        assert line in TEXT
        assert [int(value) for value in values] == [int(number) for number in re.findall(r"\d+", line)][: len(values)]
    lasting = [mailed.PURPOSES["reset"].lasts, mailed.PURPOSES["verify"].lasts, invitations.LASTS]
    assert [lasts.total_seconds() / 3600 for lasts in lasting] == [1, 24, 7 * 24]
    assert passkeys.GOOD_FOR.total_seconds() == sign_in.FIRST_STEP_SECONDS
    assert fields["max_body_bytes"].default == 2**20
    assert sum(len(password) >= 15 for password in COMMON_PASSWORDS) > 3000
