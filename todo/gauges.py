"""Numbers of the installation that modules export."""

from dataclasses import dataclass
from typing import Any

from todo.database import Query


@dataclass(frozen=True)
class Gauge:
    """A metric that a module exports. The query must return one number, and be fast at any table size."""

    name: str
    help: str
    query: Query[Any]
