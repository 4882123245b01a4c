"""The global search, and the command palette (Ctrl-K)."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromQuery

from todo.admin.filters import is_searched
from todo.admin.pages.guards import may_enter
from todo.admin.pages.renderer import Link, Pages
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.schemas import SearchHit
from todo.admin.service import AdminService

AnyRequest = Request[Any, Any, Any]
PLACES = 6


class SearchPages(Controller):
    """The global search."""

    guards = [may_enter]

    @get("/search", operation_id="show_admin_search")
    async def search(self, pages: PagesDependency, request: AnyRequest, q: FromQuery[str] = "") -> Response[str]:
        """Search the rows of every resource that this user may see.

        Example: `GET /admin/search?q=plants`
        """
        admin = pages.admin(request)
        hits = await admin.queries.search(q, limit=20)
        return pages.render(request.scope, "search.html", q=q, cut=not is_searched(q), groups=_grouped(admin, hits))

    @get("/palette", operation_id="show_admin_palette")
    async def palette(self, pages: PagesDependency, request: AnyRequest, q: FromQuery[str] = "") -> Response[str]:
        """Return pages and rows for the palette: resources and recent changes until something is typed.

        Example: `GET /admin/palette?q=ta`
        """
        admin = pages.admin(request)
        hits = await admin.queries.search(q, limit=5) if q.strip() else await admin.history.recent()
        values: dict[str, Any] = {
            "places": _places(pages, admin, q.strip().casefold()),
            "groups": _grouped(admin, hits),
            "q": q,
        }
        return pages.render(request.scope, "palette_found.html", **values)


def _places(pages: Pages, admin: AdminService, q: str) -> list[Link]:
    """Return resources, and links to add rows, whose label contains the text."""
    found = [Link(f"/admin/{one.name}", one.label, one.icon) for one in admin.resources()]
    found += [
        Link(f"/admin/{one.name}/add", f"Add {one.label_one.lower()}", "plus")
        for one in admin.resources()
        if admin.may(one.name, "add") and q
    ]
    found += [place for place in pages.places if place.is_for(admin.actor)]
    return [link for link in found if q in link.label.casefold()][: PLACES if q else None]


def _grouped(admin: AdminService, hits: list[SearchHit]) -> list[tuple[Any, list[SearchHit]]]:
    """Return the rows by their resource; resources in the order of their first rows."""
    groups: dict[str, list[SearchHit]] = {}
    for hit in hits:
        groups.setdefault(hit.resource, []).append(hit)
    return [(admin.registry[name], found) for name, found in groups.items()]
