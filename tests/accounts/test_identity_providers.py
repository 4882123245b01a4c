"""Tokens of identity providers: only good ones, and only for the account that is theirs."""

import json
import time
from typing import Any, TypeAlias

import asyncpg
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from support.issuer import JWKS, FakeIssuer, Trust, http, new_key, public_jwk, refused

from todo.domain.accounts.services.identity_providers import IdentityProviders
from todo.errors import Unauthorized, Unavailable
from todo.setting_errors import SettingsError
from todo.settings import load_settings

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
RSA = new_key("RS256")


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519", "ES256", "ES512", "RS256", "PS256"])
async def test_every_algorithm_of_the_contract_opens(issuers: IdentityProviders, issuer: FakeIssuer, alg: str) -> None:
    issuer.rotate(alg, RSA if alg.endswith("S256") and alg[0] != "E" else None)

    await issuers.verify(issuer.token())


@pytest.mark.parametrize(("published", "signed"), [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA")])
async def test_the_two_names_of_ed25519_are_one(
    issuers: IdentityProviders, issuer: FakeIssuer, published: str, signed: str
) -> None:
    issuer.rotate(published)

    await issuers.verify(issuer.token(alg=signed))


async def test_a_token_as_better_auth_1_7_makes_it_opens(
    issuers: IdentityProviders, issuer: FakeIssuer, sql: Sql
) -> None:
    """Header, claims and JWKS entry as recorded from better-auth 1.7.7, jwt plugin, memory adapter, Node 20."""
    kid, subject = "gusF07xn9q7VKE7IxnSBAehjGb3iqz75", "0Dv3t3Vq6TXJXASr7Uhy73YBY1EeRnSD"
    key, issued = new_key(), int(time.time())
    entry = public_jwk(key, kid)
    issuer.publish({"alg": "EdDSA", "crv": "Ed25519", "x": entry["x"], "kty": "OKP", "kid": kid})
    claims = {
        "iat": issued, "name": "Ada", "email": "ada@example.com", "emailVerified": False,
        "createdAt": "2026-11-21T07:58:47.251Z", "updatedAt": "2026-11-21T07:58:47.251Z", "id": subject,
        "sub": subject, "exp": issued + 900, "iss": issuer.url, "aud": "todo-api",
    }  # fmt: skip
    token = jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": None})
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": kid}

    await issuers.verify(token)

    person = await sql.fetchrow("SELECT u.email, u.name, i.subject, i.email AS claimed FROM users u, identities i")
    assert (person["subject"], person["claimed"], person["name"]) == (subject, "ada@example.com", "Ada")
    assert person["email"].endswith("@127.0.0.1.invalid")  # not verified, so not theirs


FAR = 9_999_999_999
BAD_CLAIMS: list[dict[str, Any]] = [
    {"exp": None}, {"iat": None}, {"aud": None}, {"sub": None},
    {"exp": "soon"}, {"exp": 1}, {"exp": float("inf")}, {"exp": [FAR]}, {"iat": "now"}, {"iat": {}},
    {"aud": "other-api"}, {"aud": ""}, {"aud": []}, {"aud": ["other-api"]}, {"aud": {"todo-api": 1}}, {"aud": 7},
    {"aud": ["todo-api", 7]}, {"aud": "better-auth:session-cache"}, {"aud": "TODO-API"},
    {"sub": ""}, {"sub": 7}, {"sub": ["a"]}, {"sub": "x" * 256}, {"sub": "a\x00b"}, {"sub": "a\nb"}, {"sub": "\ud800"},
    {"nbf": FAR}, {"nbf": "later"}, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
]  # fmt: skip


@pytest.mark.parametrize("claims", BAD_CLAIMS, ids=lambda claims: repr(claims)[:60])
async def test_a_claim_that_is_missing_wrong_or_absurd_is_refused(
    issuers: IdentityProviders, issuer: FakeIssuer, sql: Sql, claims: dict[str, Any]
) -> None:
    await refused(issuers.verify(issuer.token(**claims)))

    assert await sql.fetchval("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"exp": -25, "iat": -900}, True),
        ({"exp": -35, "iat": -900}, False),
        ({"iat": 25}, True),
        ({"iat": 35}, False),
        ({"nbf": 25}, True),
        ({"nbf": 35}, False),
        ({"iat": 0, "exp": 86_400}, True),
        ({"iat": 0, "exp": 86_401}, False),
        ({"iat": -86_000, "exp": 900}, False),
    ],
)
async def test_clocks_may_differ_by_half_a_minute_and_lives_are_a_day_at_most(
    issuers: IdentityProviders, issuer: FakeIssuer, claims: dict[str, int], good: bool
) -> None:
    present = int(time.time())
    verifying = issuers.verify(issuer.token(**{name: present + offset for name, offset in claims.items()}))

    await (verifying if good else refused(verifying))


async def test_an_expired_token_says_so(issuers: IdentityProviders, issuer: FakeIssuer) -> None:
    with pytest.raises(Unauthorized, match="expired"):
        await issuers.verify(issuer.token(iat=1000, exp=1900))


async def test_one_audience_of_ours_among_several_is_enough(trust: Trust, issuer: FakeIssuer) -> None:
    issuers = trust(issuer.settings(audience=["todo-api", "todo-beta"]))

    await issuers.verify(issuer.token(aud=["mail-api", "todo-beta"]))
    await refused(issuers.verify(issuer.token(aud=["mail-api"])))


HEADERS: list[dict[str, Any]] = [
    {"kid": None}, {"kid": 7}, {"kid": ""}, {"kid": "x" * 129}, {"kid": "../../etc/passwd"},
    {"kid": "'; DROP TABLE users"},
    {"typ": "at+jwt"}, {"typ": "logout+jwt"}, {"typ": "better-auth.session-cache+jwt"}, {"typ": ["JWT"]}, {"typ": 7},
    {"crit": ["x"], "x": 1}, {"b64": False, "crit": ["b64"]},
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=repr)
async def test_a_header_that_is_not_an_access_tokens_is_refused(
    issuers: IdentityProviders, issuer: FakeIssuer, header: dict[str, Any]
) -> None:
    await refused(issuers.verify(issuer.raw({"alg": "EdDSA", "kid": issuer.kid} | header)))


@pytest.mark.parametrize(
    "header", [{"jwk": {}}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/"}]
)
async def test_a_key_brought_along_is_not_looked_at(
    issuers: IdentityProviders, issuer: FakeIssuer, other: FakeIssuer, header: dict[str, Any]
) -> None:
    brought = {"jku": other.url + JWKS, "x5u": other.url + JWKS, "jwk": public_jwk(other.keys["kid-0"][0], "kid-0")}
    name = next(iter(header))

    await refused(issuers.verify(other.token({name: brought[name]}, iss=issuer.url)))

    assert other.requests == []
    assert issuer.requests == [JWKS]


@pytest.mark.parametrize(
    "alg", ["none", "None", "nOnE", "HS256", "HS512", "ES384", "RS512", "Ed448", "", None, 7, ["EdDSA"]]
)
async def test_an_algorithm_off_the_list_is_refused(issuers: IdentityProviders, issuer: FakeIssuer, alg: Any) -> None:
    header = {"alg": alg, "kid": issuer.kid}

    await refused(issuers.verify(issuer.raw(header)))
    await refused(issuers.verify(issuer.raw(header, signature=b"")))
    assert issuer.requests == []


@pytest.mark.parametrize("alg", ["EdDSA", "RS256"])
async def test_the_public_key_is_no_secret_to_sign_with(
    issuers: IdentityProviders, issuer: FakeIssuer, alg: str
) -> None:
    """HS256 over every form of the public key, also when the issuer offers a secret among its keys."""
    issuer.rotate(alg, RSA if alg == "RS256" else None)
    public = issuer.keys[issuer.kid][0].public_key()
    secret = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "alg": "HS256"}
    issuer.publish(secret, public_jwk(issuer.keys[issuer.kid][0], issuer.kid))
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)

    for kid, key in [(issuer.kid, pem), (issuer.kid, der), ("secret", b"secret-secret-secret-secret-secret")]:
        signed = issuer.raw({"alg": "HS256", "kid": kid}, b"").rstrip(".").encode()
        signature = jwt.utils.base64url_encode(hmac.sign(signed, key)).decode()
        await refused(issuers.verify(f"{signed.decode()}.{signature}"))


async def test_a_key_serves_its_own_algorithm_only(issuers: IdentityProviders, issuer: FakeIssuer) -> None:
    issuer.rotate("RS256", RSA)

    await refused(issuers.verify(issuer.token(alg="PS256")))


async def test_an_algorithm_the_settings_leave_out_is_refused(trust: Trust, issuer: FakeIssuer) -> None:
    issuers = trust(issuer.settings(algorithms=["ES256"]))

    await refused(issuers.verify(issuer.token()))


async def test_a_short_rsa_key_opens_nothing(issuers: IdentityProviders, issuer: FakeIssuer) -> None:
    issuer.rotate("RS256", new_key("RS256", 1024))

    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token()
    await refused(issuers.verify(token))


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_changed_bit_is_refused(issuers: IdentityProviders, issuer: FakeIssuer, part: int) -> None:
    await issuers.warm()
    for place in (1, 20, 30):
        parts = issuer.token().split(".")
        changed = "B" if parts[part][place] != "B" else "C"
        parts[part] = parts[part][:place] + changed + parts[part][place + 1 :]
        await refused(issuers.verify(".".join(parts)))


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a.b.c", "....", "e30.e30.", "é.é.é", "\ud800.a.b", "W10.W10.W10", "x" * 3_000_000, "." * 9000],
)
async def test_what_is_no_token_is_refused(issuers: IdentityProviders, issuer: FakeIssuer, token: str) -> None:
    assert not issuers.knows(token)
    await refused(issuers.verify(token))
    assert issuer.requests == []


async def test_a_token_beyond_8_kib_is_refused_unread(issuers: IdentityProviders, issuer: FakeIssuer) -> None:
    token = issuer.token(name="x" * 8192)

    assert not issuers.knows(token)
    await refused(issuers.verify(token))
    await issuers.verify(issuer.token(name="x" * 5000))


async def test_a_stranger_is_not_asked_for_keys(issuers: IdentityProviders, other: FakeIssuer) -> None:
    for iss in (other.url, other.url + "/", None, ["x"], {"a": 1}, 7):
        token = other.raw({"alg": "EdDSA", "kid": other.kid}, iss=iss)
        assert not issuers.knows(token)
        await refused(issuers.verify(token))

    assert other.requests == []


async def test_an_issuer_signs_for_itself_only(trust: Trust, issuer: FakeIssuer, other: FakeIssuer) -> None:
    issuers = trust(issuer.settings(), other.settings())

    await refused(issuers.verify(issuer.token(iss=other.url)))


RFC9068 = {"client_id": "web", "jti": "1"}


@pytest.mark.parametrize(
    ("profile", "typ", "claims", "good"),
    [
        ("better-auth", None, {}, True),
        ("better-auth", "JWT", {}, True),
        ("better-auth", "at+jwt", RFC9068, False),
        ("oidc", "jwt", {}, True),
        ("oidc", "logout+jwt", {}, False),
        ("oidc", "better-auth.session-cache+jwt", {}, False),
        ("rfc9068", "at+jwt", RFC9068, True),
        ("rfc9068", "application/at+JWT", RFC9068, True),
        ("rfc9068", "at+jwt", {"client_id": "web"}, False),
        ("rfc9068", "at+jwt", {"jti": "1"}, False),
        ("rfc9068", "JWT", RFC9068, False),
        ("rfc9068", None, RFC9068, False),
        ("rfc9068", "application/application/at+jwt", RFC9068, False),
    ],
)
async def test_each_profile_takes_its_own_kind_of_token(
    trust: Trust, issuer: FakeIssuer, profile: str, typ: str | None, claims: dict[str, str], good: bool
) -> None:
    verifying = trust(issuer.settings(profile=profile)).verify(issuer.token({"typ": typ}, **claims))

    await (verifying if good else refused(verifying))


async def test_an_issuer_that_is_away_is_our_trouble_and_a_forged_token_is_not(
    trust: Trust, issuer: FakeIssuer
) -> None:
    issuer.pages[JWKS] = http("", "503 Service Unavailable")
    issuers = trust(issuer.settings())
    await issuers.warm()

    with pytest.raises(Unavailable) as caught:
        await issuers.verify(issuer.token())
    assert int(caught.value.headers["Retry-After"]) >= 1
    await refused(issuers.verify(issuer.raw({"alg": "EdDSA", "kid": 7})))


GOOD = {"issuer": "https://id.example.com", "audience": "todo-api", "profile": "oidc"}


@pytest.mark.parametrize("text", ["", "[]", json.dumps([GOOD]), json.dumps([GOOD | {"audience": ["a", "b"]}])])
def test_issuers_are_set_as_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TODO_ISSUERS", text)

    assert len(load_settings(_env_file=None).issuers) == len(json.loads(text or "[]"))


@pytest.mark.parametrize(
    "text",
    [
        "{", "7", '"x"', "[7]", json.dumps(GOOD), json.dumps([GOOD, GOOD]),
        *(json.dumps([GOOD | change]) for change in (
            {"profile": "saml"}, {"algorithms": ["HS256"]}, {"algorithms": []}, {"audience": ""}, {"audience": []},
            {"jwk_url": "https://id.example.com/keys"}, {"issuer": ""}, {"issuer": "id.example.com"},
            {"issuer": "file:///etc/passwd"}, {"jwks_url": "http://id.example.com/keys"}, {"jwks_url": "https://"},
            {"jwks_url": "http://127.0.0.1.evil.example/"}, {"jwks_url": "http://[bad"}, {"leeway": -1},
            {"max_token_lifetime": 0},
        )),
        json.dumps([{name: value for name, value in GOOD.items() if name != "audience"}]),
    ],
)  # fmt: skip
def test_a_bad_value_names_the_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TODO_ISSUERS", text)

    with pytest.raises(SettingsError, match=r"^TODO_ISSUERS"):
        load_settings(_env_file=None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_http_is_for_loopback_outside_production(host: str) -> None:
    entry = GOOD | {"issuer": f"http://{host}:3000"}

    assert load_settings(_env_file=None, env="development", issuers=[entry]).issuers[0].issuer == entry["issuer"]
    with pytest.raises(SettingsError, match="TODO_ISSUERS"):
        load_settings(_env_file=None, env="production", issuers=[entry])
