"""Puts the house together. The only module that knows every room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig

from todo import __doc__ as sentence
from todo import __version__, jobs
from todo.admin import pages as admin_pages
from todo.admin import views
from todo.admin.pages.pages import Pages
from todo.admin.registry import Registry
from todo.admin.rest.routes import admin_routes
from todo.admin.runs import carry_out
from todo.cleanup import delete_expired
from todo.contention import is_contention
from todo.database import Database
from todo.database_errors import refusal_of
from todo.domain import accounts, notifications, operations, recurrence, tasks
from todo.domain.accounts.controllers.admin_account import LINKS
from todo.domain.accounts.services.authentication import actor_of
from todo.domain.accounts.services.browsers import Browsers
from todo.domain.accounts.services.sign_in import SignIn
from todo.errors import Problem, problem_of
from todo.http import health, idempotency, limits, metrics, openapi, shell
from todo.http.cors import Cors
from todo.http.proxies import Proxies
from todo.http.requests import StrictRequest, begin
from todo.http.restarts import Restarts, ask_restart
from todo.http.shell import Shell
from todo.http.transactions import roll_back, session_of
from todo.loops import Loop
from todo.mail import delivery
from todo.mail.smtp import server_of
from todo.queue import Cron
from todo.settings import Settings, secret_key

ROOMS = (accounts, recurrence, tasks, notifications, operations)
REGISTRY = Registry([*(admin for room in ROOMS for admin in getattr(room, "admins", ())), *views.ADMINS])
ROUTES = [
    health.live, health.ready, metrics.metrics, openapi.openapi_json, openapi.docs, openapi.docs_file,
    *admin_pages.routes,
    *(route for room in ROOMS for route in getattr(room, "routes", ())),
    *admin_routes(REGISTRY),
]  # fmt: skip


async def forget_old_answers(context: Any) -> None:
    """Delete idempotent answers older than a day."""
    await delete_expired(context["database"], idempotency.EXPIRED)


async def forget_mail(context: Any) -> None:
    """Delete mail that went out a month ago."""
    await delete_expired(context["database"], delivery.EXPIRED)


CRONS = jobs.CRONS  # told to whoever looks at the queue
CRONS += [
    Cron(forget_old_answers, "17 * * * *", timeout=600),
    Cron(limits.forget_whole, "* * * * *"),
    Cron(forget_mail, "23 * * * *", timeout=600),
    *(cron for room in ROOMS for cron in getattr(room, "crons", ())),
]


async def run_admin_action(context: Any, *, run_id: str) -> None:
    """Go on with an action on many rows."""
    await carry_out(REGISTRY, context["database"], actor_of, UUID(run_id))


FUNCTIONS = jobs.FUNCTIONS
FUNCTIONS += [run_admin_action, *(function for room in ROOMS for function in getattr(room, "functions", ()))]
LOOPS: list[Loop] = [
    health.HEARTBEAT,
    delivery.DELIVERY,
    *(loop for room in ROOMS for loop in getattr(room, "loops", ())),
]
GAUGES: list[metrics.Gauge] = [
    metrics.Gauge("todo_mails_waiting", "Messages that are not sent yet, up to 10,000.", delivery.WAITING),
    *(gauge for room in ROOMS for gauge in getattr(room, "gauges", ())),
]


def translate(error: Exception) -> Problem:
    """What any failure means to a client."""
    return refusal_of(error) or problem_of(error)


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The one exception handler."""
    if "visit" in request.scope["state"]:  # set for everything below /admin
        if is_contention(error):  # a page writes in one transaction
            ask_restart(request.scope)
        answer: Response[Any] = request.app.state.pages.respond(request, error)
        return answer
    problem = translate(error)
    body = problem.body(request.url.path, request.scope["state"].get("request_id", ""))
    return Response(body, status_code=problem.status, headers=problem.headers, media_type="application/problem+json")


def describe(**parts: Any) -> Litestar:
    """An application that is only read for its OpenAPI document, so that no route of Litestar's own is served."""
    config = OpenAPIConfig(title="todo", version=__version__, description=sentence, use_handler_docstrings=True)
    return Litestar(ROUTES, openapi_config=config, logging_config=None, **parts)


def create_app(settings: Settings, url: str | None = None) -> Litestar:
    """The whole service as an ASGI application; `url` overrides the database of the settings.

    Raises SettingsError when there is no usable secret key, or the mail server is not named properly.
    """
    server_of(settings)  # a bad mail address is told now, not when the first mail is due
    database = Database(settings, url)
    sign_in = SignIn(database, settings, secret_key(settings))
    pages = pages_of(database, sign_in, settings)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await database.open()
        await sign_in.start()
        try:
            yield
        finally:
            await sign_in.stop()
            await database.close()

    dependencies = {
        "database": Provide(lambda: database, sync_to_thread=False),
        "sign_in": Provide(lambda: sign_in, sync_to_thread=False),
        "pages": Provide(lambda: pages, sync_to_thread=False),
        "session": Provide(session_of),
        "gauges": Provide(lambda: GAUGES, sync_to_thread=False),
    }
    app = Litestar(
        ROUTES,
        dependencies=dependencies,
        exception_handlers={Exception: respond},
        after_exception=[roll_back],
        before_request=begin,
        lifespan=[lifespan],
        request_class=StrictRequest,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
        state=State({"describe": partial(describe, dependencies=dependencies), "pages": pages}),
    )
    enclose(app, database, sign_in, pages, settings)
    return app


def pages_of(database: Database, sign_in: SignIn, settings: Settings) -> Pages:
    """The admin pages; their cookies are for https alone in production, and wherever https is used."""
    accounts_of_pages = Browsers(database, sign_in, settings, secret_key(settings))
    secure = settings.env == "production" or settings.public_url.startswith("https")
    return Pages(
        REGISTRY, database, accounts_of_pages, translate,
        secure=secure, label=settings.env, account_links=LINKS,
        templates=[room.TEMPLATES for room in ROOMS if hasattr(room, "TEMPLATES")],
        places=[place for room in ROOMS for place in getattr(room, "places", ())],
        cards=[card for room in ROOMS for card in getattr(room, "cards", ())],
        row_links=[link for room in ROOMS for link in getattr(room, "row_links", ())],
    )  # fmt: skip


def enclose(app: Litestar, database: Database, sign_in: SignIn, pages: Pages, settings: Settings) -> None:
    """Put what every request passes through around the whole application, routing included."""
    keyed = idempotency.Idempotency(app.asgi_handler, database, settings.max_body_bytes, translate)
    app.asgi_handler = Shell(
        Restarts(keyed),
        sign_in.authenticate,
        translate,
        https=settings.public_url.startswith("https"),
        proxies=Proxies(settings.trusted_proxies),
        cors=Cors(settings.cors_origins),
        limit=partial(limits.limiter_of(database).count, database),
        browsers=shell.Browsers("/admin", pages.identify, pages.refusal),
    )
