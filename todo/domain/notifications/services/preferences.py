"""Notification preferences and the unsubscribe links of e-mails."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from msgspec import UNSET, convert
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession, now
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.models import PREFERENCES, REMINDER, SHARED_KINDS, Preferences, Reminder
from todo.domain.notifications.rules.hours import next_at
from todo.domain.notifications.rules.reminders import Person
from todo.domain.notifications.schemas import PreferencesOut, PreferencesPatch, ProjectLevel, QuietHours
from todo.domain.projects.guards import visible_to
from todo.domain.projects.models import PROJECT
from todo.errors import Invalid, NotFound, Stale
from todo.settings import SecretKey

# Links store the index of a kind: only ever append.
KINDS = ("reminder", "missed", "digest", "overdue", "series_ended", *SHARED_KINDS)
MAC_BYTES = 16


class PreferencesService(AuditedService[Preferences], model=Preferences):
    """One user's preferences, in the caller's transaction."""

    async def read(self) -> PreferencesOut:
        user = await self._user()
        found = await self.session.scalar(select(Preferences).where(PREFERENCES.user_id == user.id))
        return shown(found or Preferences(user_id=user.id), user)

    async def change_fields(self, data: PreferencesPatch, if_match: frozenset[int] | None) -> PreferencesOut:
        """Change the given fields. Raise Stale, or Invalid for empty quiet hours and projects not seen."""
        user = await self._user()
        row = await self._own(user.id)
        if if_match is not None and row.version not in if_match:
            raise Stale(shown(row, user))
        await self._check_projects(data, row)
        await self.update(_values(data), row, action="notifications.change")
        await self._reevaluate(row, user)
        return shown(row, user)

    async def leave(self, kind: str) -> None:
        """Stop e-mails of this kind; repeating it changes nothing."""
        user = await self._user()
        row = await self._own(user.id)
        kept = [channel for channel in getattr(row, kind) if channel != "email"]
        await self.update({kind: kept}, row, action="notifications.unsubscribe")
        await self._reevaluate(row, user)

    async def _check_projects(self, data: PreferencesPatch, row: Preferences) -> None:
        """Raise Invalid for a project that is new here and not visible."""
        sent = {one.project_id for one in data.projects} if data.projects is not UNSET else set()
        new = sent - {UUID(one["project_id"]) for one in row.projects}
        seen = select(PROJECT.id).where(visible_to(self.actor.user_id), PROJECT.id.in_(new))
        if new and new != set(await self.session.scalars(seen)):
            raise Invalid.field("body.projects", "There is no such project.", "not_found")

    async def _user(self) -> User:
        found: User | None = await self.session.scalar(select(User).where(USER.id == self.actor.user_id))
        if found is None:
            raise NotFound
        return found

    async def _own(self, user_id: UUID) -> Preferences:
        """Return the user's row, locked. Create one with the defaults when there is none."""
        fresh = Preferences(user_id=user_id).model_dump()
        await self.session.execute(upsert(Preferences).values(fresh).on_conflict_do_nothing())
        return await self.locked(PREFERENCES.user_id == user_id)

    async def _reevaluate(self, row: Preferences, user: User) -> None:
        """Reschedule the next digest and the waiting reminders by the new hours. Neither versioned nor audited."""
        daily = row.digest or row.overdue
        following = next_at(row.digest_time, user.timezone, now()) if daily else None
        mine = update(Preferences).where(PREFERENCES.id == row.id).values(next_digest_at=following)
        await self.session.execute(mine)
        waiting = update(Reminder).where(REMINDER.user_id == user.id, REMINDER.remind_at.is_not(None))
        await self.session.execute(waiting.values(run_at=func.to_timestamp(0)))


def _values(data: PreferencesPatch) -> dict[str, Any]:
    values = data.sent()
    for kind in values.keys() & set(KINDS):
        values[kind] = sorted(set(values[kind]))
    if "projects" in values:
        levels = {str(one.project_id): one.level for one in values["projects"]}
        values["projects"] = [{"project_id": key, "level": level} for key, level in levels.items() if level != "all"]
    quiet = values.pop("quiet_hours", UNSET)
    if quiet is None:
        values |= {"quiet_begin": None, "quiet_end": None}
    elif quiet is not UNSET:
        if quiet.begin == quiet.end:
            raise Invalid.field("body.quiet_hours.end", "The end of quiet hours must differ from their begin.")
        values |= {"quiet_begin": quiet.begin, "quiet_end": quiet.end}
    return values


def shown(row: Preferences, user: User) -> PreferencesOut:
    quiet = QuietHours(row.quiet_begin, row.quiet_end) if row.quiet_begin and row.quiet_end else None
    return PreferencesOut(
        row.version, user.timezone, row.email, user.email_verified_at is not None, row.reminder, row.missed,
        row.digest, row.overdue, row.series_ended, row.assigned, row.mentioned, row.commented, row.completed,
        convert(row.projects, list[ProjectLevel]), row.digest_time, row.day_time, quiet,
    )  # fmt: skip


def person_of(row: Preferences, timezone: str) -> Person:
    """Return the user as the rules need it."""
    return Person(timezone, row.day_time, row.quiet_begin, row.quiet_end)


async def preferences_of(session: WriteSession, user_ids: Sequence[UUID]) -> dict[UUID, Preferences]:
    """Return the preferences of these users, defaults included, in one query."""
    rows = await session.scalars(select(Preferences).where(PREFERENCES.user_id.in_(user_ids)))
    found = {row.user_id: row for row in rows}
    return found | {user_id: Preferences(user_id=user_id) for user_id in user_ids if user_id not in found}


def link_token(secret: SecretKey, user_id: UUID, kind: str) -> str:
    """Return the token of an unsubscribe link: user, kind and MAC. It never expires."""
    sent = user_id.bytes + bytes([KINDS.index(kind)])
    return base64.urlsafe_b64encode(sent + _mac(secret.current, sent)).rstrip(b"=").decode()


def read_link_token(secret: SecretKey, token: str) -> tuple[UUID, str]:
    """Parse an unsubscribe token. Raise NotFound when it is not valid."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotFound from None
    sent, mac = raw[:17], raw[17:]
    is_ours = any(hmac.compare_digest(mac, _mac(key, sent)) for key in secret.all)
    if not is_ours or sent[16] >= len(KINDS):
        raise NotFound
    return UUID(bytes=sent[:16]), KINDS[sent[16]]


def _mac(key: str, sent: bytes) -> bytes:
    return hmac.digest(key.encode(), b"unsubscribe:" + sent, sha256)[:MAC_BYTES]


async def unsubscribe(session: WriteSession, secret: SecretKey, token: str) -> str:
    """Unsubscribe by a link and return its kind. Raise NotFound for an invalid link or a deleted user."""
    user_id, kind = read_link_token(secret, token)
    email = await session.scalar(select(USER.email).where(USER.id == user_id))
    if email is None:
        raise NotFound
    session.origin = session.origin.by(Actor(id=user_id, name=email))
    await PreferencesService(session, session.origin.actor).leave(kind)
    return kind
