"""`/` and `/api`: where everything is."""

from typing import Any

from litestar import Request, Response, get

from todo import __version__

LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "openapi_admin": "/openapi-admin.json",
    "admin": "/admin",
    "account": "/admin/account",
    "problems": "/problems",
    "health": "/health/ready",
}
VARY = {"Vary": "Accept"}


@get(["/", "/api"], operation_id="get_start", include_in_schema=False, sync_to_thread=False)
def start(request: Request[Any, Any, Any]) -> Response[Any]:
    """Redirect a browser to the documentation, and return the addresses of everything to a program.

    Example: `GET /api`
    """
    if "text/html" in request.headers.get("accept", ""):
        return Response(None, status_code=303, headers=VARY | {"Location": "/docs"})
    return Response({"name": "todo", "version": __version__} | LINKS, headers=VARY)
