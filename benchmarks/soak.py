"""Whether what was acknowledged is there after faults: processes killed, the database stopped, frozen and crashed.

    uv run python -m benchmarks.soak [--minutes 20] [--seed 1]

Two servers, two workers and the embedded PostgreSQL, under people who add tasks, complete recurring ones and register.
Each request has an `Idempotency-Key` and is repeated until it is acknowledged. Every few seconds a fault is injected,
chosen at random. In the end nothing may be lost, doubled or left undone; then the exit code is 0.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import httpx

from benchmarks import SECRET
from todo.cli.migrate import install
from todo.embedded.server import Server
from todo.settings import load_settings

PEOPLE = 8
PAUSE = 0.15  # seconds between the requests of a person
FAULT_PAUSES = (2.0, 8.0)  # seconds between two faults
FREEZE_SECONDS = (3.0, 12.0)
FLOOD = 5_000  # jobs
SETTLE_SECONDS = 180.0
PASSWORD = "correct horse battery staple"
SERIES = {"title": "Water", "due": {"kind": "day", "date": "2031-01-01"}, "recurrence": {"rrule": "FREQ=DAILY"}}
JOBS = """INSERT INTO waiting_jobs (id, created_at, updated_at, version, function, arguments, request_id)
    SELECT gen_random_uuid(), now(), now(), 1, 'sum_up_usage', '{}', 'soak' FROM generate_series(1, $1)"""
WATERED = """SELECT email, count(*) FILTER (WHERE tasks.status = 'done'), count(*) FILTER (WHERE tasks.status = 'open')
    FROM tasks JOIN users ON users.id = owner_id WHERE title = 'Water' GROUP BY email"""
UNDONE = """SELECT (SELECT count(*) FROM waiting_jobs)
    + (SELECT count(*) FROM deliveries WHERE done_at IS NULL AND failed_at IS NULL)
    + (SELECT count(*) FROM saq_jobs WHERE status = 'active')"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Site:
    """The database, and the processes that are started again when they end."""

    def __init__(self, database: Server, folder: Path) -> None:
        self.database = database
        self.ports = [free_port(), free_port()]
        self._folder = folder
        self._log = (folder / "log").open("wb")
        self._processes: dict[str, Popen[bytes]] = {}
        self.is_over = False

    @property
    def names(self) -> list[str]:
        return [f"server {self.ports[0]}", f"server {self.ports[1]}", "worker 1", "worker 2"]

    def _start(self, name: str) -> Popen[bytes]:
        command, _, port = name.partition(" ")
        environment = {
            "TODO_DATABASE_URL": self.database.url, "TODO_SECRET_KEY": SECRET, "TODO_ENV": "test",
            "TODO_PORT": port if command == "server" else "8000", "TODO_LOG_LEVEL": "WARNING", "TODO_RATE_LIMIT": "off",
            "TODO_ARGON2_MEMORY_KIB": "8", "TODO_ACCESS_TOKEN_SECONDS": "86400", "TODO_DRAIN_SECONDS": "0",
            "PATH": os.defpath,
        }  # fmt: skip
        return Popen(
            [sys.executable, "-m", "todo", command], env=environment, cwd=Path(__file__).parent.parent,
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    async def keep(self) -> None:
        """Start what has ended, until cancelled."""
        while True:
            for name in self.names:
                process = self._processes.get(name)
                if process is None or process.poll() is not None:
                    self._processes[name] = self._start(name)
            await asyncio.sleep(0.5)

    def kill(self, command: str) -> None:
        """Kill one process of a kind."""
        name = random.choice([one for one in self.names if one.startswith(command)])
        if process := self._processes.get(name):
            process.kill()

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait()


class Acknowledged:
    """What the service has confirmed."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.completed: Counter[str] = Counter()  # occurrences, by the owner of the series
        self.emails: list[str] = []
        self.repeats: Counter[str] = Counter()  # refused attempts, by reason


async def serves(port: int) -> None:
    """Wait until a server is ready."""
    async with httpx.AsyncClient(timeout=30) as http:
        for _ in range(600):
            with suppress(httpx.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/health/ready")).is_success:
                    return
            await asyncio.sleep(0.2)
    raise RuntimeError(f"The server on port {port} did not start.")


async def ask(site: Site, found: Acknowledged, method: str, path: str, **options: Any) -> httpx.Response:
    """Repeat a request with one key, to any server, until it is answered for good."""
    key = {"Idempotency-Key": uuid4().hex} | options.pop("headers", {})
    while True:
        base = f"http://127.0.0.1:{random.choice(site.ports)}"
        try:
            async with httpx.AsyncClient(base_url=base, timeout=30) as http:
                answer = await http.request(method, path, headers=key, **options)
        except httpx.TransportError as error:
            found.repeats[type(error).__name__] += 1
        else:
            if answer.status_code < 400:
                return answer
            if answer.status_code not in {409, 503}:  # 409: the first attempt is still under way
                raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
            found.repeats[str(answer.status_code)] += 1
        await asyncio.sleep(0.5)


async def sign_up(site: Site, found: Acknowledged) -> tuple[str, dict[str, str]]:
    """Register a new person. Return the address and the headers that sign in."""
    person = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    await ask(site, found, "POST", "/api/auth/register", json=person)
    found.emails.append(person["email"])
    token = (await ask(site, found, "POST", "/api/auth/login", json=person)).json()["access_token"]
    return person["email"], {"Authorization": f"Bearer {token}"}


async def work(site: Site, found: Acknowledged) -> None:
    """One person: adds tasks, completes an occurrence after the other, and now and then somebody registers."""
    email, me = await sign_up(site, found)
    await ask(site, found, "POST", "/api/tasks", json=SERIES, headers=me)
    while not site.is_over:
        title = uuid4().hex
        await ask(site, found, "POST", "/api/tasks", json={"title": title}, headers=me)
        found.titles.append(title)
        listed = await ask(site, found, "GET", "/api/tasks?status=open&q=Water", headers=me)
        (current,) = listed.json()["items"]
        await ask(site, found, "POST", f"/api/tasks/{current['id']}/complete", headers=me)
        found.completed[email] += 1
        if random.random() < 0.1:
            await sign_up(site, found)
        await asyncio.sleep(PAUSE)


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Faults:
    """What goes wrong. Each is over when its coroutine returns."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def kill_server(self) -> None:
        self._site.kill("server")

    async def kill_worker(self) -> None:
        self._site.kill("worker")

    async def freeze_backends(self) -> None:
        pids = await self._fetch("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
        some = [pid for (pid,) in pids if random.random() < 0.7]
        with frozen(some):
            await asyncio.sleep(random.uniform(*FREEZE_SECONDS))

    async def crash_database(self) -> None:
        lines = (self._site.database.data_dir / "postgres/postmaster.pid").read_text().split()
        os.kill(int(lines[0]), signal.SIGQUIT)  # an immediate shutdown: the next start recovers from the log
        await asyncio.to_thread(self._start_again)

    def _start_again(self) -> None:
        while self._site.database.state() != "down":
            time.sleep(0.1)
        self._site.database.start()

    async def flood_queue(self) -> None:
        await self._fetch(JOBS, FLOOD)

    async def _fetch(self, sql: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self._site.database.url)
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()


async def inject(faults: Faults, until: float) -> Counter[str]:
    """Inject one fault after the other. Return how many of each."""
    kinds: list[Callable[[], Awaitable[None]]] = [
        faults.kill_server, faults.kill_worker, faults.freeze_backends, faults.crash_database, faults.flood_queue,
    ]  # fmt: skip
    done: Counter[str] = Counter()
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(*FAULT_PAUSES))
        fault = random.choice(kinds)
        await fault()
        done[fault.__name__] += 1  # type: ignore[attr-defined]
    return done


class Difference(NamedTuple):
    """Something that was acknowledged and what is there instead."""

    what: str
    acknowledged: object
    there: object


async def differences(url: str, found: Acknowledged) -> list[Difference]:
    """Compare what was acknowledged with the rows, once the workers are done."""
    connection = await asyncpg.connect(url)
    end, undone = time.monotonic() + SETTLE_SECONDS, -1
    while undone and time.monotonic() < end:
        undone = await connection.fetchval(UNDONE)
        await asyncio.sleep(1)
    titles, mails, people = [
        Counter(value for (value,) in await connection.fetch(f"SELECT {what}"))
        for what in (
            "title FROM tasks WHERE title <> 'Water'",
            "recipient FROM deliveries WHERE done_at IS NOT NULL",
            "email FROM users WHERE kind = 'person'",
        )
    ]
    watered = await connection.fetch(WATERED)
    await connection.close()
    completed = Counter({email: count for email, count, _ in watered if count})
    wanted = [
        Difference("jobs and e-mails left", 0, undone),
        Difference("tasks", Counter(found.titles), titles),
        Difference("completed occurrences", found.completed, completed),
        Difference("open occurrences of each series", {1}, {count for _, _, count in watered}),
        Difference("people", Counter(found.emails), people),
        Difference("addresses that got an e-mail", {*found.emails}, {*mails}),  # each repeated registration sends one
    ]
    return [one for one in wanted if one.acknowledged != one.there]


async def soak(site: Site, minutes: float) -> bool:
    """Run everything. Return whether nothing differs."""
    found = Acknowledged()
    keeping = asyncio.create_task(site.keep())
    await asyncio.gather(*(serves(port) for port in site.ports))
    people = [asyncio.create_task(work(site, found)) for _ in range(PEOPLE)]
    injected = await inject(Faults(site), time.monotonic() + minutes * 60)
    site.is_over = True
    await asyncio.gather(*people)
    different = await differences(site.database.url, found)
    keeping.cancel()
    print(f"{minutes:g} minutes, faults: {', '.join(f'{count} {name}' for name, count in sorted(injected.items()))}")
    print(
        f"acknowledged: {len(found.titles)} tasks, {found.completed.total()} occurrences, {len(found.emails)} people;"
        f" repeated: {dict(found.repeats)}"
    )
    for one in different:
        print(f"DIFFERENT {one.what}: acknowledged {str(one.acknowledged)[:300]}, there {str(one.there)[:300]}")
    return not different


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, help="of the random choices; their timing differs nevertheless")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="todo-soak-") as folder, Server(Path(folder)) as server:
        settings = load_settings(_env_file=None, database_url=server.url, secret_key=SECRET, argon2_memory_kib=8)
        asyncio.run(install(settings, server.url))
        site = Site(server, Path(folder))
        try:
            equal = asyncio.run(soak(site, options.minutes))
        finally:
            site.stop()
        violations = Popen(
            [sys.executable, "-m", "todo", "doctor"], cwd=Path(__file__).parent.parent,
            env={"TODO_DATABASE_URL": server.url, "TODO_SECRET_KEY": SECRET, "PATH": os.defpath},
        ).wait()  # fmt: skip
        if not equal or violations:
            print((Path(folder) / "log").read_text()[-20_000:], file=sys.stderr)
            raise SystemExit(1)
    print("Everything acknowledged is there, once; `todo doctor` finds nothing.")


if __name__ == "__main__":
    main()
