"""A changed TODO_SECRET_KEY: the former one is a fallback until `todo keys rewrap` has run."""

import json
from uuid import UUID

from cli.database import query
from conftest import SECRET, SECRET_KEY

from todo.domain.accounts.services.encryption import decrypt, encrypt
from todo.settings import SecretKey

NEW = "another secret, just as long as it must be"
SEED = b"JBSWY3DPEHPK3PXP"


def purpose(user_id: UUID) -> str:
    return f"authenticator app of {user_id}"


def with_an_app(todo, url: str) -> UUID:
    """The id of a person whose authenticator app was set up under the former key."""
    todo("createsuperuser", "--email", "ada@example.com", "--password", "correct horse battery staple",
         TODO_DATABASE_URL=url)  # fmt: skip
    user_id: UUID = query(url, "SELECT id FROM users WHERE email = 'ada@example.com'")[0]["id"]
    secret = encrypt(SEED, SECRET_KEY, purpose(user_id))
    query(url, "INSERT INTO totp (user_id, secret, confirmed_at, last_step) VALUES ($1, $2, now(), 0)", user_id, secret)
    return user_id


def findings(todo, **environment: str) -> dict[str, str]:
    return {one["id"]: one["message"] for one in json.loads(todo("check", "--json", **environment).output)}


def test_secrets_move_to_the_new_key_and_then_need_no_other(todo, url: str) -> None:
    user_id = with_an_app(todo, url)
    changed = {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": NEW}
    both = changed | {"TODO_SECRET_KEY_FALLBACKS": f"{'x' * 40}, {SECRET}"}

    before = findings(todo, **both)
    done = todo("keys", "rewrap", **both)
    again = todo("keys", "rewrap", **both)

    stored = query(url, "SELECT secret FROM totp")[0]["secret"]
    assert "start" not in before and "2 signing keys and 1 authenticator apps" in before["secrets.former_key"]
    assert (done.exit_code, done.output) == (0, "1 done.\nEncrypted again: 2 signing keys and 1 authenticator apps.\n")
    assert again.output == "1 done.\nEncrypted again: 0 signing keys and 0 authenticator apps.\n"
    assert decrypt(stored, SecretKey(NEW), purpose(user_id)) == SEED
    assert not {"start", "secrets.former_key"} & findings(todo, **changed).keys()
    (event, _) = query(url, "SELECT actor, after FROM audit_events WHERE action = 'signing_keys.rewrap' ORDER BY at")
    assert event["actor"].startswith("cli:")
    assert json.loads(event["after"]) == {"signing_keys": 2, "authenticator_apps": 1}


def test_without_the_former_key_nothing_opens_and_nothing_is_changed(todo, url: str) -> None:
    with_an_app(todo, url)
    before = query(url, "SELECT private_key FROM signing_keys ORDER BY id")

    refused = todo("keys", "rewrap", TODO_DATABASE_URL=url, TODO_SECRET_KEY=NEW)

    assert refused.exit_code == 1
    assert "TODO_SECRET_KEY: not the key this database's secrets were encrypted with." in refused.output
    assert query(url, "SELECT private_key FROM signing_keys ORDER BY id") == before


def test_a_secret_of_no_known_key_stops_the_rewrap(todo, url: str) -> None:
    user_id = with_an_app(todo, url)
    foreign = encrypt(SEED, SecretKey("y" * 40), purpose(user_id))
    query(url, "UPDATE totp SET secret = $1", foreign)

    refused = todo("keys", "rewrap", TODO_DATABASE_URL=url, TODO_SECRET_KEY=NEW, TODO_SECRET_KEY_FALLBACKS=SECRET)

    assert refused.exit_code == 1
    assert "TODO_SECRET_KEY_FALLBACKS" in refused.output
    assert query(url, "SELECT secret FROM totp")[0]["secret"] == foreign


def test_fallbacks_are_not_shown(todo) -> None:
    shown = todo("settings", TODO_SECRET_KEY_FALLBACKS=SECRET).output

    assert "former secret" in " ".join(shown.lower().replace("│", " ").split()) and SECRET not in shown
