"""The dashboard: what needs attention comes first, and leads to the rows it counts."""

import re
from typing import Any

from playwright.async_api import expect
from support.browser import Window
from support.factories import Person
from support.series import begin

GIVEN_UP = """INSERT INTO deliveries (id, created_at, updated_at, version, channel, recipient, subject, payload, run_at,
    attempts, failed_at, last_error) VALUES (gen_random_uuid(), now(), now(), 1, 'email', 'ada@example.com', 'Rent',
    '{}', now(), 12, now(), '550 no such mailbox')"""


async def test_what_needs_attention_comes_first_and_leads_to_its_rows(window: Window, boss: Person, sql: Any) -> None:
    await begin(boss, "2031-01-31")
    await sql.execute("UPDATE series SET failures = 2, last_error = 'the rule makes no sense'")
    await sql.execute(GIVEN_UP)
    await sql.execute(
        "INSERT INTO audit_events (id, at, actor, actor_kind, action, subject, request_id, address, source)"
        " SELECT id, now(), 'x', 'anonymous', 'accounts.login_refused', 'users', '', '', 'api' FROM users"
    )
    page = await window.go("/admin")
    attention = page.get_by_role("region", name="Needs attention")

    for name, text in {
        "Series set aside": "Water the plants: the rule makes no sense",
        "Undelivered mail": "ada@example.com: 550 no such mailbox",
        "Production readiness": "TODO_ENV is not production.",
        "Refused sign-ins": "1",
    }.items():
        await expect(attention.get_by_role("region", name=name, exact=True)).to_contain_text(text)
    await expect(attention.get_by_text(re.compile("Nothing to do: .*failed jobs"))).to_be_visible()
    for name, rows in {"Series set aside": 1, "Undelivered mail": 1, "Refused sign-ins": 1}.items():
        await page.goto("/admin")
        await attention.get_by_role("link", name=name, exact=True).click()
        await expect(page.locator("tr[data-row]")).to_have_count(rows)


async def test_every_link_of_the_dashboard_leads_to_a_page(lively: Window, boss: Person, sql: Any) -> None:
    await begin(boss, "2031-01-31")
    await sql.execute("UPDATE series SET next_run_at = now() - interval '1 hour'")
    await sql.execute(GIVEN_UP)
    page = await lively.go("/admin")
    links = await page.locator("main a").evaluate_all("links => links.map(link => link.getAttribute('href'))")

    answers = {href: (await page.goto(href)).status for href in set(links)}  # type: ignore[union-attr]

    assert "/admin/series?trouble=late" in answers
    assert {href: status for href, status in answers.items() if status != 200} == {}
