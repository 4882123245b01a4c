"""Writing comments, changing and deleting them."""

from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select

from todo.audit import AuditedService
from todo.database import WriteSession, now, table_of
from todo.domain.projects.rules import Verb
from todo.domain.projects.services.places import lock_access, problem_of_row
from todo.domain.tasks.activities.models import Kind
from todo.domain.tasks.activities.services import note_activity
from todo.domain.tasks.comments.models import COMMENT, MENTION, Comment, Mention
from todo.domain.tasks.comments.queries import comment_out, people_of
from todo.domain.tasks.comments.rules import check_text, mentioned
from todo.domain.tasks.comments.schemas import CommentIn, CommentOut, CommentPatch
from todo.domain.tasks.guards import allowed_to, visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.locks import lock_owner_of
from todo.erasure import EVENT, erase_events
from todo.errors import Contention, Forbidden, NotFound, Stale


class CommentService(AuditedService[Comment], model=Comment):
    """Changes comments on behalf of a person, inside the caller's transaction.

    The task is locked first. Raises NotFound, and Forbidden where the role in the project is not enough.
    """

    @property
    def person(self) -> UUID:
        return self.actor.user_id

    async def add(self, task_id: UUID, data: CommentIn) -> CommentOut:
        """Write a comment; raises Invalid, Conflict for too many."""
        check_text(data.text)
        is_shared = await self._lock_task(task_id, "comment")
        comment = await self.create(Comment(task_id=task_id, author_id=self.person, text=data.text))
        people = await self._store_mentions(comment)
        if is_shared:
            await self._note("commented", comment, people)
        return await comment_out(self.session, self.person, comment)

    async def change_text(
        self, task_id: UUID, comment_id: UUID, data: CommentPatch, if_match: frozenset[int] | None
    ) -> CommentOut:
        """Give a comment of one's own another text; raises Forbidden for those of others, Stale, Invalid."""
        check_text(data.text)
        comment = await self._locked(task_id, comment_id, "comment", if_match)
        if comment.author_id != self.person:
            raise Forbidden("Only its author changes a comment.", slug="role-required")
        if comment.text != data.text:
            await self.update({"text": data.text, "edited_at": now()}, comment)
            if people := await self._store_mentions(comment):
                await self._note("mentioned", comment, people)
        return await comment_out(self.session, self.person, comment)

    async def remove(self, task_id: UUID, comment_id: UUID, if_match: frozenset[int] | None) -> None:
        """Delete a comment for good: of others, if one may manage the project. Raises Stale."""
        by_others = COMMENT.author_id.is_distinct_from(self.person)
        found = select(COMMENT.id).where(COMMENT.task_id == task_id, COMMENT.id == comment_id, by_others)
        verb: Verb = "manage" if await self.session.scalar(found) else "see"
        await self.erase(await self._locked(task_id, comment_id, verb, if_match))

    async def erase(self, comment: Comment) -> None:
        """Delete a locked comment, also its text from the audit log."""
        await self.delete(comment)
        await erase_events(self.session, EVENT.subject == "comments", EVENT.subject_id == comment.id)

    async def _locked(
        self, task_id: UUID, comment_id: UUID, verb: Verb, if_match: frozenset[int] | None
    ) -> Comment:  # fmt: skip
        await self._lock_task(task_id, verb)
        comment = await self.locked(COMMENT.task_id == task_id, COMMENT.id == comment_id)
        if if_match is not None and comment.version not in if_match:
            raise Stale(await comment_out(self.session, self.person, comment))
        return comment

    async def _note(self, kind: Kind, comment: Comment, people: set[UUID]) -> None:
        await note_activity(
            self.session, self.actor, kind, comment.task_id, people=people, comment_id=comment.id
        )  # fmt: skip

    async def _lock_task(self, task_id: UUID, verb: Verb) -> bool:
        """Lock a task with which the person may do this FOR KEY SHARE, so that it stays, and the role they have.

        Return whether its project can be shared: an inbox cannot.
        """
        there = (allowed_to(self.person, verb), TASK.id == task_id)
        try:
            owner_id, _ = await lock_owner_of(self.session, select(TASK.owner_id).where(*there))
        except NotFound:
            raise await problem_of_row(self.session, there[0], visible_to(self.person), there[1]) from None
        query = select(TASK.owner_id, TASK.project_id).where(*there).with_for_update(read=True, key_share=True)
        task = (await self.session.execute(query)).one_or_none()
        if task is None or task.owner_id != owner_id:
            raise Contention  # it was deleted or has changed its owner meanwhile
        await lock_access(self.session, self.person, owner_id, task.project_id, verb)
        return bool(task.project_id != owner_id)

    async def _store_mentions(self, comment: Comment) -> set[UUID]:
        """Store whom a comment mentions now; return those whom it did not mention before."""
        people = await self.session.execute(people_of(comment.task_id)) if "@" in comment.text else ()
        named = mentioned(comment.text, ((row[0], row[1]) for row in people))
        old = set(await self.session.scalars(select(MENTION.user_id).where(MENTION.comment_id == comment.id)))
        gone, new = old - named, named - old
        if gone:
            await self.session.execute(
                delete(Mention).where(MENTION.comment_id == comment.id, MENTION.user_id.in_(gone))
            )
        if new:
            rows = [{"comment_id": comment.id, "user_id": user_id} for user_id in sorted(new)]
            await self.session.execute(insert(table_of(Mention)), rows)
        return new


async def erase_comments(session: WriteSession, *which: ColumnElement[bool]) -> None:
    """Erase the text of these comments from the audit log, before they are deleted with their task or account."""
    ids = select(COMMENT.id).join(Task, TASK.id == COMMENT.task_id).where(*which)
    await erase_events(session, EVENT.subject == "comments", EVENT.subject_id.in_(ids))
