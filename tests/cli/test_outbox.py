"""`todo outbox`: what is on its way out, seen and tried again by an operator."""

import json
from uuid import uuid4

import pytest
from cli.database import query

INSERT = """
INSERT INTO deliveries (id, created_at, updated_at, version, channel, recipient, subject, payload, run_at, attempts,
                        failed_at, last_error)
VALUES ($1, now(), now(), 1, 'email', 'ada@example.com', $2, '{}', now(), 12, $3::timestamptz, 'OSError: away')
"""


ALL_FAILED = ("--all", "--filter", "state=failed", "--yes")


@pytest.fixture
def failed(url: str) -> str:
    """The id of an e-mail that was given up; another one waits."""
    number = uuid4()
    (moment,) = query(url, "SELECT now() AS now")
    query(url, INSERT, number, "Given up", moment["now"])
    query(url, INSERT, uuid4(), "Waiting", None)
    return str(number)


def subjects(todo, url: str, state: str) -> list[str]:
    listed = todo("outbox", "list", "--filter", f"state={state}", "--json", TODO_DATABASE_URL=url)
    return [item["subject"] for item in json.loads(listed.output)["items"]]


def test_what_waits_and_what_has_failed_are_listed_apart(todo, url: str, failed: str) -> None:
    plain = todo("outbox", "list", "--filter", "state=failed", TODO_DATABASE_URL=url)

    assert subjects(todo, url, "waiting") == ["Waiting"]
    assert subjects(todo, url, "failed") == ["Given up"]
    assert (plain.exit_code, failed in plain.output, "OSError: away" in plain.output) == (0, True, True)


@pytest.mark.parametrize("by_id", [True, False])
def test_what_has_failed_is_tried_again(todo, url: str, failed: str, by_id: bool) -> None:
    done = todo("outbox", "retry", *((failed,) if by_id else ALL_FAILED), TODO_DATABASE_URL=url)

    assert (done.exit_code, done.output) == (0, "1 done.\n")
    assert subjects(todo, url, "failed") == []
    assert len(subjects(todo, url, "waiting")) == 2
    (row,) = query(url, "SELECT actor_kind, after FROM audit_events WHERE action = 'deliveries.retry'")
    assert tuple(row) == ("operator", '{"count": 1}')


def test_what_cannot_be_tried_again_is_message(todo, url: str, failed: str) -> None:
    nothing = todo("outbox", "retry", TODO_DATABASE_URL=url)
    unknown = todo("outbox", "retry", str(uuid4()), TODO_DATABASE_URL=url)
    nonsense = todo("outbox", "retry", "nonsense", TODO_DATABASE_URL=url)

    assert [answer.exit_code for answer in (nothing, unknown, nonsense)] == [2, 3, 3]
    assert subjects(todo, url, "failed") == ["Given up"]
