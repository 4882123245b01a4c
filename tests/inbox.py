"""An SMTP server that tests can read, hold up and close."""

import asyncio
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Inbox:
    """An SMTP server that keeps what it takes. `answers` come first; while it is not `free`, it takes its time."""

    def __init__(self, port: int, **options: Any) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.logins: list[tuple[bytes, bytes, bool]] = []
        self.answers: list[str] = []
        self.reached = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.options = {"authenticator": self._log_in, "auth_require_tls": False} | options
        self.port = port
        self.controller: Controller | None = None

    def open(self) -> "Inbox":
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **self.options)
        self.controller.start()
        return self

    def close(self) -> None:
        if self.controller:
            self.controller.stop()
        self.controller = None

    def _log_in(self, server: SMTP, _: Any, __: Any, ___: Any, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login, given.password, server.session.ssl is not None))
        return AuthResult(success=True)

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
        self.reached.set()
        await asyncio.to_thread(self.free.wait, 30)
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((envelope.rcpt_tos[0], message))
        return "250 taken"

    def subjects(self, to: str = "ada@example.com") -> list[str]:
        return [message["subject"] for receiver, message in self.taken if receiver == to]
