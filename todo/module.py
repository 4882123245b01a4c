"""The declaration of a domain module: what it does in a worker, and what of it is administered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import TypeVar

from todo.admin.dashboard import Card
from todo.admin.declaration import Known, Resource
from todo.admin.explanations import Explainer
from todo.gauges import Gauge
from todo.loops import Loop
from todo.queue import Cron, JobFunction

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Module:
    """Everything of a module that `todo/modules.py` registers, for every process.

    `jobs` run when queued, `schedules` by the clock, `loops` continuously. `dashboard` are cards of the admin's
    dashboard, `explainers` what it knows of rows, `known` rows that people know who may not view their resource. What
    it adds to HTTP is a `Web` (`todo/web.py`), so that a command need not import it.
    """

    jobs: Sequence[JobFunction] = ()
    schedules: Sequence[Cron] = ()
    loops: Sequence[Loop] = ()
    gauges: Sequence[Gauge] = ()
    admins: Sequence[Callable[[], Resource]] = ()
    dashboard: Sequence[Card] = ()
    explainers: Sequence[Explainer] = ()
    known: Sequence[Known] = ()


def union(parts: Sequence[T]) -> T:
    """Combine the contributions of these, all of one dataclass, in order."""
    kind = type(parts[0])
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    return kind(**{name: list(chain.from_iterable(getattr(part, name) for part in parts)) for name in names})
