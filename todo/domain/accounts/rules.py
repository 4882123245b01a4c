"""What holds for accounts, whatever stores them: roles to begin with, e-mail addresses, passwords."""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from zoneinfo import available_timezones

from todo.access import EVERYTHING, Actor

SUPERUSER, ADMIN, SUPPORT, AUDITOR, MEMBER = "superuser", "admin", "support", "auditor", "member"

_ACCOUNT = frozenset(
    f"accounts.{verb}"
    for verb in ("me", "change", "password", "sessions", "tokens", "second_factor", "passkeys", "leave")
)
_TASKS = frozenset(f"tasks.{verb}" for verb in ("view", "add", "change", "delete"))
_SERIES = frozenset({"series.view", "series.change"})
_REMINDERS = frozenset(f"reminders.{verb}" for verb in ("view", "add", "change", "delete"))
_NOTIFICATIONS = frozenset({"notifications.view", "notifications.change"})
_INVITING = frozenset(f"invitations.{verb}" for verb in ("view", "add", "delete"))

# Of the admin: what everybody needs in it, what looks only, and what steers.
_ADMIN = frozenset({"admin.enter", "audit.view", "users.view", "sessions.view", "invitations.view", "runs.view"})
_ADMIN |= frozenset(f"saved_views.{verb}" for verb in ("view", "add", "change", "delete"))
_SIGN_INS = frozenset(
    f"{name}.view" for name in ("roles", "personal_tokens", "passkeys", "identities", "signing_keys", "issuers")
)
_ENGINE = frozenset(f"{name}.view" for name in ("operations", "jobs", "schedules", "workers", "deliveries"))
_LOOKING = _ADMIN | _SIGN_INS | _ENGINE | {"settings.view", "metrics.view", "users.export", "audit.export"}
_HELPING = frozenset({"users.sign_out", "users.send_reset", "sessions.end"})
_STEERING = frozenset(
    f"users.{verb}"
    for verb in (
        "change", "disable", "enable", "grant_role", "take_role", "reset_second_factor", "add_service_account",
        "impersonate",
    )
) | {
    "personal_tokens.revoke", "passkeys.revoke", "jobs.retry", "jobs.abort", "schedules.run_now",
    "deliveries.retry",
}  # fmt: skip

# The roles a new installation begins with; afterwards they are rows that operators edit.
GRANTS: dict[str, frozenset[str]] = {
    SUPERUSER: frozenset({EVERYTHING}),
    ADMIN: _ACCOUNT | _INVITING | _LOOKING | _HELPING | _STEERING,
    SUPPORT: _ACCOUNT | _ADMIN | _HELPING,
    AUDITOR: _ACCOUNT | _LOOKING | {"audit.values"},
    MEMBER: _ACCOUNT | _TASKS | _SERIES | _REMINDERS | _NOTIFICATIONS,
}

# What people reach for when a password must be long: the best-known short ones, twice or in pairs.
_FAVORITES = (Path(__file__).parent / "favourite_passwords.txt").read_text().split()
_ENDINGS = ("1", "!", "123", "1234", "12345", "2024", "2025", "2026")
COMMON_PASSWORDS = frozenset(
    {first + second for first in _FAVORITES for second in (*_FAVORITES, *_ENDINGS)}
    | {word * times for word in _FAVORITES for times in (3, 4)}
    | {"correcthorsebatterystaple", "thisismypassword", "mypasswordismypassword", "iloveyouverymuch"}
)
KEYBOARD = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertyuiopasdfghjklzxcvbnm",
)
LOCAL_SIGNS = "!#$%&'*+/=?^_`{|}~-"  # of an e-mail address before the `@` (RFC 5322 section 3.2.3)
LONGEST_PASSWORD = 1024  # bytes; longer ones only cost time
TIMEZONES = frozenset(available_timezones()) - {"Factory", "localtime"}


def covers(actor: Actor, permissions: Iterable[str]) -> bool:
    """Whether the actor may do all that; what every member may do with what is their own counts for nothing."""
    return all(actor.may(permission) for permission in set(permissions) - GRANTS[MEMBER])


# How a session can have proven more than a password (RFC 8176; `recovery` is ours).
FACTORS = frozenset({"otp", "recovery", "hwk"})

# What a personal access token can never carry: power that would outlive the token.
NEVER_SCOPES = frozenset(
    {
        "users.grant_role", "users.reset_second_factor", "users.impersonate", "users.add_service_account",
        "roles.add", "roles.change", "roles.delete", "invitations.add", "signing_keys.rotate", "signing_keys.revoke",
        "passkeys.revoke",
    }
)  # fmt: skip

# What somebody who still owes a second factor may do: enrol one, or leave.
ENROLLING = frozenset({"accounts.me", "accounts.second_factor", "accounts.sessions"})


def until_reauthenticated(actor: Actor, required: str) -> Actor:
    """The actor, cut down to enrolling when the policy (`none`, `staff`, `all`) asks for a proof that is missing.

    Staff is whoever may do more than a member.
    """
    staff = not actor.permissions <= GRANTS[MEMBER]
    list_query = required == "all" or (required == "staff" and staff)
    if not list_query or actor.amr & FACTORS:
        return actor
    held = ENROLLING if EVERYTHING in actor.permissions else actor.permissions & ENROLLING
    return replace(actor, permissions=held)


def normalise_email(email: str) -> str:
    """The form under which an address is unique: trimmed, NFC, lower case."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def is_email(email: str) -> bool:
    """Whether this is one address, spelled in one way; only a mail can tell whether somebody reads it.

    Letters and digits of any script, and `.!#$%&'*+/=?^_`{|}~-` before the `@`: no quotes, comments, address literals,
    invisible characters, or characters that only look like another one (RFC 5321 and RFC 6531 allow more).
    """
    local, _, domain = email.rpartition("@")
    labels = domain.split(".")
    return (
        len(email.encode()) <= 254
        and len(local.encode()) <= 64
        and unicodedata.normalize("NFKC", email) == unicodedata.normalize("NFC", email)
        and all(_is_spelled(part, LOCAL_SIGNS) for part in local.split("."))
        and len(labels) > 1
        and all(_is_spelled(label, "-") and _is_host_label(label) for label in labels)
        and not labels[-1].isdecimal()
    )


def _is_spelled(text: str, signs: str) -> bool:
    """Whether a text is made of letters, marks, digits and these signs, and is not empty."""
    return bool(text) and all(one in signs or unicodedata.category(one)[0] in "LMN" for one in text)


def _is_host_label(label: str) -> bool:
    try:
        return len(label.encode("idna")) <= 63 and not label.startswith("-") and not label.endswith("-")
    except UnicodeError:
        return False


def password_problem(password: str, email: str, shortest: int) -> str | None:
    """Why this password is refused (NIST SP 800-63B-4 section 3.1.1.2), or None. No rules of composition."""
    if len(password) < shortest:
        return f"A password has at least {shortest} characters; several words are easy to keep in mind."
    if len(password.encode()) > LONGEST_PASSWORD:
        return f"A password has at most {LONGEST_PASSWORD} bytes."
    own = {email, email.partition("@")[0]} - {""}
    folded = password.casefold()
    if len(set(folded)) < 4 or folded in COMMON_PASSWORDS or _only(own, folded) or _is_run(folded):
        return "This password is among the first that others would try; choose one that is yours alone."
    return None


def _only(words: set[str], password: str) -> bool:
    """Whether a password is nothing but these words and digits."""
    for word in sorted(words, key=len, reverse=True):
        password = password.replace(word, "")
    return not password.strip("0123456789 .-_!")


def _is_run(password: str) -> bool:
    """Whether a password walks along the alphabet, the digits or the keyboard."""
    return any(password in (row * 6) or password in (row * 6)[::-1] for row in KEYBOARD)
