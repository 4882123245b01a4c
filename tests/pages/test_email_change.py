"""The e-mail address on the page of the own account."""

from typing import Any

import pytest
from accounts.test_email_change import confirm, token_for
from support.factories import PASSWORD
from support.pages import Visitor, text_of

ACCOUNT = "/admin/account"
NEW = "ada@example.org"


async def test_a_new_address_is_asked_for_on_the_page_of_the_account(visitor: Visitor, client: Any, sql: Any) -> None:
    asked = await visitor.send(f"{ACCOUNT}/email", email=NEW, password=PASSWORD)
    page = text_of(await visitor.get(ACCOUNT))
    confirmed = await confirm(client, await token_for(sql))
    after = text_of(await visitor.get(ACCOUNT))

    assert (asked.status_code, confirmed.status_code) == (303, 204)
    assert f"Confirm {NEW} by the e-mail" in page
    assert "keeps boss@example.com until" in page
    assert f"keeps {NEW} until" in after  # still signed in


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "nobody", "password": PASSWORD}, "email: "),
        ({"email": NEW, "password": "not the password"}, "The password or the code is wrong."),
    ],
)
async def test_what_is_wrong_is_said_on_the_page(
    visitor: Visitor, sql: Any, fields: dict[str, str], words: str
) -> None:
    await visitor.send(f"{ACCOUNT}/email", **fields)

    assert words in text_of(await visitor.get(ACCOUNT))
    assert await sql.fetchval("SELECT count(*) FROM mail_tokens WHERE purpose = 'change'") == 0
