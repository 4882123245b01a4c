"""Forms without a session that are as large as those with one: only forms of pages that the service made for a session.

Each of these pages has a signature behind the CSRF token, its first field. Strangers have none: of what they send, no
more is read than anywhere else.
"""

import hmac
import re
from hashlib import sha256
from time import time

from todo.http.middleware import ANONYMOUS_BODY_BYTES
from todo.settings import SecretKey

HOURS = 7 * 24  # after which a page is too old
FORM = re.compile(rb"form_token=([0-9a-f]{64}[0-9a-f]{40})&")
HOUR, MAC = slice(64, 72), slice(72, 104)


class LargeForms:
    """Makes and checks the signatures. `most` is the size of a form with a session, in bytes."""

    def __init__(self, secret: SecretKey, most: int):
        self._keys = [sha256(b"pages of sessions: " + one.encode()).digest() for one in secret.all]
        self._most = most

    def signature(self) -> str:
        """Return the signature for a page of a session."""
        hour = f"{int(time() / 3600):08x}"
        return hour + _mac(self._keys[0], hour)

    def signature_of(self, token: str) -> str:
        """Return the signature behind a CSRF token, for a page that goes on with its form, or nothing."""
        return token[HOUR.start :] if self._is_signed(token) else ""

    def limit(self, beginning: bytes) -> int:
        """Return how many bytes of a body may be read without a session."""
        found = FORM.match(beginning)
        return self._most if found and self._is_signed(found[1].decode()) else ANONYMOUS_BODY_BYTES

    def _is_signed(self, token: str) -> bool:
        hour, mac = token[HOUR], token[MAC.start :]
        is_ours = any(
            hmac.compare_digest(_mac(key, hour).encode(), mac.encode("utf-8", "replace")) for key in self._keys
        )
        return is_ours and int(time() / 3600) - int(hour, 16) <= HOURS


def _mac(key: bytes, hour: str) -> str:
    return hmac.new(key, hour.encode("utf-8", "replace"), sha256).hexdigest()[:32]
