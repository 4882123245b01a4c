"""Reject unknown query parameters, like unknown fields of a body."""

from functools import lru_cache
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler

from todo.errors import FieldError, Invalid


@lru_cache(maxsize=1000)
def known_to(handler: BaseRouteHandler) -> frozenset[str]:
    """Return the parameter names of a handler and its dependencies, as clients write them."""
    providers = handler.resolve_dependencies()
    fields = dict(handler.parsed_fn_signature.parameters)
    for name in (names := list(fields)):  # grows by the parameters of each dependency
        if name in providers:
            more = providers[name].parsed_fn_signature.parameters
            names += more.keys() - fields.keys()
            fields |= more
    return frozenset(getattr(field.kwarg_definition, "name", None) or name for name, field in fields.items())


async def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Raise Invalid for an unknown parameter, so that a misspelled filter is never silently ignored.

    A handler with `opt={"any_query": True}` checks its parameters itself.
    """
    if not request.scope["query_string"] or request.route_handler.opt.get("any_query"):
        return
    unknown = sorted(set(request.query_params) - known_to(request.route_handler))
    if unknown:
        errors = [FieldError(f"query.{name}", "Unknown parameter.") for name in unknown]
        raise Invalid("The request has unknown query parameters.", errors=errors)
