"""The sender of e-mails is an address, or nothing starts."""

import sys

import pytest
from conftest import settings_for

from todo.delivery.smtp import server_of
from todo.email_address import parse_email
from todo.setting_errors import SettingsError


@pytest.mark.parametrize("sender", ["todo@localhost", "Todo <todo@home.local>", "Todo <todo@example.com>"])
def test_a_sender_may_be_internal(sender: str) -> None:
    server = server_of(settings_for("postgresql://nowhere/todo", mail_from=sender))

    assert server.sender.addr_spec == sender.partition("<")[2].rstrip(">") or sender


@pytest.mark.parametrize("sender", ["Todo", "<a@b@c.de>", "todo@-example.com", "todo@example.com\u200b"])
def test_a_sender_that_is_no_address_is_named(sender: str) -> None:
    with pytest.raises(SettingsError, match="TODO_MAIL_FROM"):
        settings_for("postgresql://nowhere/todo", mail_from=sender)


def test_no_address_is_looked_up() -> None:
    assert parse_email("Ada@xn--mller-kva.EXAMPLE") == "ada@müller.example"
    assert not [name for name in sys.modules if name.split(".")[0] == "dns"]
