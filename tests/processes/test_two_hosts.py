"""Two hosts, each with a server and a worker: the primary on one, on the other a replica, which is cut off."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from conftest import FAST, SECRET, settings_for
from support.factories import PASSWORD
from support.hosts import Host, hosts
from support.poolers import pooling, redis
from support.processes import Process, eventually, started
from support.replicas import copy, fetch

from todo.cli.migrate import install
from todo.embedded.server import Server

TRUST = "host all all samenet trust\nhost replication all samenet trust\n"
PORT = 8000
PEOPLE = 4
# A PgBouncer that forgets servers it cannot reach as fast as they are expected back.
PATIENCE = {
    "default_pool_size": "20", "server_connect_timeout": "2", "server_login_retry": "1", "tcp_user_timeout": "3000",
}  # fmt: skip
DURABLE = FAST | {"synchronous_commit": "on"}  # else a change is on its way to the replica for a fifth of a second
IS_READ = "SELECT idx_scan + seq_scan > 0 FROM pg_stat_user_tables WHERE relname = 'tasks'"


class Site:
    """A primary on the first host, a replica on the second, and a server and a worker on each.

    When it is pooled, both servers read at the replica, everything goes through PgBouncer, and jobs wait in Redis.
    """

    def __init__(self, folder: Path, first: Host, second: Host, stack: ExitStack, *, is_pooled: bool) -> None:
        self.hosts = [first, second]
        self._is_pooled = is_pooled
        self._urls: dict[Host, str] = {}
        self._queue_url = ""
        self._folder = folder
        self._stack = stack
        self.primary = Server(folder / "first", settings=DURABLE | {"listen_addresses": first.address})
        self.replica = Server(folder / "second", settings=FAST | {"listen_addresses": second.address})
        for server in (self.primary, self.replica):
            server.data_dir.mkdir()
            stack.callback(server.stop)

    async def start(self) -> None:
        with self.hosts[0].inside():
            self.primary.start()
        with (self.primary.data_dir / "postgres/pg_hba.conf").open("a") as rules:
            rules.write(TRUST)
        await fetch(self.primary, "SELECT pg_reload_conf()")
        await install(settings_for(self.primary.url), self.primary.url)
        with self.hosts[1].inside():
            copy(self.hosts[0].address, self.replica)
            self.replica.start()
        if self._is_pooled:
            self._put_between()
        self.processes = [self._run(host, command) for host in self.hosts for command in ("server", "worker")]

    def _put_between(self) -> None:
        """A PgBouncer on each host, in front of the primary and of the replica, and a queue in Redis on the first."""
        first, second = self.hosts
        databases = f"todo = host={first.address} user=todo\nreplica = host={second.address} dbname=todo user=todo"
        for host in self.hosts:
            with host.inside():
                self._urls[host] = self._stack.enter_context(pooling(databases, host.address, 6432, **PATIENCE))
        with first.inside():
            self._queue_url = self._stack.enter_context(redis(first.address, 6379))

    def _run(self, host: Host, command: str) -> Process:
        direct = f"postgresql://todo@{self.hosts[0].address}/todo"
        environment = {
            "TODO_DATABASE_URL": direct, "TODO_SECRET_KEY": SECRET, "TODO_RATE_LIMIT": "off",
            "TODO_HOST": host.address, "TODO_PORT": str(PORT), "TODO_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        if host is self.hosts[1]:
            environment["TODO_DATABASE_READ_URL"] = f"postgresql://todo@{host.address}/todo"
        if self._is_pooled:
            pooler = self._urls[host]
            environment |= {"TODO_DATABASE_URL": f"{pooler}/todo", "TODO_DATABASE_DIRECT_URL": direct}
            environment |= {"TODO_DATABASE_READ_URL": f"{pooler}/replica", "TODO_QUEUE_URL": self._queue_url}
        with host.inside():
            return self._stack.enter_context(started(self._folder, command, **environment))

    def health(self, host: Host) -> tuple[int, str]:
        """What a server says of itself, asked on its own host."""
        with host.inside(), suppress(httpx.HTTPError):
            answer = httpx.get(f"http://{host.address}:{PORT}/health/ready", timeout=20)
            return answer.status_code, answer.json()["database"]
        return 0, ""

    async def serves(self, host: Host, seconds: float = 120) -> bool:
        return await asyncio.to_thread(eventually, lambda: self.health(host) == (200, "ok"), seconds)


async def becomes(server: Server, sql: str, seconds: float = 120) -> None:
    """Wait until this is true."""
    async with asyncio.timeout(seconds):
        for _ in count():
            if (await fetch(server, sql))[0][0]:
                return
            await asyncio.sleep(0.2)


class Load:
    """People who add tasks and register at both servers, and repeat a request until it is acknowledged."""

    def __init__(self, site: Site) -> None:
        self._bases = [f"http://{host.address}:{PORT}" for host in site.hosts]
        self._turn = count()
        self.titles: list[str] = []
        self.emails: list[str] = []
        self.is_over = False

    async def ask(self, path: str, body: object = None, **headers: str) -> Any:
        """Add something, or read without a body."""
        key = {"Idempotency-Key": uuid4().hex, **headers} if body else headers
        method = "POST" if body else "GET"
        while True:
            base = self._bases[next(self._turn) % 2]
            with suppress(httpx.TransportError):
                async with httpx.AsyncClient(base_url=base, timeout=3, headers=key) as http:
                    answer = await http.request(method, path, json=body)
                    if answer.is_success:
                        return answer.json()
                    assert answer.status_code in {409, 503}, answer.text
            await asyncio.sleep(0.2)

    async def person(self) -> str:
        """Register somebody. Return their token."""
        body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
        await self.ask("/api/auth/register", body)
        self.emails.append(body["email"])
        return str((await self.ask("/api/auth/login", body))["access_token"])

    async def go_on(self) -> None:
        token = await self.person()
        while not self.is_over:
            title = uuid4().hex
            task = await self.ask("/api/tasks", {"title": title}, Authorization=f"Bearer {token}")
            self.titles.append(title)  # and the other server, which reads at the replica, must know it
            assert (await self.ask(f"/api/tasks/{task['id']}", Authorization=f"Bearer {token}"))["title"] == title
            await asyncio.sleep(0.1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, where only root can look."""
    folder = Path(tempfile.mkdtemp(prefix="todo-hosts-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=[False, True], ids=["direct", "pooled"])
async def site(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    with ExitStack() as stack:
        first, second = stack.enter_context(hosts(2))
        site = Site(folder, first, second, stack, is_pooled=request.param)
        await site.start()
        yield site


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    return await asyncio.to_thread(eventually, condition, seconds)


@pytest.mark.timing
async def test_a_host_that_is_cut_off_and_comes_back_loses_and_doubles_nothing(site: Site) -> None:
    first, second = site.hosts
    assert await site.serves(first) and await site.serves(second), [one.output for one in site.processes]
    load = Load(site)
    people = [asyncio.create_task(load.go_on()) for _ in range(PEOPLE)]
    assert await until(lambda: len(load.titles) > 20, 60)

    second.cut_off()
    assert await until(lambda: site.health(second) == (503, "away"), 60)
    before = len(load.titles)
    assert await until(lambda: len(load.titles) > before + 20, 60), "the other host goes on"
    assert site.health(first) == (200, "ok")
    second.heal()
    assert await site.serves(second), [one.output for one in site.processes]
    load.is_over = True
    await asyncio.gather(*people, load.person())

    await becomes(site.primary, "SELECT NOT EXISTS (SELECT FROM deliveries WHERE done_at IS NULL)")
    ((end,),) = await fetch(site.primary, "SELECT pg_current_wal_lsn()::text")
    await becomes(site.replica, f"SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn")
    for server in (site.primary, site.replica):
        titles, recipients = [
            Counter(value for (value,) in await fetch(server, f"SELECT {what}"))
            for what in ("title FROM tasks", "recipient FROM deliveries")
        ]
        assert titles == Counter(load.titles)
        assert {*recipients} == {*load.emails}
    assert (await fetch(site.replica, IS_READ))[0][0], "reads ran at the replica"
    assert await fetch(site.primary, "SELECT function FROM job_runs WHERE status = 'failed'") == []
