"""The state of a list, stored in its URL so that it can be bookmarked, shared and revisited."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlencode

from litestar import Request
from litestar.params import QueryParameter

from todo.admin.filters import first_words, is_searched
from todo.admin.inlines import Inline
from todo.admin.pages.urls import safe
from todo.admin.schemas import ListQuery, Match
from todo.errors import Invalid

FROM, TO, NAMED = "__from", "__to", "__named"  # suffixes of form fields for ranges, and for references by display name
LIST = "_list"  # parameter of a row's pages: the query of the list they were opened from
BACK = "_back"  # within it: the page of the row below which they were opened
MOST_BACK = 2_000  # characters of it
MOST = 200  # values in one URL
ListQueryText = Annotated[
    str, QueryParameter(name=LIST, max_length=8000, description="Query of the list to return to.")
]
LIMITS = (25, 50, 100, 200)
NUMBER = re.compile("[1-9][0-9]{0,4}")  # of a page


@dataclass(frozen=True)
class ListState:
    """The state of a list page. `named` are references by display name, not yet resolved.

    `back` is the page of another row whose inline is the list, and to which its rows lead back.
    """

    path: str
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    match: Match = "all"
    q: str = ""
    sort: str = ""
    cursor: str = ""
    before: str = ""
    page: int = 1  # its number, as far as it is known: a cursor says where the page begins
    columns: tuple[str, ...] = ()
    trash: bool = False
    limit: int = 50
    named: Mapping[str, str] = field(default_factory=dict)
    back: str = ""

    def list_query(self) -> ListQuery:
        """Convert the state to a `ListQuery`."""
        filters = {name: list(values) for name, values in self.filters.items()}
        return ListQuery(
            filters=filters, match=self.match, q=first_words(self.q), sort=self.sort, limit=self.limit,
            cursor=self.cursor or None, before=self.before or None, trash=self.trash,
        )  # fmt: skip

    def pairs(self, *but: str) -> list[tuple[str, str]]:
        """Return the state as form fields or query parameters, without the fields in `but`: `cursor` is the page."""
        found = [(name, value) for name, values in self.filters.items() for value in values]
        plain: dict[str, Any] = {
            "match": "any" if self.match == "any" else "", "q": self.q, "sort": self.sort,
            "columns": ",".join(self.columns), "trash": "1" if self.trash else "",
            "limit": "" if self.limit == 50 else self.limit, "cursor": self.cursor,
            "before": "" if "cursor" in but else self.before,
            "page": "" if self.page == 1 or "cursor" in but else self.page, BACK: self.back,
        }  # fmt: skip
        found += [(name, str(value)) for name, value in plain.items() if value]
        return [pair for pair in found if pair[0] not in but]

    def query(self, *but: str) -> str:
        """Return the state as a query string with `?`, or an empty string."""
        text = urlencode(self.pairs(*but))
        return f"?{text}" if text else ""

    def href(self, **changes: Any) -> str:
        """Return the URL with changes. Any change except of the page goes to the first page."""
        changed = replace(self, **{"cursor": "", "before": "", "page": 1, **changes})
        return changed.here

    @property
    def here(self) -> str:
        """Return the URL of this page."""
        return self.path + self.query(BACK)

    def opened_from(self, row_id: object = None) -> str:
        """Return the URL that the pages of a row lead back to: this page, at the row if given, or `back`."""
        return self.back or (self.here if row_id is None else self.at(row_id))

    def at(self, row_id: object) -> str:
        """Return the URL of this page, at a row."""
        return f"{self.here}#row-{row_id}"

    @property
    def row_query(self) -> str:
        """Return the query of the pages of a row, which lead back to this page."""
        return f"?{LIST}={quote(self.query()[1:], safe='')}" if self.query() else ""

    def row(self, row_id: object, page: str = "") -> str:
        """Return the URL of a row's page, or of another page of the row such as `/history`."""
        return f"{self.path}/{row_id}{page}{self.row_query}"

    def after_save(self, sent: Mapping[str, list[str]], row_id: object) -> str:
        """Return the URL for the button of a form that was pressed."""
        match sent.get("_then", [""])[-1]:
            case "stay":
                return self.row(row_id)
            case "another":
                return f"{self.path}/add{self.row_query}"
        return self.opened_from(row_id)

    def toggled(self, name: str, value: str) -> str:
        """Return the URL with this filter value added, or removed when it is set."""
        now = self.filters.get(name, ())
        return self.filtered(name, [one for one in now if one != value] if value in now else [*now, value])

    def only(self, name: str, value: str) -> str:
        """Return the URL with only this value of a filter, or without the filter when it is the only value."""
        return self.filtered(name, [] if self.filters.get(name, ()) == (value,) else [value])

    def filtered(self, name: str, values: Iterable[str]) -> str:
        rest = {key: found for key, found in self.filters.items() if key != name}
        wanted = tuple(values)
        return self.href(filters={**rest, name: wanted} if wanted else rest)

    def cleared(self) -> str:
        """Return the URL without filters and search."""
        return self.href(filters={}, match="all", q="")

    @property
    def number(self) -> int:
        """Return the number of this page, 0 where it is not known."""
        return self.page if self.page > 1 or not (self.cursor or self.before) else 0

    @property
    def is_cut(self) -> bool:
        """Return whether only the first words are searched for."""
        return not is_searched(self.q)

    @property
    def searched_words(self) -> int:
        """Return how many words are searched for."""
        return len(first_words(self.q).split())

    @property
    def is_narrowed(self) -> bool:
        return bool(self.filters or self.q)


def read_state(path: str, query: str) -> ListState:
    """Parse a URL. Raise Invalid when it has too many values."""
    try:
        pairs = parse_qsl(query, max_num_fields=MOST, errors="replace")
    except ValueError:
        raise Invalid(f"A URL can have at most {MOST} values.") from None
    plain = {
        name: value
        for name, value in pairs
        if name in {"match", "q", "sort", "cursor", "before", "page", "columns", "trash", "limit", BACK}
    }
    filters: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if name not in plain and name != "column" and not name.endswith((FROM, TO, NAMED)):
            filters[name] = (*filters.get(name, ()), value)
    ends = {name: value.strip() for name, value in pairs if name.endswith((FROM, TO))}
    for name in {name.removesuffix(FROM).removesuffix(TO) for name, end in ends.items() if end}:
        filters[name] = (f"{ends.get(name + FROM, '')}..{ends.get(name + TO, '')}",)
    picked = [value for name, value in pairs if name == "column"]  # from the form of the column picker
    limit, number = plain.get("limit", "50"), plain.get("page", "1")
    return ListState(
        path, filters, "any" if plain.get("match") == "any" else "all",
        plain.get("q", "").strip(), plain.get("sort", ""),
        plain.get("cursor", ""), plain.get("before", ""), int(number) if NUMBER.fullmatch(number) else 1,
        tuple(filter(None, (*plain.get("columns", "").split(","), *picked))), plain.get("trash") in {"1", "true"},
        int(limit) if limit in {str(one) for one in LIMITS} else 50,
        {name.removesuffix(NAMED): value for name, value in pairs if name.endswith(NAMED)},
        safe(plain[BACK]) if BACK in plain else "",
    )  # fmt: skip


def list_below(inline: Inline, row_id: object, page: str) -> ListState:
    """Return the list of the rows below a row, which lead back to `page`, the page of that row."""
    place = f"#rows-{inline.resource}"
    back = page if len(page) < MOST_BACK else page.partition("?")[0]
    filters = {inline.via: (str(row_id),)}
    return ListState(f"/admin/{inline.resource}", filters, sort=inline.order_by, back=back + place)


def list_of(request: Request[Any, Any, Any], resource: str) -> ListState:
    """Return the list that a page of a row was opened from. Raise Invalid when it has too many values."""
    return read_state(f"/admin/{resource}", str(request.query_params.get(LIST, "")))
