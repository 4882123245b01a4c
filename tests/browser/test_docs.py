"""The documentation of the API in a browser: it signs in by itself, under its own policy."""

import pyotp
from browser.conftest import Opening
from playwright.async_api import Page, expect
from support.factories import PASSWORD, Person


async def give_password(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def answer_of_me(page: Page) -> str:
    """Open the operation, execute it, and return the status of its answer."""
    operation = page.locator("#operations-Accounts-get_me")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Execute").click()
    live = operation.locator(".live-responses-table .response .response-col_status")
    return (await live.first.inner_text()).split()[0]


async def test_the_page_signs_in_and_its_requests_are_those_of_the_user(opening: Opening, boss: Person) -> None:
    page = await (await opening()).go("/docs")

    await give_password(page, boss.email)
    await expect(page.locator("#who")).to_contain_text(f"Signed in as {boss.email}")

    assert await answer_of_me(page) == "200"
    body = page.locator("#operations-Accounts-get_me .live-responses-table")
    await expect(body).to_contain_text(boss.email)
    assert await page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


async def test_signing_out_ends_the_session_and_the_requests_are_nobodys(
    opening: Opening, boss: Person, sql: object
) -> None:
    window = await opening()
    window.expected.add(401)
    page = await window.go("/docs")
    await give_password(page, boss.email)

    await page.get_by_role("button", name="Sign out", exact=True).click()

    await expect(page.get_by_label("E-mail")).to_be_visible()
    assert await answer_of_me(page) == "401"
    assert (await boss.http.get("/api/auth/sessions")).json() == []


async def test_a_second_factor_is_asked_for(opening: Opening, boss: Person) -> None:
    secret = (await boss.http.post("/api/auth/mfa/totp", json={"password": PASSWORD})).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    codes = (await boss.http.post("/api/auth/mfa/totp/confirm", json=code)).json()["recovery_codes"]
    page = await (await opening()).go("/docs")

    await give_password(page, boss.email)
    await page.get_by_label("Code of your authenticator").fill(codes[0])
    await page.get_by_role("button", name="Sign in", exact=True).click()

    await expect(page.locator("#who")).to_contain_text("Signed in as")
    assert await answer_of_me(page) == "200"


async def test_a_wrong_password_is_said(opening: Opening, boss: Person) -> None:
    window = await opening()
    window.expected.add(401)
    page = await window.go("/docs")

    await give_password(page, boss.email, "not the password")

    await expect(page.locator("#message")).to_have_text("The e-mail address or the password is wrong.")
    await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
