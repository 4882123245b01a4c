"""Row versions as ETags (RFC 9110 section 13): `If-None-Match` saves a transfer, `If-Match` a lost update."""

import re
from typing import Annotated, Any, TypeVar

from litestar import Response
from litestar.params import HeaderParameter

T = TypeVar("T")
ETAG = re.compile(r'(?:^|,)\s*(?:W/)?"([1-9][0-9]{0,8})"\s*(?=,|$)')

IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description='Change only this version, e.g. `"3"`; another one answers 412.'),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description='Answer 304 when the version is still this, e.g. `"3"`.'),
]


def versions_of(if_match: str | None) -> frozenset[int] | None:
    """The versions a client insists on; None for no condition. What is none of our ETags matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(int(version) for version in ETAG.findall(if_match))


def versioned(row: T, *, status_code: int = 200, if_none_match: str | None = None) -> Response[T]:
    """The answer for a single row, with its ETag; 304 without body when the client has it already."""
    etag = f'"{row.version}"'  # type: ignore[attr-defined]  # every single row on the wire has its version
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if known & {etag, "*"}:
        nothing: Any = None
        return Response(nothing, status_code=304, headers={"ETag": etag})
    return Response(row, status_code=status_code, headers={"ETag": etag})
