"""Notifications of what others do with shared work, from the table `activities`."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Column, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.access import worker_origin
from todo.database import Database, WriteSession, now, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.models import NOTIFICATION, Notification, Preferences
from todo.domain.notifications.rules import email_templates
from todo.domain.notifications.rules.hours import after_quiet
from todo.domain.notifications.rules.shared_work import TITLES, Involved, is_wanted_in, recipients
from todo.domain.notifications.services.channels import Message
from todo.domain.notifications.services.preferences import preferences_of
from todo.domain.projects.models import ACCESS
from todo.domain.tasks.activities.models import ACTIVITY, Activity
from todo.domain.tasks.comments.models import COMMENT
from todo.domain.tasks.models import TASK, Task
from todo.erasure import EVENT

AT_ONCE = 50  # activities in one transaction
MAIL_PAUSE = timedelta(minutes=15)  # from one mail to the next of a kind about a task; the list has all


class Notice(NamedTuple):
    """What somebody is to be notified of, and as what."""

    activity: Activity
    user_id: UUID
    kind: str


class Known(NamedTuple):
    """What was read about a batch of activities."""

    tasks: Mapping[UUID, Task]
    users: Mapping[UUID, User]
    preferences: Mapping[UUID, Preferences]
    names: Mapping[UUID, str]  # of who did it
    recent: set[tuple[UUID, str, UUID]]  # user, kind and task of what was mailed lately


async def notify_of_activities(database: Database) -> int:
    """Store the notifications of up to 50 activities. Return how many activities were processed.

    All of it is committed together, so a crash neither loses nor repeats a notification.
    """
    async with database.session(worker_origin()) as session:
        # One worker at a time: two would not see that the other mails somebody.
        is_mine = await session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended("activities", 0))))
        oldest = select(Activity).order_by(ACTIVITY.id).limit(AT_ONCE)
        claimed = (await session.scalars(oldest)).all() if is_mine else ()
        if not claimed:
            return 0
        tasks = {task.id: task for task in await _tasks(session, claimed)}
        notices = await _seen(session, tasks, [*_notices(claimed, tasks, await _involved(session, claimed, tasks))])
        rows = _rows(notices, await _known(session, notices, tasks))
        if rows:
            stored = upsert(table_of(Notification)).on_conflict_do_nothing()
            await session.execute(stored, [row.model_dump() for row in await _still_there(session, rows)])
        await session.execute(delete(Activity).where(ACTIVITY.id.in_([one.id for one in claimed])))
    return len(claimed)


async def _tasks(session: WriteSession, claimed: Iterable[Activity]) -> Iterable[Task]:
    here = (TASK.id.in_({one.task_id for one in claimed}), TASK.deleted_at.is_(None))
    return await session.scalars(select(Task).where(*here))


async def _involved(
    session: WriteSession, claimed: Iterable[Activity], tasks: Mapping[UUID, Task]
) -> Mapping[UUID, Involved]:
    """Who has to do with each task. The audit log says who assigned one."""
    kinds = defaultdict[str, set[UUID]](set)
    for one in claimed:
        kinds[one.kind].add(one.task_id)
    authors = select(COMMENT.task_id, COMMENT.author_id).where(COMMENT.task_id.in_(kinds["commented"])).distinct()
    assigning = (EVENT.subject == "tasks", EVENT.action == "tasks.change", EVENT.after.has_key("assignee_ids"))
    assigners = select(EVENT.subject_id, EVENT.actor_id).where(*assigning, EVENT.subject_id.in_(kinds["completed"]))
    wrote, assigned = await _by_task(session, authors), await _by_task(session, assigners.distinct())
    return {key: Involved(task.created_by, task.assignee_ids, assigned[key], wrote[key]) for key, task in tasks.items()}


async def _by_task(session: WriteSession, found: Any) -> Mapping[UUID, set[UUID]]:
    people = defaultdict[UUID, set[UUID]](set)
    for task_id, user_id in await session.execute(found):
        if user_id is not None:
            people[task_id].add(user_id)
    return people


def _notices(
    claimed: Iterable[Activity], tasks: Mapping[UUID, Task], involved: Mapping[UUID, Involved]
) -> Iterable[Notice]:
    for one in claimed:
        task = tasks.get(one.task_id)
        if task is None or (one.kind == "completed" and task.status != "done"):  # taken back meanwhile
            continue
        for user_id, kind in recipients(one.kind, one.people, one.actor_id, involved[task.id]).items():
            yield Notice(one, user_id, kind)


async def _seen(session: WriteSession, tasks: Mapping[UUID, Task], notices: Sequence[Notice]) -> Sequence[Notice]:
    """Those for people who see the task."""
    projects, people = {task.project_id for task in tasks.values()}, {one.user_id for one in notices}
    access = select(ACCESS.user_id, ACCESS.project_id)
    access = access.where(ACCESS.project_id.in_(projects), ACCESS.user_id.in_(people))
    seeing = {(user_id, project_id) for user_id, project_id in await session.execute(access)}
    seeing |= {(task.owner_id, task.project_id) for task in tasks.values()}
    return [one for one in notices if (one.user_id, tasks[one.activity.task_id].project_id) in seeing]


async def _known(session: WriteSession, notices: Sequence[Notice], tasks: Mapping[UUID, Task]) -> Known:
    """What the rows need. The people are locked: users come before tasks."""
    ids = {one.user_id for one in notices}
    active = select(User).where(USER.id.in_(ids), USER.status == "active").order_by(USER.id)
    users = {user.id: user for user in await session.scalars(active.with_for_update(read=True, key_share=True))}
    actors = {one.activity.actor_id for one in notices}
    named = await session.execute(select(USER.id, USER.name).where(USER.id.in_(actors)))
    lately = select(NOTIFICATION.user_id, NOTIFICATION.kind, NOTIFICATION.task_id).where(
        NOTIFICATION.task_id.in_({one.activity.task_id for one in notices}), NOTIFICATION.mail_at > now() - MAIL_PAUSE
    )
    recent = {(row[0], row[1], row[2]) for row in await session.execute(lately)}
    names = {row[0]: row[1] for row in named}
    return Known(tasks, users, await preferences_of(session, list(users)), names, recent)


def _rows(notices: Iterable[Notice], known: Known) -> list[Notification]:
    """The notifications that people want, with the time of the mail: after quiet hours, not one right after another."""
    rows = []
    for one in notices:
        task, user = known.tasks[one.activity.task_id], known.users.get(one.user_id)
        if user is None or not is_wanted_in(task.project_id, one.kind, known.preferences[user.id].projects):
            continue
        preferences, row = known.preferences[user.id], _row(one, task, known.names, user.timezone)
        channels = Message(row, user, preferences, ()).channels
        key = (user.id, one.kind, task.id)
        if "email" in channels and key not in known.recent:
            known.recent.add(key)
            row.mail_at = after_quiet(now(), preferences.quiet_begin, preferences.quiet_end, user.timezone)
            row.mail_waits = True
        elif "email" in channels:
            row.in_app = True  # the list has what is not mailed
        if channels:
            rows.append(row)
    return rows


def _row(one: Notice, task: Task, names: Mapping[UUID, str], timezone: str) -> Notification:
    actor_id = one.activity.actor_id if one.activity.actor_id in names else None
    who = (names[actor_id] if actor_id else "").strip() or "Somebody"
    title, due = TITLES[one.kind].format(who, task.title), email_templates.when(task.due, timezone)
    return Notification(
        user_id=one.user_id,
        kind=one.kind,
        dedup=f"{one.kind} {one.activity.id} {one.user_id}",
        title=email_templates.one_line(title),
        text="\n".join([title, *([due] if due else [])]),
        task_id=task.id,
        comment_id=one.activity.comment_id,
        actor_id=actor_id,
    )


async def _still_there(session: WriteSession, rows: Sequence[Notification]) -> list[Notification]:
    """Those whose task, comment and actor are there, which then stay until the transaction ends."""
    users = await _locked(session, USER.id, {row.actor_id for row in rows})
    tasks = await _locked(session, TASK.id, {row.task_id for row in rows})
    comments = await _locked(session, COMMENT.id, {row.comment_id for row in rows})
    return [
        row for row in rows if row.task_id in tasks and row.comment_id in comments and row.actor_id in users
    ]  # fmt: skip


async def _locked(session: WriteSession, key: Column[Any], ids: Collection[UUID | None]) -> set[UUID | None]:
    found = select(key).where(key.in_([one for one in ids if one])).order_by(key)
    return {None, *await session.scalars(found.with_for_update(read=True, key_share=True))}
