"""Keys that sort tasks as people have put them: between any two there is another."""

import string
from uuid import UUID

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase  # in the order of their bytes
MOST_KEY = 100  # characters; what would be longer gives the tasks around it new keys
ADDED = "U"  # before the keys of tasks that nobody has moved: they follow each other as they were added


class NoKeyBetween(Exception):
    """There is no key between two keys."""


def key_of_new(task_id: UUID) -> str:
    """Return the key of a task that nobody has moved, which the database computes alike (`models.BY_POSITION`)."""
    return ADDED + task_id.hex


def between(low: str, high: str | None) -> str:
    """Return the shortest key after `low` and before `high`; without it, after `low`. Raise NoKeyBetween."""
    if high is not None and high <= low:
        raise NoKeyBetween
    same = 0
    while high is not None and same < len(high) and low[same : same + 1].ljust(1, "0") == high[same]:
        same += 1
    if high is not None and same == len(high):
        raise NoKeyBetween
    prefix, low, high = (high or "")[:same], low[same:], None if high is None else high[same:]
    first, last = DIGITS.index(low[0]) if low else 0, DIGITS.index(high[0]) if high else len(DIGITS)
    if last - first > 1:
        return prefix + DIGITS[(first + last) // 2]
    if high is not None and len(high) > 1:
        return prefix + high[0]
    return prefix + DIGITS[first] + between(low[1:], None)


def spread(low: str, high: str, number: int) -> list[str]:
    """Return so many keys between two, in order. Raise NoKeyBetween."""
    if number == 0:
        return []
    middle = between(low, high)
    before = number // 2
    return [*spread(low, middle, before), middle, *spread(middle, high, number - before - 1)]
