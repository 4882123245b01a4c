"""What holds for accounts, whatever stores them: roles to begin with, e-mail addresses, passwords."""

import re
import unicodedata
from zoneinfo import available_timezones

from todo.access import EVERYTHING

SUPERUSER, MEMBER = "superuser", "member"

# The roles a new installation begins with; afterwards they are rows that operators edit.
GRANTS: dict[str, frozenset[str]] = {
    SUPERUSER: frozenset({EVERYTHING}),
    MEMBER: frozenset({"accounts.me", "tasks.view", "tasks.add", "tasks.change", "tasks.delete"}),
}

LONGEST_PASSWORD = 1024  # bytes; longer ones only cost time
TIMEZONES = frozenset(available_timezones()) - {"Factory", "localtime"}


def normalise_email(email: str) -> str:
    """The form under which an address is unique: trimmed, NFC, lower case."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def is_email(email: str) -> bool:
    """Whether mail could reach this; only the mail itself can tell more."""
    return (
        len(email) <= 254
        and re.fullmatch(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+", email) is not None
    )


def password_problem(password: str, email: str, shortest: int) -> str | None:
    """Why this password is refused (NIST SP 800-63B-4 section 3.1.1.2), or None. No rules of composition."""
    if len(password) < shortest:
        return f"A password has at least {shortest} characters; several words are easy to keep in mind."
    if len(password.encode()) > LONGEST_PASSWORD:
        return f"A password has at most {LONGEST_PASSWORD} bytes."
    if len(set(password)) < 4 or password.casefold() in {email, email.partition("@")[0]}:
        return "This password is too easy to guess."
    return None
