"""The vacation of a user: days on which none of their series brings anything.

The user has the days; a trigger copies them to the series (see todo/domain/tasks/series/models.py).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import select

from todo.access import Actor
from todo.actions import Action
from todo.audit import AuditedService
from todo.database import ACTOR, Direct, Query, now
from todo.domain.accounts.models import USER, User
from todo.domain.accounts.schemas.vacations import VacationIn, VacationOut
from todo.errors import Conflict, Invalid, NotFound, Stale

DAY, LONGEST = timedelta(days=1), timedelta(days=366)
NO_VACATION = "There is no vacation to end: none is running or planned."
KEPT = 20  # vacations of a user, those that are over included


class VacationService(AuditedService[User], model=User):
    """Vacations, in the caller's transaction. A user has one at a time, running or planned."""

    async def begin(
        self, user_id: UUID, data: VacationIn, action: Action, if_match: frozenset[int] | None = None
    ) -> VacationOut:
        """Begin or plan a vacation, instead of a planned one, or change the last day of a running one.

        Raise NotFound, Invalid or Stale.
        """
        user = await self._locked(user_id, if_match)
        today, current = today_in(user.timezone), current_of(user.vacations, user.timezone)
        begin = data.begin or today
        _check(begin, data.until, today)
        if current and current[0] < str(today):
            if begin > today:
                raise Invalid.field(
                    "body.from", "A vacation is running: leave `from` out to change its last day, or end it first."
                )
            begin = date.fromisoformat(current[0])
        if data.until - begin > LONGEST:
            raise Invalid.field("body.until", f"A vacation lasts at most {LONGEST.days} days.")
        return await self._write(user, [str(begin), str(data.until)], action)

    async def end(self, user_id: UUID, action: Action, if_match: frozenset[int] | None = None) -> None:
        """Cancel a planned vacation, or end a running one with yesterday: today's work comes back.

        Raise NotFound, Conflict or Stale.
        """
        user = await self._locked(user_id, if_match)
        today, current = today_in(user.timezone), current_of(user.vacations, user.timezone)
        if current is None:
            raise Conflict(NO_VACATION)
        begun = current[0] < str(today)
        await self._write(user, [current[0], str(today - DAY)] if begun else None, action)

    async def _locked(self, user_id: UUID, if_match: frozenset[int] | None) -> User:
        """Lock a user against transactions that add series, or complete what is theirs."""
        query = select(User).where(USER.id == user_id).with_for_update().execution_options(populate_existing=True)
        user: User | None = await self.session.scalar(query)
        if user is None:
            raise NotFound
        if if_match is not None and user.version not in if_match:
            raise Stale(shown(user))
        return user

    async def _write(self, user: User, window: list[str] | None, action: Action) -> VacationOut:
        """Replace the running or planned vacation."""
        today = str(today_in(user.timezone))
        over = [one for one in user.vacations if one[1] < today]
        vacations = [*over, window] if window else over
        return shown(await self.update({"vacations": vacations[-KEPT:]}, user, action=action))


def today_in(timezone: str) -> date:
    return now().astimezone(ZoneInfo(timezone)).date()


def current_of(vacations: Sequence[list[str]], timezone: str) -> list[str] | None:
    """The first and last day of the running or planned vacation of a user in this time zone."""
    today = str(today_in(timezone))
    return next((window for window in vacations if window[1] >= today), None)


def shown(user: User) -> VacationOut:
    return _out(user.version, user.vacations, user.timezone)


def _out(version: int, vacations: Sequence[list[str]], timezone: str) -> VacationOut:
    begin, until = current_of(vacations, timezone) or (None, None)
    return msgspec.convert({"version": version, "from": begin, "until": until}, VacationOut)


def _read(version: int, vacations: msgspec.Raw, timezone: str) -> VacationOut:
    return _out(version, msgspec.json.decode(vacations), timezone)


VACATION = Query(_read, select(USER.version, USER.vacations, USER.timezone).where(USER.id == ACTOR))


async def read_vacation(reads: Direct, actor: Actor) -> VacationOut:
    """Return the actor's running or planned vacation. Raise NotFound."""
    found = await reads.one_or_none(VACATION, actor=actor.user_id)
    if found is None:
        raise NotFound
    return found


def _check(begin: date, until: date, today: date) -> None:
    if begin < today:
        raise Invalid.field("body.from", "The first day must be today or later.")
    if begin > today + LONGEST:
        raise Invalid.field("body.from", f"The first day must be within the next {LONGEST.days} days.")
    if until < begin:
        raise Invalid.field("body.until", "The last day must not be before the first.")
