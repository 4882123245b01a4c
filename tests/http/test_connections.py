"""How many connections there are, and what the log says of those that were refused."""

import logging

import pytest

from todo.http import connections
from todo.http.connections import LOG_INTERVAL, Connections


def test_each_network_has_its_share_and_all_have_a_limit() -> None:
    held = Connections(5, 2, lambda address: address == "10.0.0.1")

    assert [held.add("192.0.2.1") for _ in range(3)] == [-1, 0, 1]
    held.remove("192.0.2.1")
    assert [held.add(address) for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3")] == [-1, 0, 1]
    held.remove("2001:db8::2")
    assert held.add("10.0.0.1") == 0, "a proxy stands for many"
    assert held.add("10.0.0.1") == 1, "within the limit for all"


def test_refusals_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(connections.time, "monotonic", lambda: now)
    held = Connections(1, 1, lambda _: False)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            held.add("192.0.2.1")
        now += LOG_INTERVAL
        held.add("192.0.2.1")

    assert [(record.message, record.count) for record in caplog.records] == [
        ("connections refused", 1),
        ("connections refused", 4),
    ]
