"""A release without a gap: the schema first, then every process, one by one, while people go on working."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count, cycle
from pathlib import Path

import asyncpg
import httpx
import pytest
from conftest import SECRET, create_database, settings_for
from inbox import Inbox
from support.factories import PASSWORD
from support.processes import Process, eventually, started
from support.releases import use_next_release
from support.servers import free_port

from todo import migrate, revisions

CLIENTS, PAUSE = 10, 0.2  # 50 requests a second


class Balancer:
    """Sends requests to servers that are ready, as a proxy with health checks does. `ready` are their ports."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._turn = count()
        self.ready: list[int] = []

    async def watch(self) -> None:
        async with httpx.AsyncClient(timeout=2) as http:
            while True:
                self.ready = [port for port in self._ports if await self._is_ready(http, port)]
                await asyncio.sleep(0.2)

    async def _is_ready(self, http: httpx.AsyncClient, port: int) -> bool:
        try:
            return (await http.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    def next(self) -> str:
        return f"http://127.0.0.1:{self.ready[next(self._turn) % len(self.ready)]}"


class Load:
    """People who add tasks, read them and register. What failed, and what was acknowledged."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._number = count()
        self.statuses: Counter[str] = Counter()
        self.titles: set[str] = set()
        self.registered: set[str] = set()

    async def go_on(self, headers: dict[str, str]) -> None:
        """Work on connections that are kept, until cancelled."""
        async with httpx.AsyncClient(headers=headers, timeout=10) as http:
            for kind in cycle(["add", "read", "add", "read", "register"]):
                try:
                    answer = await self._ask(http, kind, f"{next(self._number)}")
                    self.statuses[f"{kind} {answer.status_code}"] += 1
                except httpx.HTTPError as error:
                    self.statuses[f"{kind} {error!r}"] += 1
                await asyncio.sleep(PAUSE)

    async def _ask(self, http: httpx.AsyncClient, kind: str, name: str) -> httpx.Response:
        base = self._balancer.next()
        if kind == "read":
            return await http.get(f"{base}/api/tasks", params={"limit": 20})
        if kind == "add":
            answer = await http.post(f"{base}/api/tasks", json={"title": name})
            self.titles |= {name} if answer.status_code == 201 else set()
            return answer
        body = {"email": f"{name}@example.com", "password": PASSWORD}
        answer = await http.post(f"{base}/api/auth/register", json=body)
        self.registered |= {body["email"]} if answer.status_code == 201 else set()
        return answer


@pytest.fixture
async def url() -> str:
    return await create_database("todo_rolling", "todo_template")


@pytest.fixture
def start(tmp_path: Path, url: str, inbox: Inbox) -> Iterator[Callable[..., Process]]:
    """Start `server` or `worker`, on a port."""
    environment = {
        "TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_RATE_LIMIT": "off", "TODO_DRAIN_SECONDS": "2",
        "TODO_MAIL_URL": f"smtp://127.0.0.1:{inbox.port}", "TODO_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    with ExitStack() as stack:
        yield lambda command, port=1: stack.enter_context(
            started(tmp_path, command, **environment, TODO_PORT=str(port))
        )


async def until(condition: Callable[[], bool], seconds: float = 180) -> bool:
    return await asyncio.to_thread(eventually, condition, seconds)


async def signed_in(base: str) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=f"{base}/api/auth") as http:
        body = {"email": "ada@example.com", "password": PASSWORD}
        await http.post("/register", json=body)
        answer = await http.post("/login", json=body)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def migrate_to_the_next_release(url: str, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use_next_release(folder, patch, 'compatible_with = "{head}"')
        assert await migrate.upgrade(settings_for(url), url)
    revisions.known.cache_clear()


@pytest.mark.timing
async def test_a_release_fails_no_request_and_loses_or_doubles_no_job(
    tmp_path: Path, url: str, start: Callable[..., Process], inbox: Inbox
) -> None:
    ports = [free_port(), free_port()]
    balancer = Balancer(ports)
    load = Load(balancer)
    servers = {port: start("server", port) for port in ports}
    workers = [start("worker"), start("worker")]
    watching = asyncio.create_task(balancer.watch())
    assert await until(lambda: len(balancer.ready) == 2), [one.output for one in servers.values()]
    headers = await signed_in(balancer.next())
    people = [asyncio.create_task(load.go_on(headers)) for _ in range(CLIENTS)]

    await migrate_to_the_next_release(url, tmp_path)
    for port in ports:
        assert await asyncio.to_thread(servers[port].end) == 0
        servers[port] = start("server", port)
        assert await until(lambda port=port: port in balancer.ready), servers[port].output
    for old in workers:
        assert await asyncio.to_thread(old.end) == 0
        start("worker")
    for task in (watching, *people):
        task.cancel()
    await asyncio.wait([watching, *people])
    assert await until(lambda: {"ada@example.com", *load.registered} <= {to for to, _ in inbox.taken})

    assert set(load.statuses) == {"add 201", "read 200", "register 201"}, load.statuses
    connection = await asyncpg.connect(url)
    titles = [row["title"] for row in await connection.fetch("SELECT title FROM tasks")]
    await connection.close()
    assert load.titles <= set(titles)
    assert len(titles) == len(set(titles))
    assert Counter(to for to, _ in inbox.taken).most_common(1)[0][1] == 1
