"""Create e-mails: rows of the outbox for the channel `email`."""

import re
from html import escape
from uuid import UUID

import msgspec
from msgspec import Struct

from todo.database import WriteSession
from todo.delivery.engine import add_deliveries
from todo.delivery.models import Delivery
from todo.errors import Invalid

CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Attachment(Struct):
    """A text attachment. `type` is its MIME subtype (`calendar` for text/calendar)."""

    filename: str
    type: str
    text: str
    parameters: dict[str, str] = {}


class Content(Struct):
    """The content of an e-mail. `headers` are added to the usual ones."""

    text: str
    html: str = ""
    headers: dict[str, str] = {}
    attachments: list[Attachment] = []


def email(
    to: str, subject: str, content: Content, *, user_id: UUID | None = None, dedup_key: str | None = None
) -> Delivery:
    """Create an e-mail for the outbox. Raise Invalid for line breaks in the address, subject or headers."""
    if CONTROL.search("".join([subject, *content.headers.values()])) or not is_one_address(to):
        raise Invalid("The address, the subject and the headers of an e-mail must be one line each.")
    payload = msgspec.to_builtins(content)
    return Delivery(
        channel="email", recipient=to, subject=subject, payload=payload, user_id=user_id, dedup_key=dedup_key
    )


def is_one_address(to: str) -> bool:
    """Return whether the text is exactly one e-mail address on one line."""
    return to.count("@") == 1 and not CONTROL.search(to)


async def send_email(session: WriteSession, to: str, subject: str, *paragraphs: str, link: str = "") -> None:
    """Write an e-mail of paragraphs and an optional link in the caller's transaction. Raise Invalid as `email` does.

    It is sent after the commit, and never after a rollback.
    """
    text = "\n\n".join([*paragraphs, *([link] if link else [])]) + "\n"
    parts = [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]
    parts += [f'<p><a href="{escape(link)}">{escape(link)}</a></p>'] if link else []
    html = f'<!doctype html><html lang="en"><body>{"".join(parts)}</body></html>\n'
    await add_deliveries(session, [email(to, subject, Content(text, html))])
