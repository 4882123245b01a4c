"""The declaration of a domain module."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from litestar.types import ControllerRouterHandler

from todo.admin.dashboard import Card
from todo.admin.declaration import Resource
from todo.admin.explanations import Explainer
from todo.admin.pages.renderer import Link, RowLink
from todo.http.metrics import Gauge
from todo.loops import Loop
from todo.queue import Cron, JobFunction


@dataclass(frozen=True, kw_only=True)
class Module:
    """Everything that `todo/app.py` registers for a module.

    `jobs` run when queued, `schedules` by the clock, `loops` continuously. `dashboard` are cards of the admin's
    dashboard, `navigation` its further pages, `row_links` links of its rows, `explainers` what it knows of rows,
    `templates` folders of Jinja templates.
    """

    routes: Sequence[ControllerRouterHandler] = ()
    jobs: Sequence[JobFunction] = ()
    schedules: Sequence[Cron] = ()
    loops: Sequence[Loop] = ()
    gauges: Sequence[Gauge] = ()
    admins: Sequence[Callable[[], Resource]] = ()
    dashboard: Sequence[Card] = ()
    navigation: Sequence[Link] = ()
    row_links: Sequence[RowLink] = ()
    explainers: Sequence[Explainer] = ()
    templates: Sequence[Path] = ()

    @classmethod
    def union(cls, modules: Iterable["Module"]) -> "Module":
        """Combine the contributions of these modules, in order."""
        found: dict[str, list[Any]] = {field.name: [] for field in fields(cls)}
        for module in modules:
            for name, contributions in found.items():
                contributions += getattr(module, name)
        return cls(**found)
