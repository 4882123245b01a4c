"""Query parameters that no operation knows are refused, as unknown fields of a body are."""

from functools import lru_cache
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler

from todo.errors import FieldError, Invalid


@lru_cache(maxsize=1000)
def known_to(handler: BaseRouteHandler) -> frozenset[str]:
    """The names a handler or what it depends on takes, as clients write them; those of its path are harmless here."""
    providers = handler.resolve_dependencies()
    fields = dict(handler.parsed_fn_signature.parameters)
    for name in (names := list(fields)):  # grows by what a dependency takes
        if name in providers:
            more = providers[name].parsed_fn_signature.parameters
            names += more.keys() - fields.keys()
            fields |= more
    return frozenset(getattr(field.kwarg_definition, "name", None) or name for name, field in fields.items())


async def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Raises Invalid for a misspelt parameter, so that a filter never silently does nothing.

    A handler with `opt={"any_query": True}` checks its parameters itself.
    """
    if not request.scope["query_string"] or request.route_handler.opt.get("any_query"):
        return
    unknown = sorted(set(request.query_params) - known_to(request.route_handler))
    if unknown:
        errors = [FieldError(f"query.{name}", "There is no such parameter.") for name in unknown]
        raise Invalid("The request holds a parameter that this operation does not know.", errors=errors)
