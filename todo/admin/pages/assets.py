"""Styles and scripts: read once, addressed by what they hold, so that browsers keep them for good."""

from hashlib import sha256
from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath

from todo.errors import NotFound

STATIC = Path(__file__).parent / "static"
# Spelled out: browsers refuse scripts and styles under any other name, and machines differ in what they guess.
KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FILES = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in KINDS}
DIGEST = sha256(b"".join(FILES.values())).hexdigest()[:12]
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}


def asset(name: str) -> str:
    """The address of a file; another one after every change."""
    return f"/admin/static/{DIGEST}/{name}"


@get(
    "/admin/static/{digest:str}/{name:str}",
    operation_id="get_admin_file",
    include_in_schema=False,
    sync_to_thread=False,
)
def admin_file(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A style or script of the admin pages.

    Example: `GET /admin/static/0123456789ab/admin.css`
    """
    if name not in FILES or digest != DIGEST:
        raise NotFound
    return Response(FILES[name], media_type=KINDS[f".{name.rpartition('.')[2]}"], headers=FOR_GOOD)
