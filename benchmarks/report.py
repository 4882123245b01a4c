"""What was measured, for people: tables in docs/performance.md and a plot beside it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from benchmarks.stacks import FLOOR, OURS

mpl.use("svg")
mpl.rcParams["svg.fonttype"] = "none"

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PLOT = DOCS / "performance.md", DOCS / "performance.svg"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = (
    "litestar", "advanced-alchemy", "sqlalchemy", "sqlmodel", "asyncpg", "msgspec", "uvicorn", "uvloop", "fastapi",
    "django", "djangorestframework", "django-ninja",
)  # fmt: skip
COLUMNS = ("", "requests/s", "p50 ms", "p95 ms", "p99 ms", "app CPU us", "database CPU us", "ours, times better")
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
PLOTTED = ("list", "read", "add", "change")


def machine() -> dict[str, Any]:
    """Where and with what the figures were measured."""
    processor = next(
        (
            line.split(": ")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "processor": processor, "cores": os.cpu_count(), "system": platform.system(),
        "python": platform.python_version(), "packages": {name: version(name) for name in PACKAGES},
    }  # fmt: skip


def table(measured: dict[str, Any]) -> str:
    return "\n".join([HEAD, *(_row(name, figures) for name, figures in measured.items())])


def _row(name: str, figures: dict[str, Any]) -> str:
    least, middle, most = figures.get("ours", [0, 0, 0])
    ratio = f"{middle:.2f} [{least:.2f}..{most:.2f}]" if middle else ""
    latencies = " | ".join(f"{figures[key]:.1f}" for key in ("p50", "p95", "p99"))
    return (
        f"| {name} | {figures['rate']:.0f} | {latencies} | {figures['app_us']:.0f} | {figures['database_us']:.0f}"
        f" | {ratio} |"
    )


def write(found: dict[str, Any]) -> None:
    """Replace the tables of the page, and draw the plot."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    where = found["machine"]
    head = f"{where['processor']}, {where['cores']} cores, Python {where['python']}."
    tables = [f"### {title}\n\n{table(measured)}" for title, measured in found["results"].items()]
    PAGE.write_text(before + "\n\n".join([BEGIN, head, *tables, END]) + after)
    _plot(found["results"])


def _plot(results: dict[str, Any]) -> None:
    """Requests per second of each stack as a multiple of the first peer's."""
    chosen = {title.partition(",")[0]: measured for title, measured in results.items() if ", 32 connections" in title}
    endpoints = [name for name in PLOTTED if name in chosen]
    names = [name for name in next(iter(chosen.values())) if name != FLOOR]
    figure, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        places = [place + number * width for place in range(len(endpoints))]
        rates = [chosen[endpoint][name]["rate"] for endpoint in endpoints]
        axes.bar(places, rates, width, label=name, color="#2f6fdb" if name == OURS else str(0.45 + 0.08 * number))
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(endpoints))], endpoints)
    axes.set_ylabel("requests per second, one process")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(PLOT)
