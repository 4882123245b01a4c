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

import asyncpg
import httpx
import pytest
from conftest import FAST, SECRET, settings_for
from support.factories import PASSWORD
from support.hosts import Host, hosts
from support.processes import Process, eventually, started

from todo.cli.migrate import install
from todo.embedded.server import Server

TRUST = "host all all samenet trust\nhost replication all samenet trust\n"
PORT = 8000
PEOPLE = 4


class Site:
    """A primary on the first host, a replica on the second, and a server and a worker on each."""

    def __init__(self, folder: Path, first: Host, second: Host, stack: ExitStack) -> None:
        self.hosts = [first, second]
        self._folder = folder
        self._stack = stack
        self.primary = Server(folder / "first", settings=FAST | {"listen_addresses": first.address})
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
            self._copy()
            self.replica.start()
        self.processes = [self._run(host, command) for host in self.hosts for command in ("server", "worker")]

    def _copy(self) -> None:
        cluster, programs = self.replica._cluster, self.replica._programs
        self.replica._make_private(cluster)
        done = programs.run(
            "pg_basebackup", "-R", "-c", "fast", "-h", self.hosts[0].address, "-U", "todo", "-D", programs.seen(cluster)
        )
        assert done.returncode == 0, done.stderr

    def _run(self, host: Host, command: str) -> Process:
        environment = {
            "TODO_DATABASE_URL": f"postgresql://todo@{self.hosts[0].address}/todo", "TODO_SECRET_KEY": SECRET,
            "TODO_HOST": host.address, "TODO_PORT": str(PORT), "TODO_RATE_LIMIT": "off", "TODO_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        if host is self.hosts[1]:
            environment["TODO_DATABASE_READ_URL"] = f"postgresql://todo@{host.address}/todo"
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


async def fetch(server: Server, sql: str) -> list[Any]:
    connection = await asyncpg.connect(server.url)  # a socket in the file system, which has no host
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


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

    async def ask(self, path: str, body: object, **headers: str) -> Any:
        key = {"Idempotency-Key": uuid4().hex, **headers}
        while True:
            base = self._bases[next(self._turn) % 2]
            with suppress(httpx.TransportError):
                async with httpx.AsyncClient(base_url=base, timeout=3, headers=key) as http:
                    answer = await http.post(path, json=body)
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
            await self.ask("/api/tasks", {"title": title}, Authorization=f"Bearer {token}")
            self.titles.append(title)
            await asyncio.sleep(0.1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, where only root can look."""
    folder = Path(tempfile.mkdtemp(prefix="todo-hosts-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def site(folder: Path) -> AsyncIterator[Site]:
    with ExitStack() as stack:
        first, second = stack.enter_context(hosts(2))
        site = Site(folder, first, second, stack)
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
    assert await fetch(site.primary, "SELECT function FROM job_runs WHERE status = 'failed'") == []
