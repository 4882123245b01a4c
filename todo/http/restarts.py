"""Restart a request whose transaction conflicted with another one."""

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from todo.contention import TRIES, pause

RESTART: Any = "restart"
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def ask_restart(scope: Scope) -> None:
    """Roll back everything the request has written and restart it instead of sending its response."""
    scope["state"][RESTART] = True


class Body:
    """The messages of a request, kept so that they can be received again."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self._messages: list[Any] = []

    def replay(self) -> Receive:
        position = 0

        async def receive() -> Any:
            nonlocal position
            if position == len(self._messages):
                message: Any = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._messages.append(message)
            position += 1
            return self._messages[position - 1]

        return receive


class Restarts:
    """Restart a write request when `ask_restart` was called for it, up to TRIES attempts. The last one is answered."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        body, state = Body(receive), dict(scope["state"])
        for attempt in range(1, TRIES):
            if await self._answered(scope, body.replay(), send):
                return
            await pause(attempt)
            scope["state"].clear()
            scope["state"].update(state)
        await self._app(scope, body.replay(), send)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Run the application. Return False when the request asked for a restart; its response is discarded."""

        async def forward(message: Message) -> None:
            if RESTART not in scope["state"]:
                await send(message)

        await self._app(scope, receive, forward)
        return RESTART not in scope["state"]
