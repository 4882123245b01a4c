"""The pages while the database is away, or somebody asks too often."""

import httpx
from conftest import serving, settings_for
from support.factories import World
from support.pages import Visitor, heading_of
from support.wire import tapped

from todo.app import create_app


async def test_without_the_database_the_pages_say_so(database_url: str, sql: object) -> None:
    tap = tapped(database_url)
    wire = await tap.__aenter__()
    async with serving(create_app(settings_for(wire.url, database_wait=1))) as app:
        world = World(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            visitor = await Visitor.enter(app, http, await world.person("boss", "superuser"))
            await tap.__aexit__(None, None, None)
            wire.cut()

            answer = await visitor.get("/admin/tasks")

        await world.close()
    assert (answer.status_code, heading_of(answer)) == (503, "Temporarily unavailable")
    assert answer.headers["content-type"].startswith("text/html")


async def test_who_asks_too_often_is_reported_so(database_url: str, sql: object) -> None:
    async with (
        serving(create_app(settings_for(database_url, rate_limit="2/minute"))) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        answers = [await http.get("/admin/login", headers={"accept": "text/html"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert heading_of(answers[-1]) == "Too many requests"
    assert answers[-1].headers["content-type"].startswith("text/html")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
