"""Channels of notifications. `app` is the stored notification itself; every other channel has a function here.

The function converts the notification to a delivery. A new channel needs an entry here, e.g.
`CHANNELS["webhook"] = webhook`, and a `Channel` that delivers it in `app.py`.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from todo.delivery.email import Attachment, Content, email, is_one_address
from todo.delivery.models import Delivery
from todo.domain.accounts.models import User
from todo.domain.notifications.models import Notification, Preferences
from todo.domain.notifications.rules import email_templates
from todo.domain.notifications.services.preferences import link_token
from todo.settings import Settings, secret_key


class Message:
    """A notification with everything that a channel needs: recipient, sections and attachment."""

    def __init__(
        self,
        row: Notification,
        user: User,
        preferences: Preferences,
        sections: Sequence[email_templates.Section],
        calendar: str | None = None,
    ):
        self.row, self.user, self.sections, self.calendar = row, user, sections, calendar
        wanted = set(getattr(preferences, row.kind))
        confirmed = user.email_verified_at is not None and is_one_address(user.email)
        by_mail = preferences.email and confirmed and user.kind == "person"
        # What cannot be sent by e-mail must still be shown in the list.
        self.channels = (wanted - {"email"}) | {"app"} if "email" in wanted and not by_mail else wanted
        row.in_app = "app" in self.channels


def by_email(settings: Settings, message: Message) -> Delivery:
    """Convert the message to an e-mail with an unsubscribe link."""
    row, link = message.row, unsubscribe_link(settings, message)
    foot = "You receive this e-mail because of your notification settings."
    end = f"{foot} Unsubscribe: {link}" if link else foot
    # RFC 8058: a button in the mail client, which needs a public URL
    unsubscribe = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    content = Content(
        text=f"{row.text or row.title}\n\n-- \n{end}\n",
        html=email_templates.html(row.title, message.sections, foot, link),
        headers=unsubscribe if link else {},
    )
    if message.calendar:
        content.attachments = [Attachment("task.ics", "calendar", message.calendar, {"method": "PUBLISH"})]
    return email(message.user.email, row.title, content, user_id=row.user_id, dedup_key=f"email {row.id}")


def unsubscribe_link(settings: Settings, message: Message) -> str:
    """Return the unsubscribe link, or an empty string while `TODO_PUBLIC_URL` is not set."""
    base = settings.public_url.rstrip("/")
    token = link_token(secret_key(settings), message.user.id, message.row.kind)
    return f"{base}/unsubscribe/{token}" if base else ""


Compose: TypeAlias = Callable[[Settings, Message], Delivery]
CHANNELS: dict[str, Compose] = {"email": by_email}
