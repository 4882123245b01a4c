"""Rows of a file that are kept until they are imported; those that are refused after that too."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import TEXT

from todo.admin.import_columns import REASON
from todo.admin.models import IMPORT_ROW, ImportRow
from todo.database import WriteSession, table_of
from todo.errors import Invalid

TWICE = "id: An earlier row has the same id."
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # in JSON
TABLE = table_of(ImportRow)


# Of rows with the same id, the first is imported.
_ID = IMPORT_ROW["values"].op("->>")(bindparam("column", type_=TEXT))
_RANKED = select(IMPORT_ROW.number, func.row_number().over(partition_by=_ID, order_by=IMPORT_ROW.number).label("rank"))
_TWICE = _RANKED.where(IMPORT_ROW.run_id == bindparam("run"), _ID != "").subquery()
REFUSE_TWICE = update(TABLE).values(errors=[TWICE]).where(
    IMPORT_ROW.run_id == bindparam("run"), IMPORT_ROW.number.in_(select(_TWICE.c.number).where(_TWICE.c.rank > 1))
)  # fmt: skip


def next_part(rows: Iterator[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """Return the next rows of a file, up to `size`. Raise Invalid as what reads the file."""
    return list(islice(rows, size))


async def keep(session: WriteSession, run_id: UUID, first: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep rows of a file, of which `first` have been kept already. Raise Invalid for what cannot be stored."""
    for number, row in enumerate(rows, first + 1):
        if NUL.search(msgspec.json.encode(row)):
            raise Invalid(f"Row {number} has a character that cannot be stored (NUL).")
    await session.execute(
        insert(TABLE),
        [
            {"run_id": run_id, "number": number, "values": {name: row[name] for name in row if name != REASON}}
            for number, row in enumerate(rows, first + 1)
        ],
    )


async def rows_after(session: WriteSession, run_id: UUID, number: int, limit: int) -> Sequence[Any]:
    """Return number, values and errors of the next rows that are kept."""
    found = select(IMPORT_ROW.number, IMPORT_ROW["values"], IMPORT_ROW.errors)
    found = found.where(IMPORT_ROW.run_id == run_id, IMPORT_ROW.number > number)
    return (await session.execute(found.order_by(IMPORT_ROW.number).limit(limit))).all()


async def settle(
    session: WriteSession, run_id: UUID, numbers: Sequence[int], refused: Sequence[tuple[int, list[str]]]
) -> None:
    """Keep the refused rows with their errors, and no longer the others."""
    gone = set(numbers) - {number for number, _ in refused}
    await session.execute(delete(TABLE).where(IMPORT_ROW.run_id == run_id, IMPORT_ROW.number.in_(gone)))
    for number, errors in refused:
        at = (IMPORT_ROW.run_id == run_id) & (IMPORT_ROW.number == number)
        await session.execute(update(TABLE).where(at).values(errors=errors))
