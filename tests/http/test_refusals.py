"""A refusal arrives while the client still sends, whatever the client: it may close, or send everything first."""

import asyncio
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from conftest import SECRET, create_database
from support.processes import eventually
from support.servers import answers, free_port, serving

MB = 2**20
Request = tuple[str, str]  # URL and content type
CASES = {  # path and content type of what is refused before its body was read, and the status
    ("/api/tasks", "application/json"): 401,
    ("/nowhere", "application/json"): 404,
    ("/api/auth/login", "application/json"): 413,
    ("/api/auth/login", "text/plain"): 415,
    ("/api/auth/login?unknown=1", "application/json"): 422,
}
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ }}
http {{
    access_log off; client_max_body_size 0;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}"""
PROXY = "server {{ listen 127.0.0.1:{listen}; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """A server without rate limits, and one that has answered all it answers."""
    url = asyncio.run(create_database(f"refusals_{uuid4().hex}", "todo_template"))
    environment = {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET}
    folder = tmp_path_factory.mktemp("refusals")
    with (
        serving(folder, environment | {"TODO_RATE_LIMIT": "off"}) as port,
        serving(folder, environment | {"TODO_RATE_LIMIT": "1/day"}) as limited,
    ):
        for _ in range(2):
            httpx.get(f"http://127.0.0.1:{limited}/api/tasks")
        yield port, limited


def requests_to(ports: tuple[int, int]) -> list[Request]:
    port, limited = ports
    found = [(f"http://127.0.0.1:{port}{path}", kind) for path, kind in CASES]
    return [*found, (f"http://127.0.0.1:{limited}/api/auth/login", "application/json")]


def program(name: str) -> str:
    """The path of a program. Skips where it is missing, and fails in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return str(found)


@pytest.fixture
def proxied(ports: tuple[int, int], tmp_path: Path) -> Iterator[tuple[int, int]]:
    """nginx in front of both servers as `proxy_pass` comes: it speaks HTTP/1.0 and closes."""
    fronts = free_port(), free_port()
    servers = "\n".join(PROXY.format(listen=front, port=port) for front, port in zip(fronts, ports, strict=True))
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "conf").write_text(NGINX.format(folder=tmp_path, user=user, servers=servers))
    process = subprocess.Popen([program("nginx"), "-c", str(tmp_path / "conf"), "-e", str(tmp_path / "error.log")])
    try:
        assert eventually(lambda: all(map(answers, fronts))), (tmp_path / "error.log").read_text()
        yield fronts
    finally:
        process.terminate()
        process.wait()


def by_urllib(requests: list[Request], megabytes: int) -> list[int]:
    found = []
    for url, kind in requests:
        request = urllib.request.Request(url, b"a" * (megabytes * MB), {"Content-Type": kind}, method="POST")  # noqa: S310 -- ours
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)  # noqa: S310 -- ours
        with refused.value as answer:
            assert answer.headers.get_content_type() == "application/problem+json"
            found.append(answer.code)
    return found


def by_httpx(requests: list[Request], megabytes: int, **headers: str) -> list[int]:
    with httpx.Client(timeout=30, headers=headers) as client:
        body = b"a" * (megabytes * MB)
        return [client.post(url, content=body, headers={"Content-Type": kind}).status_code for url, kind in requests]


def by_node(how: str, requests: list[Request], megabytes: int) -> list[int]:
    command = [program("node"), str(Path(__file__).with_name("refused.mjs")), how, str(megabytes)]
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[int] = json.loads(done.stdout)
    return found


def by_curl(options: list[str], requests: list[Request], megabytes: int) -> list[int]:
    found = []
    for url, kind in requests:
        command = [program("curl"), "-sS", "-o", os.devnull, "-w", "%{http_code}", "--data-binary", "@-", *options]
        command += ["-H", f"Content-Type: {kind}", url]
        done = subprocess.run(command, input=b"a" * (megabytes * MB), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        found.append(int(done.stdout))
    return found


CLIENTS: dict[str, Callable[[list[Request], int], list[int]]] = {
    "urllib": by_urllib,
    "httpx": by_httpx,
    "httpx that closes": partial(by_httpx, Connection="close"),
    "node fetch": partial(by_node, "fetch"),
    "node http": partial(by_node, "http"),
    "curl": partial(by_curl, []),
    "curl that does not ask first": partial(by_curl, ["-H", "Expect:"]),
    "curl that closes": partial(by_curl, ["-H", "Expect:", "-H", "Connection: close"]),
    "curl over HTTP/1.0": partial(by_curl, ["--http1.0"]),
}


@pytest.mark.parametrize(("client", "megabytes"), [*((client, 8) for client in CLIENTS), ("urllib", 40)])
def test_every_client_sees_why_its_upload_is_refused(ports: tuple[int, int], client: str, megabytes: int) -> None:
    assert CLIENTS[client](requests_to(ports), megabytes) == [*CASES.values(), 429]


@pytest.mark.parametrize("megabytes", [8, 40])
def test_nginx_passes_every_refusal_on(proxied: tuple[int, int], megabytes: int) -> None:
    for _ in range(32 // megabytes + 1):
        assert by_curl(["-H", "Expect:"], requests_to(proxied), megabytes) == [*CASES.values(), 429]
