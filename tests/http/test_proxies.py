"""Whose word about the client's address counts."""

from typing import Any

import httpx
import pytest
from conftest import serving, settings_for

from todo.app import create_app
from todo.http.proxies import Proxies, network_of
from todo.http.transactions import origin_of
from todo.setting_errors import SettingsError
from todo.settings import load_settings

TRUSTED = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]


def unwrapped(peer: str, *forwarded: str, proto: str = "", trusted: list[str] = TRUSTED) -> tuple[str, str]:
    """The client's address and scheme, as the application sees them."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    headers += [(b"x-forwarded-proto", proto.encode())] if proto else []
    headers += [(b"forwarded", b"for=6.6.6.6"), (b"x-real-ip", b"6.6.6.6"), (b"x-forwarded-host", b"evil.example")]
    scope: Any = {"type": "http", "client": (peer, 4711), "scheme": "http", "headers": headers}
    Proxies(trusted).unwrap(scope)
    return scope["client"][0], scope["scheme"]


@pytest.mark.parametrize("peer", ["203.0.113.5", "192.0.2.8", "11.0.0.1", "2001:db9::1"])
def test_nobody_else_is_believed(peer: str) -> None:
    assert unwrapped(peer, "6.6.6.6", proto="https") == (peer, "http")


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert unwrapped("127.0.0.1", "6.6.6.6", proto="https", trusted=[]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (["203.0.113.5"], "203.0.113.5"),
        (["6.6.6.6, 203.0.113.5"], "203.0.113.5"),
        (["6.6.6.6", "203.0.113.5"], "203.0.113.5"),
        (["6.6.6.6, 203.0.113.5, 10.9.9.9"], "203.0.113.5"),
        (["203.0.113.5:8080"], "203.0.113.5"),
        (["[2a00::1]:443"], "2a00::1"),
        (["::ffff:203.0.113.5"], "203.0.113.5"),
        (["6.6.6.6, nonsense, 10.9.9.9"], "10.9.9.9"),
        (["10.9.9.9, 10.8.8.8"], "10.9.9.9"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
        (["\xff\n6.6.6.6"], "10.0.0.1"),
    ],
)
def test_behind_a_trusted_proxy_the_right_most_stranger_is_the_client(forwarded: list[str], client: str) -> None:
    assert unwrapped("10.0.0.1", *forwarded)[0] == client


@pytest.mark.parametrize(("proto", "scheme"), [("https", "https"), ("https, http", "http"), ("gopher", "http")])
def test_a_trusted_proxy_says_the_scheme(proto: str, scheme: str) -> None:
    assert unwrapped("10.0.0.1", "203.0.113.5", proto=proto)[1] == scheme


def test_ipv4_written_as_ipv6_is_the_same_peer() -> None:
    assert unwrapped("::ffff:10.0.0.1", "203.0.113.5")[0] == "203.0.113.5"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_counted_by_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(("trusted", "passed"), [([], 3), (["127.0.0.1"], 10)])
async def test_a_forged_address_does_not_renew_the_budget(
    database_url: str, sql: object, trusted: list[str], passed: int
) -> None:
    settings = settings_for(database_url, rate_limit="3/hour", trusted_proxies=trusted)
    async with serving(create_app(settings)) as app:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answers = [await client.get("/nothing", headers={"x-forwarded-for": f"203.0.113.{n}"}) for n in range(10)]

    assert [answer.status_code for answer in answers].count(404) == passed


async def test_the_audit_log_names_the_real_address(
    database_url: str, sql: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(create_app(settings_for(database_url, trusted_proxies=["10.0.0.0/8"]))) as app:
        seen = []

        async def evaluate(scope: Any, *_: object) -> None:
            seen.append(origin_of(scope).address)

        monkeypatch.setattr(app.asgi_handler, "_app", evaluate)
        for peer in ("10.0.0.1", "198.51.100.1"):
            transport = httpx.ASGITransport(app, client=(peer, 4711), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                with pytest.raises(AssertionError):  # httpx misses the answer
                    await client.get("/", headers={"x-forwarded-for": "203.0.113.5"})

    assert seen == ["203.0.113.5", "198.51.100.1"]


@pytest.mark.parametrize(("peer", "told"), [("10.0.0.1", True), ("198.51.100.1", False)])
async def test_https_at_a_trusted_proxy_is_https(database_url: str, sql: object, peer: str, told: bool) -> None:
    async with serving(create_app(settings_for(database_url, trusted_proxies=["10.0.0.0/8"]))) as app:
        transport = httpx.ASGITransport(app, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/nothing", headers={"x-forwarded-proto": "https"})

    assert ("strict-transport-security" in answer.headers) is told


def test_a_setting_that_is_no_network_is_refused() -> None:
    with pytest.raises(SettingsError, match="TODO_TRUSTED_PROXIES"):
        load_settings(_env_file=None, trusted_proxies=["10.0.0.1/8"])
