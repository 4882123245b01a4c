"""The channel `email`: send messages through an SMTP server."""

import logging
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import parseaddr
from textwrap import indent
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from todo.delivery.email import Content
from todo.delivery.engine import TIMEOUT, Rejected
from todo.delivery.models import Delivery
from todo.email_address import parse_email
from todo.settings import Settings

log = logging.getLogger(__name__)


class Server(NamedTuple):
    """The mail server. The scheme `console` sends nothing: the worker logs the message."""

    scheme: str
    host: str
    port: int | None
    user: str | None
    password: str | None
    sender: Address


class LinkHeader(UnstructuredHeader):
    """A header with a link. Python would encode a word longer than a line, which mail clients cannot read."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]  # BaseHeader has a name


HEADERS = HeaderRegistry()
HEADERS.map_to_type("list-unsubscribe", LinkHeader)  # type: ignore[arg-type]  # it is mixed into a BaseHeader there
POLICY = SMTP.clone(header_factory=HEADERS)


def server_of(settings: Settings) -> Server:
    """Return the mail server of the settings, which are valid."""
    name, address = parseaddr(settings.mail_from)
    address = parse_email(address, internal=True) or ""
    parts = urlsplit(settings.mail_url.get_secret_value())
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    sender = Address(name, *address.rsplit("@", 1))
    return Server(parts.scheme, parts.hostname or "", parts.port, user, password, sender)


def message_of(delivery: Delivery, sender: Address) -> EmailMessage:
    """Build the message of a delivery, the same for each attempt."""
    content = msgspec.convert(delivery.payload, Content)
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = address_of(delivery)
    message["Subject"] = delivery.subject
    message["Date"] = delivery.created_at
    message["Message-ID"] = f"<{delivery.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses automatic replies
    for name, value in content.headers.items():
        message[name] = value
    message.set_content(content.text)
    if content.html:
        message.add_alternative(content.html, subtype="html")
    for file in content.attachments:
        message.add_attachment(file.text, subtype=file.type, filename=file.filename, params=file.parameters)
    return message


def address_of(delivery: Delivery) -> Address:
    """Return the recipient. Special characters in its local part are quoted, so that it stays one recipient."""
    return Address("", *delivery.recipient.rsplit("@", 1))


class Smtp:
    """The channel `email`: send messages to the server in `TODO_MAIL_URL`.

    With `console://` messages are logged, except in production: there they fail, and can be retried once a server is
    set.
    """

    name = "email"

    def __init__(self, settings: Settings):
        self._server = server_of(settings)
        self._may_log = settings.env != "production"  # messages contain links that grant access to accounts

    async def deliver(self, delivery: Delivery) -> None:
        """Send a message. Raise Rejected for a permanent failure, SMTPException or OSError for a temporary one."""
        server = self._server
        if server.scheme == "console" and not self._may_log:
            raise Rejected("TODO_MAIL_URL is console://, which sends nothing in production.")
        if server.scheme == "console":
            text = indent(delivery.payload["text"], "    ")
            log.warning("mail to %s: %s\n%s", delivery.recipient, delivery.subject, text)
            return
        encrypted = server.scheme == "smtps"
        try:
            await aiosmtplib.send(
                message_of(delivery, server.sender),
                sender=server.sender.addr_spec,
                recipients=[address_of(delivery).addr_spec],
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=encrypted,
                # Never send a password in clear text; without a password, use encryption where it is offered.
                start_tls=True if server.password and not encrypted else None,
                timeout=TIMEOUT,
            )
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientsRefused) as error:
            if is_final(error):
                raise Rejected(str(error)) from error
            raise


def is_final(error: aiosmtplib.SMTPDataError | aiosmtplib.SMTPRecipientsRefused) -> bool:
    """Return whether the server rejected this recipient or message permanently (RFC 5321 section 4.2.1: 5yz)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code >= 500 for refused in error.recipients)
    return error.code >= 500
