"""The application: the routes of all modules behind one middleware."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import ValidationException

from todo import tracing
from todo.admin import pages as admin_pages
from todo.admin.pages.brand import Brand
from todo.admin.pages.large_forms import LargeForms
from todo.admin.pages.renderer import Pages
from todo.admin.rest.document import paths_of
from todo.admin.rest.routes import admin_routes
from todo.contention import is_contention
from todo.database import Database
from todo.database_errors import problem_from
from todo.domain.accounts import web as accounts
from todo.domain.accounts.controllers.account_pages import LINKS
from todo.domain.accounts.services.admin_sessions import AdminSessions
from todo.domain.accounts.services.quotas import store_defaults
from todo.domain.accounts.services.sign_in import SignIn
from todo.domain.notifications import web as notifications
from todo.domain.operations import web as operations
from todo.domain.projects import web as projects
from todo.domain.recurrence import web as recurrence
from todo.domain.tasks import web as tasks
from todo.errors import Problem, problem_of
from todo.http import health, idempotency, limits, metrics, middleware, openapi, problems, start
from todo.http.content import Content
from todo.http.cors import Cors
from todo.http.drain import Drain
from todo.http.middleware import Middleware, Restarts, ask_restart
from todo.http.proxies import Proxies
from todo.http.reads import Reads
from todo.http.request_metrics import RequestMetrics
from todo.http.requests import StrictRequest, begin, refused
from todo.http.spans import Spans
from todo.http.transactions import origin_of, roll_back, session_of
from todo.module import union
from todo.modules import APPLICATION, JOBS, REGISTRY
from todo.settings import Settings, load_settings, secret_key
from todo.web import Web

CORE = Web(
    routes=[
        start.start, health.live, health.ready, metrics.metrics, *openapi.routes, *admin_pages.routes,
        problems.list_problem_types, problems.get_problem_type,
    ]
)  # fmt: skip
WEB = union([CORE, accounts.WEB, projects.WEB, recurrence.WEB, tasks.WEB, notifications.WEB, operations.WEB])
ROUTES = [*WEB.routes, *admin_routes(REGISTRY)]


def translate(error: Exception) -> Problem:
    """Convert any exception to a problem."""
    return problem_from(error) or problem_of(error)


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Handle every exception."""
    if "admin_session" in request.scope["state"]:  # set for everything below /admin
        if is_contention(error):  # a page writes in one transaction
            ask_restart(request.scope)
        answer: Response[Any] = request.app.state.pages.respond(request, error)
        return answer
    if isinstance(error, idempotency.Repeated):
        return error.answer()
    problem = refused(request, error) if isinstance(error, ValidationException) else translate(error)
    body = problem.body(request.url.path, request.scope["state"].get("request_id", ""))
    return Response(body, status_code=problem.status, headers=problem.headers, media_type="application/problem+json")


def create_app(settings: Settings | None = None, url: str | None = None) -> Litestar:
    """Create the ASGI application.

    Settings are loaded when none are given; `url` overrides their database. Raise SettingsError when they are invalid,
    or when there is no usable secret key.
    """
    settings = settings or load_settings()
    database = Database(settings, url)
    sign_in = SignIn(database, settings, secret_key(settings))
    pages = pages_of(database, sign_in, settings)
    counted, drain = RequestMetrics(), Drain(settings.drain_seconds)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await database.open()
        await store_defaults(database)
        await sign_in.start()
        try:
            yield
        finally:
            await sign_in.stop()
            await database.close()

    app = Litestar(
        ROUTES,
        dependencies=dependencies_of(database, sign_in, pages, counted, drain),
        exception_handlers={Exception: respond},
        after_exception=[roll_back],
        before_request=begin,
        middleware=[Reads],
        lifespan=[lifespan],
        request_class=StrictRequest,
        openapi_config=openapi.configuration(),
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
        state=State({"pages": pages, "admin_paths": partial(paths_of, REGISTRY), "drain": drain}),
    )
    enclose(app, database, sign_in, pages, settings, counted)
    return app


def dependencies_of(
    database: Database, sign_in: SignIn, pages: Pages, counted: RequestMetrics, drain: Drain
) -> dict[str, Provide]:
    """Return what handlers of every module can name in their signature."""
    return {
        "database": Provide(lambda: database, sync_to_thread=False),
        "sign_in": Provide(lambda: sign_in, sync_to_thread=False),
        "pages": Provide(lambda: pages, sync_to_thread=False),
        "origin": Provide(origin_of, sync_to_thread=False),
        "session": Provide(session_of),
        "gauges": Provide(lambda: APPLICATION.gauges, sync_to_thread=False),
        "request_metrics": Provide(lambda: counted, sync_to_thread=False),
        "jobs": Provide(lambda: JOBS, sync_to_thread=False),
        "drain": Provide(lambda: drain, sync_to_thread=False),
    }


def pages_of(database: Database, sign_in: SignIn, settings: Settings) -> Pages:
    """Create the admin pages. Their cookies are Secure in production and wherever https is used."""
    secret = secret_key(settings)
    accounts_of_pages = AdminSessions(database, sign_in, settings, secret)
    secure = settings.env == "production" or settings.public_url.startswith("https")
    return Pages(
        REGISTRY, database, accounts_of_pages, translate, LargeForms(secret, settings.max_body_bytes),
        secure=secure, label=settings.env, account_links=LINKS,
        templates=WEB.templates, places=WEB.navigation, cards=APPLICATION.dashboard,
        row_links=WEB.row_links, brand=brand_of(settings),
    )  # fmt: skip


def brand_of(settings: Settings) -> Brand:
    logo = Path(settings.admin_logo).read_bytes() if settings.admin_logo else b""
    css = Path(settings.admin_css).read_bytes() if settings.admin_css else b""
    return Brand(settings.admin_name, settings.admin_color, logo, css)


def enclose(
    app: Litestar, database: Database, sign_in: SignIn, pages: Pages, settings: Settings, counted: RequestMetrics
) -> None:
    """Wrap the middleware around the whole application, including routing."""
    keyed = idempotency.Idempotency(app.asgi_handler, database, settings.max_body_bytes, translate)
    outermost = Middleware(
        Content(Restarts(keyed)),
        sign_in.authenticate,
        translate,
        https=settings.public_url.startswith("https"),
        proxies=Proxies(settings.trusted_proxies),
        cors=Cors(settings.cors_origins),
        limit=partial(limits.limiter_of(database).count, database),
        admin_sessions=middleware.AdminMount("/admin", pages.identify, pages.answer_problem, pages.large_forms.limit),
        metrics=counted,
    )
    app.asgi_handler = Spans(outermost) if tracing.is_on() else outermost
