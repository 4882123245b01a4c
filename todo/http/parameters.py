"""Query parameters that no operation knows are refused, as unknown fields of a body are."""

from functools import lru_cache
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler

from todo.errors import FieldError, Invalid


@lru_cache(maxsize=1000)
def known_to(handler: BaseRouteHandler) -> frozenset[str]:
    """The names a handler takes, or something it depends on; those of its path are harmless here."""
    signatures = [provider.parsed_fn_signature for provider in handler.resolve_dependencies().values()]
    return frozenset(name for one in (handler.parsed_fn_signature, *signatures) for name in one.parameters)


async def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Raises Invalid for a misspelt parameter, so that a filter never silently does nothing."""
    if not request.scope["query_string"]:
        return
    unknown = sorted(set(request.query_params) - known_to(request.route_handler))
    if unknown:
        errors = [FieldError(f"query.{name}", "There is no such parameter.") for name in unknown]
        raise Invalid("The request holds a parameter that this operation does not know.", errors=errors)
