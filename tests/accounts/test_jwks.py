"""The cache of an identity provider's keys, against servers that are slow, down, hostile or in a hurry."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.issuer import JWKS, FakeIssuer, Server, http, new_key, public_jwk
from support.waiting import until

from todo.domain.accounts.services import jwks
from todo.domain.accounts.services.jwks import Key, KeySet, UnknownKey, read_key
from todo.errors import Unavailable
from todo.setting_types import Issuer

ALL = frozenset({"EdDSA", "Ed25519", "ES256", "ES512", "RS256", "PS256"})
SECRETS = {"kty": "oct", "kid": "kid-0", "k": "c2VjcmV0", "alg": "HS256"}
RSA = new_key("RS256")


class Clock:
    """Monotonic time that a test can push."""

    def __init__(self) -> None:
        self.pushed = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.pushed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(issuer: FakeIssuer, clock: Clock) -> AsyncIterator[KeySet]:
    cache = KeySet(Issuer.model_validate(issuer.settings()), clock=clock, cool_down=0.2)
    yield cache
    await cache.close()


async def outcome(keys: KeySet, kid: str) -> str:
    try:
        await keys.get(kid)
    except (UnknownKey, Unavailable) as error:
        return type(error).__name__
    return "known"


async def test_the_first_hundred_to_ask_share_one_fetch(keys: KeySet, issuer: FakeIssuer) -> None:
    issuer.delay = 0.05

    found = await asyncio.gather(*(keys.get("kid-0") for _ in range(100)))

    assert len({id(key) for key in found}) == 1
    assert issuer.requests == [JWKS]


async def test_a_known_key_costs_no_fetch_until_the_soft_limit_and_then_one_in_the_background(
    keys: KeySet, issuer: FakeIssuer, clock: Clock
) -> None:
    await keys.get("kid-0")
    clock.pushed = jwks.SOFT - 1
    await keys.get("kid-0")
    assert len(issuer.requests) == 1

    clock.pushed, issuer.delay = jwks.SOFT + 1, 0.2
    await asyncio.gather(*(keys.get("kid-0") for _ in range(100)))

    assert issuer.answered == 1, "nobody waited for the second fetch"
    await until(lambda: issuer.answered == 2)
    assert len(issuer.requests) == 2


@pytest.mark.timing
async def test_a_flood_of_forged_kids_costs_one_fetch_and_slows_no_good_token(keys: KeySet, issuer: FakeIssuer) -> None:
    await keys.warm()
    waits = []

    async def good() -> None:
        started = time.perf_counter()
        await keys.get("kid-0")
        waits.append(time.perf_counter() - started)

    forged = [outcome(keys, f"forged-{number}") for number in range(2000)]
    done = await asyncio.gather(*forged, *(good() for _ in range(200)))

    assert set(done[:2000]) == {"UnknownKey"}
    assert len(issuer.requests) <= 3
    assert max(waits) < 0.15


async def test_a_stream_of_forged_kids_is_held_to_one_fetch_per_cool_down(keys: KeySet, issuer: FakeIssuer) -> None:
    await keys.warm()
    end = time.monotonic() + 1

    async def forge(number: int) -> None:
        while time.monotonic() < end:
            assert await outcome(keys, f"forged-{number}-{time.monotonic()}") == "UnknownKey"

    await asyncio.gather(*(forge(number) for number in range(50)))

    assert 2 <= len(issuer.requests) <= 8  # 0.2 s apart


async def test_forged_kids_while_the_issuer_is_down_back_off(keys: KeySet, issuer: FakeIssuer) -> None:
    issuer.pages[JWKS] = http("", "500 Internal Server Error")
    end = time.monotonic() + 1.5
    seen = set()
    while time.monotonic() < end:
        seen |= set(await asyncio.gather(*(outcome(keys, f"forged-{number}") for number in range(20))))
        await asyncio.sleep(0.01)

    assert seen == {"Unavailable"}
    assert 2 <= len(issuer.requests) <= 5  # 0.2-0.4, 0.4-0.8, 0.8-1.6 s apart


async def test_nothing_is_remembered_of_kids_that_do_not_exist(keys: KeySet) -> None:
    await asyncio.gather(*(outcome(keys, f"forged-{number}") for number in range(100)))

    assert list(keys._keys) == ["kid-0"]


async def test_a_key_is_found_in_the_instant_it_is_published_flood_or_not(keys: KeySet, issuer: FakeIssuer) -> None:
    """Rotation every 150 ms, faster than the cool-down, under a flood of forged kids: no good token is refused."""
    stop = False

    async def forge() -> None:
        while not stop:
            await outcome(keys, f"forged-{time.monotonic()}")

    async def use() -> None:
        while not stop:
            kid = issuer.kid
            seen.append(await outcome(keys, kid))
            await asyncio.sleep(0.001)

    seen: list[str] = []
    running = [asyncio.create_task(work()) for work in [forge] * 20 + [use] * 20]
    for _ in range(14):
        await asyncio.sleep(0.15)
        issuer.rotate()
    stop = True
    await asyncio.gather(*running)

    assert set(seen) == {"known"}
    assert len(issuer.requests) <= 14


async def test_a_key_published_while_a_fetch_is_on_its_way_is_found_by_the_next(
    keys: KeySet, issuer: FakeIssuer
) -> None:
    issuer.delay = 0.1
    first = asyncio.create_task(outcome(keys, "forged"))
    await until(lambda: bool(issuer.requests))  # whose answer is on its way
    issuer.rotate()

    assert await outcome(keys, issuer.kid) == "known"
    assert await first == "UnknownKey"


async def test_a_key_that_is_no_longer_published_ends_at_the_next_fetch(
    keys: KeySet, issuer: FakeIssuer, clock: Clock
) -> None:
    await keys.warm()
    issuer.publish(public_jwk(new_key(), "other"))
    clock.pushed = jwks.SOFT + 1
    await keys.get("kid-0")
    await asyncio.sleep(0.1)
    clock.pushed += 1

    assert await outcome(keys, "kid-0") == "UnknownKey"
    assert await outcome(keys, "other") == "known"


async def test_an_outage_is_bridged_for_a_day_then_it_is_ours_to_say_503(
    keys: KeySet, issuer: FakeIssuer, clock: Clock
) -> None:
    await keys.warm()
    await issuer.stop()
    for hours in (1, 12, 23.9):
        clock.pushed = hours * 3600
        assert set(await asyncio.gather(*(outcome(keys, "kid-0") for _ in range(200)))) == {"known"}
        await asyncio.sleep(0.02)

    clock.pushed = jwks.HARD + 1
    await asyncio.sleep(0.02)
    with pytest.raises(Unavailable) as refused:
        await keys.get("kid-0")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    await issuer.start()
    clock.pushed += 61
    assert await outcome(keys, "kid-0") == "known"


async def test_a_new_key_during_an_outage_is_not_called_bad(keys: KeySet, issuer: FakeIssuer) -> None:
    await keys.warm()
    await issuer.stop()

    assert await outcome(keys, "kid-1") == "Unavailable"
    await issuer.start()


async def test_attempts_are_never_more_than_a_minute_apart(keys: KeySet, issuer: FakeIssuer, clock: Clock) -> None:
    issuer.pages.clear()
    for _ in range(12):
        await outcome(keys, "kid-0")
        clock.pushed += 61

    assert len(issuer.requests) == 12


async def test_who_goes_away_while_waiting_takes_nobody_along(keys: KeySet, issuer: FakeIssuer) -> None:
    issuer.delay = 0.1
    impatient = asyncio.create_task(keys.get("kid-0"))
    patient = asyncio.create_task(keys.get("kid-0"))
    await asyncio.sleep(0.02)
    impatient.cancel()

    assert isinstance(await patient, Key)
    assert len(issuer.requests) == 1


async def test_closing_ends_a_fetch_that_hangs(issuer: FakeIssuer) -> None:
    issuer.delay = 2
    keys = KeySet(Issuer.model_validate(issuer.settings()))
    waiting = asyncio.create_task(keys.warm())
    await until(lambda: bool(issuer.requests))  # whose answer is on its way

    async with asyncio.timeout(1):
        await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.timing
@pytest.mark.parametrize("how", ["silent", "dripping"])
async def test_a_slow_server_gets_a_limited_time_and_the_loop_stays_free(
    keys: KeySet, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(jwks, "TIMEOUT", 0.3)
    issuer.delay, issuer.pace = (1.0, None) if how == "silent" else (0.0, 0.05)
    gaps = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    started = time.perf_counter()
    assert await outcome(keys, "kid-0") == "Unavailable"
    ticking.cancel()

    assert time.perf_counter() - started < 0.9
    assert max(gaps) < 0.25


GOOD = json.dumps({"keys": [public_jwk(new_key(), "kid-0")]})
HOSTILE = {
    "html": http("<html>Sign in to the hotel's network</html>", Content_Type="text/html"),
    "empty": http(""),
    "no keys": http('{"keys": []}'),
    "not a set": http('["keys"]'),
    "keys of another kind": http('{"keys": {"kid-0": {}}}'),
    "junk inside": http('{"keys": [1, null]}'),
    "deep": http("[" * 60_000),
    "bad utf-8": http(b'{"keys": "\xff"}'),
    "only secrets": http(json.dumps({"keys": [SECRETS]})),
    "500": http(GOOD, "500 Internal Server Error"),
    "201": http(GOOD, "201 Created"),
    "huge": http(GOOD + " " * jwks.LARGEST_BODY),
    "endless": b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 5_000_000,
    "10k keys": http(json.dumps({"keys": [json.loads(GOOD)["keys"][0] | {"kid": str(n)} for n in range(10_000)]})),
    "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + GOOD.encode(),
    "not http": b"220 smtp.example.com ESMTP\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000,
    "gzip bomb": http(gzip.compress(GOOD.encode() + b" " * 50_000_000), Content_Encoding="gzip"),
    "gzip": http(gzip.compress(GOOD.encode()), Content_Encoding="gzip"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_answer_changes_nothing(keys: KeySet, issuer: FakeIssuer, clock: Clock, what: str) -> None:
    await keys.warm()
    before = await keys.get("kid-0")
    issuer.pages[JWKS] = HOSTILE[what]
    clock.pushed = jwks.SOFT + 1
    async with asyncio.timeout(5):
        await keys.warm()

    assert keys._failures == 1
    assert await keys.get("kid-0") is before


async def test_a_redirect_is_not_followed(keys: KeySet, issuer: FakeIssuer) -> None:
    elsewhere = Server()
    await elsewhere.start()
    elsewhere.pages["/"] = http(GOOD)
    issuer.pages[JWKS] = http("", "302 Found", Location=elsewhere.url + "/")

    assert await outcome(keys, "kid-0") == "Unavailable"
    assert elsewhere.requests == []
    await elsewhere.stop()


async def test_bad_entries_leave_the_good_ones_and_the_first_of_a_name_counts(keys: KeySet, issuer: FakeIssuer) -> None:
    first = public_jwk(new_key(), "kid-0")
    issuer.publish(SECRETS, {"kty": "EC"}, first, public_jwk(new_key(), "kid-0"), public_jwk(RSA, "kid-1"))

    assert (await keys.get("kid-0")) == read_key(first, ALL)
    assert (await keys.get("kid-1")).algorithms == {"RS256", "PS256"}


async def test_as_many_keys_as_better_auth_piles_up_in_a_month_are_read(keys: KeySet, issuer: FakeIssuer) -> None:
    """It keeps old keys for 30 days, oldest first: reading only the first few would miss the one that signs."""
    for _ in range(300):
        issuer.rotate()

    assert await outcome(keys, issuer.kid) == "known"


@pytest.mark.parametrize(
    ("alg", "named", "algorithms"),
    [
        ("EdDSA", "EdDSA", {"EdDSA", "Ed25519"}),
        ("EdDSA", "Ed25519", {"EdDSA", "Ed25519"}),
        ("EdDSA", None, {"EdDSA", "Ed25519"}),
        ("ES256", None, {"ES256"}),
        ("ES512", "ES512", {"ES512"}),
        ("RS256", None, {"RS256", "PS256"}),
        ("RS256", "PS256", {"PS256"}),
    ],
)
def test_what_a_key_may_be_used_with(alg: str, named: str | None, algorithms: set[str]) -> None:
    jwk = public_jwk(RSA if alg == "RS256" else new_key(alg), "kid")
    found = read_key(jwk | ({"alg": named} if named else {}), ALL)

    assert found is not None
    assert found.algorithms == algorithms


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": 7}, {"d": "AAAA"}, {"kid": None}, {"kid": 7},
        {"kid": "x" * 129}, {"alg": "ES256"}, {"alg": "HS256"}, {"alg": "none"}, {"alg": ["EdDSA"]}, {"crv": "Ed448"},
        {"crv": ["Ed25519"]}, {"kty": "EC"}, {"kty": "oct", "k": "AAAA"}, {"kty": {}}, {"x": None}, {"x": 7},
        {"x": "é"}, {"x": "AAAA"}, {"x": "A" * 60_000},
    ],
)  # fmt: skip
def test_an_entry_that_is_no_public_key_for_verifying_is_passed_over(change: dict[str, Any]) -> None:
    good = public_jwk(new_key(), "kid", alg="EdDSA", use="sig", key_ops=["verify"])

    assert read_key(good, ALL) is not None
    assert read_key(good | change, ALL) is None


def test_a_weak_or_absurd_rsa_key_is_passed_over() -> None:
    assert read_key(public_jwk(new_key("RS256", 1024), "kid"), ALL) is None
    assert read_key(public_jwk(RSA, "kid") | {"n": "_" * 60_000}, ALL) is None


def test_a_key_for_algorithms_the_settings_exclude_is_passed_over() -> None:
    assert read_key(public_jwk(RSA, "kid"), frozenset({"EdDSA"})) is None


@pytest.mark.parametrize(
    ("named", "where", "found"),
    [
        ("{url}", "{url}/keys", "known"),
        ("{url}/", "{url}/keys", "Unavailable"),
        ("{url}", "http://127.0.0.1:1/keys", "Unavailable"),
        ("{url}", "http://169.254.169.254/keys", "Unavailable"),
        ("{url}", "file:///etc/passwd", "Unavailable"),
        ("{url}", "//127.0.0.1/keys", "Unavailable"),
    ],
)
async def test_discovery_believes_an_address_at_the_issuers_own_only(
    issuer: FakeIssuer, named: str, where: str, found: str
) -> None:
    document = {"issuer": named.format(url=issuer.url), "jwks_uri": where.format(url=issuer.url)}
    issuer.pages["/.well-known/openid-configuration"] = http(json.dumps(document))
    issuer.pages["/keys"] = issuer.pages[JWKS]
    keys = KeySet(Issuer.model_validate(issuer.settings(jwks_url=None)))

    assert await outcome(keys, "kid-0") == found
    await keys.close()
