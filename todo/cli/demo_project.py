"""The project of the demonstration, which its people share."""

from msgspec import structs

from todo.access import Actor
from todo.cli.demo_entries import Entry, add_all
from todo.database import WriteSession
from todo.domain.projects.rules import MemberRole
from todo.domain.projects.schemas import ProjectIn
from todo.domain.projects.services.members import MemberService
from todo.domain.projects.services.projects import ProjectService
from todo.domain.tasks.comments.schemas import CommentIn
from todo.domain.tasks.comments.services import CommentService
from todo.domain.tasks.dependencies.services import DependencyService
from todo.domain.tasks.labels.schemas import LabelIn
from todo.domain.tasks.labels.services import LabelService
from todo.domain.tasks.schemas import TaskPatch
from todo.domain.tasks.sections.schemas import SectionIn
from todo.domain.tasks.sections.services import SectionService
from todo.domain.tasks.services.tasks import TaskService
from todo.domain.tasks.views.schemas import ViewIn
from todo.domain.tasks.views.services import ViewService

ENGINE = ProjectIn(name="Analytical engine", description="What is left before it can be shown.", color="#3b82f6")
SECTIONS = ("Mill", "Store")
ROLES: tuple[MemberRole, ...] = ("editor", "commenter")
TASKS = [
    Entry("Count the teeth of the carry wheels", (5,), 3, status="in_progress", labels=("brass",), section="Mill"),
    Entry("Find a quieter bearing", (12,), 2, labels=("brass", "noise"), section="Mill"),
    Entry("Label the columns of the store", (3, "11:00"), 1, labels=("paint",), section="Store"),
    Entry("Punch the cards for the first program", (20,), 4, "Note G has the table.", labels=("cards",)),
]
VIEW = ViewIn(name="Of brass", filter="label = brass and not closed", group_by="section")


async def share_project(session: WriteSession, owner: Actor, *others: Actor) -> None:
    """Add the project with all that a project can have, and make the others members."""
    project = await ProjectService(session, owner).add(ENGINE)
    sections = SectionService(session, owner)
    places = {name: (await sections.add(project.id, SectionIn(name=name))).id for name in SECTIONS}
    for name in sorted({label for entry in TASKS for label in entry.labels}):
        await LabelService(session, owner).add(LabelIn(name=name))
    wheels, bearing, _, cards = await add_all(session, owner, TASKS, project.id, places)
    for other, role in zip(others, ROLES, strict=True):
        await MemberService(session, owner).add(project.id, other.user_id, role)
    await TaskService(session, owner).change_fields(bearing, TaskPatch(assignee_ids=[others[0].user_id]), None)
    await DependencyService(session, owner).add(cards, wheels)
    await CommentService(session, others[1]).add(bearing, CommentIn(text="@Ada Lovelace have you tried oil?"))
    await ViewService(session, owner).add(structs.replace(VIEW, project_id=project.id))
