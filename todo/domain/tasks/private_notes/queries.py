"""Finding the private note of a person."""

from uuid import UUID

from sqlalchemy import bindparam, select

from todo.access import Actor
from todo.database import ACTOR, Direct, Query
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK
from todo.domain.tasks.private_notes.models import PRIVATE_NOTE
from todo.domain.tasks.private_notes.schemas import PrivateNoteOut
from todo.errors import NotFound

READ = Query(
    PrivateNoteOut,
    select(*(PRIVATE_NOTE[name] for name in PrivateNoteOut.__struct_fields__))
    .join(TASK.id.table, TASK.id == PRIVATE_NOTE.task_id)
    .where(PRIVATE_NOTE.user_id == ACTOR, visible_to(ACTOR), TASK.id == bindparam("task", type_=TASK.id.type)),
)


async def read_private_note(reads: Direct, actor: Actor, task_id: UUID) -> PrivateNoteOut:
    """Return the note of the actor about a task that they see. Raise NotFound."""
    note = await reads.one_or_none(READ, actor=actor.user_id, task=task_id)
    if note is None:
        raise NotFound
    return note
