"""The state of a list, which is its address: what it shows can be bookmarked, shared, and gone back to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from todo.admin.schemas import ListQuery
from todo.errors import Invalid

FROM, TO, NAMED = "__from", "__to", "__named"  # what forms send for ranges, and for references by what they are called
MOST = 200  # values in one address
LIMITS = (25, 50, 100, 200)


@dataclass(frozen=True)
class ListState:
    """What a list page is asked for. `named` are references still to be found by what they are called."""

    path: str
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    q: str = ""
    sort: str = ""
    cursor: str = ""
    columns: tuple[str, ...] = ()
    trash: bool = False
    limit: int = 50
    named: Mapping[str, str] = field(default_factory=dict)

    def list_query(self) -> ListQuery:
        """The same, for the service."""
        filters = {name: list(values) for name, values in self.filters.items()}
        return ListQuery(
            filters=filters, q=self.q, sort=self.sort, limit=self.limit, cursor=self.cursor or None, trash=self.trash
        )

    def pairs(self, *but: str) -> list[tuple[str, str]]:
        """As form fields or query parameters, without those named."""
        found = [(name, value) for name, values in self.filters.items() for value in values]
        plain: dict[str, Any] = {
            "q": self.q, "sort": self.sort, "columns": ",".join(self.columns), "trash": "1" if self.trash else "",
            "limit": "" if self.limit == 50 else self.limit, "cursor": self.cursor,
        }  # fmt: skip
        found += [(name, str(value)) for name, value in plain.items() if value]
        return [pair for pair in found if pair[0] not in but]

    def query(self, *but: str) -> str:
        """As a query string, with its `?` unless it is empty."""
        text = urlencode(self.pairs(*but))
        return f"?{text}" if text else ""

    def href(self, **changes: Any) -> str:
        """The address of this list, changed; any change but to the next page begins at the first."""
        changes.setdefault("cursor", "")
        changed = replace(self, **changes)
        return changed.path + changed.query()

    def toggled(self, name: str, value: str) -> str:
        """With this value of a filter, or without it when it is there."""
        now = self.filters.get(name, ())
        return self.filtered(name, [one for one in now if one != value] if value in now else [*now, value])

    def only(self, name: str, value: str) -> str:
        """With this one value of a filter, or without any when it is the one."""
        return self.filtered(name, [] if self.filters.get(name, ()) == (value,) else [value])

    def filtered(self, name: str, values: Iterable[str]) -> str:
        rest = {key: found for key, found in self.filters.items() if key != name}
        wanted = tuple(values)
        return self.href(filters={**rest, name: wanted} if wanted else rest)

    def cleared(self) -> str:
        """Without filters and search."""
        return self.href(filters={}, q="")

    @property
    def is_narrowed(self) -> bool:
        return bool(self.filters or self.q)


def read_state(path: str, query: str) -> ListState:
    """Read an address; raises Invalid when it holds too much."""
    try:
        pairs = parse_qsl(query, max_num_fields=MOST, errors="replace")
    except ValueError:
        raise Invalid(f"An address holds {MOST} values at most.") from None
    plain = {name: value for name, value in pairs if name in {"q", "sort", "cursor", "columns", "trash", "limit"}}
    filters: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if name not in plain and name != "column" and not name.endswith((FROM, TO, NAMED)):
            filters[name] = (*filters.get(name, ()), value)
    ends = {name: value.strip() for name, value in pairs if name.endswith((FROM, TO))}
    for name in {name.removesuffix(FROM).removesuffix(TO) for name in ends}:
        filters[name] = (f"{ends.get(name + FROM, '')}..{ends.get(name + TO, '')}",)
    picked = [value for name, value in pairs if name == "column"]  # what the form of the column picker sends
    limit = plain.get("limit", "50")
    return ListState(
        path, filters, plain.get("q", "").strip(), plain.get("sort", ""), plain.get("cursor", ""),
        tuple(filter(None, (*plain.get("columns", "").split(","), *picked))), plain.get("trash") in {"1", "true"},
        int(limit) if limit in {str(one) for one in LIMITS} else 50,
        {name.removesuffix(NAMED): value for name, value in pairs if name.endswith(NAMED)},
    )  # fmt: skip
