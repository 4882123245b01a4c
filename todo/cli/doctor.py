"""`todo doctor`: whether what must hold in the tables does, and repairing what does not."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import rich_click as click
from sqlalchemy import insert

from todo.access import Origin
from todo.actions import Action
from todo.audit import Event, event
from todo.cli.installation import with_session
from todo.cli.progress import working
from todo.database import WriteSession
from todo.domain.accounts.invariants import INVARIANTS as ACCOUNTS
from todo.domain.tasks.invariants import INVARIANTS as TASKS
from todo.domain.tasks.series.invariants import INVARIANTS as SERIES
from todo.invariants import Invariant

INVARIANTS = (*SERIES, *TASKS, *ACCOUNTS)
SHOWN = 5  # ids of each kind
REPAIRED: dict[str, Action] = {
    "occurrences": "occurrences.repair", "series": "series.repair", "tasks": "tasks.repair", "users": "users.repair",
}  # fmt: skip
REPAIR = "Run `todo doctor --repair`."
PATIENCE = "SET LOCAL statement_timeout = '30min'"  # every row is looked at
# No writes between finding and repairing rows; reads go on.
LOCK = "LOCK TABLE users, series, occurrences, tasks, reminders, personal_tokens IN SHARE ROW EXCLUSIVE MODE"
# The statement's own snapshot still shows the rows as they were.
CHANGED = """
    WITH changed AS ({statement} RETURNING {table}.*)
    SELECT old.id, to_jsonb(old), to_jsonb(changed) FROM changed JOIN {table} AS old ON old.id = changed.id"""


@dataclass(frozen=True)
class Violation:
    """Rows that break an invariant: how many, the first ids, and what to do about them."""

    name: str
    table: str
    count: int
    ids: list[str]
    meaning: str
    advice: str


@dataclass(frozen=True)
class Repaired:
    """A row that a repair has changed."""

    name: str
    table: str
    id: str


@click.command()
@click.option("--repair", is_flag=True, help="Repair what needs no decision by a person.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(repair: bool, as_json: bool) -> None:
    """Find rows that contradict each other, and repair them.

    Each line says what is wrong, how many rows, some of their ids, and what to do; exit code 1 if anything is left.
    Repairs are in the audit log.

    Example:

        todo doctor --repair
    """

    async def work(session: WriteSession) -> tuple[list[Repaired], list[Violation]]:
        await _rows(session, PATIENCE)
        if not repair:
            return [], await find(session)
        await _rows(session, LOCK)
        return await put_right(session), await find(session, after_repair=True)

    with working("Looking at every row"):
        repaired, violations = with_session(work)
    if as_json:
        click.echo(json.dumps({"repaired": repaired, "violations": violations}, default=vars, indent=2))
    else:
        _print(repaired, violations)
    if violations:
        raise SystemExit(1)


async def find(session: WriteSession, *, after_repair: bool = False) -> list[Violation]:
    """What is wrong in the tables."""
    found = []
    for rule in INVARIANTS:
        query = f"SELECT id, count(*) OVER () FROM ({rule.violations}) AS broken LIMIT {SHOWN}"  # noqa: S608 -- ours
        if rows := await _rows(session, query):
            advice = REPAIR if rule.repair and not after_repair else rule.advice
            ids = [str(row[0]) for row in rows]
            found.append(Violation(rule.name, rule.table, rows[0][1], ids, rule.meaning, advice))
    return found


async def put_right(session: WriteSession) -> list[Repaired]:
    """Repair what can be repaired without asking a person; each changed row is an event of the audit log."""
    repaired = []
    for rule in INVARIANTS:
        if rule.repair and await _rows(session, rule.violations):
            for statement in rule.repair:
                repaired += await _carry_out(session, rule, statement)
    return repaired


async def _carry_out(session: WriteSession, rule: Invariant, statement: str) -> list[Repaired]:
    table = statement.split()[1]
    rows = await _rows(session, CHANGED.format(statement=statement, table=table))
    events = [_event(session.origin, rule, table, *row) for row in rows]
    if events:
        await session.execute(insert(Event), events)
    return [Repaired(rule.name, table, str(row[0])) for row in rows]


def _event(
    origin: Origin, rule: Invariant, table: str, row_id: UUID, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    changed = {name for name in after if before[name] != after[name]} - {"updated_at", "version"}
    sides = {side: {name: row[name] for name in changed} for side, row in (("before", before), ("after", after))}
    return event(origin, REPAIRED[table], table, row_id, reason=rule.name, **sides)


async def _rows(session: WriteSession, sql: str) -> list[Any]:
    """What a statement of ours gives; as it stands, since colons in it are no parameters."""
    result = await (await session.connection()).exec_driver_sql(sql)
    return list(result.all()) if result.returns_rows else []


def _print(repaired: list[Repaired], violations: list[Violation]) -> None:
    for one in repaired:
        click.echo(f"repaired {one.name}: {one.table} {one.id}")
    for violation in violations:
        more = ", ..." if violation.count > len(violation.ids) else ""
        click.echo(
            f"{violation.name}: {violation.count} {violation.table} ({', '.join(violation.ids)}{more})."
            f" Expected: {violation.meaning} {violation.advice}"
        )
    if not violations:
        click.echo("Everything is in order.")
