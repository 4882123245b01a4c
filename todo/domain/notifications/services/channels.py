"""The ways a message takes. `app`, the list, is the stored message itself; others are handed theirs with it.

A channel is a class in CHANNELS. One that calls somebody outside inherits External, whose messages wait in the outbox,
and says how to make one call: `CHANNELS["webhook"] = Webhook()` is all that a new one needs.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.dialects.postgresql import insert as upsert

from todo.database import WriteSession, table_of
from todo.domain.accounts.models import User
from todo.domain.notifications.models import Notification, Outgoing, Preferences
from todo.domain.notifications.rules import letters
from todo.domain.notifications.services.preferences import link_token
from todo.mail import Mail, is_one_address, send_all
from todo.queue import enqueue
from todo.settings import Settings, secret_key


class Message:
    """A stored message with all that a channel needs to tell it: to whom, in which sections, with which file."""

    def __init__(
        self,
        row: Notification,
        user: User,
        preferences: Preferences,
        sections: Sequence[letters.Section],
        calendar: str | None = None,
    ):
        self.row, self.user, self.sections, self.calendar = row, user, sections, calendar
        wanted = set(getattr(preferences, row.kind))
        confirmed = user.email_verified_at is not None and is_one_address(user.email)
        by_mail = preferences.email and confirmed and user.kind == "person"
        # What cannot go by mail must not be lost.
        self.channels = (wanted - {"email"}) | {"app"} if "email" in wanted and not by_mail else wanted
        row.in_app = "app" in self.channels


class Channel(Protocol):
    """One way. `put` runs in the transaction that stores the messages, so that each is handed over exactly once."""

    async def put(self, session: WriteSession, settings: Settings, messages: Sequence[Message]) -> None: ...


class App:
    """The list at `/api/notifications`, which is the stored messages."""

    async def put(self, session: WriteSession, settings: Settings, messages: Sequence[Message]) -> None:
        """Nothing is left to do."""


class Email:
    """Mail, which has an outbox of its own: a mail carries the id of its message, so that there cannot be two."""

    async def put(self, session: WriteSession, settings: Settings, messages: Sequence[Message]) -> None:
        await send_all(session, [self.mail(settings, message) for message in messages])

    def mail(self, settings: Settings, message: Message) -> Mail:
        row, link = message.row, self.link(settings, message)
        foot = "You asked to be told this."
        end = f"{foot} Unsubscribe: {link}" if link else foot
        # RFC 8058: a button in the mail program, which needs an address that reaches us
        unsubscribe = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        file = {"filename": "task.ics", "type": "calendar", "parameters": {"method": "PUBLISH"}}
        return Mail(
            id=row.id,
            to=message.user.email,
            subject=row.title,
            text=f"{row.text or row.title}\n\n-- \n{end}\n",
            html=letters.html(row.title, message.sections, foot, link),
            headers=unsubscribe if link else {},
            attachments=[file | {"text": message.calendar}] if message.calendar else [],
        )

    def link(self, settings: Settings, message: Message) -> str:
        """Where to unsubscribe; empty while `TODO_PUBLIC_URL` is not set."""
        base = settings.public_url.rstrip("/")
        token = link_token(secret_key(settings), message.user.id, message.row.kind)
        return f"{base}/unsubscribe/{token}" if base else ""


class External:
    """A way to somebody outside: messages wait in the outbox, and `deliver` makes one call, at least once."""

    name: str

    def payload(self, message: Message) -> dict[str, Any]:
        row = message.row
        return {"kind": row.kind, "title": row.title, "text": row.text, "task_id": row.task_id}

    async def put(self, session: WriteSession, settings: Settings, messages: Sequence[Message]) -> None:
        rows = [
            Outgoing(
                user_id=message.user.id, dedup=f"{self.name} {message.row.id}", channel=self.name,
                payload=self.payload(message),
            ).model_dump()
            for message in messages
        ]  # fmt: skip
        if rows:
            await session.execute(upsert(table_of(Outgoing)).on_conflict_do_nothing(), rows)
            await enqueue(session, "deliver_outbox")

    async def deliver(self, item: Outgoing) -> None:
        """Make the call, with `item.id` as its id. Raises what went wrong: it is made again later."""
        raise NotImplementedError


CHANNELS: dict[str, Channel] = {"app": App(), "email": Email()}
