"""Comments: who reads and writes them, whom they mention, and what becomes of them."""

import asyncio
import json
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from support.factories import Person, World
from support.sharing import project, share

from todo.access import worker_origin
from todo.database import Database
from todo.domain.accounts.services.account_deletion import erase_due
from todo.domain.tasks.comments.rules import MAX_COMMENTS, MAX_MARKS, MAX_MENTIONS, mentioned
from todo.domain.tasks.services.owned_projects import before_erasure
from todo.domain.tasks.services.purging import purge

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json: TypeAlias = dict[str, Any]
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def write(person: Person, task: Json, text: str = "The paint is here.") -> Json:
    answer = await person.http.post(f"/api/tasks/{task['id']}/comments", json={"text": text})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def at(comment: Json) -> str:
    return f"/api/tasks/{comment['task_id']}/comments/{comment['id']}"


async def edit(person: Person, comment: Json, text: str, **headers: str) -> httpx.Response:
    return await person.http.patch(at(comment), json={"text": text}, headers=headers)


async def texts(person: Person, task: Json, query: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks/{task['id']}/comments?{query}")
    assert answer.status_code == 200, answer.text
    return [one["text"] for one in answer.json()["items"]]


def names(comment: Json) -> list[str]:
    return [one["name"] for one in comment["mentions"]]


async def values(sql: Sql, comment: Json) -> list[tuple[str, Any, Any]]:
    rows = await sql.fetch("SELECT * FROM audit_events WHERE subject_id = $1 ORDER BY id", UUID(comment["id"]))
    sides = [[row[side] and json.loads(row[side]).get("text") for side in ("before", "after")] for row in rows]
    return [(row["action"], *side) for row, side in zip(rows, sides, strict=True)]


@pytest.fixture
async def painting(ada: Person, bob: Person, sql: Sql) -> Json:
    """A task of ada's that bob may comment on."""
    house = await project(ada)
    await share(sql, house, bob.id, "commenter")
    return await ada.add("Paint", project_id=house)


async def test_who_sees_a_task_reads_what_others_wrote(ada: Person, bob: Person, painting: Json) -> None:
    first = await write(ada, painting, "When?\n\n- **today**")
    await write(bob, painting, "Now.")

    assert await texts(bob, painting) == ["When?\n\n- **today**", "Now."]
    assert await texts(ada, painting, "sort=-created_at&limit=1") == ["Now."]
    assert first["author"] == {"user_id": str(ada.id), "name": "ada"}
    assert (first["version"], first["edited_at"], first["mentions"]) == (1, None, [])
    assert (await bob.http.get(at(first))).json() == first


async def test_pages_of_comments_follow_each_other(ada: Person) -> None:
    task = await ada.add()
    for number in range(5):
        await write(ada, task, str(number))

    first = (await ada.http.get(f"/api/tasks/{task['id']}/comments?limit=3&count=true")).json()

    assert first["total"] == 5
    assert await texts(ada, task, f"limit=3&cursor={first['next_cursor']}") == ["3", "4"]


async def test_an_author_changes_their_text_and_nobody_else_does(
    ada: Person, bob: Person, painting: Json, sql: Sql
) -> None:
    comment = await write(bob, painting)

    changed = await edit(bob, comment, "No paint.")
    again = await edit(bob, comment, "No paint.")

    assert (changed.json()["text"], changed.json()["version"]) == ("No paint.", 2)
    assert changed.json()["created_at"] < changed.json()["edited_at"] <= changed.json()["updated_at"]
    assert again.json() == changed.json()
    assert (await edit(ada, comment, "Mine")).status_code == 403
    assert await values(sql, comment) == [
        ("comments.add", None, "The paint is here."),
        ("comments.change", "The paint is here.", "No paint."),
    ]


async def test_a_stale_change_is_refused(ada: Person) -> None:
    comment = await write(ada, await ada.add())
    read = await ada.http.get(at(comment))
    assert (await edit(ada, comment, "Second", **{"if-match": read.headers["etag"]})).status_code == 200

    stale = await edit(ada, comment, "Third", **{"if-match": '"1"'})

    assert (stale.status_code, stale.json()["current"]["text"]) == (412, "Second")
    assert (await ada.http.delete(at(comment), headers={"if-match": '"1"'})).status_code == 412
    assert (await ada.http.get(at(comment), headers={"if-none-match": read.headers["etag"]})).status_code == 200


async def test_a_deleted_comment_is_nowhere_any_more(ada: Person, bob: Person, painting: Json, sql: Sql) -> None:
    own, others, kept = await write(bob, painting), await write(bob, painting), await write(ada, painting, "Kept")

    answers = [await person.http.delete(at(one)) for person, one in ((bob, own), (ada, others), (bob, kept))]

    assert [answer.status_code for answer in answers] == [204, 204, 403]
    assert await texts(bob, painting) == ["Kept"]
    assert await values(sql, own) == [("comments.add", None, None), ("comments.delete", None, None)]
    who = await sql.fetchval("SELECT actor_id FROM audit_events WHERE action = 'comments.delete' ORDER BY id DESC")
    assert who == ada.id


async def test_who_may_only_look_any_more_takes_back_their_own_words(ada: Person, bob: Person, painting: Json) -> None:
    comment = await write(bob, painting)
    await ada.http.patch(f"/api/projects/{painting['project_id']}/members/{bob.id}", json={"role": "viewer"})

    assert (await edit(bob, comment, "No.")).status_code == 403
    assert (await bob.http.delete(at(comment))).status_code == 204


async def test_what_somebody_wrote_stays_when_they_are_removed(ada: Person, bob: Person, painting: Json) -> None:
    comment = await write(bob, painting)
    await ada.http.delete(f"/api/projects/{painting['project_id']}/members/{bob.id}")

    for answer in (
        await edit(bob, comment, "No."),
        await bob.http.delete(at(comment)),
        await bob.http.get(at(comment)),
    ):
        assert answer.status_code == 404
    assert (await ada.http.get(at(comment))).json() == comment


async def test_a_mention_is_of_somebody_who_sees_the_task(
    ada: Person, bob: Person, world: World, painting: Json, sql: Sql
) -> None:
    await world.person("carol")

    comment = await write(ada, painting, "@Bob, ask @carol or @nobody; x@ada.example, @bobby")

    assert comment["mentions"] == [{"user_id": str(bob.id), "name": "bob"}]
    assert names(await write(bob, painting, "_@ADA_ and @bob")) == ["ada", "bob"]
    assert (await edit(ada, comment, "Never mind.")).json()["mentions"] == []
    assert await sql.fetchval("SELECT count(*) FROM comment_mentions") == 2


async def test_the_longest_name_is_meant_and_all_who_have_it(
    ada: Person, bob: Person, world: World, painting: Json, sql: Sql
) -> None:
    carol = await world.person("carol")
    await share(sql, painting["project_id"], carol.id)
    await sql.execute("UPDATE users SET name = 'Ada Straße' WHERE id = ANY($1)", [bob.id, carol.id])

    both = await write(ada, painting, "@ada STRASSE")

    assert {one["user_id"] for one in both["mentions"]} == {str(bob.id), str(carol.id)}
    assert names(await write(ada, painting, "@ada Stra")) == ["ada"]


@pytest.mark.parametrize(("before", "found"), [(MAX_MARKS - 1, True), (MAX_MARKS, False)])
def test_of_very_many_marks_the_first_count(before: int, *, found: bool) -> None:
    """Ten thousand of them, of a hundred people with names of a hundred lengths, held up everybody for 0.3 s."""
    ada = UUID(int=1)

    assert mentioned("@" * before + " @Ada", [(ada, "Ada")]) == ({ada} if found else set())


async def test_people_without_a_name_are_mentioned_by_their_id(
    ada: Person, bob: Person, world: World, painting: Json, sql: Sql
) -> None:
    carol = await world.person("carol")
    await sql.execute("UPDATE users SET name = ' ' WHERE id = $1", bob.id)

    assert (await write(ada, painting, f"@ @@ @! @bob x@{bob.id} @{bob.id}0 @{carol.id}"))["mentions"] == []
    comment = await write(ada, painting, f"Ask @{str(bob.id).upper()}, please.")
    assert comment["mentions"] == [{"user_id": str(bob.id), "name": " "}]


async def test_an_id_mentions_one_of_several_with_a_name(
    ada: Person, bob: Person, world: World, painting: Json, sql: Sql
) -> None:
    carol = await world.person("carol")
    await share(sql, painting["project_id"], carol.id)
    await sql.execute("UPDATE users SET name = 'Kim' WHERE id = ANY($1)", [bob.id, carol.id])

    assert {one["user_id"] for one in (await write(ada, painting, f"@{carol.id}"))["mentions"]} == {str(carol.id)}


async def test_of_people_who_see_the_task_no_more_no_name_is_shown(ada: Person, bob: Person, painting: Json) -> None:
    comment = await write(ada, painting, "@bob")
    read = await ada.http.get(at(comment))
    await ada.http.patch(f"/api/tasks/{painting['id']}", json={"project_id": str(ada.id)})

    moved = await ada.http.get(at(comment), headers={"if-none-match": read.headers["etag"]})

    assert (moved.status_code, moved.json()["mentions"]) == (200, [])


async def test_there_is_a_limit_to_mentions(ada: Person, bob: Person, painting: Json, sql: Sql) -> None:
    await sql.execute(
        """WITH added AS (
            INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status,
                credential_version)
            SELECT gen_random_uuid(), now(), now(), 1, n || '@many.example', 'many', 'UTC', 'person', 'active', 0
            FROM generate_series(1, $2) AS n RETURNING id)
        INSERT INTO project_access SELECT id, $1, 'viewer' FROM added""",
        UUID(painting["project_id"]), MAX_MENTIONS + 1,
    )  # fmt: skip

    answer = await ada.http.post(f"/api/tasks/{painting['id']}/comments", json={"text": "@many"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.text")
    assert await texts(ada, painting) == []


@pytest.mark.parametrize("text", ["", " \n\u200b", "a\u0000b", "x" * 10_001, None, 7])
async def test_a_text_that_cannot_be_is_refused_with_the_field(ada: Person, sql: Sql, text: Any) -> None:
    task = await ada.add()

    answer = await ada.http.post(f"/api/tasks/{task['id']}/comments", json={"text": text})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.text")
    assert await texts(ada, task) == []


async def fill(sql: Sql, task: Json, number: int) -> None:
    await sql.execute(
        """INSERT INTO comments (id, created_at, updated_at, version, task_id, text)
        SELECT gen_random_uuid(), now(), now(), 1, $1, 'x' FROM generate_series(1, $2)""",
        UUID(task["id"]), number,
    )  # fmt: skip


async def test_the_database_refuses_more_comments_than_a_task_can_have(ada: Person, sql: Sql) -> None:
    task = await ada.add()
    await fill(sql, task, MAX_COMMENTS - 1)

    path = f"/api/tasks/{task['id']}/comments"
    answers = await asyncio.gather(*(ada.http.post(path, json={"text": "More"}) for _ in range(2)))

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["detail"]) == ("too-many", "A task can have 5,000 comments.")
    assert await sql.fetchval("SELECT count(*) FROM comments") == MAX_COMMENTS


async def test_comments_count_as_storage_of_who_wrote_them(ada: Person, bob: Person, painting: Json, sql: Sql) -> None:
    async def storage() -> int:
        return int((await bob.http.get("/api/me/usage")).json()["storage"]["used"])

    comment = await write(bob, painting, "Räkna")
    added = await storage()
    await edit(bob, comment, "abc")
    changed = await storage()
    await sql.execute("UPDATE users SET quotas = '{\"storage\": 3}' WHERE id = $1", bob.id)
    refused = await bob.http.post(f"/api/tasks/{painting['id']}/comments", json={"text": "More"})
    assert (refused.status_code, refused.json()["code"]) == (409, "quota-reached")
    assert await sql.fetch("SELECT miscounted_usage()") == []
    await sql.execute("SELECT recount_usage($1)", bob.id)
    assert (added, changed, await storage()) == (6, 3, 3)
    await ada.http.delete(at(comment))
    assert await storage() == 0


async def test_comments_go_with_their_task_to_the_trash_and_back(ada: Person, bob: Person, painting: Json) -> None:
    comment = await write(bob, painting)
    await ada.http.delete(f"/api/tasks/{painting['id']}")

    assert (await ada.http.get(at(comment))).status_code == 404
    assert (await edit(bob, comment, "No.")).status_code == 404

    await ada.http.post(f"/api/trash/{painting['id']}/restore")
    assert await texts(bob, painting) == ["The paint is here."]


@pytest.mark.parametrize("by_worker", [True, False])
async def test_a_purged_task_takes_its_comments_along(
    ada: Person, bob: Person, painting: Json, sql: Sql, database: Database, by_worker: bool
) -> None:
    below = await ada.add("Brush", parent_id=painting["id"])
    comments = [await write(bob, painting), await write(bob, below)]
    await ada.http.delete(f"/api/tasks/{painting['id']}")

    if by_worker:
        async with database.session(worker_origin()) as session:
            assert await purge(session, timedelta(0), 10) == 2
    else:
        assert (await ada.http.delete(f"/api/trash/{painting['id']}")).status_code == 204

    assert await sql.fetchval("SELECT count(*) FROM comments") == 0
    assert [await values(sql, one) for one in comments] == [[("comments.add", None, None)]] * 2
    assert (await bob.http.get("/api/me/usage")).json()["storage"]["used"] == 0


async def test_comments_go_with_their_task_to_another_project(
    ada: Person, bob: Person, world: World, painting: Json, sql: Sql
) -> None:
    carol, garden = await world.person("carol"), await project(ada, "Garden")
    await share(sql, garden, carol.id)
    comment = await write(bob, painting)

    await ada.http.patch(f"/api/tasks/{painting['id']}", json={"project_id": garden})

    assert (await carol.http.get(at(comment))).json() == comment
    assert (await bob.http.get(at(comment))).status_code == 404


async def test_the_next_occurrence_has_no_comments_and_one_with_some_stays(ada: Person) -> None:
    task = await ada.add("Rent", **MONTHLY)
    await write(ada, task)
    following = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]
    assert await texts(ada, following) == []
    await write(ada, following, "Transferred.")

    await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    assert await texts(ada, following) == ["Transferred."]


async def erase(sql: Sql, database: Database, person: Person) -> None:
    await sql.execute("UPDATE users SET status = 'leaving', deletion_at = now() WHERE id = $1", person.id)
    await erase_due(database, worker_origin(), before_erasure)
    assert await sql.fetchval("SELECT count(*) FROM users WHERE id = $1", person.id) == 0


async def test_what_an_erased_author_wrote_stays_without_them(
    ada: Person, bob: Person, painting: Json, sql: Sql, database: Database
) -> None:
    comment, about = await write(bob, painting, "@ada"), await write(ada, painting, "@bob")

    await erase(sql, database, bob)

    left = (await ada.http.get(at(comment))).json()
    assert (left["author"], left["text"], names(left)) == (None, "@ada", ["ada"])
    assert (await ada.http.get(at(about))).json()["mentions"] == []
    assert await values(sql, comment) == [("comments.add", None, None)]
    assert await sql.fetch("SELECT miscounted_usage()") == []


async def test_an_erased_owner_takes_along_what_others_wrote(
    ada: Person, bob: Person, sql: Sql, database: Database
) -> None:
    house = await project(ada)
    await share(sql, house, bob.id, "commenter")
    task = await ada.add("Paint", project_id=house)
    comment = await write(bob, task)
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": str(ada.id)})

    await erase(sql, database, ada)

    assert await sql.fetchval("SELECT count(*) FROM comments") == 0
    assert await values(sql, comment) == [("comments.add", None, None)]
    assert (await bob.http.get("/api/me/usage")).json()["storage"]["used"] == 0


async def test_links_show_no_comments(ada: Person, painting: Json, client: httpx.AsyncClient) -> None:
    await write(ada, painting, "Between us")
    link = (await ada.http.post(f"/api/projects/{painting['project_id']}/links", json={})).json()

    shown = await client.get(f"/api/shared/{link['secret']}")

    assert "Paint" in shown.text and "Between us" not in shown.text


async def test_a_comment_and_the_removal_of_its_author_come_in_some_order(
    ada: Person, bob: Person, painting: Json, sql: Sql
) -> None:
    written, removed = await asyncio.gather(
        bob.http.post(f"/api/tasks/{painting['id']}/comments", json={"text": "Now"}),
        ada.http.delete(f"/api/projects/{painting['project_id']}/members/{bob.id}"),
    )

    assert (written.status_code in (201, 404), removed.status_code) == (True, 204)


async def test_operators_see_and_delete_comments(ada: Person, world: World, painting: Json, sql: Sql) -> None:
    root, comment = await world.person("root", "superuser"), await write(ada, painting, "Rude words")

    found = (await root.http.get("/api/admin/comments?q=rude")).json()["items"]
    deleted = await root.http.delete(f"/api/admin/comments/{comment['id']}")

    assert [one["id"] for one in found] == [comment["id"]]
    assert deleted.status_code == 204
    assert await values(sql, comment) == [("comments.add", None, None), ("comments.delete", None, None)]


async def test_the_administration_deletes_no_more_than_the_api(
    ada: Person, world: World, painting: Json, sql: Sql
) -> None:
    sue = await world.person("sue", "support", "member")
    await share(sql, painting["project_id"], sue.id, "commenter")
    others, own = await write(ada, painting), await write(sue, painting, "Mine")

    found = (await sue.http.get("/api/admin/comments")).json()["items"]
    answers = [await sue.http.delete(f"/api/admin/comments/{one['id']}") for one in (others, own)]

    assert {one["id"] for one in found} == {others["id"], own["id"]}
    assert (answers[0].status_code, answers[0].json()["code"]) == (403, "role-required")
    assert await texts(ada, painting) == ["The paint is here."]
