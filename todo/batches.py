"""Several rows in one savepoint: their writes are sent together, and what they have in common is read once."""

from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, event
from sqlalchemy.orm import ORMExecuteState, Session

T = TypeVar("T")


class Batch:
    """The writes of several rows that are not sent yet, and what was locked or read for all of them.

    Writes are sent before the session runs any other statement, so that it finds them done.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._writes: list[tuple[Executable, Mapping[str, Any]]] = []
        self._known: dict[Hashable, Any] = {}
        self.written = 0  # statements so far that may have changed rows

    def write(self, statement: Executable, parameters: Mapping[str, Any]) -> None:
        """Send a statement with the next other one, together with those before it that are the same object."""
        self._writes.append((statement, parameters))
        self.written += 1

    async def once(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Return what `read` returned when it was first called for this key."""
        if key not in self._known:
            self._known[key] = await read()
        found: T = self._known[key]
        return found

    def keep(self, key: Hashable, value: Any) -> None:
        self._known[key] = value

    def forget(self, key: Hashable) -> None:
        self._known.pop(key, None)

    def kept(self, key: Hashable) -> Any:
        """Return what was kept, or None."""
        return self._known.get(key)

    def send(self, *_: Any) -> None:
        """Send what is left to write. Raise what the database answers."""
        writes, self._writes = self._writes, []
        for _key, same in groupby(writes, key=lambda write: id(write[0])):
            some = list(same)
            self._connection.execute(some[0][0], [parameters for _statement, parameters in some])

    @contextmanager
    def listening(self, session: Session) -> Iterator[None]:
        """Send before the statements, flushes and savepoints of a session."""
        listeners = {
            "do_orm_execute": self._before,
            "before_flush": self._before_flush,
            "after_transaction_create": self.send,  # its SAVEPOINT follows with its first statement
        }
        for name, listener in listeners.items():
            event.listen(session, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(session, name, listener)

    def _before(self, state: ORMExecuteState) -> None:
        self.send()
        self.written += not state.is_select

    def _before_flush(self, *_: Any) -> None:
        self.send()
        self.written += 1
