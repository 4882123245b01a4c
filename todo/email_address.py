"""E-mail addresses: which ones are valid, and the one form in which each is stored. Nothing is looked up in the DNS."""

import unicodedata
from types import ModuleType


def parse_email(text: str, *, internal: bool = False) -> str | None:
    """Return the form of an address that is stored, or None when it is not valid. `internal` allows `todo@localhost`.

    Characters that only look like others become those (NFKC), domains are in Unicode, letters in lower case. A name
    beside the address, quotes, comments, IP addresses and invisible characters are not valid. Only an e-mail can
    verify that an address is used.
    """
    library = _library()
    try:
        found = library.validate_email(
            unicodedata.normalize("NFKC", text.strip()),
            check_deliverability=False,
            globally_deliverable=not internal,
            strict=True,
        )
    except library.EmailNotValidError:
        return None
    return str(found.normalized).lower()


def normalize_email(text: str) -> str:
    """Return the form by which an account is found: of what is not valid, its trimmed lower case."""
    return parse_email(text) or unicodedata.normalize("NFC", text.strip()).lower()


def _library() -> ModuleType:
    import email_validator  # noqa: PLC0415 -- it is not needed at the start

    if "local" in email_validator.SPECIAL_USE_DOMAIN_NAMES:  # as its documentation says
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove("local")
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove("localhost")
    return email_validator
