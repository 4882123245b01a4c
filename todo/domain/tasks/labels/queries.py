"""Finding the labels of a person."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from todo.access import Actor
from todo.database import ACTOR, Direct, Query
from todo.domain.tasks.labels.models import LABEL
from todo.domain.tasks.labels.schemas import LabelOut
from todo.errors import NotFound
from todo.listing import Listing, Sort
from todo.schema import Page

COLUMNS = select(*(LABEL[name] for name in LabelOut.__struct_fields__)).where(LABEL.user_id == ACTOR)
READ = Query(LabelOut, COLUMNS.where(LABEL.id == bindparam("label", type_=LABEL.id.type)))
LABELS = Listing(
    LabelOut,
    COLUMNS,
    filters={},
    sorts={
        "position": Sort(LABEL.position, int, lambda label: label.position),
        "id": Sort(LABEL.id, UUID, lambda label: label.id),
    },
    default="position",
)


class LabelReads:
    """The palette of one person."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, label_id: UUID) -> LabelOut:
        """Raises NotFound."""
        label = await self._reads.one_or_none(READ, actor=self._actor, label=label_id)
        if label is None:
            raise NotFound
        return label

    async def page(self, **options: Any) -> Page[LabelOut]:
        """Raises Invalid for a cursor that is none of ours."""
        return await LABELS.page(self._reads, {}, actor=self._actor, **options)
