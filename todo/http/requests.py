"""Stricter request parsing than Litestar 2 has: bodies, query parameters and `OPTIONS`."""

import asyncio
import re
from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from math import isfinite
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import FormMultiDict, MultiDict
from litestar.enums import RequestEncodingType
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from todo.errors import FieldError, Invalid, Problem, Status
from todo.field_errors import MOST, allowed, code_of, field_errors
from todo.http.idempotency import key_of
from todo.http.middleware import address
from todo.http.transactions import unshare

LARGE_BODY = 64 * 1024  # bytes; parsing more in Python blocks the event loop too long
MAX_FORM_FIELDS = 1000
MISSING = re.compile(r"Missing required (\w+) parameter '(\w+)'")  # Litestar reports it in words only


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

    Raise a 400 problem for invalid JSON, and Invalid for a value of another type, with everything wrong in it.
    """
    try:
        try:
            return decoder_of(annotation).decode(body)
        except msgspec.ValidationError:
            if len(body) > LARGE_BODY:
                raise
            return msgspec.convert(JSON.decode(body), annotation)  # accepts 2.0 for 2
    except msgspec.ValidationError as error:
        raise Invalid.fields(refused_body(body, annotation, error)) from None
    except msgspec.DecodeError as error:
        raise malformed(error) from None


def refused_body(body: bytes, annotation: Any, error: msgspec.ValidationError) -> list[FieldError]:
    """Return what is wrong with a body, or only the error when that is not a matter of fields."""
    return field_errors(body, annotation) or [FieldError("body", str(error).partition(" - at `$")[0])]


def malformed(error: msgspec.DecodeError) -> Status:
    """Build the problem for text that is not JSON."""
    found = re.search(r"byte (\d+)", str(error))
    where = f" at byte {found[1]}" if found else ": it ends too early" if "truncated" in str(error) else ""
    return Status(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON in UTF-8{where}.")


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


class Parameter(NamedTuple):
    """How a parameter may be written. Without `is_text`, Litestar would read `null` as no value at all."""

    is_list: bool
    is_text: bool


@lru_cache(maxsize=1000)
def known_to(handler: BaseRouteHandler) -> dict[str, Parameter]:
    """Return the parameters of a handler and its dependencies by the names clients write."""
    providers = handler.resolve_dependencies()
    fields = dict(handler.parsed_fn_signature.parameters)
    for name in (names := list(fields)):  # grows by the parameters of each dependency
        if name in providers:
            more = providers[name].parsed_fn_signature.parameters
            names += more.keys() - fields.keys()
            fields |= more
    return {
        getattr(field.kwarg_definition, "name", None) or name: Parameter(
            field.is_non_string_sequence, str in (field.annotation, *field.args)
        )
        for name, field in fields.items()
    }


async def refuse_unclear(request: Request[Any, Any, Any]) -> None:
    """Raise Invalid for an unknown, empty, null or repeated parameter, so that no filter is silently ignored.

    A handler with `opt={"any_query": True}` checks its parameters itself.
    """
    if not request.scope["query_string"] or request.route_handler.opt.get("any_query"):
        return
    known, sent = known_to(request.route_handler), request.query_params
    if errors := [*_unknown(known, sent)] or [*_unclear(known, sent, address(request.scope))]:
        raise Invalid.fields(errors[:MOST])


def _unknown(known: dict[str, Parameter], sent: MultiDict[Any]) -> Iterator[FieldError]:
    for name in sorted(set(sent) - known.keys()):
        yield FieldError(f"query.{name[:100]}", "There is no such parameter.", "unknown")


def _unclear(known: dict[str, Parameter], sent: MultiDict[Any], path: str) -> Iterator[FieldError]:
    if not path.startswith("/api/"):  # an HTML form sends its empty fields
        return
    for name, values in sent.dict().items():
        if "" in values:
            yield FieldError(f"query.{name}", "This is empty. Leave it out, or give it a value.", "too_short")
        elif not known[name].is_text and any(value.lower() == "null" for value in values):
            yield FieldError(f"query.{name}", "`null` is no value here. Leave it out, or give it one.", "wrong_type")
        elif len(values) > 1 and not known[name].is_list:
            yield FieldError(f"query.{name}", "This is given more than once, but takes one value.", "repeated")


def refused(request: Request[Any, Any, Any], error: ValidationException) -> Problem:
    """Build the problem for a missing body or invalid parameters, in sentences that say what is allowed."""
    found = [item for item in error.extra if isinstance(item, dict)] if isinstance(error.extra, list) else []
    if any(item.get("message") == "'data'" for item in found):
        return Status(HTTPStatus.BAD_REQUEST, "The request must have a JSON body.")
    types = types_of(request.route_handler)
    if missing := MISSING.match(error.detail):
        place, name = missing.groups()
        message = f"This is required; it must be {allowed(types.get(name))}."
        return Invalid.field(f"{place}.{name}", message, "required")
    return Invalid.fields([_parameter_error(item, types, request.query_params) for item in found])


def _parameter_error(item: dict[str, Any], types: dict[str, Any], sent: MultiDict[Any]) -> FieldError:
    """Convert Litestar's `{message, key, source}`, whose message is msgspec's."""
    name = str(item.get("key", "")).partition(".")[0]
    place = getattr(item.get("source"), "value", "query")
    kind = types.get(name)
    message = f"This must be {allowed(kind).removesuffix(', or null')}."
    return FieldError(f"{place}.{name}", message, code_of(kind, _as_json(sent.get(name, ""))))


def _as_json(text: str) -> bytes:
    """Return a parameter as JSON: a number where it is one."""
    return text.encode() if re.fullmatch(r"-?(0|[1-9]\d{0,30})", text) else msgspec.json.encode(text)


@lru_cache(maxsize=1000)
def types_of(handler: BaseRouteHandler) -> dict[str, Any]:
    """Return the types of the parameters of a handler and its dependencies, with their limits."""
    providers = handler.resolve_dependencies()
    found: dict[str, Any] = dict(handler.signature_model.__annotations__)
    for name in (names := list(found)):  # grows by the parameters of each dependency
        if name in providers:
            more = providers[name].signature_model.__annotations__
            names += more.keys() - found.keys()
            found |= more
    return found


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
    """Reject unclear query parameters, answer `OPTIONS`, and take an `Idempotency-Key`.

    A handler with `opt={"takes_key": True}` does that itself.
    """
    await refuse_unclear(request)
    key, opt = key_of(request.scope), request.route_handler.opt
    if key is not None and "no_key" in opt:
        unshare(request.scope)
    elif key is not None:
        key.shown_once = opt.get("shown_once")
        if not opt.get("takes_key"):
            await key.take()
    if request.method != "OPTIONS":
        return None
    return Response(None, status_code=204, headers={"Allow": methods_of(request.app)[request.scope["path_template"]]})
