"""The language of texts that are computed for a request: English, but on pages in another language."""

from contextvars import ContextVar

_CODE: ContextVar[str] = ContextVar("language", default="en")


def speak(code: str) -> None:
    """Set the language of what follows in this request."""
    _CODE.set(code)


def spoken() -> str:
    """Return the code of the language of this request."""
    return _CODE.get()
