"""What is sent: compressed for who accepts it, nothing at all for who has it."""

import asyncio
import gzip
import random
from time import perf_counter
from typing import Any

import brotli
import httpx
import pytest
import zstandard
from support.factories import Person

from todo.http.content import INLINE_BYTES, compress, encoding_of

READERS = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data, max_output_size=10**7),
}


async def raw(client: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The response and its body as it was sent."""
    request = client.build_request("GET", path, headers={"Accept-Encoding": "identity"} | headers)
    answer = await client.send(request, stream=True)
    return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
async def test_a_list_is_compressed_for_who_accepts_it(ada: Person, encoding: str) -> None:
    for _ in range(10):
        await ada.add(notes="Some words. " * 20)
    plain, body = await raw(ada.http, "/api/tasks")

    answer, smaller = await raw(ada.http, "/api/tasks", **{"Accept-Encoding": encoding})

    assert (plain.headers.get("content-encoding"), answer.headers["content-encoding"]) == (None, encoding)
    assert READERS[encoding](smaller) == body
    assert len(smaller) == int(answer.headers["content-length"]) < len(body) / 4
    assert {plain.headers["vary"], answer.headers["vary"]} == {"accept-encoding"}
    assert plain.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", ""), ("identity", ""), ("gzip", "gzip"), ("gzip, br", "br"), ("GZIP;q=0.5, br;q=0.4", "gzip"),
        ("*", "zstd"),
        ("*;q=0, gzip", "gzip"), ("gzip;q=0", ""), ("gzip;q=x", ""), ("gzip;q=-1", ""), ("gzip;q=nan", ""),
        ("gzip;q=inf", ""), ("br;;;", ""), (";,;,=", ""), ("deflate", ""), ("x" * 10_000 + ",gzip", ""),
        ("\xff\x00", ""),
    ],
)  # fmt: skip
def test_the_best_encoding_that_is_accepted_is_used(accepted: str, expected: str) -> None:
    assert encoding_of(accepted.encode("latin-1")) == expected


async def test_what_is_small_is_sent_as_it_is(ada: Person) -> None:
    task = await ada.add()

    answer, _ = await raw(ada.http, f"/api/tasks/{task['id']}", **{"Accept-Encoding": "gzip"})

    assert answer.headers.get("content-encoding") is None
    assert answer.headers["etag"] == '"1"'


async def test_a_large_task_keeps_its_version_when_compressed(ada: Person) -> None:
    task = await ada.add(notes="long " * 500)
    path = f"/api/tasks/{task['id']}"

    etag = (await raw(ada.http, path, **{"Accept-Encoding": "br"}))[0].headers["etag"]

    assert etag == 'W/"1"'
    assert (await raw(ada.http, path, **{"If-None-Match": etag}))[0].status_code == 304
    changed = await ada.http.patch(path, json={"title": "b"}, headers={"If-Match": etag})
    assert changed.status_code == 200


async def test_a_list_that_a_client_has_is_not_sent_again(ada: Person) -> None:
    await ada.add()
    etag = (await raw(ada.http, "/api/tasks"))[0].headers["etag"]

    same, nothing = await raw(ada.http, "/api/tasks", **{"If-None-Match": f'"x", {etag}'})
    await ada.add()
    other, _ = await raw(ada.http, "/api/tasks", **{"If-None-Match": etag})

    assert (same.status_code, nothing, same.headers["etag"]) == (304, b"", etag)
    assert "content-length" not in same.headers
    assert "content-type" not in same.headers
    assert (other.status_code, other.headers["etag"] == etag) == (200, False)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui-bundle.js"])
async def test_documents_have_an_etag_and_are_compressed(client: httpx.AsyncClient, path: str) -> None:
    plain, body = await raw(client, path)
    answer, smaller = await raw(client, path, **{"Accept-Encoding": "br"})
    again = (await raw(client, path, **{"If-None-Match": answer.headers["etag"]}))[0]

    assert brotli.decompress(smaller) == body
    assert len(smaller) < len(body) / 2
    assert (plain.status_code, again.status_code) == (200, 304)


async def test_what_belongs_to_signing_in_is_never_compressed(ada: Person) -> None:
    await ada.http.patch("/api/auth/me", json={"name": "A" * 100})
    for number in range(20):
        body = {"name": f"token {number}", "scopes": ["tasks.view"]}
        made = await ada.http.post("/api/auth/tokens", json=body, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in made.headers
    answer, body = await raw(ada.http, "/api/auth/tokens", **{"Accept-Encoding": "gzip"})

    assert len(body) > 1_000
    assert answer.headers.get("content-encoding") is None


async def test_other_people_do_not_wait_while_much_is_compressed() -> None:
    large = random.Random(1).randbytes(4 * 1024**2)  # the dearest kind
    longest, last, over = 0.0, perf_counter(), False

    async def tick() -> None:
        nonlocal longest, last
        while not over:
            await asyncio.sleep(0)
            longest, last = max(longest, perf_counter() - last), perf_counter()

    ticking = asyncio.create_task(tick())
    began = perf_counter()
    for encoding in ("gzip", "br", "zstd"):
        await compress(large, encoding, public=False)
    whole, over = perf_counter() - began, True
    await ticking

    assert len(large) > INLINE_BYTES
    assert longest < whole / 3


async def test_an_answer_of_several_parts_is_compressed_once(ada: Person) -> None:
    first: Any = await ada.http.get("/docs/swagger-ui.css", headers={"Accept-Encoding": "gzip"})

    assert first.headers["content-encoding"] == "gzip"
    assert first.text.startswith(".swagger-ui")
