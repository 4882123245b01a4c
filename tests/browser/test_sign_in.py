"""Coming in, proving again who one is, and going."""

import re

import pyotp
from browser.conftest import Opening
from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import PASSWORD, Person


async def give_password(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def test_a_password_signs_in_and_leads_to_where_one_wanted_to_go(
    opening: Opening, boss: Person, scripts: bool
) -> None:
    page = await (await opening(java_script_enabled=scripts)).go("/admin/tasks?status=open")

    await give_password(page, boss.email)

    await expect(page).to_have_url(re.compile("/admin/tasks.status=open$"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")


async def test_a_wrong_password_is_refused_and_keeps_the_address(opening: Opening, boss: Person, scripts: bool) -> None:
    window = await opening(java_script_enabled=scripts)
    window.expected.add(401)
    page = await window.go("/admin/login")

    await give_password(page, boss.email, "wrong password")

    await expect(page.get_by_role("alert").first).to_be_visible()
    await expect(page.get_by_label("E-mail")).to_have_value(boss.email)


async def test_an_authenticator_app_is_set_up_and_then_asked_for(
    opening: Opening, window: Window, boss: Person
) -> None:
    page = await window.go("/admin/account/second-factor")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Set up an authenticator app").click()
    secret = await page.locator("code.secret").inner_text()
    await page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Confirm").click()
    codes = await page.locator(".codes code").all_inner_texts()

    other = await (await opening()).go("/admin/login")
    await give_password(other, boss.email)
    await other.get_by_label("Code").fill(codes[0])
    await other.get_by_role("button", name="Continue").click()

    await expect(other.get_by_role("heading", level=1)).to_have_text("Dashboard")


async def test_a_passkey_is_made_and_signs_in(opening: Opening, boss: Person) -> None:
    window = await opening(boss)
    device = await window.context.new_cdp_session(window.page)
    await device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    await device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page = await window.go("/admin/account")
    await page.get_by_label("Name of the new passkey").fill("My laptop")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("The passkey signs you in from now on.")).to_be_visible()

    await window.context.clear_cookies()
    await window.go("/admin/login")
    await page.get_by_role("button", name="Sign in with a passkey").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


async def test_signing_out_ends_it(page: Page) -> None:
    await page.goto("/admin")

    await page.get_by_label("Account of boss").or_(page.locator(".account > summary")).first.click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("You have signed out.")).to_be_visible()
    await page.goto("/admin")

    await expect(page).to_have_url(re.compile("/admin/login"))


async def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    await page.goto("/admin/docs")

    await page.get_by_role("button", name="Theme: System").click()
    await page.get_by_role("button", name="Theme: Light").click()
    await page.goto("/admin")

    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
