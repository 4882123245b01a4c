"""`/admin/account`: the own account of users of the admin pages."""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import segno
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.access import requires
from todo.admin.conflicts import FieldConflict
from todo.admin.fields import Field
from todo.admin.pages.forms import WAS, Sent, controls, form_version, sent_by, version_of
from todo.admin.pages.guards import current_admin_session
from todo.admin.pages.reauthentication import require_reauthentication
from todo.admin.pages.renderer import Link, Pages
from todo.database import Database, WriteSession
from todo.domain.accounts import rules
from todo.domain.accounts.schemas.second_factor import Enrollment, PasskeyIn, PasskeyOptions, ReauthenticationIn
from todo.domain.accounts.schemas.users import MePatch, Timezone
from todo.domain.accounts.services.admin_sessions import ENROLLMENT, AdminSessions
from todo.domain.accounts.services.passkeys import PASSKEYS, PasskeyService
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.domain.accounts.services.second_factor import SecondFactorService
from todo.domain.accounts.services.sign_in import SignIn
from todo.domain.accounts.services.users import AccountService
from todo.domain.accounts.services.vacations import read_vacation
from todo.errors import Problem, Stale
from todo.http.transactions import origin_of
from todo.schema import Line, read_form
from todo.settings import secret_key

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]
HOME = "/admin/account"
MAY_KEEP_PASSKEYS = [requires("accounts.passkeys")]
LINKS = (
    Link(HOME, "Your account", "user", "accounts.me"),
    Link(ENROLLMENT, "Second factor", "shield", "accounts.second_factor"),
)


class OwnAccount(msgspec.Struct):
    """The editable fields of an account with their current values."""

    name: str
    timezone: str
    version: int


FIELDS = (Field("name", "Name", "text", Line), Field("timezone", "Time zone", "text", Timezone))


class AccountPages(Controller):
    """Pages for name, time zone, devices and passkeys of the signed-in user."""

    path = "/account"

    @get(operation_id="show_admin_account", guards=[requires("accounts.me")])
    async def show(
        self, pages: PagesDependency, sign_in: NamedDependency[SignIn], database: NamedDependency[Database],
        request: AnyRequest,
    ) -> Response[str]:  # fmt: skip
        """Show your account: name, time zone, sessions, passkeys.

        Example: `GET /admin/account`
        """
        return await _account(pages, sign_in, database, request)

    @post(operation_id="change_admin_account", status_code=303, guards=[requires("accounts.change")])
    async def change(
        self, pages: PagesDependency, sign_in: NamedDependency[SignIn], database: NamedDependency[Database],
        request: AnyRequest,
    ) -> Response[Any]:  # fmt: skip
        """Change your name or time zone. Pages show times in your time zone.

        Example: `POST /admin/account` with the fields `name`, `timezone`
        """
        sent = await sent_by(request)
        version = version_of(sent)
        values = {field.name: sent[field.name][-1] for field in FIELDS if field.name in sent}
        try:
            async with database.session(origin_of(request.scope)) as session:
                change = read_form(values, MePatch)
                await AccountService(session, request.user).change_own(change, frozenset({version}))
        except Stale as conflict:
            return _conflict(pages, request, sent, conflict)
        except Problem as problem:
            return await _account(pages, sign_in, database, request, sent, problem)
        return pages.go(HOME, done="Your account is saved.")

    @post("/sessions/{session_id:uuid}/end", operation_id="end_admin_session", guards=[requires("accounts.sessions")])
    async def end_session(
        self, pages: PagesDependency, sign_in: NamedDependency[SignIn], request: AnyRequest, session_id: FromPath[UUID]
    ) -> Response[Any]:
        """Sign out one of your devices.

        Example: `POST /admin/account/sessions/0190f5f0-7c1d-7000-8000-000000000000/end`
        """
        await sign_in.end_session(origin_of(request.scope), session_id)
        return pages.go(HOME, done="That device is signed out.")

    @post("/passkeys/options", operation_id="begin_admin_passkey", status_code=200, guards=MAY_KEEP_PASSKEYS)
    async def begin_passkey(
        self, pages: PagesDependency, sign_in: NamedDependency[SignIn], database: NamedDependency[Database],
        session: NamedDependency[WriteSession], request: AnyRequest,
    ) -> PasskeyOptions:  # fmt: skip
        """Return the WebAuthn options for a new passkey. Users with a second factor must have signed in with it.

        Example: `POST /admin/account/passkeys/options`
        """
        await require_reauthentication(pages, request)
        await _reauthentication(database, sign_in, request).require_factor()
        return await PasskeyService(session, request.user).options(sign_in.site)

    @post("/passkeys", operation_id="add_admin_passkey", status_code=303, guards=MAY_KEEP_PASSKEYS)
    async def add_passkey(
        self, pages: PagesDependency, sign_in: NamedDependency[SignIn], session: NamedDependency[WriteSession],
        request: AnyRequest,
    ) -> Response[Any]:  # fmt: skip
        """Store a new passkey.

        Example: `POST /admin/account/passkeys` with the fields `name`, `state`, `credential`
        """
        sent = {name: values[-1] for name, values in (await sent_by(request)).items() if name != "form_token"}
        await PasskeyService(session, request.user).add(sign_in.site, read_form(sent, PasskeyIn))
        return pages.go(HOME, done="The passkey signs you in from now on.")

    @post(
        "/passkeys/{passkey_id:uuid}/delete",
        operation_id="delete_admin_passkey",
        guards=MAY_KEEP_PASSKEYS,
    )
    async def delete_passkey(
        self, pages: PagesDependency, sign_in: NamedDependency[SignIn], database: NamedDependency[Database],
        session: NamedDependency[WriteSession], request: AnyRequest, passkey_id: FromPath[UUID],
    ) -> Response[Any]:  # fmt: skip
        """Delete a passkey, in a session that began with a second factor.

        Example: `POST /admin/account/passkeys/0190f5f0-7c1d-7000-8000-000000000000/delete`
        """
        await require_reauthentication(pages, request)
        await _reauthentication(database, sign_in, request).require_factor()
        await PasskeyService(session, request.user).revoke(passkey_id)
        return pages.go(HOME, done="The passkey is forgotten.")


class SecondFactorPages(Controller):
    """Pages for the authenticator app and its recovery codes."""

    path = "/account/second-factor"
    guards = [requires("accounts.second_factor")]

    @get(operation_id="show_admin_second_factor")
    async def show(self, pages: PagesDependency, sign_in: NamedDependency[SignIn], database: NamedDependency[Database],
                   request: AnyRequest) -> Response[str]:  # fmt: skip
        """Show whether you have a second factor, with the form to set one up.

        Example: `GET /admin/account/second-factor`
        """
        state = await _factors(database, sign_in, request).state()
        return pages.render(
            request.scope, "second_factor.html", state=state, admin_session=current_admin_session(request), problem=None
        )

    @post("/begin", operation_id="begin_admin_second_factor", status_code=200)
    async def begin(self, pages: PagesDependency, sign_in: NamedDependency[SignIn],
                    database: NamedDependency[Database], request: AnyRequest) -> Response[str]:  # fmt: skip
        """Begin to set up an authenticator app: show its secret as QR code and text.

        Example: `POST /admin/account/second-factor/begin` with the field `password`
        """
        factors, sent = _factors(database, sign_in, request), await sent_by(request)
        try:
            begun = await factors.begin(_read_reauthentication(sent))
        except Problem as problem:
            state = await factors.state()
            return pages.render(request.scope, "second_factor.html", int(problem.status), state=state, problem=problem)
        return _enrollment(pages, request, begun)

    @post("/confirm", operation_id="confirm_admin_second_factor", status_code=200)
    async def confirm(self, pages: PagesDependency, database: NamedDependency[Database], request: AnyRequest,
                      ) -> Response[str]:  # fmt: skip
        """Confirm the authenticator app, and show the recovery codes once.

        Example: `POST /admin/account/second-factor/confirm` with the fields `code`, `secret`, `uri`
        """
        sent = {name: values[-1] for name, values in (await sent_by(request)).items()}
        accounts = pages.accounts
        if not isinstance(accounts, AdminSessions):
            raise TypeError("The application passes AdminSessions.")
        try:
            codes, cookie = await accounts.confirm_factor(
                origin_of(request.scope), current_admin_session(request), sent.get("code", "")
            )
        except Problem as problem:
            return _enrollment(pages, request, Enrollment(sent.get("secret", ""), sent.get("uri", "")), problem)
        answer = pages.render(request.scope, "recovery_codes.html", codes=codes.recovery_codes)
        answer.set_cookie(pages.cookies.write(pages.cookies.session, cookie))
        return answer

    @post("/renew", operation_id="renew_admin_recovery_codes", status_code=200)
    async def renew(self, pages: PagesDependency, sign_in: NamedDependency[SignIn], database: NamedDependency[Database],
                    request: AnyRequest) -> Response[str]:  # fmt: skip
        """Replace the recovery codes, and show the new ones once.

        Example: `POST /admin/account/second-factor/renew` with the field `password` or `code`
        """
        factors, sent = _factors(database, sign_in, request), await sent_by(request)
        try:
            codes = await factors.renew(_read_reauthentication(sent))
        except Problem as problem:
            state = await factors.state()
            return pages.render(request.scope, "second_factor.html", int(problem.status), state=state, problem=problem)
        return pages.render(request.scope, "recovery_codes.html", codes=codes.recovery_codes)

    @post("/remove", operation_id="remove_admin_second_factor", status_code=303)
    async def remove(self, pages: PagesDependency, sign_in: NamedDependency[SignIn],
                     database: NamedDependency[Database], request: AnyRequest) -> Response[Any]:  # fmt: skip
        """Remove the authenticator app.

        Example: `POST /admin/account/second-factor/remove` with the field `password` or `code`
        """
        factors, sent = _factors(database, sign_in, request), await sent_by(request)
        try:
            await factors.remove(_read_reauthentication(sent))
        except Problem as problem:
            state = await factors.state()
            return pages.render(request.scope, "second_factor.html", int(problem.status), state=state, problem=problem)
        return pages.go(ENROLLMENT, done="The authenticator app is removed.")


async def _account(
    pages: Pages, sign_in: SignIn, database: Database, request: AnyRequest, sent: Sent | None = None,
    problem: Problem | None = None,
) -> Response[str]:  # fmt: skip
    owner = request.user
    me = await sign_in.me(owner)
    own = controls(FIELDS, me, owner.timezone, sent=sent, problem=problem)
    passkeys = await PASSKEYS.page(database.reads, {}, actor=owner.user_id)
    values: dict[str, Any] = {
        "me": me, "sessions": await sign_in.sessions(owner), "passkeys": passkeys.items, "problem": problem,
        "own": {one.field.name: one for one in own}, "version": form_version(sent, me),
        "zones": sorted(rules.TIMEZONES), "vacation": await read_vacation(database.reads, owner),
    }  # fmt: skip
    return pages.render(request.scope, "account.html", int(problem.status) if problem else 200, **values)


def _conflict(pages: Pages, request: AnyRequest, sent: Sent, conflict: Stale) -> Response[str]:
    """Show the conflict page: the account was changed elsewhere since the form was loaded."""
    theirs = msgspec.json.decode(conflict.current or b"", type=OwnAccount)
    sides = {}
    for field in FIELDS:
        now = getattr(theirs, field.name)
        was, mine = (sent.get(name, [now])[-1] for name in (WAS + field.name, field.name))
        if not was == mine == now:
            sides[field.name] = FieldConflict(field.name, field.label, was, mine, now)
    wanted = {name: [side.mine] for name, side in sides.items() if side.mine != side.base}
    values: dict[str, Any] = {
        "resource": None, "address": HOME, "name": "your account", "version": theirs.version, "sides": sides,
        "mine": controls([field for field in FIELDS if field.name in sides], theirs, "UTC", sent=wanted),
    }  # fmt: skip
    return pages.render(request.scope, "conflict.html", 409, **values)


def _enrollment(pages: Pages, request: AnyRequest, begun: Enrollment, problem: Problem | None = None) -> Response[str]:
    picture = segno.make(begun.otpauth_uri, error="m") if begun.otpauth_uri.startswith("otpauth://") else None
    rows = list(picture.matrix) if picture else []
    dots = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    values: dict[str, Any] = {"begun": begun, "dots": dots, "size": len(rows), "problem": problem}
    return pages.render(request.scope, "enroll.html", int(problem.status) if problem else 200, **values)


def _read_reauthentication(sent: Sent) -> ReauthenticationIn:
    """Return the password or the code of a form. Raise Invalid."""
    given = {name: values[-1] for name, values in sent.items() if name in {"password", "code"} and values[-1]}
    return read_form(given, ReauthenticationIn)


def _factors(database: Database, sign_in: SignIn, request: AnyRequest) -> SecondFactorService:
    reauthentication, origin = _reauthentication(database, sign_in, request), origin_of(request.scope)
    begin = partial(database.session, origin)
    return SecondFactorService(database, secret_key(database.settings), origin.actor, reauthentication, begin)


def _reauthentication(database: Database, sign_in: SignIn, request: AnyRequest) -> Reauthentication:
    return Reauthentication(database, sign_in.passwords, secret_key(database.settings), origin_of(request.scope))
