"""The date hierarchy of a list: the first and the last row, and how many rows each step has."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, bindparam, func, select

from todo.admin.counting import ONE, Counting, Names, Values
from todo.admin.filters import Step
from todo.admin.lookups import CAP
from todo.admin.reads import TableReads
from todo.database import Direct, Query
from todo.listing.statements import up_to

Ends = tuple[Any, Any]
NONE: Names = frozenset()


class Dates:
    """The dates of a table for one read view.

    `smallest` is the filter whose index is read, as a `Gauge` says; with None, rows are not counted.
    """

    def __init__(self, reads: TableReads, counting: Counting):
        self._reads, self._counting = reads, counting
        self._moment = reads.table[reads.admin.date_hierarchy]
        self._spanning = lru_cache(maxsize=50)(self._span)
        self._stepping = lru_cache(maxsize=2)(self._steps)
        self._grouping = lru_cache(maxsize=50)(self._groups)

    async def span(self, direct: Direct, names: Names, smallest: str | None, *, trashed: bool, values: Values) -> Ends:
        """Return the first and last value among the matching rows; of all rows where these are too many."""
        (found,) = await direct.all(
            self._spanning(names if smallest is not None else NONE, smallest, trashed), **values
        )
        return found

    def _span(self, names: Names, smallest: str | None, trashed: bool) -> Query[Ends]:
        if names and smallest is not None:
            moment = self._matching(names, smallest, trashed)
            return Query(lambda first, last: (first, last), select(func.min(moment), func.max(moment)))
        found = select(func.min(self._moment), func.max(self._moment)).where(*self._reads.clauses.standing(trashed))
        return Query(lambda first, last: (first, last), found)

    def _matching(self, names: Names, smallest: str, trashed: bool) -> ColumnElement[Any]:
        """Return the moments of the matching rows."""
        rows = self._counting.drawn(names, smallest, trashed, [self._moment.label("moment")])
        return select(rows.c.moment).where(rows.c.passes).subquery().c.moment

    async def per_step(
        self,
        direct: Direct,
        names: Names,
        smallest: str | None,
        steps: Sequence[Step],
        *,
        trashed: bool,
        values: Values,
    ) -> list[int | None]:
        """Count the rows of each step in one round trip. Each count stops at CAP."""
        bounds = {"lows": [step.low for step in steps], "highs": [step.high for step in steps]}
        if not names:
            return await direct.all(self._stepping(trashed), **values, **bounds)
        if smallest is None:
            return [None] * len(steps)
        edges = [*bounds["lows"], bounds["highs"][-1]]
        found = dict(await direct.all(self._grouping(names, smallest, trashed), **values, edges=edges))
        return [found.get(number, 0) for number in range(1, len(steps) + 1)]

    def _groups(self, names: Names, smallest: str, trashed: bool) -> Query[tuple[int, int]]:
        """Count the matching rows by the number of their step, from 1; 0 is before the first."""
        moment = self._matching(names, smallest, trashed)
        step = func.width_bucket(moment, bindparam("edges", type_=ARRAY(self._moment.type)))
        return Query(lambda number, rows: (number, rows), select(step, func.count()).group_by(step))

    def _steps(self, trashed: bool) -> Query[int | None]:
        """Count the rows of each step by the index of their moments."""
        bounds = [bindparam(end, type_=ARRAY(self._moment.type)) for end in ("lows", "highs")]
        step = func.unnest(*bounds).table_valued("low", "high", with_ordinality="place").render_derived()
        inside = (self._moment >= step.c.low, self._moment < step.c.high)
        rows = (
            select(ONE)
            .select_from(self._reads.admin.model)
            .where(*self._reads.clauses.standing(trashed), *inside)
            .order_by(self._moment)
        )
        number = (
            select(func.count()).select_from(rows.correlate(step).limit(up_to(CAP + 1)).subquery()).scalar_subquery()
        )
        return Query(lambda rows: rows, select(number).select_from(step).order_by(step.c.place))
