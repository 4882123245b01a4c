"""`/admin`: how things stand."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from litestar import Controller, Request, Response, get

from todo.admin.dashboard import Figure, read_dashboard
from todo.admin.pages.guards import may_enter
from todo.admin.pages.sign_in import PagesDependency

HEIGHT, STEP = 40, 8  # of a chart, in its own units


class Bar(NamedTuple):
    """A bar of a chart; y grows downwards."""

    x: int
    y: float
    height: float
    today: bool


class DashboardPage(Controller):
    """The first page."""

    guards = [may_enter]

    @get(operation_id="show_admin")
    async def show(self, pages: PagesDependency, request: Request[Any, Any, Any]) -> Response[str]:
        """People, work, sign-ins, jobs and health at a glance, and what one changed last.

        Example: `GET /admin`
        """
        admin = pages.admin(request)
        shown = await read_dashboard(pages.cards, admin.database, admin.actor)
        values: dict[str, Any] = {
            "figures": [(one.card, one.figure) for one in shown],
            "bars": {one.card.label: bars(one.figure.series) for one in shown if one.figure},
            "told": {one.card.label: sent(one.figure) for one in shown if one.figure},
            "recent": await admin.history.recent(), "registry": admin.registry,
        }  # fmt: skip
        return pages.render(request.scope, "dashboard.html", **values)


def bars(series: Sequence[int]) -> list[Bar]:
    """A chart's bars, the highest as high as the chart; nothing is still a line at its foot."""
    most = max(series, default=0) or 1
    heights = [max(1.0, round(value / most * HEIGHT, 1)) for value in series]
    last = len(series) - 1
    return [Bar(at * STEP, HEIGHT - height, height, at == last) for at, height in enumerate(heights)]


def sent(figure: Figure) -> str:
    """A chart in words, for who does not see it."""
    if not figure.series:
        return ""
    total, most = sum(figure.series), max(figure.series)
    return f"{total:,} {figure.unit} in {len(figure.series)} days, {most:,} a day at most, {figure.series[-1]:,} today"
