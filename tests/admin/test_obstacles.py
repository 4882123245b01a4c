"""Why a verb does not apply to a row, in a sentence that says what to do."""

from types import SimpleNamespace
from typing import Any

import pytest
from support.factories import OPERATOR

from todo.database import now
from todo.modules import REGISTRY

USUAL: dict[str, Any] = {
    "status": "open", "kind": "person", "timezone": "UTC", "vacations": [], "deleted_at": None, "series_id": None,
    "revoked_at": None, "expires_at": None, "failed_at": None, "owner_id": "somebody",
}  # fmt: skip
SERIES_ENDED = "This series has ended: give its last task a recurrence to go on."
OBSTACLES: list[tuple[str, dict[str, Any], str]] = [
    ("tasks.complete", {"status": "done"}, "This task is closed: reopen it first."),
    ("tasks.skip", {}, "This task comes only once: complete, cancel or delete it."),
    ("tasks.skip", {"status": "cancelled"}, "This task is closed: reopen it first."),
    ("tasks.change", {"deleted_at": now()}, "This task is in the trash: restore it first."),
    ("series.pause", {"status": "ended"}, SERIES_ENDED),
    ("series.end", {"status": "ended"}, SERIES_ENDED),
    ("series.run", {"status": "paused"}, "This series is paused: resume it first."),
    ("users.enable", {}, "This account is not disabled."),
    ("users.disable", {"status": "disabled"}, "This account is disabled."),
    ("users.send_reset", {"status": "disabled"}, "This account is disabled: enable it first."),
    ("users.send_reset", {"kind": "service"}, "This is a service account: it has tokens only. Revoke them instead."),
    ("users.end_vacation", {}, "There is no vacation to end: none is running or planned."),
    ("sessions.end", {"revoked_at": now()}, "This session has ended already."),
    ("personal_tokens.revoke", {"expires_at": now()}, "This token has expired already."),
    ("passkeys.revoke", {"revoked_at": now()}, "This passkey has ended already."),
    ("signing_keys.revoke", {"status": "active"},
     "This key signs tokens now: rotate the keys first, then revoke it."),
    ("deliveries.retry", {}, "This delivery has not failed: only failed ones can be retried."),
    ("saved_views.change", {}, "This view belongs to somebody else: save a view of your own."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("permission", "values", "message"), OBSTACLES, ids=[f"{name} {','.join(values)}" for name, values, _ in OBSTACLES]
)
def test_a_verb_that_does_not_apply_says_why_and_what_to_do(
    permission: str, values: dict[str, Any], message: str
) -> None:
    resource, _, verb = permission.partition(".")
    row = SimpleNamespace(**(USUAL | values))

    assert REGISTRY[resource].obstacle(OPERATOR, verb, row) == message
