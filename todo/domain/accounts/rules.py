"""Rules for accounts, independent of storage: initial roles, passwords."""

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
_COMMENTS = frozenset(f"comments.{verb}" for verb in ("view", "add", "change", "delete"))
_LABELS = frozenset(f"labels.{verb}" for verb in ("view", "add", "change", "delete"))
_VIEWS = frozenset(f"views.{verb}" for verb in ("view", "add", "change", "delete"))
_PROJECTS = frozenset(f"projects.{verb}" for verb in ("view", "add", "change", "delete", "share"))
_SERIES = frozenset({"series.view", "series.change"})
_REMINDERS = frozenset(f"reminders.{verb}" for verb in ("view", "add", "change", "delete"))
_NOTIFICATIONS = frozenset({"notifications.view", "notifications.change"})
_INVITING = frozenset(f"invitations.{verb}" for verb in ("view", "add", "delete"))

# Admin permissions: common ones, read-only ones, and operating ones.
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
        "impersonate", "begin_vacation", "end_vacation", "set_quota",
    )
) | {
    "personal_tokens.revoke", "passkeys.revoke", "jobs.retry", "jobs.abort", "schedules.run_now",
    "deliveries.retry",
}  # fmt: skip

# The initial roles of an installation. Afterwards they are rows that operators edit.
GRANTS: dict[str, frozenset[str]] = {
    SUPERUSER: frozenset({EVERYTHING}),
    ADMIN: _ACCOUNT | _INVITING | _LOOKING | _HELPING | _STEERING,
    SUPPORT: _ACCOUNT | _ADMIN | _HELPING,
    AUDITOR: _ACCOUNT | _LOOKING | {"audit.values"},
    MEMBER: _ACCOUNT | _COMMENTS | _LABELS | _PROJECTS | _TASKS | _SERIES | _REMINDERS | _NOTIFICATIONS | _VIEWS,
}

# Common ways to lengthen a password: the most popular short ones, doubled or in pairs.
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
LONGEST_PASSWORD = 1024  # bytes; longer ones only cost time
TIMEZONES = frozenset(available_timezones()) - {"Factory", "localtime"}


def covers(actor: Actor, permissions: Iterable[str]) -> bool:
    """Return whether the actor has all these permissions. Those that every member has are not required."""
    return all(actor.may(permission) for permission in set(permissions) - GRANTS[MEMBER])


# Authentication methods that count as a second factor (RFC 8176; `recovery` is ours).
FACTORS = frozenset({"otp", "recovery", "hwk"})

# Permissions no personal access token can have: their effects would outlive the token.
NEVER_SCOPES = frozenset(
    {
        "users.grant_role", "users.reset_second_factor", "users.impersonate", "users.add_service_account",
        "roles.add", "roles.change", "roles.delete", "invitations.add", "signing_keys.rotate", "signing_keys.revoke",
        "signing_keys.rewrap",         "passkeys.revoke",
    }
)  # fmt: skip

# Permissions of a user who must still set up a second factor.
ENROLLMENT_ONLY = frozenset({"accounts.me", "accounts.second_factor", "accounts.sessions"})


def until_second_factor(actor: Actor, required: str) -> Actor:
    """Reduce the actor to setting up a second factor when the policy (`none`, `staff`, `all`) requires a missing one.

    Staff are users with more permissions than a member.
    """
    staff = not actor.permissions <= GRANTS[MEMBER]
    required_now = required == "all" or (required == "staff" and staff)
    if not required_now or actor.amr & FACTORS:
        return actor
    held = ENROLLMENT_ONLY if EVERYTHING in actor.permissions else actor.permissions & ENROLLMENT_ONLY
    return replace(actor, permissions=held)


def password_problem(password: str, email: str, shortest: int) -> str | None:
    """Return why a password is rejected (NIST SP 800-63B-4 section 3.1.1.2), or None. No composition rules."""
    if len(password) < shortest:
        return f"The password must have at least {shortest} characters. Several words are easy to remember."
    if len(password.encode()) > LONGEST_PASSWORD:
        return f"The password must have at most {LONGEST_PASSWORD} bytes."
    own = {email, email.partition("@")[0]} - {""}
    folded = password.casefold()
    if len(set(folded)) < 4 or folded in COMMON_PASSWORDS or _only(own, folded) or _is_run(folded):
        return "The password is too easy to guess. Choose another one."
    return None


def _only(words: set[str], password: str) -> bool:
    """Return whether a password consists only of these words and digits."""
    for word in sorted(words, key=len, reverse=True):
        password = password.replace(word, "")
    return not password.strip("0123456789 .-_!")


def _is_run(password: str) -> bool:
    """Return whether a password is a sequence of the alphabet, the digits or the keyboard."""
    return any(password in (row * 6) or password in (row * 6)[::-1] for row in KEYBOARD)
