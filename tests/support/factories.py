"""People and tasks for tests, made the way the service makes them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar
from saq import Job

from todo.access import ANYBODY, Actor, Origin, Source
from todo.database import Database
from todo.domain.accounts.schemas.users import Registration
from todo.domain.accounts.services.sign_in import SignIn
from todo.queue import Context

OPERATOR = Actor(id=None, name="cli:tester", kind="operator", permissions=frozenset({"*"}))
PASSWORD = "correct horse battery staple"


def origin_for(actor: Actor, source: Source = "api") -> Origin:
    """Where the changes of a test come from."""
    return Origin(actor, source, "test-request", "")


def job_context(database: Database) -> Context:
    """What a job function is given by the worker."""
    return {"database": database, "job": Job("test")}


@dataclass
class Person:
    """Somebody who is signed in: `http` carries the token."""

    id: UUID
    email: str
    token: str
    http: httpx.AsyncClient
    app: Litestar

    async def add(self, title: str = "Water the plants", **fields: Any) -> dict[str, Any]:
        """Add a task over HTTP and give it back."""
        answer = await self.http.post("/api/tasks", json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added


class World:
    """Makes people, and closes their clients in the end."""

    def __init__(self, app: Litestar):
        self._app = app
        self._clients: list[httpx.AsyncClient] = []
        self.sign_in: SignIn = app.dependencies["sign_in"].dependency()

    async def person(self, name: str, *roles: str, timezone: str = "Europe/Berlin") -> Person:
        email = f"{name}@example.com"
        user = await self.sign_in.register(
            origin_for(ANYBODY), Registration(email=email, password=PASSWORD, name=name, timezone=timezone), *roles
        )
        assert user is not None
        token = await self.sign_in.keys.sign(user.id)
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        )
        self._clients.append(http)
        return Person(user.id, email, token, http, self._app)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
