"""What must hold between users and what they store."""

from todo.invariants import Invariant

INVARIANTS = (
    Invariant(
        "usage_miscounted",
        "What counts towards the quotas of a user is what they store.",
        "users",
        "SELECT id FROM users WHERE id IN (SELECT miscounted_usage()) ORDER BY 1",
        (
            "UPDATE users SET version = version + recount_usage(id), updated_at = now()"
            " WHERE id IN (SELECT miscounted_usage())",
        ),
    ),
)
