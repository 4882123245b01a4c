"""What every client of the API needs: pages, versions, conflicts."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from todo_client.models import ProblemDetails
from todo_client.problems import ProblemError, unwrap
from todo_client.types import UNSET, Unset

Item = TypeVar("Item")
Row = TypeVar("Row")
Result = TypeVar("Result")
Item_co = TypeVar("Item_co", covariant=True)


class Page(Protocol[Item_co]):
    @property
    def items(self) -> Sequence[Item_co]: ...
    @property
    def next_cursor(self) -> str | None: ...


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


async def items(
    read: Callable[[str | Unset], Awaitable[Page[Item] | ProblemDetails | None]],
) -> AsyncIterator[Item]:
    """Yield every item of a list. `read` returns the page at a cursor, always with the same filters and order."""
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        page = unwrap(await read(cursor))
        for item in page.items:
            yield item
        cursor = page.next_cursor


def etag(row: Versioned) -> str:
    """Return the version of a row for `if_match` and `if_none_match`."""
    return f'"{row.version}"'


async def retry_on_conflict(
    read: Callable[[], Awaitable[Row]], write: Callable[[Row], Awaitable[Result]], tries: int = 5
) -> Result:
    """Write what follows from a row, with its version; read and write again when somebody else was faster.

    Raise the ProblemError of other errors, and of the last conflict.
    """
    for left in reversed(range(tries)):
        try:
            return await write(await read())
        except ProblemError as error:
            if error.code != "stale-version" or not left:
                raise
    raise ValueError("tries must be at least 1")
