"""Finding the comments of a task."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, bindparam, exists, func, literal_column, or_, select, union_all
from sqlalchemy.dialects.postgresql import aggregate_order_by

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, WriteSession, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.projects.models import ACCESS
from todo.domain.tasks.comments.models import COMMENT, MENTION, Comment, Mention
from todo.domain.tasks.comments.schemas import CommentOut, Named
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import TaskReads
from todo.errors import NotFound
from todo.listing import Listing, Sort
from todo.schema import Instant, Page

AUTHOR = table_of(User).alias("author")
SEES_TASK = or_(
    MENTION.user_id == TASK.owner_id,
    exists().where(ACCESS.user_id == MENTION.user_id, ACCESS.project_id == TASK.project_id),
)
_person = func.jsonb_build_object(literal_column("'user_id'"), USER.id, literal_column("'name'"), USER.name)
# Scalar, so that it is read for the comments of a page only. Of people who no longer see the task, nothing is shown.
MENTIONS = (
    select(func.jsonb_agg(aggregate_order_by(_person, USER.name, USER.id)))
    .join_from(Mention, User, USER.id == MENTION.user_id)
    .where(MENTION.comment_id == COMMENT.id, SEES_TASK)
    .correlate(table_of(Comment), table_of(Task))
    .scalar_subquery()
)
COLUMNS = (
    select(
        COMMENT.id, COMMENT.version, COMMENT.task_id, COMMENT.author_id, AUTHOR.c.name, COMMENT.text, MENTIONS,
        COMMENT.created_at, COMMENT.updated_at, COMMENT.edited_at,
    )
    .join_from(Comment, Task, TASK.id == COMMENT.task_id)
    .outerjoin(AUTHOR, AUTHOR.c.id == COMMENT.author_id)
    .where(visible_to(ACTOR), COMMENT.task_id == bindparam("task", type_=TASK.id.type))
)  # fmt: skip


def comment_row(*values: Any) -> CommentOut:
    """A row of `COLUMNS`, read by a statement or in a session."""
    key, version, task_id, author_id, name, text, mentions, *times = values
    author = Named(author_id, name) if author_id else None
    people = msgspec.json.decode(mentions) if isinstance(mentions, msgspec.Raw) else mentions
    return CommentOut(key, version, task_id, author, text, msgspec.convert(people or [], list[Named]), *times)


READ = Query(comment_row, COLUMNS.where(COMMENT.id == bindparam("comment", type_=COMMENT.id.type)))
COMMENTS = Listing(
    comment_row,
    COLUMNS,
    filters={},
    sorts={
        "created_at": Sort(COMMENT.created_at, Instant, lambda comment: comment.created_at),
        "id": Sort(COMMENT.id, UUID, lambda comment: comment.id),
    },
    default="created_at",
)


class CommentReads:
    """What one person can see of the comments of a task."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor

    async def one(self, task_id: UUID, comment_id: UUID) -> CommentOut:
        """Raises NotFound."""
        keys = {"actor": self._actor.user_id, "task": task_id, "comment": comment_id}
        comment = await self._reads.one_or_none(READ, **keys)
        if comment is None:
            raise NotFound
        return comment

    async def page(self, task_id: UUID, **options: Any) -> Page[CommentOut]:
        """Raises NotFound; Invalid for a cursor that is none of ours. Only an empty page asks twice."""
        page = await COMMENTS.page(self._reads, {}, actor=self._actor.user_id, task=task_id, **options)
        if not page.items:
            await TaskReads(self._reads, self._actor).one(task_id)
        return page


async def comment_out(session: WriteSession, person: UUID, comment: Comment) -> CommentOut:
    """A comment as a person sees it within a transaction."""
    found = COLUMNS.where(COMMENT.id == comment.id)
    return comment_row(*(await session.execute(found, {"actor": person, "task": comment.task_id})).one())


def people_of(task_id: UUID) -> Select[Any]:
    """The ids and names of those who may see a task."""
    one = select(TASK.owner_id, TASK.project_id).where(TASK.id == task_id).subquery("one")
    others = select(ACCESS.user_id).where(ACCESS.project_id.in_(select(one.c.project_id)))
    return select(USER.id, USER.name).where(USER.id.in_(union_all(select(one.c.owner_id), others)))
