"""Who sees what, driven at random: every list of every person equals the reference model after each step.

VISIBILITY_EXAMPLES and VISIBILITY_STEPS run it longer.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.factories import Person, World
from support.sharing_model import Offer, ProjectModel, Sharing, TaskModel, ViewModel

from todo.domain.projects.rules import MEMBER_ROLES, MemberRole

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json: TypeAlias = dict[str, Any]
NAMES = ("ada", "bob", "carol")
NOTIFY_EVERYBODY = """
    INSERT INTO notifications (id, created_at, updated_at, version, user_id, dedup, kind, title, text, in_app,
        comment_id, task_id)
    SELECT gen_random_uuid(), now(), now(), 1, id, $1 || name, 'commented', $3, '', true, $1::text::uuid, $2::text::uuid
    FROM users"""
PEOPLE, MEMBER_ROLE = st.sampled_from(NAMES), st.sampled_from(MEMBER_ROLES)


class Life(RuleBasedStateMachine):
    """Steps of three people, allowed or not, each checked against the model."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    people: ClassVar[dict[str, Person]]
    root: ClassVar[Person]
    client: ClassVar[httpx.AsyncClient]
    sql: ClassVar[Sql]

    @initialize()
    def begin(self) -> None:
        for table in ("notifications", "tasks", "views", "projects WHERE id <> owner_id"):
            self.run(self.sql.execute(f"DELETE FROM {table}"))
        self.model = Sharing({name: str(self.people[name].id) for name in NAMES})
        self.number = 0
        house = self.try_to("ada", "POST", "/api/projects", {"name": "House"}, seen=True, allowed=True)["id"]
        self.model.projects[house] = ProjectModel("ada", name="House")
        self.member(house, "bob", "manager")

    def member(self, project: str, person: str, role: MemberRole) -> None:
        body = {"role": role, "email": self.people[person].email}
        made = self.try_to("ada", "POST", f"/api/projects/{project}/invitations", body, seen=True, allowed=True)
        self.try_to(person, "POST", f"/api/project-invitations/{made['id']}/accept", seen=True, allowed=True)
        self.model.join(project, person, role)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def try_to(
        self, person: str, method: str, path: str, body: Json | None = None, *, seen: bool, allowed: bool
    ) -> Json:
        """What a person tries succeeds if it is allowed, is 404 if they do not see it, and is otherwise refused."""
        answer = self.run(self.people[person].http.request(method, path, json=body))
        context = (person, method, path, body, answer.status_code, answer.text)
        if allowed:
            assert answer.status_code < 300, context
            found: Json = answer.json() if answer.content else {}
            return found
        assert answer.status_code == 404 if not seen else answer.status_code in {403, 404, 409, 422}, context
        return {}

    def project(self, data: st.DataObject, person: str | None = None) -> str:
        """Any project, more often one that the person sees."""
        seen = self.model.sees(person) if person else []
        return data.draw(st.sampled_from(seen + [*self.model.projects]))

    # What people do.

    @rule(data=st.data(), person=PEOPLE, below=st.booleans())
    def add_project(self, data: st.DataObject, person: str, below: bool) -> None:
        parent = self.project(data, person) if below else None
        model = self.model
        allowed = parent is None or (model.may(person, "manage", parent) and model.fits_below(parent, 1))
        body = {"name": "Project"} | ({"parent_id": parent} if parent else {})
        made = self.try_to(person, "POST", "/api/projects", body, seen=True, allowed=allowed)
        if allowed:
            model.projects[made["id"]] = ProjectModel(model.projects[parent].owner if parent else person, parent)

    @rule(data=st.data(), person=PEOPLE)
    def add_task(self, data: st.DataObject, person: str) -> None:
        project, self.number = self.project(data, person), self.number + 1
        allowed = self.model.may(person, "edit", project) and not self.model.projects[project].archived
        title, label = f"Task {self.number}", data.draw(st.sampled_from(["", "home"]))
        body = {"title": title, "project_id": project, "labels": [label] if label else []}
        made = self.try_to(person, "POST", "/api/tasks", body, seen=True, allowed=allowed)
        if allowed:
            self.model.tasks[made["id"]] = TaskModel(title, project, label=label)

    @rule(data=st.data(), person=PEOPLE, private=st.booleans())
    def add_view(self, data: st.DataObject, person: str, private: bool) -> None:
        project = "" if private else self.project(data, person)
        allowed = private or self.model.may(person, "edit", project)
        body = {"name": "At home", "filter": "label = home"} | ({"project_id": project} if project else {})
        made = self.try_to(person, "POST", "/api/views", body, seen=True, allowed=allowed)
        if allowed:
            self.model.views[made["id"]] = ViewModel(person if private else "", project)

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data(), person=PEOPLE, trash=st.booleans())
    def move_or_trash_task(self, data: st.DataObject, person: str, trash: bool) -> None:
        task_id = data.draw(st.sampled_from([*self.model.tasks]))
        task, target = self.model.tasks[task_id], self.project(data, person)
        seen = self.model.may(person, "see", task.project) and not task.trashed
        allowed = seen and self.model.may(person, "edit", task.project)
        if trash:
            self.try_to(person, "DELETE", f"/api/tasks/{task_id}", seen=seen, allowed=allowed)
            task.trashed |= allowed
            return
        if target == task.project:
            return
        allowed &= self.model.may(person, "edit", target) and not self.model.projects[target].archived
        self.try_to(person, "PATCH", f"/api/tasks/{task_id}", {"project_id": target}, seen=seen, allowed=allowed)
        task.project = target if allowed else task.project

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data(), person=PEOPLE, people=st.sets(PEOPLE))
    def assign(self, data: st.DataObject, person: str, people: set[str]) -> None:
        task_id = data.draw(st.sampled_from([*self.model.tasks]))
        task, model = self.model.tasks[task_id], self.model
        seen = model.may(person, "see", task.project) and not task.trashed
        allowed = seen and model.may(person, "edit", task.project)
        allowed &= all(model.may(one, "see", task.project) for one in people - task.assignees)
        body = {"assignee_ids": [str(self.people[one].id) for one in people]}
        self.try_to(person, "PATCH", f"/api/tasks/{task_id}", body, seen=seen, allowed=allowed)
        task.assignees = people if allowed else task.assignees

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data(), person=PEOPLE)
    def comment(self, data: st.DataObject, person: str) -> None:
        """A comment, of which everybody is notified, so that the lists show who sees it."""
        task_id, self.number = data.draw(st.sampled_from([*self.model.tasks])), self.number + 1
        task, text = self.model.tasks[task_id], f"Comment {self.number}"
        seen = self.model.may(person, "see", task.project) and not task.trashed
        allowed = seen and self.model.may(person, "comment", task.project)
        made = self.try_to(person, "POST", f"/api/tasks/{task_id}/comments", {"text": text}, seen=seen, allowed=allowed)
        if allowed:
            task.comments.append(text)
            self.run(self.sql.execute(NOTIFY_EVERYBODY, made["id"], task_id, text))

    @rule(data=st.data(), person=PEOPLE, to=PEOPLE, role=MEMBER_ROLE)
    def invite(self, data: st.DataObject, person: str, to: str, role: MemberRole) -> None:
        project = self.project(data, person)
        seen, allowed = self.model.may(person, "see", project), self.model.may_share(person, project)
        body, path = {"role": role, "email": self.people[to].email}, f"/api/projects/{project}/invitations"
        made = self.try_to(person, "POST", path, body, seen=seen, allowed=allowed)
        if allowed:
            offers = self.model.invitations.items()
            self.model.invitations = {key: one for key, one in offers if (one.project, one.to) != (project, to)}
            self.model.invitations[made["id"]] = Offer(project, person, to, role)

    @precondition(lambda self: self.model.invitations)
    @rule(data=st.data(), person=PEOPLE, what=st.sampled_from(["accept", "accept", "decline", "withdraw"]))
    def end_invitation(self, data: st.DataObject, person: str, what: str) -> None:
        key = data.draw(st.sampled_from([*self.model.invitations]))
        offer = self.model.invitations[key]
        if what == "withdraw":
            seen = self.model.may(person, "see", offer.project)
            allowed = self.model.may(person, "manage", offer.project)
            method, path = "DELETE", f"/api/projects/{offer.project}/invitations/{key}"
        else:
            seen = allowed = key in self.model.offered(person)
            method, path = "POST", f"/api/project-invitations/{key}/{what}"
        self.try_to(person, method, path, seen=seen, allowed=allowed)
        if allowed:
            del self.model.invitations[key]
        if allowed and what == "accept":
            self.model.join(offer.project, person, offer.role)

    @rule(data=st.data(), person=PEOPLE, who=PEOPLE, role=st.none() | MEMBER_ROLE)
    def change_or_remove_member(self, data: st.DataObject, person: str, who: str, role: MemberRole | None) -> None:
        project = self.project(data, person)
        seen = self.model.may(person, "see", project)
        needed = "see" if role is None and who == person else "manage"
        allowed = self.model.may(person, needed, project) and (project, who) in self.model.members
        path = f"/api/projects/{project}/members/{self.people[who].id}"
        method, body = ("PATCH", {"role": role}) if role else ("DELETE", None)
        self.try_to(person, method, path, body, seen=seen, allowed=allowed)
        if allowed and role:
            self.model.members[project, who] = role
        elif allowed:
            del self.model.members[project, who]

    @rule(data=st.data(), person=PEOPLE, out=st.booleans())
    def move_project(self, data: st.DataObject, person: str, out: bool) -> None:
        project, model = self.project(data, person), self.model
        parent = None if out else self.project(data, person)
        allowed = model.may(person, "own", project) and not model.is_inbox(project)
        if parent is not None:
            same = model.projects[parent].owner == model.projects[project].owner
            fits = model.fits_below(parent, model.height(project)) and parent not in model.below(project)
            allowed = allowed and same and fits
        seen, path = model.may(person, "see", project), f"/api/projects/{project}"
        self.try_to(person, "PATCH", path, {"parent_id": parent}, seen=seen, allowed=allowed)
        if allowed:
            model.projects[project].parent = parent

    @rule(data=st.data(), person=PEOPLE, archived=st.booleans())
    def archive(self, data: st.DataObject, person: str, archived: bool) -> None:
        project, model = self.project(data, person), self.model
        here = model.projects[project]
        hidden = not archived and here.archived and here.parent is not None and model.projects[here.parent].archived
        allowed = model.may(person, "manage", project) and not model.is_inbox(project) and not hidden
        seen, path = model.may(person, "see", project), f"/api/projects/{project}"
        self.try_to(person, "PATCH", path, {"archived": archived}, seen=seen, allowed=allowed)
        if allowed and here.archived is not archived:
            for one in model.below(project):
                model.projects[one].archived = archived

    @rule(data=st.data(), person=PEOPLE, to=PEOPLE)
    def hand_over(self, data: st.DataObject, person: str, to: str) -> None:
        project, model = self.project(data, person), self.model
        can_have = model.role(to, project) not in {None, "owner"}
        allowed = model.may(person, "own", project) and not model.is_inbox(project) and can_have
        body, path = {"user_id": str(self.people[to].id)}, f"/api/projects/{project}/transfer"
        self.try_to(person, "POST", path, body, seen=model.may(person, "see", project), allowed=allowed)
        if allowed:
            model.hand_over(project, to)

    @precondition(lambda self: len(self.model.projects) > 6)
    @rule(data=st.data(), person=PEOPLE)
    def delete_project(self, data: st.DataObject, person: str) -> None:
        project, model = self.project(data, person), self.model
        allowed = model.may(person, "own", project) and not model.is_inbox(project)
        seen = model.may(person, "see", project)
        self.try_to(person, "DELETE", f"/api/projects/{project}", seen=seen, allowed=allowed)
        if allowed:
            model.delete(project)

    @rule(data=st.data(), person=PEOPLE)
    def add_link(self, data: st.DataObject, person: str) -> None:
        project = self.project(data, person)
        seen, allowed = self.model.may(person, "see", project), self.model.may_share(person, project)
        made = self.try_to(person, "POST", f"/api/projects/{project}/links", {}, seen=seen, allowed=allowed)
        if allowed:
            self.model.links[made["id"]] = Offer(project, person, secret=made["secret"])

    # What they see then.

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        if hasattr(self, "model"):
            self.model.end_offers()
            self.model.end_assignments()
            self.run(self.compare())

    async def compare(self) -> None:
        for name in NAMES:
            for path, shown, expected in lists_of(self.model, self.people, name):
                found = await self.people[name].http.get(path)
                assert found.status_code == 200, (name, path, found.text)
                assert shown(found.json()) == expected, (name, path)
            for path, shown, verb, project, expected in parts_of(self.model, self.people):
                found = await self.people[name].http.get(path)
                role = self.model.role(name, project)
                status = 200 if self.model.may(name, verb, project) else 403 if role else 404
                assert found.status_code == status, (name, path, found.text)
                assert status != 200 or shown(found.json()) == expected, (name, path)
            for one in self.model.views.keys() - self.model.listed_views(name):
                found = await self.people[name].http.get(f"/api/tasks?view={one}")
                assert (found.status_code, found.json()["errors"][0]["field"]) == (422, "query.view"), (name, one)
            for task_id, task in self.model.tasks.items():
                found = await self.people[name].http.get(f"/api/tasks/{task_id}")
                seen = self.model.may(name, "see", task.project) and not task.trashed
                assert found.status_code == (200 if seen else 404), (name, task)
                assigned = sorted(str(self.people[one].id) for one in task.assignees)
                comments = await self.people[name].http.get(f"/api/tasks/{task_id}/comments")
                assert comments.status_code == found.status_code
                assert not seen or [one["text"] for one in comments.json()["items"]] == task.comments
                assert not seen or found.json()["assignee_ids"] == assigned, (name, task)
        for key, link in self.model.links.items():
            found = await self.client.get(f"/api/shared/{link.secret}")
            projects = self.model.linked(key)
            assert found.status_code == (200 if projects else 404)
            if projects:
                assert {one["id"] for one in found.json()["projects"]} == projects
                assert titles(found.json()) == self.model.titles({link.project})
        everything = (await self.root.http.get("/api/admin/tasks?limit=200")).json()
        assert titles(everything) == self.model.titles({*self.model.projects})


def titles(page: Json) -> list[str]:
    return sorted(item["title"] for item in page["items"])


def ids(page: Json) -> set[str]:
    return {item["id"] for item in page["items"]}


def projects(page: Json) -> set[tuple[str, str, str | None]]:
    return {(item["id"], item["role"], item["parent_id"]) for item in page["items"]}


def total(page: Json) -> int:
    return int(page["total"])


Shown: TypeAlias = Callable[[Json], Any]


def lists_of(model: Sharing, people: dict[str, Person], person: str) -> list[tuple[str, Shown, Any]]:
    """The lists over all that a person sees: a new one is a line here."""
    tasks = model.listed_tasks(person)
    return [
        ("/api/projects?limit=200", projects, model.listed_projects(person, archived=False)),
        ("/api/projects?limit=200&archived=true", projects, model.listed_projects(person, archived=True)),
        ("/api/tasks?limit=200", titles, tasks),
        ("/api/tasks?limit=200&sort=title", titles, tasks),
        ("/api/tasks?limit=200&status=open", titles, tasks),
        ("/api/tasks?limit=200&q=task", titles, tasks),
        ("/api/tasks?limit=1&count=true", total, len(tasks)),
        ("/api/trash?limit=200", titles, model.trash(person)),
        ("/api/project-invitations", ids, model.offered(person)),
        ("/api/notifications?limit=200", titles, model.notified(person)),
        ("/api/tasks?limit=200&assignee=me", titles, model.assigned(person, person)),
        ("/api/tasks?limit=200&filter=assignee = me", titles, model.assigned(person, person)),
        ("/api/tasks?limit=200&view=assigned", titles, model.assigned(person, person)),
        ("/api/tasks?limit=200&label=home", titles, model.labeled(person, "home")),
        ("/api/tasks?limit=200&filter=label = home and text ~ task", titles, model.labeled(person, "home")),
        ("/api/tasks?limit=1&count=true&label=home", total, len(model.labeled(person, "home"))),
        ("/api/tasks?limit=200&filter=project = House", titles, model.in_projects_named(person, "House")),
        ("/api/views?limit=200", ids, model.listed_views(person)),
        *(
            (f"/api/tasks?limit=200&view={one}", titles, model.labeled(person, "home", model.views[one].project))
            for one in model.listed_views(person)
        ),
        *((f"/api/tasks?limit=200&assignee={people[to].id}", titles, model.assigned(person, to)) for to in NAMES),
        *((f"/api/tasks?limit=200&project_id={one}", titles, model.tasks_of(person, one)) for one in model.projects),
    ]


def parts_of(model: Sharing, people: dict[str, Person]) -> list[tuple[str, Shown, Any, str, Any]]:
    """What belongs to one project, and the verb that one needs to see it: a new part is a line here."""
    names = {str(person.id): name for name, person in people.items()}

    def members(page: Json) -> set[tuple[str, str]]:
        return {(names[item["user_id"]], item["role"]) for item in page["items"]}

    def of(offers: dict[str, Offer], project: str) -> set[str]:
        return {key for key, offer in offers.items() if offer.project == project}

    return [
        part
        for one in model.projects
        for part in (
            (f"/api/projects/{one}/members", members, "see", one, model.listed_members(one)),
            (f"/api/projects/{one}/invitations", ids, "manage", one, of(model.invitations, one)),
            (f"/api/projects/{one}/links", ids, "manage", one, of(model.links, one)),
        )
    ]


@pytest.fixture
async def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.fixture
async def people(world: World, sql: Sql) -> dict[str, Person]:
    found = {name: await world.person(name) for name in NAMES}
    await sql.execute("UPDATE users SET email_verified_at = now()")
    return found


@pytest.fixture
async def root(world: World) -> Person:
    return await world.person("root", "superuser", "member")


def test_everybody_sees_what_the_model_says(
    loop: asyncio.AbstractEventLoop, people: dict[str, Person], root: Person, client: httpx.AsyncClient, sql: Sql
) -> None:
    Life.loop, Life.people, Life.root, Life.client, Life.sql = loop, people, root, client, sql
    bounded = settings(
        max_examples=int(os.environ.get("VISIBILITY_EXAMPLES", "4")),
        stateful_step_count=int(os.environ.get("VISIBILITY_STEPS", "15")),
        derandomize="VISIBILITY_EXAMPLES" not in os.environ, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    run_state_machine_as_test(Life, settings=bounded)
