"""What docs/clients.md shows, against a running service: `python story.py URL ADMIN_EMAIL ADMIN_PASSWORD LOG`.

The log has the e-mails of the service (console://).
"""

import asyncio
import base64
import hmac
import re
import struct
import sys
import time
from collections.abc import Awaitable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from todo_client import ProblemError, TodoClient, etag, items, retry_on_conflict, unwrap
from todo_client.api.accounts import add_token, begin_totp, confirm_totp, get_me, register, verify_email
from todo_client.api.notifications import add_reminder, snooze_reminder
from todo_client.api.projects import (
    accept_project_invitation,
    add_project,
    add_project_invitation,
    transfer_project,
)
from todo_client.api.series import get_series, preview_recurrence
from todo_client.api.tasks import add_comment, add_task, add_view, change_task, complete_task, get_task, list_tasks
from todo_client.models import (
    CommentIn,
    Completed,
    Day,
    EmailConfirmation,
    FirstCode,
    Floating,
    PreviewIn,
    ProjectIn,
    ProjectInvitationIn,
    ReauthenticationIn,
    Recurrence,
    Registration,
    Relative,
    ReminderIn,
    Snooze,
    TaskDetails,
    TaskIn,
    TaskPatch,
    TaskSaved,
    TokenIn,
    Tokens,
    Transfer,
    ViewIn,
    Zoned,
)

URL, ADMIN_EMAIL, ADMIN_PASSWORD, LOG = sys.argv[1:]
EMAIL = f"ada-{uuid4()}@example.com"
PASSWORD = "seven tall ships at sea"


async def problem(call: Awaitable[object]) -> ProblemError:
    try:
        await call
    except ProblemError as error:
        return error
    raise AssertionError("The request was not refused.")


async def mailed_token(email: str) -> str:
    """Return the token of the e-mail that confirms an address."""
    for _ in range(300):
        text = await asyncio.to_thread(Path(LOG).read_text)
        if found := re.search(rf"mail to {email}: Please confirm.*verify#([\w-]+)", text):
            return found[1]
        await asyncio.sleep(0.1)
    raise AssertionError("No e-mail was sent.")


def code_now(secret: str) -> str:
    """Return the code of an authenticator app (RFC 6238)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1")
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


class Story:
    def __init__(self) -> None:
        self.stored: list[Tokens | None] = []
        self.ada = TodoClient(URL, on_tokens=self.stored.append)
        self.api = self.ada.api

    @property
    def tokens(self) -> Tokens:
        tokens = self.stored[-1]
        assert tokens
        return tokens

    async def add(self, task: TaskIn) -> TaskSaved:
        return unwrap(await add_task.asyncio(client=self.api, body=task))

    async def sign_up(self) -> None:
        assert (await problem(list_tasks.asyncio(client=self.api))).code == "sign-in-required"
        new = Registration(EMAIL, PASSWORD, timezone="Europe/Berlin")
        await register.asyncio(client=self.api, body=new)
        assert (await problem(self.ada.sign_in(EMAIL, "wrong"))).code == "wrong-credentials"
        await self.ada.sign_in(EMAIL, PASSWORD)
        assert unwrap(await get_me.asyncio(client=self.api)).timezone == "Europe/Berlin"
        await verify_email.asyncio(client=self.api, body=EmailConfirmation(await mailed_token(EMAIL)))

    async def refresh(self) -> None:
        kept: list[Tokens | None] = []
        tokens = Tokens("expired", "Bearer", 600, self.tokens.refresh_token)
        async with TodoClient(URL, tokens=tokens, on_tokens=kept.append) as later:
            answers = await asyncio.gather(*(get_me.asyncio(client=later.api) for _ in range(10)))
            assert {unwrap(me).email for me in answers} == {EMAIL}
            assert len(kept) == 1  # one exchange for all ten
            await later.sign_out()
            assert kept[-1] is None
        async with TodoClient(URL, tokens=tokens) as ended:
            assert (await problem(get_me.asyncio(client=ended.api))).status == 401
        await self.ada.sign_in(EMAIL, PASSWORD)

    async def dues(self) -> None:
        day = await self.add(TaskIn("Pay", due=Day("day", date(2036, 12, 31))))
        assert day.due == Day("day", date(2036, 12, 31))
        assert day.due_at == datetime(2036, 12, 30, 23, tzinfo=UTC)
        floating = await self.add(TaskIn("Run", due=Floating("floating", "2036-12-31T09:00")))
        assert floating.due_at == datetime(2036, 12, 31, 8, tzinfo=UTC)
        zoned = await self.add(TaskIn("Call", due=Zoned("zoned", "2036-12-31T09:00", "Asia/Tokyo")))
        assert isinstance(zoned.due, Zoned) and zoned.due.timezone == "Asia/Tokyo"
        assert (await self.add(TaskIn("Some day"))).due is None

    async def pages(self) -> None:
        tasks = items(lambda cursor: list_tasks.asyncio(client=self.api, limit=2, cursor=cursor))
        assert sorted([task.title async for task in tasks]) == ["Call", "Pay", "Run", "Some day"]

    async def conflicts(self) -> None:
        added = await self.add(TaskIn("Letter"))
        same = await get_task.asyncio_detailed(added.id, client=self.api, if_none_match=etag(added))
        assert same.status_code == 304

        async def read() -> TaskDetails:
            return unwrap(await get_task.asyncio(added.id, client=self.api))

        async def write(row: TaskDetails, title: str) -> TaskSaved:
            patch = TaskPatch(title=title)
            return unwrap(await change_task.asyncio(row.id, client=self.api, if_match=etag(row), body=patch))

        old = await read()
        await write(old, "Letter to Ada")
        stale = await problem(write(old, "Lost"))
        assert (stale.status, stale.current["title"]) == (412, "Letter to Ada")

        rows = [await read(), old]

        async def old_first() -> TaskDetails:
            return rows.pop()

        saved = await retry_on_conflict(old_first, lambda row: write(row, f"{row.title}!"))
        assert (saved.title, rows) == ("Letter to Ada!", [])

    async def idempotency(self) -> None:
        key = str(uuid4())
        first, again = [
            await add_task.asyncio_detailed(client=self.api, body=TaskIn("Once"), idempotency_key=key) for _ in range(2)
        ]
        assert unwrap(first.parsed).id == unwrap(again.parsed).id
        assert again.headers["Idempotency-Replayed"] == "true"
        other = add_task.asyncio(client=self.api, body=TaskIn("Twice"), idempotency_key=key)
        assert (await problem(other)).code == "idempotency-key-reused"

    async def errors(self) -> None:
        wrong = await problem(self.add(TaskIn("", priority=9)))
        assert wrong.code == "invalid-values"
        found = {(error.field, error.code) for error in wrong.errors}
        assert found == {("body.title", "too_short"), ("body.priority", "too_large")}
        assert (await problem(get_task.asyncio(uuid4(), client=self.api))).code == "not-found"

    async def recurrence(self) -> None:
        monthly = Recurrence("FREQ=MONTHLY;BYMONTHDAY=31", on_invalid_date="backward")
        rent = await self.add(TaskIn("Rent", due=Day("day", date(2036, 1, 31)), recurrence=monthly))
        done: Completed = unwrap(await complete_task.asyncio(rent.id, client=self.api))
        assert done.status == "done" and done.next_task
        assert done.next_task.due == Day("day", date(2036, 2, 29))
        assert (await problem(complete_task.asyncio(rent.id, client=self.api))).code == "already-done"

        assert rent.series_id
        assert unwrap(await get_series.asyncio(rent.series_id, client=self.api)).status == "active"
        weekly = PreviewIn("FREQ=WEEKLY", "2036-01-01", count=2)
        preview = unwrap(await preview_recurrence.asyncio(client=self.api, body=weekly))
        assert [one.original_start for one in preview.occurrences] == ["2036-01-01", "2036-01-08"]

    async def upcoming(self) -> None:
        now = datetime.now(UTC)
        await self.add(TaskIn("Water", due=Day("day", now.date()), recurrence=Recurrence("FREQ=DAILY")))
        until = now + timedelta(days=7)
        page = unwrap(await list_tasks.asyncio(client=self.api, include=["upcoming"], until=until))
        assert page.upcoming and "Water" in {one.title for one in page.upcoming}

    async def reminders(self) -> None:
        task = await self.add(TaskIn("Dentist", due=Floating("floating", "2036-05-05T10:00")))
        before = ReminderIn(Relative("relative", minutes=-30))
        reminder = unwrap(await add_reminder.asyncio(task.id, client=self.api, body=before))
        assert reminder.remind_at == datetime(2036, 5, 5, 7, 30, tzinfo=UTC)
        snoozed = unwrap(await snooze_reminder.asyncio(reminder.id, client=self.api, body=Snooze(minutes=10)))
        assert snoozed.snoozed_until

    async def sharing(self) -> None:
        house = unwrap(await add_project.asyncio(client=self.api, body=ProjectIn("House")))
        email = EMAIL.replace("ada", "bob")
        invitation = ProjectInvitationIn("editor", email=email)
        invited = unwrap(await add_project_invitation.asyncio(house.id, client=self.api, body=invitation))
        async with TodoClient(URL) as bob:
            await register.asyncio(client=bob.api, body=Registration(email, PASSWORD, timezone="Europe/Berlin"))
            await bob.sign_in(email, PASSWORD)
            await verify_email.asyncio(client=bob.api, body=EmailConfirmation(await mailed_token(email)))
            await accept_project_invitation.asyncio(invited.id, client=bob.api)
            me = unwrap(await get_me.asyncio(client=bob.api))
            paint = TaskIn("Paint the wall", project_id=house.id, labels=["paint"], assignee_ids=[me.id])
            wall = await self.add(paint)
            await add_comment.asyncio(wall.id, client=bob.api, body=CommentIn("Which color?"))
            found = unwrap(await list_tasks.asyncio(client=bob.api, filter_="assignee = me and label = paint"))
            assert wall.id in {one.id for one in found.items}
            view = ViewIn("To paint", filter_="label = paint", project_id=house.id)
            added = unwrap(await add_view.asyncio(client=bob.api, body=view))
            assert len(unwrap(await list_tasks.asyncio(client=self.api, view=str(added.id))).items) == 1
            handed = await transfer_project.asyncio(house.id, client=self.api, body=Transfer(me.id))
            assert unwrap(handed).role == "manager"

    async def personal_tokens(self) -> None:
        made = unwrap(await add_token.asyncio(client=self.api, body=TokenIn("Script", ["tasks.view"])))
        async with TodoClient(URL, tokens=made.token) as script:
            await list_tasks.asyncio(client=script.api)
            denied = add_task.asyncio(client=script.api, body=TaskIn("No"))
            assert (await problem(denied)).code == "permission-required"

    async def newer_service(self) -> None:
        task = await self.add(TaskIn("Newer"))
        newer = TaskSaved.from_dict(task.to_dict() | {"status": "delegated", "color": "red"})
        assert (str(newer.status), newer["color"]) == ("delegated", "red")

    async def second_factor(self) -> None:
        secret = unwrap(await begin_totp.asyncio(client=self.api, body=ReauthenticationIn(PASSWORD))).secret
        codes = unwrap(await confirm_totp.asyncio(client=self.api, body=FirstCode(code_now(secret)))).recovery_codes

        async def ask() -> str:
            return codes[0]

        async with TodoClient(URL) as later:
            await later.sign_in(EMAIL, PASSWORD, ask)
            assert unwrap(await get_me.asyncio(client=later.api)).email == EMAIL
            await later.sign_out()

    async def administration(self) -> None:
        async with TodoClient(URL) as admin:
            await admin.sign_in(ADMIN_EMAIL, ADMIN_PASSWORD)
            users = (await admin.http.get("/api/admin/users", params={"q": EMAIL})).json()
            assert [user["email"] for user in users["items"]] == [EMAIL]
        assert (await problem(self.ada.http.get("/api/admin/users"))).status == 403


async def main() -> None:
    story = Story()
    chapters = (
        story.sign_up, story.refresh, story.dues, story.pages, story.conflicts, story.idempotency, story.errors,
        story.recurrence, story.upcoming, story.reminders, story.sharing, story.personal_tokens,
        story.newer_service, story.second_factor, story.administration,
    )  # fmt: skip
    async with story.ada:
        for chapter in chapters:
            await chapter()
            print(f"python: {chapter.__name__}")
        await story.ada.sign_out()


asyncio.run(main())
