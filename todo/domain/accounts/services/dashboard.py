"""Dashboard cards for users and sign-ins."""

from sqlalchemy import func, select

from todo.access import Actor
from todo.admin.dashboard import Card, Daily, Figure, one
from todo.audit import Event
from todo.database import Database, columns
from todo.domain.accounts.models import SESSION, USER, Session, User

ACTIVE = one(
    select(func.count().filter(USER.status == "active"), func.count().filter(USER.status != "active")).select_from(User)
)
LIVE = one(
    select(func.count())
    .select_from(Session)
    .where(SESSION.revoked_at.is_(None), SESSION.expires_at > func.now())
)  # fmt: skip
EVENT = columns(Event)
NEW, SIGN_INS = Daily(USER.created_at), Daily(SESSION.created_at)


async def people(database: Database, actor: Actor) -> Figure:
    """Count accounts, and new accounts per day."""
    active, others = await database.reads.one_or_none(ACTIVE) or (0, 0)
    note = f"and {others:,} disabled or leaving" if others else "all of them active"
    return Figure(active, note, "/admin/users", series=await NEW.series(database, actor), unit="new accounts")


async def sign_ins(database: Database, actor: Actor) -> Figure:
    """Count signed-in devices, and sign-ins per day."""
    (live,) = await database.reads.one_or_none(LIVE) or (0,)
    series = await SIGN_INS.series(database, actor)
    return Figure(live, "devices signed in now", "/admin/sessions", series=series, unit="sign-ins")


REFUSED = Daily(EVENT.at, EVENT.action == "accounts.login_refused")


async def refused(database: Database, actor: Actor) -> Figure:
    """Count refused sign-ins of the past 7 days, and per day."""
    series = await REFUSED.series(database, actor)
    href = "/admin/audit?action=accounts.login_refused&at=past_7_days"
    return Figure(sum(series[-7:]), "in the past 7 days", href, series=series, unit="refused")


CARDS = [
    Card("Refused sign-ins", "shield", "audit.view", refused, is_alert=True),
    Card("People", "users", "users.view", people),
    Card("Sign-ins", "key", "sessions.view", sign_ins),
]
