"""`todo server` as strangers meet it: whatever they send, others are answered."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import SECRET, create_database
from support.processes import eventually
from support.servers import answers, serving

MB = 2**20
HEAD = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
STRANGER = "127.0.0.2"  # another address than the one of those who only want to be answered
LIMITS = {
    "TODO_HEAD_TIMEOUT": "2",
    "TODO_BODY_TIMEOUT": "2",
    "TODO_KEEP_ALIVE": "7",
    "TODO_MAX_CONNECTIONS_PER_ADDRESS": "50",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    url = asyncio.run(create_database(f"server_{uuid4().hex}", "todo_template"))
    return {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_RATE_LIMIT": "off", **LIMITS}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("server"), environment) as port:
        yield port


@contextmanager
def others_are_answered(port: int) -> Iterator[None]:
    """Ordinary requests go on for the time of the block, each on a connection of its own; all must be answered."""
    done, unanswered, slowest = threading.Event(), 0, 0.0

    def ask() -> None:
        nonlocal unanswered, slowest
        while not done.wait(0.02):
            began = time.monotonic()
            unanswered += not answers(port)
            slowest = max(slowest, time.monotonic() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert unanswered == 0, f"{unanswered} unanswered, slowest {slowest:.2f} s"


def connect(port: int, address: str = STRANGER) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))


@contextmanager
def connected(port: int, count: int, address: str = STRANGER) -> Iterator[list[socket.socket]]:
    """So many connections, for the time of the block."""
    with ExitStack() as opened:
        yield [opened.enter_context(connect(port, address)) for _ in range(count)]


def all_from(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def answer_to(port: int, parts: Iterable[bytes]) -> bytes:
    """Everything the server says to these bytes until it closes the connection."""
    with connect(port) as connection:
        for part in parts:
            connection.sendall(part)
        return all_from(connection)


def status_of(answer: bytes) -> int:
    """The status of a single answer, which must be a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower() and b"x-request-id: " in head.lower(), answer
    assert b"\r\nconnection: close" in head.lower() and body.endswith(b"}"), answer
    return int(head.split()[1])


@pytest.mark.parametrize(
    "parts, status",
    [
        ([HEAD, b"X-Big: ", *repeat(b"a" * MB, 40)], 431),
        ([b"GET /", *repeat(b"a" * MB, 40)], 414),
        ([HEAD, *repeat(b"a: b\r\n" * 4000, 100)], 431),
        ([b"\r\n" * MB, b"\r\n" * MB], 431),
        ([CHUNKED, b"1;", *repeat(b"a" * MB, 20)], 400),
        ([CHUNKED, b"1\r\na\r\n0\r\nX: ", *repeat(b"a" * MB, 20)], 400),
    ],
    ids=["header", "address", "many headers", "empty lines", "chunk extension", "trailer"],
)
def test_what_does_not_end_is_refused_while_others_are_answered(port: int, parts: list[bytes], status: int) -> None:
    with others_are_answered(port):
        assert status_of(answer_to(port, parts)) == status


@pytest.mark.parametrize(
    "request_, status",
    [
        (HEAD + b"X: " + b"a" * 33_000 + b"\r\n\r\n", 431),
        (HEAD + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET /" + b"a" * 8_192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /api/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
        (b"GET /health/live\r\n\r\n", 505),
        (b"POST /api/tasks HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"NONSENSE /health/live HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
    ids=[
        "header", "many headers", "address", "no host", "two hosts", "two credentials", "HTTP/0.9", "HTTP/1.0 chunked",
        "method", "two lengths",
    ],
)  # fmt: skip
def test_a_head_that_is_too_large_or_ambiguous_is_a_problem(port: int, request_: bytes, status: int) -> None:
    assert status_of(answer_to(port, [request_])) == status


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health/live?" + b"a=b&" * 2000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 32_000 + b"\r\nConnection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 90 + b"Connection: close\r\n\r\n",
        b"GET /health/live HTTP/1.0\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["address", "header", "many headers", "HTTP/1.0", "websocket"],
)
def test_what_is_within_the_limits_is_answered(port: int, request_: bytes) -> None:
    assert b"x-request-id" in answer_to(port, [request_])
    assert answer_to(port, [request_]).split()[1] in {b"200", b"422"}


@pytest.mark.parametrize(
    "kind, body",
    [
        ("application/x-www-form-urlencoded", b"a&" * 500_000),
        ("application/x-www-form-urlencoded", b"a=" + b"%2B" * 300_000),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 20_000),
        ("application/json", b'{"email":[' + b"{}," * 300_000 + b"{}]}"),
    ],
    ids=["fields", "escapes", "parts", "JSON"],
)
@pytest.mark.parametrize("cookie", ["", "Cookie: todo_admin=" + "a" * 43 + "\r\n"], ids=["no cookie", "cookie"])
def test_a_form_of_a_stranger_is_not_parsed(port: int, kind: str, body: bytes, cookie: str) -> None:
    path = "/api/auth/login" if "json" in kind else "/admin/login"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n{cookie}"

    with others_are_answered(port):
        for _ in range(5):
            answer = answer_to(port, [f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body])

            assert answer.split()[1] == (b"413" if cookie or "json" in kind else b"403"), answer


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"", None),
        (b"GET /health/live HTTP/1.1\r\nHo", 408),
        (HEAD + b"Content-Length: 100\r\n\r\n{", 408),
        (HEAD.replace(b"auth/login", b"tasks") + b"Content-Length: 100\r\n\r\n{", 401),
    ],
    ids=["nothing", "half a head", "half a body", "half a body nobody reads"],
)
def test_a_connection_that_falls_silent_is_closed(port: int, sent: bytes, status: int | None) -> None:
    with others_are_answered(port), connected(port, 40) as silent:
        for connection in silent:
            connection.sendall(sent)
        for connection in silent:
            answer = all_from(connection)
            assert answer == b"" if status is None else int(answer.split()[1]) == status


def test_a_head_that_drips_is_not_waited_for(port: int) -> None:
    with connect(port) as connection:
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 20:
                connection.sendall(b"G")
                connection.settimeout(0.1)
                with suppress(TimeoutError):
                    assert connection.recv(100).startswith(b"HTTP/1.1 4")
                    return
    pytest.fail("it was waited for")


def test_a_slow_body_is_waited_for(port: int) -> None:
    """Longer than the timeout, at a decent rate: 20 KB buy five more seconds."""
    body = b'{"email": "nobody@example.com", "password": "' + b"a" * 20_000
    with connect(port) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % (len(body) + 2) + body)
        connection.settimeout(3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        connection.settimeout(30)
        connection.sendall(b'"}')
        assert connection.recv(100).startswith(b"HTTP/1.1 4") and b"408" not in connection.recv(100)


def test_a_response_nobody_reads_is_not_kept(port: int) -> None:
    with connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(10):
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n")
        assert eventually(lambda: not is_connected(connection, port), 20)


def is_connected(connection: socket.socket, port: int) -> bool:
    """Whether the server holds its end of this connection, as the kernel says."""
    ours = f"{connection.getsockname()[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[2].endswith(f":{ours}") and row[3] == "01" for row in rows)


def test_one_address_cannot_take_all_connections(port: int) -> None:
    with others_are_answered(port), connected(port, 50):
        assert status_of(answer_to(port, [])) == 503
    assert eventually(lambda: b"200 OK" in answer_to(port, [LIVE]))


def test_with_few_files_four_hundred_silent_connections_leave_room_for_others(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    patient = environment | {"TODO_HEAD_TIMEOUT": "30"}
    with serving(tmp_path, patient, files=(200, 300)) as port, others_are_answered(port), connected(port, 400):
        assert answers(port)


def test_when_all_connections_are_taken_the_next_is_reported_so(tmp_path: Path, environment: dict[str, str]) -> None:
    few = {"TODO_MAX_CONNECTIONS": "20", "TODO_MAX_CONNECTIONS_PER_ADDRESS": "10", "TODO_HEAD_TIMEOUT": "3"}
    with serving(tmp_path, environment | few) as port, connected(port, 10), connected(port, 10, "127.0.0.3"):
        with connect(port, "127.0.0.4") as connection:
            assert status_of(all_from(connection)) == 503
        assert eventually(lambda: answers(port)), "silent ones are closed"


def test_a_connection_without_a_request_is_kept_for_as_long_as_set(port: int) -> None:
    with connect(port) as connection:
        began = time.monotonic()
        connection.sendall(LIVE.replace(b"close", b"keep-alive"))
        assert b"200 OK" in all_from(connection)

    assert time.monotonic() - began > 6  # the server closes it after seven seconds


def test_a_kept_connection_goes_on_after_an_early_refusal(port: int) -> None:
    head = b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
        8 * MB
    )

    answer = answer_to(port, [head, b"a" * (8 * MB), LIVE])

    assert answer.startswith(b"HTTP/1.1 401 ") and b"HTTP/1.1 200 " in answer


def test_a_body_without_end_is_not_read_for_ever_after_a_refusal(port: int) -> None:
    head = (
        b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % 10**12
    )

    with pytest.raises(OSError), others_are_answered(port):
        answer_to(port, [head, *repeat(b"a" * MB, 500)])


def test_requests_before_a_bad_one_are_answered(port: int) -> None:
    answer = answer_to(port, [LIVE.replace(b"Connection: close\r\n", b"") * 3 + b"NONSENSE\r\n\r\n"])

    assert answer.count(b'{"status":"ok"}') == 3


def test_a_connection_queues_sixteen_requests(port: int) -> None:
    answer = answer_to(port, [LIVE.replace(b"Connection: close\r\n", b"") * 1000])

    assert answer.count(b'{"status":"ok"}') == 17


def test_a_connection_goes_on_after_head(port: int) -> None:
    head = b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n"

    first, _, second = answer_to(port, [head + LIVE]).partition(b"\r\n\r\n")

    assert first.startswith(b"HTTP/1.1 200") and b"content-length: 15" in first.lower()
    assert second.startswith(b"HTTP/1.1 200") and second.endswith(b"}")


def test_a_path_of_escapes_is_not_decoded(port: int) -> None:
    answer = answer_to(port, [LIVE.replace(b"/health/live", b"/" + b"%2f" * 257)])

    assert status_of(answer) == 400 and b"percent escapes" in answer


@pytest.mark.parametrize("path, status", [(b"/api/auth/login", 400), (b"/nowhere", 404)])
def test_a_body_in_chunks_of_one_byte_is_refused_early_and_once(port: int, path: bytes, status: int) -> None:
    head = CHUNKED.replace(b"/api/auth/login", path)

    answer = answer_to(port, [head, b"1\r\na\r\n" * 40_000])

    assert answer.startswith(b"HTTP/1.1 %d " % status) and answer.count(b"HTTP/1.1 ") == 1
