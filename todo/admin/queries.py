"""Read rows: pages with facets, single rows, options of references, global search."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from todo.admin.context import AdminContext, uuid_of
from todo.admin.counting import Gauge
from todo.admin.declaration import Filter, Id, ModelAdmin, RowsAdmin
from todo.admin.fields import Field, label_of
from todo.admin.filters import (
    EMPTY,
    PERIODS,
    SET,
    TIMES,
    called_values,
    first_words,
    is_searched,
    read_filter,
    steps_of,
)
from todo.admin.lists import Lists
from todo.admin.paging import rows_of, skipped_before
from todo.admin.rows import MOST_ROWS, neighbor_in, one_of, page_of
from todo.admin.schemas import Facet, FacetValue, ListQuery, ListResult, Option, SearchHit
from todo.errors import Invalid, NotFound

MOST_CALLED = 100  # rows of one name
LONGEST_NAME = 1_000
MOST_PAGES = 20  # pages that end early, one after the other, before a search for some rows ends


class Queries:
    """Read-only operations."""

    def __init__(self, context: AdminContext):
        self._context = context
        self.lists = Lists(context)

    async def page(self, resource: str, list_query: ListQuery | None = None, *, number: int = 1) -> ListResult:
        """Return a page of rows with facets: after a cursor, or the one of this `number`, up to CAP rows.

        Raise Forbidden, NotFound, or Invalid for undeclared filters and sorts, and for a number beyond.
        """
        list_query, found = list_query or ListQuery(), self._context.resource(resource)
        if isinstance(found, RowsAdmin):
            return page_of(found, await found.rows(self._context.database, self._context.actor), list_query, number)
        return await self._table_page(self._context.table(resource), list_query, skipped_before(list_query, number))

    async def _table_page(self, admin: ModelAdmin[Any], list_query: ListQuery, skipped: int) -> ListResult:
        given = self.lists.params(admin, list_query)
        if not list_query.facets:
            return await self._rows(admin, given, list_query, skipped)
        gauge = await self.lists.gauge(admin, given, list_query)
        found, counts, names = await asyncio.gather(
            self._rows(admin, given, list_query, skipped, gauge),
            self.lists.counts(admin, given, list_query, gauge),
            self._selected_names(admin, list_query),
        )
        found.total, found.total_is_exact = counts.total, counts.exact
        found.sums = counts.sums
        found.facets = self._facets(admin, list_query, counts.facets, names)
        return found

    async def _rows(
        self,
        admin: ModelAdmin[Any],
        given: Mapping[str, Any],
        list_query: ListQuery,
        skipped: int,
        gauge: Gauge | None = None,
    ) -> ListResult:
        listing = await self.lists.listing(admin, given, list_query, gauge)
        reads, values = self._context.database.reads, self.lists.common_params
        return await rows_of(listing, reads, given, list_query, skipped, values)

    async def neighbor(self, resource: str, row: Any, list_query: ListQuery, step: Literal["next", "previous"]) -> Any:
        """Return the row after or before this one in the order of a list, or None at its end.

        `row`, as `get` returns it, need not match the list's filters. Raise Forbidden, NotFound or Invalid.
        """
        found = self._context.resource(resource)
        if isinstance(found, RowsAdmin):
            everything = msgspec.structs.replace(list_query, cursor=None, before=None, limit=MOST_ROWS, facets=False)
            return neighbor_in((await self.page(resource, everything)).items, str(row.id), step)
        admin = self._context.table(resource)
        given = self.lists.params(admin, list_query)
        listing = await self.lists.listing(admin, given, list_query)
        sort = list_query.sort if step == "next" else listing.reversed_sort(list_query.sort)
        cursor = listing.cursor_of(row, given, sort or None)
        for _ in range(MOST_PAGES):
            page = await listing.page(
                self._context.database.reads,
                given,
                sort=sort or None,
                limit=1,
                cursor=cursor,
                **self.lists.common_params,
            )
            if page.items or page.next_cursor is None:
                break
            cursor = page.next_cursor
        return page.items[0] if page.items else None

    async def get(self, resource: str, row_id: Id) -> Any:
        """Return one complete row, in the trash or not. Raise Forbidden or NotFound."""
        found = self._context.resource(resource)
        if isinstance(found, RowsAdmin):
            return one_of(await found.rows(self._context.database, self._context.actor), str(row_id))
        admin = self._context.table(resource)
        values = {"row": uuid_of(row_id), "actor": self._context.actor.id}
        row = await self._context.database.reads.one_or_none(self._context.reads(admin).one, **values)
        if row is None:
            raise NotFound
        return row

    async def options(self, resource: str, name: str, q: str = "", limit: int = 20) -> list[Option]:
        """Return rows a reference may refer to, by display name. Raise Forbidden, NotFound or Invalid."""
        admin = self._context.table(resource, "view")
        field = admin.fields.get(name)
        if field is None or not field.reference or name in admin.hidden_from(self._context.actor):
            raise Invalid.field("query.field", f"There is no reference {name} for {admin.label.lower()}.")
        return await self.named(field.reference, q, limit)

    async def named(self, resource: str, q: str = "", limit: int = 20) -> list[Option]:
        """Return rows of a table that match a search, by display name. Raise Forbidden, NotFound or Invalid."""
        admin = self._context.table(resource, "view")
        exact = [] if is_searched(q) else await self.called(resource, q)
        options = await self._options(admin, self.lists.params(admin, ListQuery(q=first_words(q))), limit)
        return [*exact, *(one for one in options if one not in exact)][:limit]

    async def called(self, resource: str, text: str) -> list[Option]:
        """Return up to MOST_CALLED rows that are called exactly that, whatever their case. Raise Forbidden or NotFound.

        Names are compared whole: they may have more words than a search, and begin like any number of others.
        """
        admin, text = self._context.table(resource, "view"), text.strip()
        if not text or len(text) > LONGEST_NAME or "\x00" in text:
            return []
        return await self._options(admin, called_values(text), MOST_CALLED)

    async def _options(self, admin: ModelAdmin[Any], given: Mapping[str, Any], limit: int) -> list[Option]:
        """Return the first rows of a list, also where its pages end early."""
        list_query, options = ListQuery(limit=limit, facets=False), list[Option]()
        for _ in range(MOST_PAGES):
            found = await self._rows(admin, given, list_query, 0)
            options += [Option(str(item.id), item.display) for item in found.items]
            if len(options) >= limit or found.next_cursor is None:
                break
            list_query.cursor = found.next_cursor
        return options[:limit]

    async def id_of(self, field: Field, text: str) -> str:
        """Return the id that a reference names, or is already. Raise Invalid for none or several."""
        text = text.strip()
        if not text or is_id(text):
            return text
        called = await self.called(field.reference, text)
        options = called or await self._like(field.reference, text)
        number, place = len(options), f"body.{field.name}"
        if number == 1:
            return options[0].value
        if number >= MOST_CALLED:
            raise Invalid.field(place, f"Several rows are called {text}: write the id of one.")
        if called:
            raise Invalid.field(place, f"{number} rows are called {text}: write the id of one.")
        if options:
            raise Invalid.field(place, f"Several rows match {text}: write the whole name, or an id.")
        raise Invalid.field(place, f"No row is called {text}.")

    async def _like(self, resource: str, text: str) -> list[Option]:
        """Return rows in which all words are found; none for more words than are searched for."""
        can_search = self._context.table(resource, "view").search and is_searched(text) and "\x00" not in text
        return await self.named(resource, text) if can_search else []

    async def ids_of(self, field: Field, text: str) -> str:
        """Return the ids that a list of references names, or is already, separated by commas. Raise as `id_of`."""
        return ",".join([await self.id_of(field, one) for one in text.split(",") if one.strip()])

    async def inlines(
        self, resource: str, row_id: Id, limit: int = 10, most: int | None = None
    ) -> dict[str, ListResult]:
        """Return related rows of other resources, by resource name. Raise NotFound.

        `limit` of each, but `most` of those with an order of their own, and of those that are lines of a form.
        """
        admin, via = self._context.table(resource), str(uuid_of(row_id))
        shown = [one for one in admin.inlines if self._context.may(one.resource, "view")]
        limits = [most or limit if one.order_by or one.in_form else limit for one in shown]
        list_query = [
            ListQuery(filters={one.via: [via]}, sort=one.order_by, limit=number, facets=False)
            for one, number in zip(shown, limits, strict=True)
        ]
        pages = await asyncio.gather(
            *(self.page(one.resource, page) for one, page in zip(shown, list_query, strict=True))
        )
        return {one.resource: page for one, page in zip(shown, pages, strict=True)}

    async def search(self, q: str, limit: int = 5) -> list[SearchHit]:
        """Return the first few matches of every searchable resource.

        Those of resources that have a row called exactly this come first, those of logs last. Of a long text the
        first words are searched for, and rows are found that are called like the whole.
        """
        admins = [one for one in self._context.resources() if isinstance(one, ModelAdmin) and one.search]
        if not q.strip():
            return []
        pages = await asyncio.gather(*(self._first(one, q, limit) for one in admins))
        found = list(zip(admins, pages, strict=True))
        found.sort(key=lambda group: (group[0].large, not any(_is_called(row, q) for row in group[1])))
        return [SearchHit(one.name, row.value, row.label) for one, rows in found for row in rows]

    async def _first(self, admin: ModelAdmin[Any], q: str, limit: int) -> list[Option]:
        page = await self.page(admin.name, ListQuery(q=first_words(q), limit=limit, facets=False))
        found = [Option(str(row.id), row.display) for row in page.items]
        exact = [] if is_searched(q) or admin.large else await self.called(admin.name, q)
        return [*exact, *(one for one in found if one not in exact)][:limit]

    async def periods(self, resource: str, list_query: ListQuery | None = None) -> list[FacetValue]:
        """Return the date hierarchy: years, months of the filtered year, or days of the filtered month.

        Each `value` is the next filter value. Raise Invalid when the resource has no date hierarchy.
        """
        list_query, admin = list_query or ListQuery(), self._context.table(resource)
        if not admin.date_hierarchy or admin.date_hierarchy in admin.hidden_from(self._context.actor):
            raise Invalid.field("query.resource", f"There is no date hierarchy for {admin.label.lower()}.")
        name = admin.date_hierarchy
        chosen = (list_query.filters.get(name) or [""])[0]
        if chosen:  # so that a year that there is not is the error of a filter
            read_filter(admin.fields[name], [chosen], self._context.zone, self._context.today)
        rest = ListQuery(
            filters={key: value for key, value in list_query.filters.items() if key != name},
            q=list_query.q,
            trash=list_query.trash,
        )
        given, direct = self.lists.params(admin, rest), self._context.database.reads
        names, dates = self._context.reads(admin).clauses.names(given), self._context.dates(admin)
        values = {**given, **self.lists.common_params}
        smallest = (await self.lists.gauge(admin, given, rest)).smallest(names) if names else None
        first, last = await dates.span(direct, names, smallest, trashed=list_query.trash, values=values)
        steps = steps_of(chosen, first, last, self._context.zone, admin.fields[name].kind)
        if not steps:
            return []
        counted = await dates.per_step(direct, names, smallest, steps, trashed=list_query.trash, values=values)
        return [
            FacetValue(step.value, step.value, number, False)
            for step, number in zip(steps, counted, strict=True)
            if number != 0
        ]

    async def names(self, resource: str, ids: Collection[str]) -> dict[str, str]:
        """Return what rows are called that this actor may see, or knows without viewing the resource, in one query."""
        admin = self._context.registry.table(resource)
        may_view = admin.may(self._context.actor, "view")
        found = self._context.reads(admin).named if may_view else self._context.registry.known_rows(resource)
        if not ids or found is None:
            return {}
        wanted = [uuid_of(row_id) for row_id in ids]
        return dict(await self._context.database.reads.all(found, ids=wanted, actor=self._context.actor.id))

    async def _selected_names(self, admin: ModelAdmin[Any], list_query: ListQuery) -> dict[str, str]:
        """Return the display names of the references that the list is filtered by."""
        found: dict[str, str] = {}
        for name, texts in list_query.filters.items():
            if name in admin.fields and admin.fields[name].kind == "reference":
                found |= await self.names(
                    admin.fields[name].reference, [text for text in texts if text not in (EMPTY, SET)]
                )
        return found

    def _facets(
        self,
        admin: ModelAdmin[Any],
        list_query: ListQuery,
        counts: Mapping[str, Mapping[str, int | None]],
        names: Mapping[str, str],
    ) -> list[Facet]:
        found, offered = [], admin.filters_for(self._context.actor)
        for item in admin.filters:
            name = item if isinstance(item, str) else item.name
            if name not in offered:
                continue
            chosen, counted = list_query.filters.get(name, []), counts.get(name) or _uncounted(admin, name)
            values = [FacetValue(one, label_value(one), number, one in chosen) for one, number in counted.items()]
            values += [FacetValue(one, names.get(one, one), None, True) for one in chosen if one not in counted]
            found.append(facet_of(admin, item, values))
        return found


def _uncounted(admin: ModelAdmin[Any], name: str) -> dict[str, None]:
    """Return the choices of a filter by related rows, which are not counted."""
    if name not in admin.paths:
        return {}
    field = admin.filtered[name]
    times = PERIODS if field.kind in TIMES else ()
    flags = ("true", "false") if field.kind == "boolean" else ()
    return dict.fromkeys((*field.choices, *times, *flags, *((EMPTY, SET) if field.nullable else ())))


def _is_called(row: Option, text: str) -> bool:
    return row.label.casefold() == text.strip().casefold()


def is_id(text: str) -> bool:
    """Return whether this is an id rather than a name."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def facet_of(admin: ModelAdmin[Any], item: str | Filter, values: list[FacetValue]) -> Facet:
    if isinstance(item, Filter):
        return Facet(item.name, item.label or label_of(item.name), "choice", values)
    field = admin.filtered[item]
    return Facet(item, field.label, field.kind, values, field.reference)


def label_value(value: str) -> str:
    """Format a choice for people."""
    return value.replace("_", " ").capitalize()
