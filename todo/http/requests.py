"""Before any handler: what Litestar 2 is laxer about than the contract, bodies, query parameters and `OPTIONS`."""

import asyncio
from functools import lru_cache
from http import HTTPStatus
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import FormMultiDict
from litestar.enums import RequestEncodingType
from litestar.exceptions import SerializationException, ValidationException
from litestar.routes import HTTPRoute

from todo.errors import Status
from todo.http.idempotency import REPEAT, Repeat
from todo.http.parameters import refuse_unknown

LARGE_BODY = 64 * 1024  # bytes that Python code parses too slowly for the event loop
MAX_FORM_FIELDS = 1000


def number(text: str) -> int | float:
    """A number with a point or an exponent; JSON and its schemas take 2.0 for 2."""
    value = float(text)
    if not isfinite(value):
        raise msgspec.DecodeError("Number out of range")
    return int(value) if value.is_integer() else value


JSON = msgspec.json.Decoder(float_hook=number)


@lru_cache
def decoder_of(annotation: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(annotation, float_hook=number)


def read_fields(body: bytes) -> FormMultiDict:
    """The fields of a URL-encoded form; raises Status 413."""
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The form has more than {MAX_FORM_FIELDS} fields.") from None
    return FormMultiDict(pairs)


def read_json(body: bytes, annotation: Any) -> Any:
    """A JSON body as a type.

    Raises SerializationException for what is no JSON, ValidationException for what is not as the type says.
    """
    try:
        try:
            return decoder_of(annotation).decode(body)
        except msgspec.ValidationError:
            if len(body) > LARGE_BODY:
                raise
            return msgspec.convert(JSON.decode(body), annotation)  # takes 2.0 for 2
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise ValidationException(extra=[{"message": message, "key": place.strip(".`")}]) from None
    except msgspec.DecodeError as error:
        raise SerializationException(str(error)) from error


class StrictRequest(Request[Any, Any, Any]):
    """Reads a body as the type its handler asks for: `"5"` is no 5, which Litestar would take for one."""

    _fields: FormMultiDict | None = None

    async def json(self) -> Any:
        """Raises what `read_json` raises."""
        wanted = self.route_handler.parsed_data_field
        return read_json(await self.body(), wanted.annotation if wanted else Any)

    async def form(self) -> FormMultiDict:
        """As Litestar's, which takes any number of fields and remembers the last 1024 forms, passwords included."""
        if self.content_type[0] != RequestEncodingType.URL_ENCODED:
            return await super().form()
        if self._fields is None:
            body = await self.body()
            large = len(body) > LARGE_BODY
            self._fields = await asyncio.to_thread(read_fields, body) if large else read_fields(body)
        return self._fields


@lru_cache
def methods_of(app: Litestar) -> dict[str, str]:
    """`Allow` for every path. Litestar 2's own knows one method of several (litestar-org/litestar#4169)."""
    return {route.path_format: ", ".join(sorted(route.methods)) for route in app.routes if isinstance(route, HTTPRoute)}


async def begin(request: Request[Any, Any, Any]) -> Response[Any] | None:
    """Refuses unknown query parameters, answers `OPTIONS`, and repeats the first answer to an `Idempotency-Key`."""
    await refuse_unknown(request)
    repeat: Repeat | None = request.scope["state"].get(REPEAT)
    if repeat is not None:
        return repeat.answer()
    if request.method != "OPTIONS":
        return None
    return Response(None, status_code=204, headers={"Allow": methods_of(request.app)[request.scope["path_template"]]})
