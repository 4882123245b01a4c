"""Writing private notes."""

from uuid import UUID

from sqlalchemy import func, select

from todo.audit import AuditedService
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK
from todo.domain.tasks.private_notes.models import PRIVATE_NOTE, PrivateNote
from todo.domain.tasks.private_notes.schemas import PrivateNoteIn, PrivateNoteOut
from todo.errors import Conflict, NotFound, Stale

MAX_NOTES = 5_000  # of a person


class PrivateNoteService(AuditedService[PrivateNote], model=PrivateNote):
    """Changes the private notes of the actor, inside the caller's transaction."""

    async def write(self, task_id: UUID, data: PrivateNoteIn, if_match: frozenset[int] | None) -> PrivateNoteOut:
        """Write the note about a task the actor sees. Raise NotFound, Stale, Conflict for too many."""
        note = await self._locked_note(task_id)
        if if_match is not None:
            _check_version(note, if_match)
        if note is not None:
            return note_out(await self.update({"text": data.text}, note))
        number = await self.session.scalar(select(func.count()).where(PRIVATE_NOTE.user_id == self.actor.user_id))
        if (number or 0) >= MAX_NOTES:
            raise Conflict(f"There can be {MAX_NOTES} private notes.", slug="too-many")
        return note_out(await self.create(PrivateNote(user_id=self.actor.user_id, task_id=task_id, text=data.text)))

    async def remove(self, task_id: UUID, if_match: frozenset[int] | None) -> None:
        """Delete the note about a task. Raise NotFound, Stale."""
        note = await self._locked_note(task_id)
        await self.delete(_check_version(note, if_match))

    async def _locked_note(self, task_id: UUID) -> PrivateNote | None:
        """The note, if there is one; no other note of the actor is written, and the task stays, until the transaction
        ends. Raise NotFound.
        """
        lock = func.pg_advisory_xact_lock(func.hashtextextended(f"private notes {self.actor.user_id}", 0))
        await self.session.execute(select(lock))
        seen = select(TASK.id).where(visible_to(self.actor.user_id), TASK.id == task_id)
        if await self.session.scalar(seen.with_for_update(read=True, key_share=True)) is None:
            raise NotFound
        own = (PRIVATE_NOTE.user_id == self.actor.user_id, PRIVATE_NOTE.task_id == task_id)
        return await self.get_one_or_none(*own)


def _check_version(note: PrivateNote | None, if_match: frozenset[int] | None) -> PrivateNote:
    """Return the note. Raise NotFound, Stale."""
    if note is None:
        raise NotFound
    if if_match is not None and note.version not in if_match:
        raise Stale(note_out(note))
    return note


def note_out(note: PrivateNote) -> PrivateNoteOut:
    """A loaded row as the wire shows it."""
    return PrivateNoteOut(*(getattr(note, name) for name in PrivateNoteOut.__struct_fields__))
