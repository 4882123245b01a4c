"""Rendering and error handling of all pages."""

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
from todo.admin.pages.brand import Brand
from todo.admin.pages.cookies import Cookies, Flash
from todo.admin.pages.kept_forms import FormOutdated, KeptForm, SessionEnded, address_of, page_of
from todo.admin.pages.languages import LANGUAGES, Language, choose, language_of
from todo.admin.pages.large_forms import LargeForms
from todo.admin.pages.sessions import Accounts, AdminSession
from todo.admin.pages.templating import check_widgets, environment
from todo.admin.registry import Registry
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Problem, Unauthorized
from todo.http.middleware import Translate, encoded
from todo.http.transactions import origin_of
from todo.language import speak

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    # `no-referrer` would make browsers hide the origin of a form.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie, HX-Request",
}
MENU_ENTRIES = 15  # that fit below each other, with the headings, in 900 pixels
THEMES = ("system", "light", "dark")


class Link(NamedTuple):
    """A link, for holders of `permission` if it is set."""

    href: str
    label: str
    icon: str
    permission: str = ""

    def is_for(self, actor: Actor) -> bool:
        return not self.permission or actor.may(self.permission)


class RowLink(NamedTuple):
    """A link from the rows of a resource, for holders of `permission`.

    `href` may contain fields of the row (`{row.id}`). It is hidden when the field `needs` has no value.
    """

    resource: str
    permission: str
    href: str
    label: str
    icon: str
    needs: str = "id"


class NavGroup(NamedTuple):
    """A group of links, which can be folded."""

    label: str
    entries: list[Link]
    is_open: bool = True


class Redirect(Exception):
    """Redirect the browser to `location`."""

    def __init__(self, location: str):
        super().__init__(location)
        self.location = location


class ReauthenticationRequired(Exception):
    """The user must reauthenticate. `fields` are the form fields, to be sent again with the credentials."""

    def __init__(self, fields: list[tuple[str, str]], problem: Problem | None = None):
        super().__init__()
        self.fields = fields
        self.problem = problem


class Pages:
    """The admin pages of the application. `label` names the environment; `templates` are folders of the modules.

    `places` are further pages for the palette, `account_links` pages of the user's own account, `row_links` links from
    rows.
    """

    def __init__(
        self, registry: Registry, database: Database, accounts: Accounts, translate: Translate,
        large_forms: LargeForms, *,
        secure: bool, label: str, templates: Sequence[Path] = (),
        places: Sequence[Link] = (), cards: Sequence[Card] = (), account_links: Sequence[Link] = (),
        row_links: Sequence[RowLink] = (), brand: Brand | None = None,
    ):  # fmt: skip
        self.accounts = accounts
        self._account_links = account_links
        self._row_links = row_links
        self.cards = cards
        self.cookies = Cookies(secure=secure)
        self._translate, self.large_forms = translate, large_forms
        self._registry, self._database = registry, database
        self._label = label
        self.brand = brand or Brand()
        self._rooms_places = places
        self.places = [Link("/admin", "Dashboard", "home"), Link("/admin/docs", "Reference", "book"), *places]
        self._environments = {code: environment(templates, language_of(code), self.brand) for code in LANGUAGES}
        check_widgets(registry, self._environments[LANGUAGES[0]])

    async def identify(self, scope: Scope) -> Actor | None:
        """Authenticate by cookie, and store the admin session for the page, which speaks its language."""
        speak(self.language(scope).code)
        cookie = self.cookies.read(scope, self.cookies.session)
        admin_session = await self.accounts.admin_session(cookie) if cookie else None
        scope["state"]["admin_session"] = admin_session
        return admin_session.actor if admin_session else None

    def language(self, scope: Scope) -> Language:
        """Return the language that was chosen in this browser, or that it asks for."""
        accepted = ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == b"accept-language")
        return choose(self.cookies.read(scope, self.cookies.language), accepted)

    def admin(self, request: Request[Any, Any, Any], reason: str | None = None) -> AdminService:
        """Return the admin service for the current user. `reason` is stored in the audit log."""
        return AdminService(self._registry, self._database, origin_of(request.scope), reason=reason)

    def links_of(self, actor: Actor, resource: str, row: Any) -> list[Link]:
        """Return the links of a row that this actor may follow."""
        found = [one for one in self._row_links if one.resource == resource and actor.may(one.permission)]
        return [Link(one.href.format(row=row), one.label, one.icon) for one in found if getattr(row, one.needs)]

    def _nav(self, admin_session: AdminSession | None, path: str) -> list[NavGroup]:
        """Return the resources this user may see, by group, in the order of declaration."""
        if admin_session is None or admin_session.required_step or not admin_session.actor.may(ENTER):
            return []
        groups: dict[str, list[Link]] = {}
        for one in (one for one in self._registry if one.may(admin_session.actor, "view")):
            groups.setdefault(one.group or "Other", []).append(Link(f"/admin/{one.name}", one.label, one.icon))
        if places := [place for place in self._rooms_places if place.is_for(admin_session.actor)]:
            groups.setdefault("Operations", []).extend(places)
        return folded([NavGroup(label, links) for label, links in groups.items()], path)

    def render(self, scope: Scope, template: str, status: int = 200, **values: Any) -> Response[str]:
        """Render a template to a response."""
        answer = Response(self._text(scope, template, values), status_code=status, media_type="text/html")
        answer.headers.update(HEADERS)
        if self.cookies.read(scope, self.cookies.flash):
            answer.set_cookie(self.cookies.write(self.cookies.flash, "", 0))
        return answer

    def ask(
        self, scope: Scope, template: str, problem: Problem | None = None, *, kept: str = "", **values: Any
    ) -> Response[str]:
        """Render a form for an anonymous user, bound to the browser by its own cookie.

        `kept` is a form to be sent after the sign-in.
        """
        cookie = self.cookies.read(scope, self.cookies.session) or cookies.new_value()
        status = int(problem.status) if problem else 200
        token = cookies.form_token(cookie) + scope["state"].get("signature", "")
        values |= {"problem": problem, "kept": kept, "form_token": token}
        answer = self.render(scope, template, status, **values)
        answer.set_cookie(self.cookies.write(self.cookies.session, cookie))
        return answer

    def ask_again(self, scope: Scope, kept: KeptForm, page: str, status: int = 200, **values: Any) -> Response[str]:
        """Ask to send a kept form, or to return to its `page`."""
        name = kept.path.partition("?")[0].split("/")[2:3]
        fields = self._registry[name[0]].fields if name and name[0] in self._registry else {}
        shown = kept.shown(fields, self.language(scope))
        return self.render(scope, "continue.html", status, kept=kept, page=page, shown=shown, **values)

    def go(self, location: str, done: str = "", *, refused: str = "") -> Response[Any]:
        """Redirect with a message of success or of failure."""
        answer: Response[Any] = Response(b"", status_code=HTTPStatus.SEE_OTHER, media_type="text/html")
        answer.headers.update({**HEADERS, "Location": location})
        if done or refused:
            answer.set_cookie(self.cookies.say(Flash("refused" if refused else "done", refused or done)))
        return answer

    def refuse(self, scope: Scope, problem: Problem) -> Response[Any]:
        """Render a problem as a page, or redirect to sign-in when it is 401."""
        if isinstance(problem, Unauthorized) and method_of(scope) in cookies.SAFE:
            return self.go(f"/admin/login?next={quote(address_of(scope))}")
        values = {"problem": problem, "request_id": scope["state"].get("request_id", "")}
        answer = self.render(scope, "problem.html", int(problem.status), **values)
        answer.headers.update({k: v for k, v in problem.headers.items() if k.lower() != "www-authenticate"})
        return answer

    def answer_problem(self, scope: Scope, problem: Problem) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Render a problem as a page, without Litestar."""
        answer = self.refuse(scope, problem)
        body = (answer.content or "").encode()
        headers = {**answer.headers, "content-type": "text/html; charset=utf-8", "content-length": str(len(body))}
        return int(answer.status_code or 500), encoded(headers), body

    def respond(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """Handle exceptions of all pages."""
        if isinstance(error, Redirect | Unauthorized) and is_of_script(request.scope):
            return Response("", status_code=HTTPStatus.UNAUTHORIZED, media_type="text/plain", headers=HEADERS)
        if isinstance(error, Redirect):
            return self.go(error.location)
        if isinstance(error, SessionEnded):
            return self.ask(request.scope, "login.html", error, next=error.page, email="", kept=error.kept)
        if isinstance(error, FormOutdated):
            return self.ask_again(request.scope, error.kept, page_of(request), HTTPStatus.FORBIDDEN)
        if isinstance(error, ReauthenticationRequired):
            values = {"fields": error.fields, "problem": error.problem}
            return self.render(request.scope, "reauthenticate.html", HTTPStatus.FORBIDDEN, **values)
        return self.refuse(request.scope, self._translate(error))

    def form_token(self, cookie: str, has_session: bool = True) -> str:
        """Return the CSRF token of a page, with the signature that it was made for a session."""
        return cookies.form_token(cookie) + (self.large_forms.signature() if has_session else "")

    def _text(self, scope: Scope, template: str, values: dict[str, Any]) -> str:
        admin_session = admin_session_of(scope)
        theme = self.cookies.read(scope, self.cookies.theme)
        common: dict[str, Any] = {
            "admin_session": admin_session,
            "timezone": admin_session.actor.timezone if admin_session else "UTC",
            "label": self._label,
            "nav": self._nav(admin_session, scope["path"]),
            "account_links": [one for one in self._account_links if admin_session and one.is_for(admin_session.actor)],
            "theme": theme if theme in THEMES else "system",
            "flash": self.cookies.said(scope),
            "path": scope["path"],
            "here": address_of(scope),
            "form_token": self.form_token(self.cookies.read(scope, self.cookies.session), admin_session is not None),
        }
        environment = self._environments[self.language(scope).code]
        return environment.get_template(template).render({**common, **values})


def folded(groups: list[NavGroup], path: str) -> list[NavGroup]:
    """Open the group of the current page, and of the others as many as fit without scrolling."""
    here = {one.label for one in groups if any(f"{path}/".startswith(f"{link.href}/") for link in one.entries)}
    left = MENU_ENTRIES - sum(len(one.entries) for one in groups if one.label in here)
    found = []
    for group in groups:
        fits = group.label in here or len(group.entries) <= left
        left -= len(group.entries) if fits and group.label not in here else 0
        found.append(group._replace(is_open=fits))
    return found


def method_of(scope: Scope) -> str:
    """Return the method of a request."""
    return str(scope.get("method", ""))


def is_of_script(scope: Scope) -> bool:
    """Return whether a script asks for a part of a page, which must not lead the page elsewhere."""
    return (b"hx-request", b"true") in scope["headers"]


def admin_session_of(scope: Scope) -> AdminSession | None:
    """Return the admin session of a request."""
    admin_session: AdminSession | None = scope["state"].get("admin_session")
    return admin_session
