"""What a list is asked for, as parameters, and the way in which its rows are found."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from todo.admin.context import AdminContext
from todo.admin.counting import Counts, Gauge
from todo.admin.declaration import Filter, ModelAdmin
from todo.admin.filters import WORDS, is_searched, period_values, read_filter, word_values
from todo.admin.lookups import CAP
from todo.admin.reads import Way
from todo.admin.schemas import ListQuery
from todo.errors import FieldError, Invalid
from todo.listing import Listing


class Lists:
    """The lists of tables."""

    def __init__(self, context: AdminContext):
        self._context = context

    async def listing(
        self,
        admin: ModelAdmin[Any],
        given: Mapping[str, Any],
        list_query: ListQuery,
        gauge: Gauge | None = None,
        *,
        heavy: bool = False,
    ) -> Listing[Any]:
        """Return the list to read. Raise Invalid for an order without an index where many rows match."""
        reads = self._context.reads(admin)
        way = await self._way(admin, given, list_query, gauge)
        return reads.listing(given, trashed=list_query.trash, heavy=heavy, way=way)

    async def _way(
        self, admin: ModelAdmin[Any], given: Mapping[str, Any], list_query: ListQuery, gauge: Gauge | None
    ) -> Way:
        reads = self._context.reads(admin)
        names = reads.clauses.names(given)
        way = reads.way(names, list_query.sort, trashed=list_query.trash)
        if way is not None and way.along == names:
            return way
        smallest = (gauge or await self.gauge(admin, given, list_query)).smallest(names)
        if smallest is not None:
            return Way(smallest=smallest)
        if way is None:
            raise _too_many([one for one in admin.sorts if reads.way(names, one, trashed=list_query.trash)])
        return way

    async def gauge(self, admin: ModelAdmin[Any], given: Mapping[str, Any], list_query: ListQuery) -> Gauge:
        """Return how many rows indexes have for each filter."""
        names = self._context.reads(admin).clauses.names(given)
        counting, values = self._context.counting(admin), {**given, **self.common_params}
        return await counting.gauge(self._context.database.reads, names, trashed=list_query.trash, values=values)

    async def counts(
        self, admin: ModelAdmin[Any], given: Mapping[str, Any], list_query: ListQuery, gauge: Gauge
    ) -> Counts:
        """Return the number of matching rows, and of those of each choice of a filter."""
        names, direct = self._context.reads(admin).clauses.names(given), self._context.database.reads
        counting, values = self._context.counting(admin), {**given, **self.common_params}
        return await counting.counts(direct, gauge, names, trashed=list_query.trash, values=values)

    @property
    def common_params(self) -> dict[str, Any]:
        """Return the parameters common to all statements: the actor, and the start of the actor's day."""
        return {"actor": self._context.actor.id, **period_values(self._context.zone, self._context.today)}

    def params(self, admin: ModelAdmin[Any], list_query: ListQuery) -> dict[str, Any]:
        """Return the filters and search words of a list as parameters. Raise Invalid for all that are wrong."""
        given: dict[str, Any] = {}
        errors: list[FieldError] = []
        parts = [partial(self._filter, admin, name, texts) for name, texts in list_query.filters.items()]
        for read in (*parts, partial(self._words, admin, list_query.q)):
            try:
                given |= read()
            except Invalid as problem:
                errors += problem.errors
        if list_query.trash and not admin.trash:
            errors.append(FieldError("query.trash", f"There is no trash for {admin.label.lower()}."))
        if errors:
            raise Invalid.fields(errors)
        if list_query.match == "any":
            given |= self._context.reads(admin).clauses.any_of(given)
        return given | ({"q_ids": list_query.ids} if list_query.ids else {})

    def _filter(self, admin: ModelAdmin[Any], name: str, texts: Sequence[str]) -> dict[str, Any]:
        declared = admin.filters_for(self._context.actor)
        own = {item.name: item for item in admin.filters if isinstance(item, Filter)}
        target = own.get(name) or (admin.filtered.get(name) if name in declared else None)
        if target is None:
            raise Invalid.field(f"query.{name}", f"Unknown filter. Filters: {', '.join(declared) or 'none'}.")
        return read_filter(target, texts, self._context.zone, self._context.today)

    def _words(self, admin: ModelAdmin[Any], q: str) -> dict[str, Any]:
        words = q.split()
        if not words:
            return {}
        if not is_searched(q) or "\x00" in q:
            raise Invalid.field("query.q", f"Use at most {WORDS} words and 200 characters.")
        try:
            return {"q_id": UUID(q.strip())}
        except ValueError:
            pass
        if not admin.search:
            raise Invalid.field("query.q", "Only ids can be searched for here.")
        return word_values(words)


def _too_many(sorts: Sequence[str]) -> Invalid:
    """Return the error where more rows match than the database sorts while somebody waits."""
    indexed = ", ".join(("id", *sorts))
    return Invalid.field(
        "query.sort", f"More than {CAP:,} rows match. Filter them first, or sort by one of {indexed} alone."
    )
