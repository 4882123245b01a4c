"""From a list to a row and back: filters, search, order and page of the list survive all that is done to the row."""

import re
from typing import Any

import httpx
import pytest
from support.factories import Person
from support.pages import Visitor, form_of, text_of

QUERY = "status=open&q=Water&sort=title&limit=25"
WHOLE = "/admin/tasks?status=open&q=Water&sort=title&limit=25"
LISTED = "?_list=status%3Dopen%26q%3DWater%26sort%3Dtitle%26limit%3D25"


@pytest.fixture
async def tasks(boss: Person) -> dict[str, dict[str, Any]]:
    """Three open tasks that match, in another order than they were added, and one that does not."""
    titles = ["Water b", "Water c", "Rent", "Water a"]
    return {title: await boss.add(title) for title in titles}


def links_of(answer: httpx.Response) -> set[str]:
    return {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', answer.text)}


def where(answer: httpx.Response) -> str:
    assert answer.status_code == 303, text_of(answer)
    location: str = answer.headers["location"]
    return location


async def test_a_row_of_a_list_leads_back_to_the_list(visitor: Visitor, tasks: dict[str, Any]) -> None:
    path = f"/admin/tasks/{tasks['Water b']['id']}"
    assert path + LISTED in links_of(await visitor.get(f"/admin/tasks?{QUERY}"))

    row = await visitor.get(path + LISTED)

    back = f"{WHOLE}#row-{tasks['Water b']['id']}"
    leading_back = [link for link in re.findall(r'href="([^"]*)"', row.text) if link.replace("&amp;", "&") == back]
    assert len(leading_back) == 2  # the breadcrumb and Cancel
    history = await visitor.get(f"{path}/history{LISTED}")
    assert {back, path + LISTED} <= links_of(history)


@pytest.mark.parametrize(("button", "then"), [("", WHOLE), ("stay", "{path}"), ("another", "/admin/tasks/add{listed}")])
async def test_a_saved_form_leads_back_to_the_list(
    visitor: Visitor, tasks: dict[str, Any], button: str, then: str
) -> None:
    path = f"/admin/tasks/{tasks['Water b']['id']}{LISTED}"
    sent = form_of(await visitor.get(path), path) | {"priority": ["2"], "_then": [button]}

    location = where(await visitor.send(path, **sent))

    assert location.partition("#")[0] == then.format(path=path, listed=LISTED)


async def test_a_refused_form_and_a_conflict_still_lead_back(
    visitor: Visitor, boss: Person, tasks: dict[str, Any]
) -> None:
    path = f"/admin/tasks/{tasks['Water b']['id']}{LISTED}"
    sent = form_of(await visitor.get(path), path) | {"title": ["Mine"]}
    refused = await visitor.send(path, **sent | {"due": ["31st"]})
    await boss.http.patch(f"/api/tasks/{tasks['Water b']['id']}", json={"title": "Theirs"})

    conflict = await visitor.send(path, **form_of(refused, path) | {"due": [""]})

    assert (refused.status_code, conflict.status_code) == (422, 409)
    assert where(await visitor.send(path, **form_of(conflict, path))).startswith(WHOLE)


async def test_a_row_that_is_added_is_shown_in_the_list(visitor: Visitor) -> None:
    path = f"/admin/tasks/add{LISTED}"
    assert path in links_of(await visitor.get(WHOLE))

    assert where(await visitor.send(path, title="Water d")).startswith(f"{WHOLE}#row-")


@pytest.mark.parametrize("action", ["complete", "delete"])
async def test_an_action_leads_back(visitor: Visitor, tasks: dict[str, Any], action: str) -> None:
    path = f"/admin/tasks/{tasks['Water b']['id']}{LISTED}"
    sent = form_of(await visitor.get(path), "/admin/tasks/act") | {"action": [action], "confirmed": ["1"]}

    location = where(await visitor.send("/admin/tasks/act", **sent))

    assert location == (WHOLE if action == "delete" else path)


async def test_the_question_before_a_delete_keeps_the_list(visitor: Visitor, tasks: dict[str, Any]) -> None:
    path = f"/admin/tasks/{tasks['Water b']['id']}{LISTED}"
    sent = form_of(await visitor.get(path), "/admin/tasks/act") | {"action": ["delete"]}

    question = await visitor.send("/admin/tasks/act", **sent)

    assert {WHOLE, path} <= links_of(question)  # the breadcrumb and Cancel
    assert where(await visitor.send("/admin/tasks/act", **form_of(question, "/admin/tasks/act"))) == WHOLE


async def test_the_sign_in_leads_back_to_the_row_in_its_list(visitor: Visitor, tasks: dict[str, Any]) -> None:
    path = f"/admin/tasks/{tasks['Water b']['id']}{LISTED}"
    visitor.http.cookies.clear()

    login = await visitor.http.get(where(await visitor.get(path)))

    assert form_of(login, "/admin/login")["next"] == [path]


async def test_next_and_previous_follow_the_order_and_the_filters_of_the_list(
    visitor: Visitor, tasks: dict[str, Any]
) -> None:
    def row(title: str, page: str = "") -> str:
        return f"/admin/tasks/{tasks[title]['id']}{page}{LISTED}"

    assert where(await visitor.get(row("Water a", "/next"))) == row("Water b")
    assert where(await visitor.get(row("Water c", "/previous"))) == row("Water b")
    assert where(await visitor.get(row("Water c", "/next"))) == row("Water c")
    assert "This is the last of the list." in text_of(await visitor.get(row("Water c")))
    assert where(await visitor.get(row("Rent", "/next"))) == row("Water a")  # where it would be


async def test_save_and_next_goes_on_though_the_row_has_left_the_list(visitor: Visitor, tasks: dict[str, Any]) -> None:
    path = f"/admin/tasks/{tasks['Water a']['id']}{LISTED}"
    sent = form_of(await visitor.get(path), path) | {"title": ["Zebra"], "_then": ["next"]}

    assert where(await visitor.send(path, **sent)) == f"/admin/tasks/{tasks['Water b']['id']}{LISTED}"


async def test_the_last_save_and_next_leads_to_the_list(visitor: Visitor, tasks: dict[str, Any]) -> None:
    path = f"/admin/tasks/{tasks['Water c']['id']}{LISTED}"
    sent = form_of(await visitor.get(path), path) | {"_then": ["next"]}

    assert where(await visitor.send(path, **sent)) == WHOLE


async def test_a_list_that_is_not_a_table_has_neighbors_too(visitor: Visitor) -> None:
    assert where(await visitor.get("/admin/settings/TODO_TRASH_DAYS/next")).startswith("/admin/settings/TODO_")
