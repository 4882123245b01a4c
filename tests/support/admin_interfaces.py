"""The faces of the admin behind one signature, so that a test asks the same thing of each and compares."""

import contextlib
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import click
import httpx
import msgspec
from support.admin_table import BASE
from support.factories import OPERATOR, Person, origin_for

from todo.access import Actor, worker_origin
from todo.admin.declaration import ModelAdmin
from todo.admin.fields import write_text
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery, Match, Selection
from todo.admin.service import AdminService
from todo.cli.admin import COMMANDS
from todo.database import Database
from todo.domain.accounts.services.authentication import actor_of
from todo.errors import Problem

LET_THROUGH = 200
ID = "0190f5f0-7c1d-7000-8000-000000000000"
COMMAND_BODIES = {command.name: command.body for command in COMMANDS}


class Answer(NamedTuple):
    """200, or what refused it; and what was answered, as JSON."""

    status: int
    body: Any = None


@dataclass
class Ask:
    """What is asked of a face: a verb of a resource, and what goes with it."""

    verb: str
    resource: str
    row_id: str = ID
    values: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, list[str]] = field(default_factory=dict)
    match: Match = "all"
    sort: str = ""
    q: str = ""
    action: str = ""


@dataclass
class Stage:
    """Where faces are asked: somebody on an instance."""

    registry: Registry
    database: Database
    person: Person

    async def actor(self) -> Actor:
        async with self.database.session(worker_origin()) as session:
            found = await actor_of(session, self.person.id)
        assert found is not None
        return found


Face = Callable[[Stage, Ask], Awaitable[Answer]]


async def by_service(stage: Stage, ask: Ask) -> Answer:
    try:
        admin = AdminService(stage.registry, stage.database, origin_for(await stage.actor(), "admin"))
        return Answer(LET_THROUGH, plain(await _serve(admin, ask)))
    except Problem as problem:
        return Answer(int(problem.status))


async def _serve(admin: AdminService, ask: Ask) -> Any:
    list_query = ListQuery(filters=dict(ask.filters), match=ask.match, sort=ask.sort, q=ask.q)
    match ask.verb:
        case "view":
            return await admin.queries.page(ask.resource, list_query)
        case "get":
            return await admin.queries.get(ask.resource, ask.row_id)
        case "history":
            return await admin.history.of_row(ask.resource, ask.row_id)
        case "explain":
            return await admin.explanations.of_row(ask.resource, ask.row_id)
        case "export":
            return json.loads(
                b"".join([part async for part in await admin.files.export(ask.resource, list_query, "json")])
            )
        case "add":
            return await admin.editor.add(ask.resource, ask.values)
        case "change":
            return await admin.editor.change(ask.resource, ask.row_id, ask.values)
        case "delete":
            return await admin.editor.delete(ask.resource, ask.row_id)
        case "import":
            return await admin.imports.import_rows(ask.resource, json.dumps([ask.values]).encode(), "json", apply=True)
        case "act on one":
            return await admin.actions.act_on_one(ask.resource, ask.action, ask.row_id, ask.values)
        case _:
            return await admin.actions.act(ask.resource, ask.action, Selection(), ask.values)


async def by_rest(stage: Stage, ask: Ask) -> Answer:
    base = f"{BASE}/{ask.resource}"
    query: dict[str, Any] = {**ask.filters} | ({"sort": ask.sort} if ask.sort else {}) | ({"q": ask.q} if ask.q else {})
    query |= {"match": ask.match} if ask.match != "all" else {}
    method, path, body = {
        "view": ("GET", base, None),
        "get": ("GET", f"{base}/{ask.row_id}", None),
        "history": ("GET", f"{base}/{ask.row_id}/history", None),
        "explain": ("GET", f"{base}/{ask.row_id}/explanation", None),
        "export": ("GET", f"{base}/export", None),
        "add": ("POST", base, ask.values),
        "change": ("PATCH", f"{base}/{ask.row_id}", ask.values),
        "delete": ("DELETE", f"{base}/{ask.row_id}", None),
        "import": ("POST", f"{base}/import", {"rows": [ask.values], "apply": True}),
        "act on one": ("POST", f"{base}/{ask.row_id}/actions/{ask.action}", ask.values),
        "act": ("POST", f"{base}/actions/{ask.action}", ask.values),
        "act on resource": ("POST", f"{base}/actions/{ask.action}", ask.values or None),
    }[ask.verb]
    query |= {"form": "json"} if ask.verb == "export" else {}
    query |= {"unknown": "1"} if ask.verb == "act" and ask.values else {}  # a form that asks for nothing has no body
    answer = await stage.person.http.request(method, path, params=query, json=body)
    return Answer(LET_THROUGH if answer.status_code < 300 else answer.status_code, _body(answer))


def _body(answer: httpx.Response) -> Any:
    return answer.json() if answer.status_code < 300 and answer.content else None


async def by_cli(stage: Stage, ask: Ask) -> Answer:
    """As `todo admin ... --as PERSON --json --yes`, without opening the database anew."""
    out = io.StringIO()
    try:
        admin = AdminService(
            stage.registry, stage.database, origin_for(replace(await stage.actor(), by=OPERATOR), "cli")
        )
        verb, options = _command(ask)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            await COMMAND_BODIES[verb](admin, **options)
        return Answer(LET_THROUGH, json.loads(out.getvalue() or "null"))
    except Problem as problem:
        return Answer(int(problem.status))


def _command(ask: Ask) -> tuple[str, dict[str, Any]]:
    resource: dict[str, Any] = {"resource": ask.resource}
    values = [f"{name}={write_text(value)}" for name, value in ask.values.items()]
    filters = [f"{name}={value}" for name, values in ask.filters.items() for value in values]
    chosen = resource | {"filters": filters, "q": ask.q, "trash": False, "sort": ask.sort, "match": ask.match}
    shown = {"as_json": True}
    acted = resource | shown | {"everything": False, "filters": [], "q": "", "trash": False, "yes": True}
    match ask.verb:
        case "view":
            return "list", chosen | shown | {"limit": 50, "cursor": None, "columns": None}
        case "get":
            return "get", resource | shown | {"row_id": ask.row_id}
        case "history":
            return "history", resource | shown | {"row_id": ask.row_id, "limit": 50, "cursor": None}
        case "explain":
            return "explain", resource | shown | {"row_id": ask.row_id}
        case "export":
            return "export", chosen | {"form": "json", "file": _Out()}
        case "add":
            return "add", resource | shown | {"values": values}
        case "change":
            return "set", resource | shown | {"row_id": ask.row_id, "values": values, "version": None}
        case "delete":
            return "delete", resource | shown | {"ids": [ask.row_id], "yes": True}
        case "import":
            file = io.BytesIO(json.dumps([ask.values]).encode())
            return "import", resource | shown | {"file": file, "form": "json", "apply": True}
        case "act on one":
            return "act", acted | {"action": ask.action, "ids": [ask.row_id], "values": values}
        case _:
            return "act", acted | {"action": ask.action, "ids": [], "values": values}


class _Out:
    """A file that is the terminal."""

    def write(self, part: bytes) -> None:
        click.echo(part.decode(), nl=False)


FACES: dict[str, Face] = {"service": by_service, "rest": by_rest, "cli": by_cli}


def plain(answer: Any) -> Any:
    return json.loads(msgspec.json.encode(answer))


def has_rows(resource: Any) -> bool:
    return isinstance(resource, ModelAdmin)
