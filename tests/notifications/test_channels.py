"""Ways of a message besides the list and e-mail."""

from uuid import UUID

import pytest
from support.factories import Person
from support.sending import Sql, confirm, due_reminder, sent, work

from todo.database import Database
from todo.delivery.engine import deliver_due
from todo.delivery.models import Delivery
from todo.domain.notifications.services.channels import CHANNELS, Message
from todo.settings import Settings


class Pigeon:
    """A channel that keeps what it is given."""

    name = "pigeon"

    def __init__(self) -> None:
        self.arrived: list[tuple[UUID, str]] = []

    async def deliver(self, delivery: Delivery) -> None:
        self.arrived.append((delivery.id, delivery.payload["title"]))


def by_pigeon(settings: Settings, message: Message) -> Delivery:
    row = message.row
    return Delivery(
        channel="pigeon", recipient=message.user.name, subject=row.title, user_id=row.user_id,
        dedup_key=f"pigeon {row.id}", payload={"title": row.title},
    )  # fmt: skip


async def test_a_new_channel_is_a_function_and_a_class(
    ada: Person, database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHANNELS, "pigeon", by_pigeon)
    await confirm(sql, ada)
    await ada.http.patch("/api/me/notifications", json={})
    await sql.execute("""UPDATE notification_preferences SET reminder = '["app", "email", "pigeon"]'""")
    await due_reminder(ada, sql, "Water")
    pigeon = Pigeon()

    await work(database, workers=3)
    await deliver_due(database, [pigeon])

    number = await sql.fetchval("SELECT id FROM deliveries WHERE done_at IS NOT NULL")
    assert pigeon.arrived == [(number, "Reminder: Water")]
    assert await sent(ada) == ["Reminder: Water"]
    assert await sql.fetchval("SELECT user_id FROM deliveries WHERE dedup_key LIKE 'email %'") == ada.id
