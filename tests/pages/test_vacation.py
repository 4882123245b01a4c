"""The vacation on the page of the own account."""

from datetime import UTC, datetime, timedelta
from typing import Any

from support.pages import Visitor, text_of

ACCOUNT = "/admin/account"
LAST = str((datetime.now(UTC) + timedelta(days=9)).date())


async def test_a_vacation_begins_and_ends_on_the_page_of_the_account(visitor: Visitor, sql: Any) -> None:
    begun = await visitor.send(f"{ACCOUNT}/vacation", until=LAST, **{"from": ""})
    page = await visitor.get(ACCOUNT)
    ended = await visitor.send(f"{ACCOUNT}/vacation/end")

    assert (begun.status_code, ended.status_code) == (303, 303)
    assert f"to {LAST}" in text_of(page)
    assert await sql.fetchval("SELECT count(*) FROM users WHERE vacations <> '[]'") == 0


async def test_days_that_make_no_vacation_are_refused_by_their_field(visitor: Visitor) -> None:
    await visitor.send(f"{ACCOUNT}/vacation", until="2020-01-01")

    assert "until: The last day must not be before the first." in text_of(await visitor.get(ACCOUNT))


async def test_there_is_no_vacation_to_end(visitor: Visitor) -> None:
    await visitor.send(f"{ACCOUNT}/vacation/end")

    assert "There is no vacation to end" in text_of(await visitor.get(ACCOUNT))
