"""One message, handed over to the server that `TODO_MAIL_URL` names."""

import logging
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import parseaddr
from textwrap import indent
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiosmtplib

from todo.mail import Mail
from todo.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class Server(NamedTuple):
    """Where mail goes. The scheme `console` sends nothing: the worker writes the mail to its log."""

    scheme: str
    host: str
    port: int | None
    user: str | None
    password: str | None
    sender: Address


class LinkHeader(UnstructuredHeader):
    """A header that holds a link. Python encodes a word that is longer than a line, and nobody would read it then."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]  # BaseHeader has a name


HEADERS = HeaderRegistry()
HEADERS.map_to_type("list-unsubscribe", LinkHeader)  # type: ignore[arg-type]  # it is mixed into a BaseHeader there
POLICY = SMTP.clone(header_factory=HEADERS)


def server_of(settings: Settings) -> Server:
    """Raises SettingsError; its sentence does not repeat the URL, which may hold a password."""
    name, address = parseaddr(settings.mail_from)
    if "@" not in address:
        raise SettingsError("TODO_MAIL_FROM: write an address, such as Todo <todo@example.com>.")
    try:
        parts = urlsplit(settings.mail_url.get_secret_value())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme != "console" and (parts.scheme not in {"smtp", "smtps"} or not host):
        raise SettingsError("TODO_MAIL_URL: write console://, smtp://user:password@host:port or smtps://... .")
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return Server(parts.scheme, host, port, user, password, Address(name, *address.rsplit("@", 1)))


def message_of(mail: Mail, sender: Address) -> EmailMessage:
    """The row as a message, the same each time it is made."""
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = address_of(mail)
    message["Subject"] = mail.subject
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in reply
    for name, value in mail.headers.items():
        message[name] = value
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    for file in mail.attachments:
        message.add_attachment(
            file["text"], subtype=file["type"], filename=file["filename"], params=file.get("parameters")
        )
    return message


def address_of(mail: Mail) -> Address:
    """The receiver; what is special in its local part is quoted, so that it stays one receiver."""
    return Address("", *mail.to.rsplit("@", 1))


async def hand_over(server: Server, mail: Mail, patience: float) -> None:
    """Raises SMTPException or OSError when the server does not take it within `patience` seconds."""
    if server.scheme == "console":
        log.warning("mail to %s: %s\n%s", mail.to, mail.subject, indent(mail.text, "    "))
        return
    encrypted = server.scheme == "smtps"
    await aiosmtplib.send(
        message_of(mail, server.sender),
        sender=server.sender.addr_spec,
        recipients=[address_of(mail).addr_spec],
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=encrypted,
        # A password never travels in the clear; without one, encryption is used where it is offered.
        start_tls=True if server.password and not encrypted else None,
        timeout=patience,
    )
