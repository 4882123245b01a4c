"""A short way through Litestar for the requests that are most: GET, of a handler that only reads (decision 0017)."""

from typing import Any, get_args, get_origin
from uuid import UUID

from litestar import Litestar, Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, SerializationException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.serialization import encode_json, get_serializer
from litestar.types import ASGIApp, Receive, Scope, Send

JSON = "application/json"
ETAGS = frozenset({"ETag"})  # response headers that are sent here; others are left to Litestar
NAMED = frozenset({"request", "scope"})  # what a handler or a dependency may ask for by name


class Reads:
    """Litestar middleware, one instance for each route handler. What `Plan` does not do goes on to Litestar."""

    def __init__(self, app: ASGIApp):
        self._app = app
        self._plan: Plan | None = None
        self._is_planned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET":
            if not self._is_planned:
                self._plan = plan_of(scope["litestar_app"], scope["path_template"])
                self._is_planned = True
            if self._plan is not None:
                await self._plan.answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Plan:
    """What `HTTPRoute.handle` of Litestar does for one handler, in the same order, without what the handler lacks."""

    def __init__(self, route: HTTPRoute):
        self._handler, self._parameters = route.route_handler_map["GET"]
        self._guards = self._handler.resolve_guards()
        self._before = self._handler.resolve_before_request()
        self._request_class = self._handler.resolve_request_class()
        self._serializer = get_serializer(self._handler.resolve_type_encoders())
        self._names = frozenset(self._handler.parsed_fn_signature.parameters)
        self._dependencies = [
            (one.key, one.provide, frozenset(one.provide.signature_model._fields))
            for batch in self._parameters.dependency_batches for one in batch
        ]  # fmt: skip
        self._headers = frozenset(one.field_alias.lower().encode() for one in self._parameters.expected_header_params)
        optional = {*self._parameters.expected_query_params, *self._parameters.expected_header_params}
        fields = self._handler.parsed_fn_signature.parameters
        parsed = all(
            name in fields and fields[name].annotation is path.type is UUID
            for name, path in route.path_parameters.items()
        )
        self._may_be_bare = parsed and not any(one.is_required for one in optional)

    def is_complete(self) -> bool:
        """Return whether the handler declares nothing that is not done here."""
        handler, parameters = self._handler, self._parameters
        path_names = {one.field_name for one in parameters.expected_path_params}
        available = path_names | NAMED | {key for key, _, _ in self._dependencies}
        return (
            is_json(handler)
            and parameters.expected_reserved_kwargs <= NAMED
            and not parameters.expected_cookie_params
            and all(names <= available for _, _, names in self._dependencies)
            and not any(
                provide.has_sync_generator_dependency or provide.has_async_generator_dependency
                for _, provide, _ in self._dependencies
            )
            and not any(layer.after_request or layer.after_response for layer in handler.ownership_layers)
            and not (handler.cache or handler.background or handler.resolve_return_dto())
            and not (handler.resolve_response_headers() or handler.resolve_response_cookies())
            and handler.resolve_response_class() is Response
        )

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer. Raise whatever the guards, the parameters or the handler raise."""
        request = self._request_class(scope, receive=receive, send=send)
        for guard in self._guards:
            await guard(request, self._handler)  # type: ignore[misc]  # Litestar has made it async
        found = await self._before(request) if self._before else None
        if found is None:
            arguments = await self._arguments(scope, request)
            found = self._handler.fn(**arguments)
            if not self._handler.has_sync_callable:
                found = await found
        await self._send(found, request, send)

    async def _arguments(self, scope: Scope, request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Parse the parameters and call the dependencies. Without any parameter there is nothing to parse."""
        is_bare = self._may_be_bare and not scope["query_string"] and self._headers.isdisjoint(
            name for name, _ in scope["headers"]
        )  # fmt: skip
        given: dict[str, Any] = {"request": request, "scope": scope}
        try:
            given |= scope["path_params"] if is_bare else await self._parameters.to_kwargs(request)
        except SerializationException as error:
            raise ClientException(str(error)) from error
        for key, provide, names in self._dependencies:
            given[key] = await provide(**{name: given[name] for name in names})
        chosen = {name: given[name] for name in self._names & given.keys()}
        if is_bare:
            return chosen
        return self._handler.signature_model.parse_values_from_connection_kwargs(request, chosen)

    async def _send(self, found: Any, request: Request[Any, Any, Any], send: Send) -> None:
        """Send a struct as JSON with its ETag. Any other response is Litestar's."""
        value, headers = found, []
        if isinstance(found, Response):
            if not self._is_plain(found):
                response = await self._handler.to_response(app=request.app, data=found, request=request)
                await response(request.scope, request.receive, send)
                return
            value = found.content
            headers = [(name.lower().encode(), text.encode("latin-1")) for name, text in found.headers.items()]
        body = encode_json(value, self._serializer)
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": self._handler.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _is_plain(self, response: Response[Any]) -> bool:
        return (
            response.status_code in {None, self._handler.status_code}
            and response.headers.keys() <= ETAGS
            and (response.media_type or self._handler.media_type or JSON) == JSON
            and not (response.cookies or response.background or response.response_type_encoders)
        )


def is_json(handler: HTTPRouteHandler) -> bool:
    """Return whether the answer is a value to be encoded, not a page or a file."""
    returned = handler.parsed_fn_signature.return_type
    if not returned.is_subclass_of(Response):
        return handler.media_type == JSON
    is_exact = get_origin(returned.annotation) is Response  # not a file or a stream
    return is_exact and not handler.media_type and {*get_args(returned.annotation)}.isdisjoint({str, bytes, Any})


def plan_of(app: Litestar, path: str) -> Plan | None:
    """Return the plan of the handler for GET, or None when it declares more than a plan does."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format == path:
            plan = Plan(route)
            return plan if plan.is_complete() else None
    return None
