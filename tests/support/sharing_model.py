"""Who sees what in shared projects, as plain Python: the reference for tests/projects/test_visibility.py."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from todo.domain.projects.rules import MAX_LEVELS, MEMBER_ROLES, ROLES, MemberRole, Role, Verb


@dataclass
class ProjectModel:
    owner: str
    parent: str | None = None
    archived: bool = False
    name: str = "Project"


@dataclass
class TaskModel:
    title: str
    project: str
    trashed: bool = False
    comments: list[str] = field(default_factory=list)
    assignees: set[str] = field(default_factory=set)
    label: str = ""


@dataclass
class Offer:
    """An invitation of `to`, or a link, which is to nobody: `by` made it."""

    project: str
    by: str
    to: str = ""
    role: MemberRole = "viewer"
    secret: str = ""


@dataclass
class ViewModel:
    """A view of what has the label `home`: of a person or, without one, of a project."""

    person: str = ""
    project: str = ""


@dataclass
class Sharing:
    """Projects, who is a member of which, and what is in them. People are names; everything else has its id."""

    inboxes: dict[str, str]  # by person
    projects: dict[str, ProjectModel] = field(default_factory=dict)
    members: dict[tuple[str, str], MemberRole] = field(default_factory=dict)
    tasks: dict[str, TaskModel] = field(default_factory=dict)
    invitations: dict[str, Offer] = field(default_factory=dict)
    links: dict[str, Offer] = field(default_factory=dict)
    views: dict[str, ViewModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.projects |= {inbox: ProjectModel(person, name="Inbox") for person, inbox in self.inboxes.items()}

    def above(self, project: str) -> Iterator[str]:
        """A project, and those above it."""
        here: str | None = project
        while here is not None:
            yield here
            here = self.projects[here].parent

    def below(self, project: str) -> list[str]:
        """A project, and those below it."""
        return [one for one in self.projects if project in self.above(one)]

    def height(self, project: str) -> int:
        return max(len([*self.above(one)]) for one in self.below(project)) - len([*self.above(project)]) + 1

    def role(self, person: str, project: str) -> Role | None:
        if self.projects[project].owner == person:
            return "owner"
        held = [role for one in self.above(project) if (role := self.members.get((one, person)))]
        return max(held, key=MEMBER_ROLES.index, default=None)

    def may(self, person: str, verb: Verb, project: str) -> bool:
        role = self.role(person, project)
        return role is not None and verb in ROLES[role]

    def sees(self, person: str) -> list[str]:
        return [project for project in self.projects if self.may(person, "see", project)]

    def is_inbox(self, project: str) -> bool:
        return project in self.inboxes.values()

    def may_share(self, person: str, project: str) -> bool:
        shareable = not self.is_inbox(project) and not self.projects[project].archived
        return self.may(person, "manage", project) and shareable

    def fits_below(self, parent: str, height: int) -> bool:
        is_deep = len([*self.above(parent)]) + height > MAX_LEVELS
        return not (self.is_inbox(parent) or self.projects[parent].archived or is_deep)

    def join(self, project: str, person: str, role: MemberRole) -> None:
        if self.projects[project].owner != person:
            held = self.members.get((project, person), role)
            self.members[project, person] = max(held, role, key=MEMBER_ROLES.index)

    def hand_over(self, project: str, to: str) -> None:
        old, tree = self.projects[project].owner, self.below(project)
        for one in tree:
            self.projects[one].owner = to
            self.members.pop((one, to), None)
        self.projects[project].parent = None
        self.members[project, old] = "manager"

    def delete(self, project: str) -> None:
        """Tasks lie in the trash of the owner's inbox."""
        tree, inbox = self.below(project), self.inboxes[self.projects[project].owner]
        for task in self.tasks.values():
            if task.project in tree:
                task.project, task.trashed = inbox, True
        for one in tree:
            del self.projects[one]
        self.views = {key: view for key, view in self.views.items() if view.project not in tree}
        self.members = {key: role for key, role in self.members.items() if key[0] not in tree}

    def end_offers(self) -> None:
        """What somebody offered ends when they may no longer share the project."""
        for offers in (self.invitations, self.links):
            for key, offer in [*offers.items()]:
                if offer.project not in self.projects or not self.may(offer.by, "manage", offer.project):
                    del offers[key]

    def end_assignments(self) -> None:
        """Who does not see a task any more is not assigned to it."""
        for task in self.tasks.values():
            task.assignees = {person for person in task.assignees if self.may(person, "see", task.project)}

    # What each list shows.

    def listed_projects(self, person: str, *, archived: bool) -> set[tuple[str, str, str | None]]:
        seen = self.sees(person)
        found = {one: self.projects[one] for one in seen if self.projects[one].archived is archived}
        return {
            (one, str(self.role(person, one)), project.parent if project.parent in seen else None)
            for one, project in found.items()
        }

    def listed_tasks(self, person: str) -> list[str]:
        seen = {one for one in self.sees(person) if not self.projects[one].archived}
        return sorted(task.title for task in self.tasks.values() if task.project in seen and not task.trashed)

    def assigned(self, person: str, to: str) -> list[str]:
        """What a person lists that is assigned to somebody."""
        titles = {task.title for task in self.tasks.values() if to in task.assignees}
        return [title for title in self.listed_tasks(person) if title in titles]

    def tasks_of(self, person: str, project: str) -> list[str]:
        return self.titles({project}) if self.may(person, "see", project) else []

    def titles(self, projects: set[str]) -> list[str]:
        return sorted(task.title for task in self.tasks.values() if task.project in projects and not task.trashed)

    def labeled(self, person: str, label: str, project: str = "") -> list[str]:
        """What a person lists that has a label; of a project also when it is archived."""
        titles = {task.title for task in self.tasks.values() if task.label == label}
        listed = self.tasks_of(person, project) if project else self.listed_tasks(person)
        return [title for title in listed if title in titles]

    def in_projects_named(self, person: str, name: str) -> list[str]:
        named = {one for one in self.sees(person) if self.projects[one].name == name}
        return sorted({*self.titles(named)} & {*self.listed_tasks(person)})

    def listed_views(self, person: str) -> set[str]:
        return {
            key
            for key, view in self.views.items()
            if view.person == person or (view.project and self.may(person, "see", view.project))
        }

    def trash(self, person: str) -> list[str]:
        seen = {
            one for one in self.sees(person) if self.projects[one].owner == person or not self.projects[one].archived
        }
        return sorted(task.title for task in self.tasks.values() if task.project in seen and task.trashed)

    def notified(self, person: str) -> list[str]:
        """The comments on the tasks that a person sees; each was notified to everybody."""
        tasks = [task for task in self.tasks.values() if not task.trashed and self.may(person, "see", task.project)]
        return sorted(text for task in tasks for text in task.comments)

    def listed_members(self, project: str) -> set[tuple[str, str]]:
        return {(person, role) for person in self.inboxes if (role := self.role(person, project))}

    def offered(self, person: str) -> set[str]:
        return {
            key
            for key, offer in self.invitations.items()
            if offer.to == person and not self.projects[offer.project].archived
        }

    def linked(self, link: str) -> set[str]:
        """The projects that a link shows: those archived hide what is below them."""
        root = self.links[link].project
        return {
            one
            for one in self.below(root)
            for path in [[*self.above(one)]]
            if not any(self.projects[part].archived for part in path[: path.index(root) + 1])
        }
