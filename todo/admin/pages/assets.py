"""Styles and scripts, with a content hash in the URL so that browsers can cache them forever."""

from hashlib import sha256
from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath

from todo.errors import NotFound

STATIC = Path(__file__).parent / "static"
# Explicit, since browsers reject scripts and styles of any other type and the guesses of machines differ.
KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
FILES = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in KINDS}
DIGEST = sha256(b"".join(FILES.values())).hexdigest()[:12]
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}


def asset(name: str) -> str:
    """Return the URL of a file, which changes with its content."""
    return f"/admin/static/{DIGEST}/{name}"


@get(
    "/admin/static/{digest:str}/{name:str}",
    operation_id="get_admin_file",
    include_in_schema=False,
    sync_to_thread=False,
)
def admin_file(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Return a style sheet or script of the admin pages.

    Example: `GET /admin/static/0123456789ab/admin.css`
    """
    if name not in FILES or digest != DIGEST:
        raise NotFound
    return Response(FILES[name], media_type=KINDS[f".{name.rpartition('.')[2]}"], headers=FOR_GOOD)
