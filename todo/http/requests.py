"""Before any handler: what Litestar 2 is laxer about than the contract, bodies, query parameters and `OPTIONS`."""

from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import SerializationException, ValidationException
from litestar.routes import HTTPRoute

from todo.http.parameters import refuse_unknown


def number(text: str) -> int | float:
    """A number with a point or an exponent; JSON and its schemas take 2.0 for 2."""
    value = float(text)
    if not isfinite(value):
        raise msgspec.DecodeError("Number out of range")
    return int(value) if value.is_integer() else value


JSON = msgspec.json.Decoder(float_hook=number)


class StrictRequest(Request[Any, Any, Any]):
    """Reads a body as the type its handler asks for: `"5"` is no 5, which Litestar would take for one."""

    async def json(self) -> Any:
        """Raises SerializationException for what is no JSON, ValidationException for what is not as the type says."""
        try:
            body = JSON.decode(await self.body())
        except msgspec.DecodeError as error:
            raise SerializationException(str(error)) from error
        wanted = self.route_handler.parsed_data_field
        try:
            return msgspec.convert(body, wanted.annotation if wanted else Any)
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `$")
            raise ValidationException(extra=[{"message": message, "key": place.strip(".`")}]) from None


@lru_cache
def methods_of(app: Litestar) -> dict[str, str]:
    """`Allow` for every path. Litestar 2's own knows one method of several (litestar-org/litestar#4169)."""
    return {route.path_format: ", ".join(sorted(route.methods)) for route in app.routes if isinstance(route, HTTPRoute)}


async def begin(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Refuses unknown query parameters, and answers `OPTIONS`."""
    await refuse_unknown(request)
    if request.method != "OPTIONS":
        return None
    return Response(None, status_code=204, headers={"Allow": methods_of(request.app)[request.scope["path_template"]]})
