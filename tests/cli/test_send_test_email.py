"""`todo send-test-email`."""

import pytest
from inbox import Inbox


def test_the_server_of_the_settings_takes_it(todo, inbox: Inbox) -> None:
    done = todo(
        "send-test-email", "ada@example.com",
        TODO_MAIL_URL=f"smtp://127.0.0.1:{inbox.port}", TODO_MAIL_FROM="Todo <todo@example.org>",
    )  # fmt: skip

    assert (done.exit_code, done.output) == (0, "127.0.0.1 took an e-mail from todo@example.org to ada@example.com.\n")
    assert inbox.subjects() == ["Test of todo"]


@pytest.mark.parametrize(
    ("url", "address", "said"),
    [
        ("smtp://127.0.0.1:1", "ada@example.com", "Error: The e-mail was not sent: Error connecting to 127.0.0.1"),
        ("console://", "ada", "Error: ADDRESS: enter an e-mail address."),
    ],
)
def test_what_does_not_arrive_is_refused_in_a_sentence(todo, url: str, address: str, said: str) -> None:
    done = todo("send-test-email", address, TODO_MAIL_URL=url)

    assert done.exit_code == 1
    assert done.output.startswith(said)
    assert len(done.output.splitlines()) == 1


def test_a_console_sends_nothing(todo) -> None:
    assert "logged, not sent" in todo("send-test-email", "ada@example.com").output
