"""`/admin`: the dashboard."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from litestar import Controller, Request, Response, get

from todo.admin.dashboard import Figure, read_dashboard
from todo.admin.pages.guards import may_enter
from todo.admin.pages.languages import Language
from todo.admin.pages.sign_in import PagesDependency

HEIGHT, STEP = 40, 8  # of a chart, in SVG units


class Bar(NamedTuple):
    """A bar of a chart; y grows downwards."""

    x: int
    y: float
    height: float
    today: bool


class DashboardPage(Controller):
    """The dashboard."""

    guards = [may_enter]

    @get(operation_id="show_admin")
    async def show(self, pages: PagesDependency, request: Request[Any, Any, Any]) -> Response[str]:
        """Show what needs attention, figures of users, tasks, sign-ins, jobs and health, and your recent changes.

        Example: `GET /admin`
        """
        admin, say = pages.admin(request), pages.language(request.scope)
        shown = await read_dashboard(pages.cards, admin.database, admin.actor)
        values: dict[str, Any] = {
            "figures": [(one.card, one.figure) for one in shown if not one.card.is_alert],
            "alerts": [(one.card, one.figure) for one in shown if one.card.is_alert and is_on(one.figure)],
            "checked": [one.card.label for one in shown if one.card.is_alert and not is_on(one.figure)],
            "bars": {one.card.label: bars(one.figure.series) for one in shown if one.figure},
            "told": {one.card.label: sent(one.figure, say) for one in shown if one.figure},
            "recent": await admin.history.recent(), "registry": admin.registry,
        }  # fmt: skip
        return pages.render(request.scope, "dashboard.html", **values)


def is_on(figure: Figure | None) -> bool:
    """Return whether an alert is shown: also when nobody knows."""
    return figure is None or bool(figure.value)


def bars(series: Sequence[int]) -> list[Bar]:
    """Return a chart's bars, scaled to the highest. Zero is a line at the bottom."""
    most = max(series, default=0) or 1
    heights = [max(1.0, round(value / most * HEIGHT, 1)) for value in series]
    last = len(series) - 1
    return [Bar(at * STEP, HEIGHT - height, height, at == last) for at, height in enumerate(heights)]


def sent(figure: Figure, say: Language) -> str:
    """Describe a chart in words, for screen readers."""
    if not figure.series:
        return ""
    total, most = sum(figure.series), max(figure.series)
    return say.gettext(
        "%(total)s %(unit)s in %(days)s days, %(most)s a day at most, %(today)s today",
        total=say.number(total), unit=say.translate(figure.unit), days=len(figure.series), most=say.number(most),
        today=say.number(figure.series[-1]),
    )  # fmt: skip
