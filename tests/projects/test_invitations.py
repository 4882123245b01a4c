"""Invitations to share a project: by e-mail or to an account, accepted, declined, withdrawn, and ended."""

import asyncio
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from conftest import serving, settings_for
from support.factories import PASSWORD, Person, World, job_context
from support.sharing import project, share

from todo.app import create_app
from todo.database import Database
from todo.domain.projects import rules
from todo.domain.projects.jobs import delete_expired_sharing

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MINE = "/api/project-invitations"


async def prove(sql: Sql, *people: Person) -> None:
    """As if they had followed the link in the mail."""
    await sql.execute("UPDATE users SET email_verified_at = now() WHERE id = ANY($1)", [one.id for one in people])


@pytest.fixture
async def house(ada: Person, bob: Person, sql: Sql) -> str:
    """A project of ada, who has confirmed her address, as bob has."""
    await prove(sql, ada, bob)
    return await project(ada)


async def invite(person: Person, project_id: str, role: str = "editor", **whom: Any) -> httpx.Response:
    return await person.http.post(f"/api/projects/{project_id}/invitations", json={"role": role, **whom})


async def invited(person: Person, project_id: str, role: str = "editor", **whom: Any) -> str:
    answer = await invite(person, project_id, role, **whom)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def accept(person: Person, invitation_id: str) -> httpx.Response:
    return await person.http.post(f"{MINE}/{invitation_id}/accept")


async def mine(person: Person) -> list[str]:
    return [one["project_name"] for one in (await person.http.get(MINE)).json()["items"]]


async def listed(person: Person, project_id: str) -> list[str]:
    answer = await person.http.get(f"/api/projects/{project_id}/invitations")
    return [one["email"] or one["name"] for one in answer.json()["items"]]


async def mails(sql: Sql) -> list[tuple[str, str]]:
    rows = await sql.fetch(
        "SELECT recipient, payload->>'text' FROM deliveries WHERE subject LIKE '%share%' ORDER BY id"
    )
    return [tuple(row) for row in rows]


async def test_an_invited_address_gets_a_mail_and_its_account_the_role(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    await ada.add("Paint", project_id=house)
    invitation = (await invite(ada, house, "completer", email="Bob@Example.com")).json()

    ((recipient, text),) = await mails(sql)
    shown = (await bob.http.get(MINE)).json()["items"]
    answer = await accept(bob, invitation["id"])

    assert (invitation["email"], invitation["invited_by"], invitation["user_id"]) == (
        "bob@example.com", str(ada.id), None,
    )  # fmt: skip
    assert recipient == "bob@example.com"
    assert "ada@example.com invites you" in text
    assert "House" not in text
    assert [(one["project_name"], one["role"], one["invited_by_name"]) for one in shown] == [
        ("House", "completer", "ada")
    ]
    assert (answer.status_code, answer.json()["id"], answer.json()["role"]) == (200, house, "completer")
    assert [task["title"] for task in (await bob.http.get("/api/tasks")).json()["items"]] == ["Paint"]
    assert (await mine(bob), await listed(ada, house)) == ([], [])
    actions = await sql.fetch("SELECT action FROM audit_events WHERE subject LIKE 'project\\_%' ORDER BY id")
    assert [row["action"] for row in actions] == [
        "project_invitations.add", "project_invitations.accept", "project_members.add",
    ]  # fmt: skip


async def test_the_answer_is_the_same_whether_or_not_the_address_has_an_account(ada: Person, house: str) -> None:
    answers = [await invite(ada, house, email=email) for email in ("bob@example.com", "nobody@example.com")]

    known, unknown = (answer.json() | {"id": "", "email": "", "created_at": "", "expires_at": ""} for answer in answers)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert known == unknown
    assert set(answers[0].headers) == set(answers[1].headers)


async def test_only_who_has_proved_the_address_sees_and_accepts_the_invitation(
    ada: Person, world: World, house: str, sql: Sql
) -> None:
    eve, carol = await world.person("eve"), await world.person("carol")
    await prove(sql, carol)
    invitation = await invited(ada, house, email="eve@example.com")

    before = (await mine(eve), (await accept(eve, invitation)).status_code)
    other = (await mine(carol), (await accept(carol, invitation)).status_code)
    await prove(sql, eve)

    assert (before, other) == (([], 404), ([], 404))
    assert await mine(eve) == ["House"]
    assert (await accept(eve, invitation)).status_code == 200


async def test_who_registers_with_an_invited_address_and_confirms_it_sees_the_invitation(
    ada: Person, world: World, house: str, sql: Sql, client: httpx.AsyncClient
) -> None:
    invitation = await invited(ada, house, email="new@example.com")
    await client.post("/api/auth/register", json={"email": "new@example.com", "password": PASSWORD})
    token = await sql.fetchval(
        "SELECT substring(payload->>'text' from '#(\\S+)') FROM deliveries WHERE recipient = 'new@example.com'"
        " AND subject LIKE '%confirm%'"
    )
    assert (await client.post("/api/auth/email/verify", json={"token": token})).status_code < 300
    signed_in = await client.post("/api/auth/login", json={"email": "new@example.com", "password": PASSWORD})
    headers = {"authorization": f"Bearer {signed_in.json()['access_token']}"}

    shown = (await client.get(MINE, headers=headers)).json()["items"]

    assert [one["id"] for one in shown] == [invitation]
    assert (await client.post(f"{MINE}/{invitation}/accept", headers=headers)).status_code == 200


async def test_an_account_with_which_one_shares_a_project_is_invited_without_its_address(
    ada: Person, bob: Person, world: World, house: str, sql: Sql
) -> None:
    carol = await world.person("carol")
    garden = await project(ada, "Garden")
    await share(sql, garden, bob.id)

    stranger, nobody = [await invite(ada, house, user_id=str(one)) for one in (carol.id, garden)]
    member = await invite(ada, garden, user_id=str(bob.id))
    invitation = await invited(ada, house, user_id=str(bob.id))

    assert stranger.json()["errors"] == nobody.json()["errors"]
    assert stranger.json()["errors"][0]["code"] == "not_found"
    assert member.status_code == 422
    assert (await listed(ada, house), await mine(bob), await mails(sql)) == (["bob"], ["House"], [])
    assert (await accept(bob, invitation)).json()["role"] == "editor"


async def test_a_declined_or_withdrawn_invitation_is_gone_for_both_sides(ada: Person, bob: Person, house: str) -> None:
    declined = await invited(ada, house, email=bob.email)
    statuses = [(await bob.http.post(f"{MINE}/{declined}/decline")).status_code for _ in range(2)]
    withdrawn = await invited(ada, house, email=bob.email)
    path = f"/api/projects/{house}/invitations/{withdrawn}"
    statuses += [(await ada.http.delete(path)).status_code for _ in range(2)]

    assert statuses == [204, 404, 204, 404]
    assert (await accept(bob, withdrawn)).status_code == 404
    assert (await mine(bob), await listed(ada, house)) == ([], [])


async def test_a_repeated_invitation_replaces_the_earlier_one(ada: Person, bob: Person, house: str) -> None:
    first = await invited(ada, house, "manager", email=bob.email)
    second = await invited(ada, house, "viewer", email="BOB@example.com")

    assert (await accept(bob, first)).status_code == 404
    assert await listed(ada, house) == ["bob@example.com"]
    assert (await accept(bob, second)).json()["role"] == "viewer"


async def test_an_invitation_ends_after_a_week_and_its_row_is_deleted(
    ada: Person, bob: Person, house: str, sql: Sql, database: Database
) -> None:
    invitation = await invited(ada, house, email=bob.email)
    lasts = await sql.fetchval("SELECT expires_at - created_at FROM project_invitations")
    await sql.execute("UPDATE project_invitations SET expires_at = now()")

    assert lasts.total_seconds() == pytest.approx(timedelta(days=7).total_seconds(), abs=1)
    assert (await mine(bob), await listed(ada, house)) == ([], [])
    assert (await accept(bob, invitation)).status_code == 404
    await delete_expired_sharing(job_context(database))
    assert await sql.fetchval("SELECT count(*) FROM project_invitations") == 0


@pytest.mark.parametrize(
    "loss", ["removed", "viewer", "left", "moved away", "disabled", "erased"],
)  # fmt: skip
async def test_an_invitation_ends_when_the_inviter_may_no_longer_share(
    ada: Person, bob: Person, world: World, house: str, sql: Sql, loss: str
) -> None:
    carol = await world.person("carol")
    await prove(sql, carol)
    shed = await project(ada, "Shed", parent_id=house)
    await share(sql, house, carol.id, "manager")
    invitation = await invited(carol, shed, email=bob.email)
    kept = await invited(ada, shed, email="kept@example.com")

    member = f"/api/projects/{house}/members/{carol.id}"
    match loss:
        case "removed":
            await ada.http.delete(member)
        case "viewer":
            await ada.http.patch(member, json={"role": "viewer"})
        case "left":
            await carol.http.delete(member)
        case "moved away":
            await ada.http.patch(f"/api/projects/{shed}", json={"parent_id": None})
        case "disabled":
            await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", carol.id)
        case "erased":
            await sql.execute("DELETE FROM users WHERE id = $1", carol.id)

    assert await mine(bob) == []
    assert (await accept(bob, invitation)).status_code == 404
    assert str(await sql.fetchval("SELECT id FROM project_invitations WHERE invited_by = $1", ada.id)) == kept


async def test_invitations_stay_when_a_project_is_handed_over(ada: Person, bob: Person, world: World, house: str,
                                                              sql: Sql) -> None:  # fmt: skip
    carol = await world.person("carol")
    await prove(sql, carol)
    await share(sql, house, carol.id, "manager")
    by_ada = await invited(ada, house, email=bob.email)
    await invited(carol, house, email="kept@example.com")

    await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(carol.id)})

    assert sorted(await listed(carol, house)) == ["bob@example.com", "kept@example.com"]
    assert (await accept(bob, by_ada)).status_code == 200


async def test_an_archived_or_deleted_project_has_no_invitations(ada: Person, bob: Person, house: str) -> None:
    invitation = await invited(ada, house, email=bob.email)
    await ada.http.patch(f"/api/projects/{house}", json={"archived": True})

    assert (await mine(bob), (await accept(bob, invitation)).status_code) == ([], 404)
    assert (await invite(ada, house, email="c@example.com")).json()["code"] == "project-archived"
    await ada.http.patch(f"/api/projects/{house}", json={"archived": False})
    assert await mine(bob) == ["House"]
    await ada.http.delete(f"/api/projects/{house}")
    assert (await mine(bob), (await accept(bob, invitation)).status_code) == ([], 404)


async def test_an_invitation_stays_with_the_address_when_an_account_changes_its_own(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    invitation = await invited(ada, house, email=bob.email)
    await sql.execute("UPDATE users SET email = 'bob@example.org' WHERE id = $1", bob.id)

    assert (await mine(bob), (await accept(bob, invitation)).status_code) == ([], 404)
    assert await listed(ada, house) == ["bob@example.com"]


async def test_a_member_who_accepts_keeps_the_higher_role_and_the_owner_stays(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    await share(sql, house, bob.id, "editor")
    lower = await invited(ada, house, "viewer", email=bob.email)
    kept = (await accept(bob, lower)).json()["role"]
    higher = await invited(ada, house, "manager", email=bob.email)
    raised = (await accept(bob, higher)).json()["role"]
    own = await invited(ada, house, "viewer", email=ada.email)

    assert (kept, raised) == ("editor", "manager")
    assert (await accept(ada, own)).json()["role"] == "owner"
    assert await sql.fetchval("SELECT count(*) FROM project_members") == 1


async def test_who_has_not_confirmed_their_own_address_invites_nobody_by_mail(ada: Person, sql: Sql) -> None:
    house = await project(ada)

    answer = await invite(ada, house, email="bob@example.com")

    assert (answer.status_code, answer.json()["code"]) == (403, "email-not-confirmed")
    assert await mails(sql) == []
    assert await sql.fetchval("SELECT count(*) FROM project_invitations") == 0


async def test_the_inbox_is_not_shared(ada: Person, house: str) -> None:
    assert (await invite(ada, str(ada.id), email="bob@example.com")).json()["code"] == "inbox"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "editor"}, "body.email"),
        ({"role": "editor", "email": "bob@example.com", "user_id": str(UUID(int=1))}, "body.email"),
        ({"role": "editor", "email": "nobody"}, "body.email"),
        ({"role": "owner", "email": "bob@example.com"}, "body.role"),
        ({"email": "bob@example.com"}, "body.role"),
    ],
)  # fmt: skip
async def test_what_is_no_invitation_is_refused(ada: Person, house: str, body: dict[str, Any], field: str) -> None:
    answer = await ada.http.post(f"/api/projects/{house}/invitations", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_project_has_a_limited_number_of_open_invitations_and_members(
    ada: Person, bob: Person, house: str, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("todo.domain.projects.services.invitations.MAX_INVITATIONS", 2)
    monkeypatch.setattr("todo.domain.projects.services.members.MAX_MEMBERS", 0)
    invitation = await invited(ada, house, email=bob.email)
    await invited(ada, house, email="b@example.com")

    full = await invite(ada, house, email="c@example.com")
    replaced = await invite(ada, house, email="b@example.com")
    joined = await accept(bob, invitation)

    assert (rules.MAX_INVITATIONS, rules.MAX_MEMBERS) == (100, 1_000)
    assert (full.status_code, full.json()["code"], replaced.status_code) == (409, "too-many", 201)
    assert (joined.status_code, joined.json()["code"]) == (409, "too-many")
    assert await mine(bob) == ["House"]


async def test_a_person_invites_fifty_times_a_day_and_one_address_five_times_an_hour(
    database_url: str, sql: Sql
) -> None:
    async with serving(create_app(settings_for(database_url, rate_limit="1000/minute"))) as app:
        world = World(app)
        ada = await world.person("ada")
        await prove(sql, ada)
        house = await project(ada)
        same = [(await invite(ada, house, email="a@example.com")).status_code for _ in range(6)]
        others = [(await invite(ada, house, email=f"a{n}@example.com")).status_code for n in range(45)]
        await world.close()

    assert same == [201] * 5 + [429]
    assert others == [201] * 44 + [429]


@pytest.mark.parametrize(("mode", "sent"), [("open", 2), ("invitation", 1), ("closed", 1)])
async def test_where_nobody_can_register_strangers_get_no_mail(
    database_url: str, sql: Sql, ada: Person, bob: Person, house: str, mode: str, sent: int
) -> None:
    async with (
        serving(create_app(settings_for(database_url, registration=mode))) as app,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers=ada.http.headers
        ) as ada.http,
    ):
        statuses = [(await invite(ada, house, email=email)).status_code for email in (bob.email, "s@example.com")]

    assert statuses == [201, 201]
    assert len(await mails(sql)) == sent


async def test_an_invitation_is_accepted_once_however_often_it_is_tried(ada: Person, bob: Person, house: str,
                                                                       sql: Sql) -> None:  # fmt: skip
    invitation = await invited(ada, house, email=bob.email)

    answers = await asyncio.gather(*(accept(bob, invitation) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 5
    assert await sql.fetchval("SELECT count(*) FROM project_members") == 1


@pytest.mark.parametrize("what", ["withdrawn", "inviter removed", "declined", "archived"])
async def test_an_invitation_is_accepted_or_ended_never_both(
    ada: Person, bob: Person, world: World, house: str, sql: Sql, what: str
) -> None:
    carol = await world.person("carol")
    await prove(sql, carol)
    path = f"/api/projects/{house}"
    for _ in range(5):
        await share(sql, house, carol.id, "manager")
        invitation = await invited(carol, house, email=bob.email)
        by, method, url, body = {
            "withdrawn": (ada, "DELETE", f"{path}/invitations/{invitation}", None),
            "inviter removed": (ada, "DELETE", f"{path}/members/{carol.id}", None),
            "declined": (bob, "POST", f"{MINE}/{invitation}/decline", None),
            "archived": (ada, "PATCH", path, {"archived": True}),
        }[what]
        accepted, ended = await asyncio.gather(accept(bob, invitation), by.http.request(method, url, json=body))

        members = await sql.fetchval("SELECT count(*) FROM project_members WHERE user_id = $1", bob.id)
        assert (accepted.status_code, members) in {(200, 1), (404, 0)}
        if what in {"withdrawn", "declined"}:
            assert (accepted.status_code, ended.status_code) in {(200, 404), (404, 204)}
        else:
            assert ended.status_code < 300
        await sql.execute("DELETE FROM project_members")
        await ada.http.patch(path, json={"archived": False})
