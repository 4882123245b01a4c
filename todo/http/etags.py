"""Row versions as ETags (RFC 9110 section 13): `If-None-Match` saves transfers, `If-Match` prevents lost updates.

Where the answer also changes without a new version, the tag says so: `"3-1c291ca3"` has a checksum of the body, of a
row that the worker advances, and `"3-overdue"` the passing of time. `If-None-Match` compares all of it, `If-Match` the
version alone, so that a change is refused for what people have changed.
"""

import re
from typing import Annotated, Any, Protocol, TypeVar
from zlib import crc32

from litestar import Response
from litestar.params import HeaderParameter
from msgspec.json import encode


class Versioned(Protocol):
    """A row on the wire."""

    version: int


T = TypeVar("T", bound=Versioned)
ETAG = re.compile(r'(?:^|,)\s*(?:W/)?"([1-9][0-9]{0,8})(?:-[0-9a-z]{1,40})?"\s*(?=,|$)')
BARE = re.compile(r"\s*([1-9][0-9]{0,8})\s*")  # `version` of the body, sent without quotes

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description='Change the row only if it has this version, e.g. `"3"` or `3`; otherwise 412.',
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description='Return 304 if the row still has this version, e.g. `"3"`.'),
]


def versions_of(if_match: str | None) -> frozenset[int] | None:
    """Parse `If-Match` into versions. Return None for no condition; foreign ETags match nothing.

    A single version may be without quotes.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    if bare := BARE.fullmatch(if_match):
        return frozenset({int(bare[1])})
    return frozenset(int(version) for version in ETAG.findall(if_match))


def versioned(
    row: T, *, status_code: int = 200, if_none_match: str | None = None, checksum: bool = False, state: str = ""
) -> Response[T]:
    """Build the response for a single row with its ETag, or 304 without body when the client has that version.

    `checksum`: the body also changes without a new version. `state`: what else it depends on, in a word.
    """
    state = f"{crc32(encode(row)):08x}" if checksum else state
    etag = f'"{row.version}-{state}"' if state else f'"{row.version}"'
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if known & {etag, "*"}:
        nothing: Any = None
        return Response(nothing, status_code=304, headers={"ETag": etag})
    return Response(row, status_code=status_code, headers={"ETag": etag})
