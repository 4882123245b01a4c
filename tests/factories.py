"""People and tasks for tests, made the way the service makes them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar

from todo.domain.accounts.schemas.people import Registration
from todo.domain.accounts.services.sign_in import SignIn

PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody who is signed in: `http` carries the token."""

    id: UUID
    email: str
    token: str
    http: httpx.AsyncClient

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
            Registration(email=email, password=PASSWORD, name=name, timezone=timezone), *roles
        )
        assert user is not None
        token = await self.sign_in.keys.sign(user.id)
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        )
        self._clients.append(http)
        return Person(user.id, email, token, http)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
