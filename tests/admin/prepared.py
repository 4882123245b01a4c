"""Rows in the state that each action of the admin needs, and what its form asks for."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from support.admin_rows import Rows
from support.factories import Person
from support.sharing import share

from todo.admin.declaration import Action, ModelAdmin, Resource
from todo.admin.registry import Registry
from todo.database import Database, now
from todo.modules import MODULES

SCHEDULE = MODULES.schedules[0].function.__qualname__


class Target(NamedTuple):
    """What an action is carried out on: the id of a row ("" for the whole resource), and its form."""

    row_id: str
    form: dict[str, Any] = {}


class Scene(NamedTuple):
    """What rows are prepared with."""

    registry: Registry
    database: Database
    person: Person
    rows: Rows
    sql: Any

    async def row(self, resource: str, /, **values: Any) -> str:
        return str(await self.rows.of(self.registry.table(resource), **values))

    async def occurrence(self) -> dict[str, Any]:
        due = {"kind": "day", "date": "2031-01-31"}
        return await self.person.add(due=due, recurrence={"rrule": "FREQ=DAILY"})

    async def post(self, path: str) -> None:
        assert (await self.person.http.post(path, json={})).status_code == 200


async def _with_role(scene: Scene) -> Target:
    row_id = await scene.row("users")
    given = "INSERT INTO user_roles (user_id, role_id) SELECT $1::text::uuid, id FROM roles WHERE name = 'support'"
    await scene.sql.execute(given, row_id)
    return Target(row_id, {"role": "support"})


async def _occurrence(scene: Scene) -> Target:
    return Target((await scene.occurrence())["id"])


async def _closed(scene: Scene) -> Target:
    task = await scene.person.add()
    await scene.post(f"/api/tasks/{task['id']}/complete")
    return Target(task["id"])


async def _series(scene: Scene) -> Target:
    return Target((await scene.occurrence())["series_id"])


async def _overdue(scene: Scene) -> Target:
    target = await _series(scene)
    await scene.sql.execute("UPDATE tasks SET due_at = '2020-01-31', due = due || '{\"date\": \"2020-01-31\"}'")
    return target


async def _paused(scene: Scene) -> Target:
    target = await _series(scene)
    await scene.post(f"/api/series/{target.row_id}/pause")
    return target


async def _waiting_job(scene: Scene) -> Target:
    path = f"/api/admin/schedules/{SCHEDULE}/actions/run_now"
    assert (await scene.person.http.post(path)).status_code == 200
    return Target(await scene.sql.fetchval("SELECT key FROM saq_jobs WHERE status = 'queued' LIMIT 1"))


async def _ended_job(scene: Scene) -> Target:
    target = await _waiting_job(scene)
    answer = await scene.person.http.post(f"/api/admin/jobs/{target.row_id}/actions/abort")
    assert answer.status_code == 200
    return target


async def _service_account(scene: Scene) -> Target:
    number = await scene.sql.fetchval("SELECT count(*) FROM users")
    return Target("", {"name": f"robot-{number}", "roles": ["member"]})


async def _schedule(scene: Scene) -> Target:
    return Target(SCHEDULE)


def _row(resource: str, form: dict[str, Any] | None = None, /, **values: Any) -> "Prepare":
    async def prepare(scene: Scene) -> Target:
        return Target(await scene.row(resource, **values), form or {})

    return prepare


Prepare = Callable[[Scene], Awaitable[Target]]


async def _shared_project(scene: Scene) -> Target:
    row_id, member_id = await scene.row("projects"), await scene.row("users")
    await share(scene.sql, row_id, UUID(member_id))
    return Target(row_id, {"user_id": member_id})


STATES: dict[str, Prepare] = {
    "users.grant_role": _row("users", {"role": "support"}),
    "users.take_role": _with_role,
    "users.enable": _row("users", status="disabled"),
    "users.add_service_account": _service_account,
    "users.set_quota": _row("users", {"resource": "tasks", "limit": 5}),
    "users.begin_vacation": _row("users", {"until": str(now().date() + timedelta(days=7))}),
    "users.end_vacation": _row("users", vacations=[["2031-01-01", "2031-01-31"]]),
    "projects.unarchive": _row("projects", archived_at=now()),
    "projects.transfer": _shared_project,
    "tasks.skip": _occurrence,
    "tasks.reopen": _closed,
    "series.pause": _series,
    "series.resume": _paused,
    "series.end": _series,
    "series.run": _series,
    "series.skip_missed": _overdue,
    "runs.cancel": _row("runs", resource="tasks", action="change", status="running", target={}),
    "runs.undo": _row("runs", resource="tasks", action="change", status="done", target={}),
    "deliveries.retry": _row("deliveries", failed_at=now()),
    "jobs.retry": _ended_job,
    "jobs.abort": _waiting_job,
    "schedules.run_now": _schedule,
}


async def target_of(scene: Scene, resource: Resource, action: Action) -> Target:
    """Something that this action can be carried out on."""
    prepare = STATES.get(f"{resource.name}.{action.name}")
    if prepare:
        return await prepare(scene)
    if action.on == "resource" or not isinstance(resource, ModelAdmin):
        return Target("")
    return Target(await scene.row(resource.name))
