"""A request whose transaction met another one on the same rows is handled again, from its first byte."""

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from todo.contention import TRIES, pause

RESTART: Any = "restart"
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def ask_restart(scope: Scope) -> None:
    """Have the request handled again instead of answered: all that it has written is rolled back."""
    scope["state"][RESTART] = True


class Body:
    """The messages of a request, which can be received again from the first."""

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
    """Handles a writing request again while `ask_restart` is called for it; the last of TRIES is answered anyway."""

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
        """Whether an answer was sent; that of a request to handle again is held back."""

        async def forward(message: Message) -> None:
            if RESTART not in scope["state"]:
                await send(message)

        await self._app(scope, receive, forward)
        return RESTART not in scope["state"]
