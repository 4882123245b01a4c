"""What modules contribute, and that nothing is misspelt."""

import subprocess
import sys

import pytest
from litestar import Litestar, get
from litestar.routes import HTTPRoute

from todo.access import UnknownPermission, require_known, requires
from todo.actions import PERMISSIONS
from todo.http.document.operations import permissions_of
from todo.http.health import HEARTBEAT
from todo.module import Module, union
from todo.modules import APPLICATION, JOBS, REGISTRY
from todo.queue import Cron
from todo.web import Web


async def tidy() -> None:
    """Tidy up."""


@get("/one")
async def one() -> None:
    """One."""


@get("/two")
async def two() -> None:
    """Two."""


def test_an_application_is_the_sum_of_its_modules_in_their_order() -> None:
    schedule = Cron(tidy, "* * * * *")

    whole = union([Module(), Module(schedules=[schedule]), Module(jobs=[tidy])])

    assert whole == Module(
        jobs=[tidy], schedules=[schedule], loops=[], gauges=[], admins=[], dashboard=[], explainers=[], known=[]
    )
    assert union([Web(routes=[one]), Web(routes=[two])]) == Web(
        routes=[one, two], navigation=[], row_links=[], templates=[]
    )


def test_operators_see_every_job_and_schedule() -> None:
    of_loops = [schedule.function.__name__ for schedule in JOBS.schedules if schedule not in APPLICATION.schedules]

    assert JOBS.functions == APPLICATION.jobs
    assert [schedule for schedule in JOBS.schedules if schedule in APPLICATION.schedules] == APPLICATION.schedules
    assert of_loops == [loop.name for loop in APPLICATION.loops if loop is not HEARTBEAT]


def test_every_permission_is_asked_for_by_a_route_or_a_resource(app: Litestar) -> None:
    routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
    required = {name for route in routes for handler in route.route_handlers for name in permissions_of(handler)}

    assert required | REGISTRY.permissions == PERMISSIONS


def test_a_misspelt_permission_does_not_start() -> None:
    with pytest.raises(UnknownPermission, match=r"tasks\.chagne"):
        requires("tasks.chagne")
    with pytest.raises(UnknownPermission, match=r"a\.b, c\.d"):
        require_known({"c.d", "tasks.view", "a.b"})


def test_migrations_know_every_table_without_the_routes() -> None:
    count = "import todo.{0}; from todo.database import metadata; print(sorted(metadata.tables))"
    known = [
        subprocess.run([sys.executable, "-c", count.format(name)], capture_output=True, text=True, check=True).stdout
        for name in ("modules", "app")
    ]

    assert known[0] == known[1]
