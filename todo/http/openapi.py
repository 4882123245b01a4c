"""`/openapi.json`, `/openapi-admin.json` and `/docs`: the API descriptions, and the pages that show them."""

import asyncio
from pathlib import Path
from threading import Lock
from typing import Any

from litestar import Litestar, Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import FromPath
from litestar.response import File
from litestar.routes import BaseRoute
from litestar.types import ControllerRouterHandler

from todo import __version__
from todo.errors import NotFound
from todo.http.document.builder import Documents, build

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# Explicit, since browsers reject scripts and styles of any other type and the guesses of machines differ.
FILES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "start.css": "text/css; charset=utf-8",
}


class UnservedRouter(Router):
    """A router that registers no routes: `/openapi.json` and `/docs` replace Litestar's own pages."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        return []


def configuration() -> OpenAPIConfig:
    """Return the configuration for Litestar's part of the documents; `build` completes it."""
    return OpenAPIConfig(
        title="todo",
        version=__version__,
        render_plugins=[JsonRenderPlugin()],
        openapi_router=UnservedRouter("/openapi", route_handlers=[], include_in_schema=False),
    )


_building = Lock()


def documents(app: Litestar) -> Documents:
    """Return the documents. Building them takes a second: servers do it before their first request."""
    with _building:
        if "documents" not in app.state:
            app.state.documents = build(app)
    found: Documents = app.state.documents
    return found


@get("/openapi.json", operation_id="get_openapi", include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the API description for clients (OpenAPI 3.1).

    Example: `GET /openapi.json`
    """
    found = await asyncio.to_thread(documents, request.app)
    return Response(found.clients, media_type="application/json")


@get("/openapi-admin.json", operation_id="get_openapi_admin", include_in_schema=False)
async def openapi_admin_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the API description with administration (OpenAPI 3.1).

    Example: `GET /openapi-admin.json`
    """
    found = await asyncio.to_thread(documents, request.app)
    return Response(found.everything, media_type="application/json")


@get("/docs", operation_id="get_docs", include_in_schema=False, sync_to_thread=False)
def docs() -> Response[str]:
    """Return the interactive API documentation.

    Example: `GET /docs`
    """
    page = (STATIC / "docs" / "index.html").read_text()
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@get("/docs/{name:str}", operation_id="get_docs_file", include_in_schema=False, sync_to_thread=False)
def docs_file(name: FromPath[str]) -> File:
    """Return a script or style sheet of the documentation page.

    Example: `GET /docs/swagger-ui.css`
    """
    if name not in FILES:
        raise NotFound
    headers = {"Cache-Control": "max-age=86400"}
    return File(STATIC / "docs" / name, media_type=FILES[name], content_disposition_type="inline", headers=headers)


routes: list[ControllerRouterHandler] = [openapi_json, openapi_admin_json, docs, docs_file]
