"""`/unsubscribe`: the link in every e-mail. Outside `/api`, since mail clients send a form (RFC 8058)."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.database import Database, WriteSession
from todo.domain.notifications.services.preferences import read_link_token, unsubscribe
from todo.settings import secret_key

POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title><link rel="stylesheet" href="/account/files/account.css">
</head><body><main><h1>{title}</h1>{body}</main></body></html>
"""
WORDS = {
    "reminder": "reminders",
    "missed": "messages about missed reminders",
    "digest": "daily digests",
    "overdue": "summaries of overdue tasks",
    "series_ended": "messages about series that have ended",
    "assigned": "messages about what is assigned to you",
    "mentioned": "messages about mentions of you",
    "commented": "messages about comments",
    "completed": "messages about completed tasks",
}


@get("/unsubscribe/{token:str}", operation_id="get_unsubscribe_page", include_in_schema=False, sync_to_thread=False)
def unsubscribe_page(database: NamedDependency[Database], token: FromPath[str]) -> Response[str]:
    """Show a page with an unsubscribe button. Opening the page changes nothing, since mail scanners open every link.

    Example: `GET /unsubscribe/AZD18HwdcACAAAAAAAAAAAAAAAABkZWx0YWRlbHRhZGVsdGE`
    """
    _, kind = read_link_token(secret_key(database.settings), token)
    form = f'<form method="post"><p>Stop sending {WORDS[kind]} by e-mail?</p><button>Unsubscribe</button></form>'
    return page("Unsubscribe", form)


@post(
    "/unsubscribe/{token:str}",
    operation_id="unsubscribe_by_link",
    include_in_schema=False,
    status_code=200,
    opt={"no_key": "a repeat changes nothing more."},
)
async def unsubscribe_by_link(
    database: NamedDependency[Database], session: NamedDependency[WriteSession], token: FromPath[str]
) -> Response[str]:
    """Unsubscribe from the kind of e-mail that had this link, without signing in. Repeating it changes nothing.

    Example: `POST /unsubscribe/AZD18HwdcACAAAAAAAAAAAAAAAABkZWx0YWRlbHRhZGVsdGE`
    """
    kind = await unsubscribe(session, secret_key(database.settings), token)
    return page("Unsubscribed", f"<p>You will no longer receive {WORDS[kind]} by e-mail.</p>")


def page(title: str, body: str) -> Response[str]:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return Response(PAGE.format(title=title, body=body), media_type="text/html", headers=headers)
