"""Stricter request parsing than Litestar 2 has: bodies, query parameters and `OPTIONS`."""

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
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from todo.errors import FieldError, Invalid, Status
from todo.http.idempotency import REPEAT, Repeat
from todo.http.middleware import address

LARGE_BODY = 64 * 1024  # bytes; parsing more in Python blocks the event loop too long
MAX_FORM_FIELDS = 1000


def number(text: str) -> int | float:
    """Parse a number with a point or an exponent. JSON Schema allows 2.0 as an integer."""
    value = float(text)
    if not isfinite(value):
        raise msgspec.DecodeError("Number out of range")
    return int(value) if value.is_integer() else value


JSON = msgspec.json.Decoder(float_hook=number)


@lru_cache
def decoder_of(annotation: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(annotation, float_hook=number)


def read_fields(body: bytes) -> FormMultiDict:
    """Parse a URL-encoded form. Raise a 413 problem for too many fields."""
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The form has more than {MAX_FORM_FIELDS} fields.") from None
    return FormMultiDict(pairs)


def read_json(body: bytes, annotation: Any) -> Any:
    """Decode a JSON body into a type.

    Raise SerializationException for invalid JSON, and ValidationException for a value of another type.
    """
    try:
        try:
            return decoder_of(annotation).decode(body)
        except msgspec.ValidationError:
            if len(body) > LARGE_BODY:
                raise
            return msgspec.convert(JSON.decode(body), annotation)  # accepts 2.0 for 2
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise ValidationException(extra=[{"message": message, "key": place.strip(".`")}]) from None
    except msgspec.DecodeError as error:
        raise SerializationException(str(error)) from error


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is read strictly: `"5"` is not an integer, which Litestar would accept."""

    _fields: FormMultiDict | None = None

    async def json(self) -> Any:
        """Decode the body as JSON. Raise like `read_json`."""
        wanted = self.route_handler.parsed_data_field
        return read_json(await self.body(), wanted.annotation if wanted else Any)

    async def form(self) -> FormMultiDict:
        """Parse the form.

        Litestar's own method allows any number of fields and caches 1024 forms with their passwords.
        """
        if self.content_type[0] != RequestEncodingType.URL_ENCODED:
            return await super().form()
        if self._fields is None:
            body = await self.body()
            large = len(body) > LARGE_BODY
            self._fields = await asyncio.to_thread(read_fields, body) if large else read_fields(body)
        return self._fields


@lru_cache(maxsize=1000)
def known_to(handler: BaseRouteHandler) -> dict[str, bool]:
    """Return the parameters of a handler and its dependencies by the names clients write: which may be repeated."""
    providers = handler.resolve_dependencies()
    fields = dict(handler.parsed_fn_signature.parameters)
    for name in (names := list(fields)):  # grows by the parameters of each dependency
        if name in providers:
            more = providers[name].parsed_fn_signature.parameters
            names += more.keys() - fields.keys()
            fields |= more
    return {
        getattr(field.kwarg_definition, "name", None) or name: field.is_non_string_sequence
        for name, field in fields.items()
    }


async def refuse_unclear(request: Request[Any, Any, Any]) -> None:
    """Raise Invalid for an unknown, empty or repeated parameter, so that no filter is silently ignored.

    A handler with `opt={"any_query": True}` checks its parameters itself.
    """
    if not request.scope["query_string"] or request.route_handler.opt.get("any_query"):
        return
    known, sent = known_to(request.route_handler), request.query_params
    errors = [FieldError(f"query.{name}", "Unknown parameter.") for name in sorted(set(sent) - known.keys())]
    if errors:
        raise Invalid("The request has unknown query parameters.", errors=errors)
    if not address(request.scope).startswith("/api/"):  # an HTML form sends its empty fields
        return
    for name, values in sent.dict().items():
        if "" in values:
            errors.append(FieldError(f"query.{name}", "This is empty. Leave it out, or give it a value."))
        elif len(values) > 1 and not known[name]:
            errors.append(FieldError(f"query.{name}", "This is given more than once, but takes one value."))
    if errors:
        raise Invalid("The request has unclear query parameters.", errors=errors)


@lru_cache
def methods_of(app: Litestar) -> dict[str, str]:
    """Return the `Allow` header of every path.

    Litestar 2 lists only one of several methods (litestar-org/litestar#4169).
    """
    found = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            methods: set[str] = {*route.methods, "HEAD"} if "GET" in route.methods else {*route.methods}
            found[route.path_format] = ", ".join(sorted(methods))
    return found


async def begin(request: Request[Any, Any, Any]) -> Response[Any] | None:
    """Reject unclear query parameters, answer `OPTIONS`, and replay the response to an `Idempotency-Key`."""
    await refuse_unclear(request)
    repeat: Repeat | None = request.scope["state"].get(REPEAT)
    if repeat is not None:
        return repeat.answer()
    if request.method != "OPTIONS":
        return None
    return Response(None, status_code=204, headers={"Allow": methods_of(request.app)[request.scope["path_template"]]})
