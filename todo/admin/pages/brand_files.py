"""The style sheets and the logo of a brand."""

from litestar import Response, get
from litestar.params import FromPath

from todo.admin.pages.assets import FOR_GOOD, KINDS
from todo.admin.pages.sign_in import PagesDependency
from todo.errors import NotFound

# An SVG that is opened by itself runs nothing.
HEADERS = {**FOR_GOOD, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


@get(
    "/admin/brand/{digest:str}/{name:str}",
    operation_id="get_admin_brand_file",
    include_in_schema=False,
    sync_to_thread=False,
)
def brand_file(pages: PagesDependency, digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Return a file of the brand.

    Example: `GET /admin/brand/0123456789ab/brand.css`
    """
    if name not in pages.brand.files or digest != pages.brand.digest:
        raise NotFound
    return Response(pages.brand.files[name], media_type=KINDS[f".{name.rpartition('.')[2]}"], headers=HEADERS)
