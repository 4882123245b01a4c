"""What every page has in common: who sees it, what it is rendered with, how it is sent, how it refuses."""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from litestar import Request, Response
from litestar.types import Scope

from todo.access import Actor
from todo.admin.dashboard import Card
from todo.admin.declaration import ENTER
from todo.admin.pages import cookies
from todo.admin.pages.cookies import Cookies, Flash
from todo.admin.pages.sessions import Accounts, AdminSession
from todo.admin.pages.templating import environment
from todo.admin.registry import Registry
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Problem, Unauthorized
from todo.http.middleware import Translate, encoded
from todo.http.transactions import origin_of

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    # `no-referrer` would make browsers hide from us where a form was sent from.
    "Referrer-Policy": "same-origin",
    "Vary": "Cookie, HX-Request",
}
THEMES = ("system", "light", "dark")


class Link(NamedTuple):
    """A place to go, for holders of `permission` where it names one."""

    href: str
    label: str
    icon: str
    permission: str = ""

    def is_for(self, actor: Actor) -> bool:
        return not self.permission or actor.may(self.permission)


class RowLink(NamedTuple):
    """What can be gone to from a row of a resource, by holders of `permission`.

    `href` holds fields of the row (`{row.id}`); without a value in the field `needs` there is nothing to go to.
    """

    resource: str
    permission: str
    href: str
    label: str
    icon: str
    needs: str = "id"


class NavGroup(NamedTuple):
    """Links that belong together."""

    label: str
    entries: list[Link]


class Redirect(Exception):
    """Not here: the browser is sent to `location`."""

    def __init__(self, location: str):
        super().__init__(location)
        self.location = location


class ReauthenticationRequired(Exception):
    """Somebody must show again that it is them; `fields` are what they sent, to be sent again with the proof."""

    def __init__(self, fields: list[tuple[str, str]], problem: Problem | None = None):
        super().__init__()
        self.fields = fields
        self.problem = problem


class Pages:
    """One for the whole application. `label` names the environment; `templates` are folders of the rooms.

    `places` are further pages for the palette, `account_links` those for the visitor's own account, `row_links` those
    that begin at a row.
    """

    def __init__(
        self, registry: Registry, database: Database, accounts: Accounts, translate: Translate, *,
        secure: bool, label: str, templates: Sequence[Path] = (),
        places: Sequence[Link] = (), cards: Sequence[Card] = (), account_links: Sequence[Link] = (),
        row_links: Sequence[RowLink] = (),
    ):  # fmt: skip
        self.accounts = accounts
        self._account_links = account_links
        self._row_links = row_links
        self.cards = cards
        self.cookies = Cookies(secure=secure)
        self._translate = translate
        self._registry, self._database = registry, database
        self._label = label
        self._rooms_places = places
        self.places = [Link("/admin", "Dashboard", "home"), Link("/admin/docs", "Reference", "book"), *places]
        self._environment = environment(templates)

    async def identify(self, scope: Scope) -> Actor | None:
        """Who asks, by the cookie alone; remembers the visit for the page."""
        cookie = self.cookies.read(scope, self.cookies.session)
        admin_session = await self.accounts.admin_session(cookie) if cookie else None
        scope["state"]["admin_session"] = admin_session
        return admin_session.actor if admin_session else None

    def admin(self, request: Request[Any, Any, Any], reason: str | None = None) -> AdminService:
        """The way to data for who sits before this browser; `reason` goes into the trail."""
        return AdminService(self._registry, self._database, origin_of(request.scope), reason=reason)

    def links_of(self, actor: Actor, resource: str, row: Any) -> list[Link]:
        """Where this actor can go from a row."""
        found = [one for one in self._row_links if one.resource == resource and actor.may(one.permission)]
        return [Link(one.href.format(row=row), one.label, one.icon) for one in found if getattr(row, one.needs)]

    def _nav(self, admin_session: AdminSession | None) -> list[NavGroup]:
        """The resources this visitor may see, in their groups, in the order they were declared."""
        if admin_session is None or admin_session.required_step or not admin_session.actor.may(ENTER):
            return []
        groups: dict[str, list[Link]] = {}
        for one in (one for one in self._registry if one.may(admin_session.actor, "view")):
            groups.setdefault(one.group or "Other", []).append(Link(f"/admin/{one.name}", one.label, one.icon))
        if places := [place for place in self._rooms_places if place.is_for(admin_session.actor)]:
            groups.setdefault("Operations", []).extend(places)
        return [NavGroup(label, links) for label, links in groups.items()]

    def render(self, scope: Scope, template: str, status: int = 200, **values: Any) -> Response[str]:
        """A page as an answer. `values` are the template's own."""
        answer = Response(self._text(scope, template, values), status_code=status, media_type="text/html")
        answer.headers.update(HEADERS)
        if self.cookies.read(scope, self.cookies.flash):
            answer.set_cookie(self.cookies.write(self.cookies.flash, "", 0))
        return answer

    def go(self, location: str, done: str = "", *, refused: str = "") -> Response[Any]:
        """Send the browser on, to a page that says what was done or why it was not."""
        answer: Response[Any] = Response(b"", status_code=HTTPStatus.SEE_OTHER, media_type="text/html")
        answer.headers.update({**HEADERS, "Location": location})
        if done or refused:
            answer.set_cookie(self.cookies.say(Flash("refused" if refused else "done", refused or done)))
        return answer

    def refuse(self, scope: Scope, problem: Problem) -> Response[Any]:
        """A refusal as a page; who is not signed in is led to where that is done."""
        if isinstance(problem, Unauthorized) and method_of(scope) in cookies.SAFE:
            return self.go(f"/admin/login?next={quote(_address(scope))}")
        values = {"problem": problem, "request_id": scope["state"].get("request_id", "")}
        answer = self.render(scope, "problem.html", int(problem.status), **values)
        answer.headers.update({k: v for k, v in problem.headers.items() if k.lower() != "www-authenticate"})
        return answer

    def answer_problem(self, scope: Scope, problem: Problem) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """The same, below Litestar."""
        answer = self.refuse(scope, problem)
        body = (answer.content or "").encode()
        headers = {**answer.headers, "content-type": "text/html; charset=utf-8", "content-length": str(len(body))}
        return int(answer.status_code or 500), encoded(headers), body

    def respond(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """The exception handler of all pages."""
        if isinstance(error, Redirect):
            return self.go(error.location)
        if isinstance(error, ReauthenticationRequired):
            values = {"fields": error.fields, "problem": error.problem}
            return self.render(request.scope, "reauthenticate.html", HTTPStatus.FORBIDDEN, **values)
        return self.refuse(request.scope, self._translate(error))

    def _text(self, scope: Scope, template: str, values: dict[str, Any]) -> str:
        admin_session = admin_session_of(scope)
        theme = self.cookies.read(scope, self.cookies.theme)
        common: dict[str, Any] = {
            "admin_session": admin_session,
            "timezone": admin_session.actor.timezone if admin_session else "UTC",
            "label": self._label,
            "nav": self._nav(admin_session),
            "account_links": [one for one in self._account_links if admin_session and one.is_for(admin_session.actor)],
            "theme": theme if theme in THEMES else "system",
            "flash": self.cookies.said(scope),
            "path": scope["path"],
            "here": _address(scope),
            "form_token": cookies.form_token(self.cookies.read(scope, self.cookies.session)),
        }
        return self._environment.get_template(template).render({**common, **values})


def method_of(scope: Scope) -> str:
    """The method of a request."""
    return str(scope.get("method", ""))


def admin_session_of(scope: Scope) -> AdminSession | None:
    """The signed-in browser behind a request."""
    admin_session: AdminSession | None = scope["state"].get("admin_session")
    return admin_session


def _address(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return scope["path"] + (f"?{query.decode('latin-1')}" if query else "")
