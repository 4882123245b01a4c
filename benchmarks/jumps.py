"""How far a reader must travel: functions, files and jumps between files of one warm request.

    uv run python -m benchmarks.jumps

Counted are calls of functions in `todo/` (`sys.setprofile`): how many functions, in how many files, and how often a
call lands in another file of ours than the call before it. The profiler also reports a call when a coroutine goes on
after waiting, for each function up to the handler; the last number includes these.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import httpx

from benchmarks import SECRET
from todo.app import create_app
from todo.cli.migrate import install
from todo.embedded.server import Server
from todo.settings import load_settings

OURS = str(Path(__file__).parent.parent / "todo") + "/"
PERSON = {"email": "ada@example.com", "password": "correct horse battery staple"}
Request = Callable[[], Awaitable[httpx.Response]]


class Trace:
    """Follows control through our files while it is on."""

    def __init__(self) -> None:
        self.functions: set[CodeType] = set()
        self.files: set[str] = set()
        self._entered: set[FrameType] = set()  # keeps the frames, so that none is taken for another
        self.jumps = self.all_jumps = 0
        self._file = self._last_file = ""

    def __enter__(self) -> "Trace":
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(OURS):
            return
        file = frame.f_code.co_filename
        self.functions.add(frame.f_code)
        self.files.add(file)
        self.all_jumps += file != self._last_file
        self._last_file = file
        if frame in self._entered:
            return
        self._entered.add(frame)
        self.jumps += file != self._file
        self._file = file


async def trace(request: Request) -> Trace:
    with Trace() as found:
        answer = await request()
    answer.raise_for_status()
    return found


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="todo-jumps-") as folder, Server(Path(folder)) as server:
        settings = load_settings(
            _env_file=None, env="test", database_url=server.url, secret_key=SECRET, rate_limit="off", log_level="ERROR"
        )
        await install(settings, server.url)
        app = create_app(settings)
        async with (
            app.lifespan(),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
        ):
            await client.post("/api/auth/register", json=PERSON)
            token = (await client.post("/api/auth/login", json=PERSON)).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            await report(client)


async def report(client: httpx.AsyncClient) -> None:
    recurring = {"title": "Rent", "recurrence": {"rrule": "FREQ=DAILY"}, "due": due()}
    for name in ("add a task", "add a recurring task", "list tasks", "complete a recurring task with subtasks"):
        for _ in range(2):  # fill caches
            await trace(await prepared(client, name, recurring))
        found = await trace(await prepared(client, name, recurring))
        size = f"{len(found.functions):>4} functions{len(found.files):>4} files"
        print(f"{name:<42}{size}{found.jumps:>5} jumps{found.all_jumps:>5}")


async def prepared(client: httpx.AsyncClient, name: str, recurring: dict[str, Any]) -> Request:
    """The request to trace, with what it needs in place."""
    if name == "add a task":
        return lambda: client.post("/api/tasks", json={"title": "Milk"})
    if name == "add a recurring task":
        return lambda: client.post("/api/tasks", json=recurring)
    if name == "list tasks":
        return lambda: client.get("/api/tasks?status=open&sort=due_at")
    task = (await client.post("/api/tasks", json=recurring)).json()["id"]
    for title in ("Look up the account", "Transfer"):
        await client.post("/api/tasks", json={"title": title, "parent_id": task})
    return lambda: client.post(f"/api/tasks/{task}/complete")


def due() -> dict[str, str]:
    return {"kind": "day", "date": datetime.now(UTC).date().isoformat()}


if __name__ == "__main__":
    asyncio.run(main())
