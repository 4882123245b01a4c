"""`/account`: the pages that links in e-mails open."""

from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import File

from todo.errors import NotFound

STATIC = Path(__file__).parent.parent / "static"
PAGES = frozenset({"verify", "change", "reset", "register"})
FILES = {"account.js": "text/javascript", "account.css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@get("/account/{page:str}", operation_id="get_account_page", include_in_schema=False, sync_to_thread=False)
def account_page(page: FromPath[str]) -> Response[str]:
    """Return the page to confirm an address, choose a password, or accept an invitation. The token follows `#`.

    Example: `GET /account/verify`
    """
    if page not in PAGES:
        raise NotFound
    text = (STATIC / "account.html").read_text()
    return Response(text, media_type="text/html", headers={"Content-Security-Policy": POLICY})


@get("/account/files/{name:str}", operation_id="get_account_file", include_in_schema=False, sync_to_thread=False)
def account_file(name: FromPath[str]) -> File:
    """Return the script or the style sheet of these pages.

    Example: `GET /account/files/account.js`
    """
    if name not in FILES:
        raise NotFound
    headers = {"Cache-Control": "max-age=3600"}
    return File(STATIC / name, media_type=FILES[name], content_disposition_type="inline", headers=headers)
