"""What schemathesis is let off: refusals of well-formed requests that no schema can foretell, each with its reason."""

import re
from typing import Any

import schemathesis

FORESEEN = {
    "query.cursor": "only the service makes one, for one list and order",
    "query.sort": "a pattern cannot say that each field comes once",
    "body.token": "only a mail tells one",
    "body.state": "only the options of a passkey tell one",
    "body.credential": "only a browser signs one",
    "body.timezone": "the names are those of the machine's zone data",
    "body.due": "a calendar, and such a time zone",
    "body.start": "a calendar, and such a time zone",
    "body.recurrence": "a grammar of its own (RFC 5545), counted from the task's due; some fields go together",
    "body.rrule": "a grammar of its own (RFC 5545)",
    "body.ics": "a format of its own (RFC 5545)",
    "body.until": "a calendar day or time",
    "body.from": "today or later",
    "body.exceptions": "days or times as the occurrences are",
    "body.expire_after_seconds": "goes with on_missed=expire",
    "body.parent_id": "only a task of theirs that this one is not above",
    "body.project_id": "only a project to which they may add tasks",
    "body.user_id": "only a person there is, who is not the owner",
    "body.name": "a person has one label of a name, whatever its case",
    "body.every_occurrence": "a task that does not come back has one occurrence",
    "body.status": "a series begins with an open task",
    "body.created_at": "in the past",
    "body.completed_at": "in the past, of a closed task",
    "body.section_id": "only a section of the project",
    "body.assignee_ids": "only people who see the project",
    "body.blocker_id": "only another task that they see, and that does not wait for this one",
    "body.after_id": "only a task with the same project and parent",
    "body.labels": "something to see",
    "body.text": "something to see",
    "body.projects": "only projects they see",
    "body.title": "something to see",
    "body.filter": "as query.filter",
    "body.sort": "as query.sort",
    "query.view": "only a view there is",
    "query.filter": "a language of its own (docs/filters.md)",
    "query.label": "something to see, without commas",
    "body.minutes": "either these, or until",
    "body.timing.at": "in the future",
    "body.quiet_hours": "they end at another time than they begin",
    "query.until": "goes with include=upcoming",
    "query.days": "goes with when=upcoming",
    **dict.fromkeys(
        (
            "query.when",
            "query.due_before",
            "query.due_after",
            "query.changed_since",
            "query.completed_before",
            "query.completed_after",
        ),
        "each lists in the order of its instant, so only one of them at a time",
    ),
    "query.q": "a search needs a letter or a digit",
    "query.scope": "what a change may be for is up to its body and task",
    "body.scopes": "only what the one who asks may do",
    "body.roles": "roles are rows",
    "body.email": "an address is more than a pattern",
    "body.password": "favorite passwords are refused, and how short one may be is a setting",
    "body.new_password": "as body.password",
}
ADMIN = {
    "body.task_id": "only a task that they see",
    "query.columns": "fields of the resource; as a pattern these take long to generate",
    "body.matching": "its filters are those of the resource (todo/admin/filters.py)",
    "body.ids": "either these, or matching",
    "body.form": "a change of nothing",
    "body.rows": "as many as there are, with the fields that the resource has",
    "body.csv": "as body.rows",
    "body.xlsx": "as body.rows",
    "body.mapping": "only columns of the file, and fields that the resource has",
    "body.after": "only an import there is",
    "body.owner_id": "somebody there is",
    "body.form.owner_id": "as body.owner_id",
    "body.resource": "only a resource there is",
    "body.permissions": "only permissions there are",
    "body.name": "of a service account, part of an address",
    "body.status": "closing and reopening have actions of their own",
}
CALENDAR = "Use a day, a month, a year"  # of filters by time: a pattern cannot say which days and years there are
BARE = re.compile(r"parameter `(\w+)` in query - violates")


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts; the 422 of a well-formed request does not when all it names is foreseen."""
    if failure.code == "ST301" and case.path.startswith("/api/admin/"):
        return False  # with preview=true nothing is deleted, and what lies in the trash can be looked at
    bare = BARE.search(failure.message) if failure.code == "ST201" else None
    if bare and isinstance((case.query or {}).get(bare[1]), bool | float):
        return False  # on the wire it is a list of one text
    if failure.code != "ST202" or response.status_code != 422:
        return True
    problem = response.json()
    errors = problem.get("errors", [])
    known = FORESEEN | (ADMIN if problem["instance"].startswith("/api/admin/") else {})
    if not errors and "/import" in problem["instance"]:
        return False  # as body.rows: no row, or a character that cannot be stored in one of them
    return problem["code"] != "idempotency-key-reused" and not (
        errors and all(foreseen(error, known) or of_a_filter(error, case.query or {}) for error in errors)
    )


def foreseen(error: dict[str, str], known: dict[str, str]) -> bool:
    """Whether the field, or one it is part of, is in the list."""
    return any(f"{error['field']}.".startswith(f"{name}.") for name in known)


def of_a_filter(error: dict[str, str], query: dict[str, Any]) -> bool:
    """Whether a filter of the administration has a day that there is not, or `set`, which is alone, beside others."""
    values = query.get(error["field"].removeprefix("query."))
    return error["message"].startswith(CALENDAR) or (isinstance(values, list) and "set" in values and len(values) > 1)
