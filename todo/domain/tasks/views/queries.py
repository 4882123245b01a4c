"""Finding views: those of a person, those of the projects they see, and those that everybody has."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, or_, select

from todo.access import Actor
from todo.database import ACTOR, Direct, Query
from todo.domain.projects.queries import VISIBLE_IDS
from todo.domain.tasks.views.models import VIEW
from todo.domain.tasks.views.schemas import BuiltInView, ViewOut
from todo.errors import Invalid, NotFound
from todo.listing import Listing, Sort
from todo.schema import Page

BUILT_IN = {
    view.name: view
    for view in (
        BuiltInView("today", "What is due today and open.", "due = today and not closed order by due"),
        BuiltInView(
            "upcoming", "What is due in the seven days after today.",
            "due > today and due <= today+7d and not closed order by due", group_by="due",
        ),
        BuiltInView("overdue", "What is open and late.", "overdue order by due"),
        BuiltInView("inbox", "What is open in your inbox.", "project = inbox and not closed"),
        BuiltInView("assigned", "What is assigned to you and open.", "assignee = me and not closed"),
        BuiltInView("done", "What is done, the latest first.", "status = done order by -completed"),
    )
}  # fmt: skip
COLUMNS = select(*(VIEW[name] for name in ViewOut.__struct_fields__)).where(
    or_(VIEW.user_id == ACTOR, VIEW.project_id.in_(VISIBLE_IDS))
)
READ = Query(ViewOut, COLUMNS.where(VIEW.id == bindparam("view", type_=VIEW.id.type)))
VIEWS = Listing(
    ViewOut,
    COLUMNS,
    filters={"project_id": VIEW.project_id == bindparam("project_id", type_=VIEW.id.type)},
    sorts={
        "position": Sort(VIEW.position, int, lambda view: view.position),
        "id": Sort(VIEW.id, UUID, lambda view: view.id),
    },
    default="position",
)


class Chosen(NamedTuple):
    """What a view says of a list of tasks."""

    filter: str | None
    sort: str | None
    project_id: UUID | None


class ViewReads:
    """What one person can see of the views."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, view_id: UUID) -> ViewOut:
        """Raises NotFound."""
        view = await self._reads.one_or_none(READ, actor=self._actor, view=view_id)
        if view is None:
            raise NotFound
        return view

    async def page(self, project_id: UUID | None, **options: Any) -> Page[ViewOut]:
        """Raises Invalid for a cursor that is none of ours."""
        return await VIEWS.page(self._reads, {"project_id": project_id}, actor=self._actor, **options)

    async def chosen(self, name: str) -> Chosen:
        """A view by its id, or one that everybody has by its name. Raises Invalid."""
        if built_in := BUILT_IN.get(name):
            return Chosen(built_in.filter, built_in.sort, None)
        try:
            view = await self.one(UUID(name))
        except (ValueError, NotFound):
            names = ", ".join(BUILT_IN)
            message = f"There is no such view. Send the id of one that you see, or one of {names}."
            raise Invalid.field("query.view", message, "not_found") from None
        return Chosen(view.filter, view.sort, view.project_id)
