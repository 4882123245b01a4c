"""Wrong values of filters and searches: the list says what is wrong where it was typed, and keeps it."""

import re

import pytest
from support.factories import Person
from support.pages import Visitor

HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("query", "field", "typed", "message"),
    [
        ("priority__from=abc&priority__to=", "priority-from", "abc", "Use a number, or `from..to`."),
        ("priority=abc", "priority-from", "abc", "Use a number, or `from..to`."),
        ("created_at__to=blub", "created_at-to", "blub", "Use a day, a month, a year, `from..to`"),
        ("owner_id__named=nobody", "owner_id-text", "nobody", "No row is called nobody."),
        ("owner_id=nobody", "owner_id-text", "nobody", "Use ids."),
    ],
)
async def test_a_wrong_value_is_shown_at_its_field(
    visitor: Visitor, boss: Person, query: str, field: str, typed: str, message: str, headers: dict[str, str]
) -> None:
    await boss.add("Water the plants")

    page = await visitor.http.get(f"/admin/tasks?status=open&{query}", headers=headers)

    assert page.status_code == 422
    (control,) = re.findall(f'<input id="{field}"[^>]*>', page.text)
    name = field.rpartition("-")[0]
    assert f'value="{typed}"' in control
    assert f'aria-invalid="true" aria-describedby="{name}-error"' in control
    assert re.search(f'<p class="error" id="{name}-error">{re.escape(message)}', page.text)
    assert 'id="list"' in page.text
    assert re.search(f'role="alert".*?{re.escape(message)}', page.text, re.DOTALL)
    assert len(re.findall('<a class="chip"', page.text)) == 2
    assert "Water the plants" not in page.text


async def test_all_wrong_values_are_shown_together(visitor: Visitor) -> None:
    page = await visitor.http.get("/admin/tasks?status=blub&priority__from=x&owner_id__named=nobody&series_id=7")

    found = re.findall('<p class="error" id="([a-z_]+)-error">', page.text)

    assert page.status_code == 422
    assert sorted(found) == ["owner_id", "priority", "series_id", "status"]


async def test_a_corrected_value_takes_the_place_of_the_wrong_one(visitor: Visitor) -> None:
    page = await visitor.http.get("/admin/tasks?priority=abc&status=open")

    (form,) = re.findall('<form id="filter-form".*?</form>', page.text, re.DOTALL)

    assert re.findall('name="([^"]+)" value="([^"]*)"', form) == [("status", "open")]


async def test_a_name_that_several_rows_have_is_kept_beside_what_else_was_typed(visitor: Visitor, ada: Person) -> None:
    await ada.add("Water the plants")

    page = await visitor.http.get("/admin/tasks?project_id__named=Inbox&priority__from=2&priority__to=")

    assert page.status_code == 422
    assert "2 rows are called Inbox: write the id of one." in page.text
    assert re.search('<input id="project_id-text"[^>]* value="Inbox"', page.text)
    assert re.search('<input id="priority-from"[^>]* value="2"', page.text)


@pytest.mark.parametrize(
    ("query", "way_out"),
    [
        ("colour=red", "/admin/tasks"),
        ("sort=colour", "Usual order"),
        ("page=9000", "/admin/tasks"),
        ("cursor=x", "/admin/tasks"),
    ],
)
async def test_other_wrong_values_show_the_list_with_a_way_out(visitor: Visitor, query: str, way_out: str) -> None:
    page = await visitor.http.get(f"/admin/tasks?{query}")

    assert page.status_code == 422
    assert 'id="list-problem"' in page.text
    assert way_out in page.text.partition('id="list-problem"')[2].partition("</div>")[0]


@pytest.mark.parametrize("resource", ["settings", "jobs"])
async def test_resources_without_a_table_show_theirs_too(visitor: Visitor, resource: str) -> None:
    page = await visitor.http.get(f"/admin/{resource}?colour=red&sort=shape")

    assert page.status_code == 422
    assert 'id="list-problem"' in page.text


async def test_a_long_search_looks_for_its_first_words_and_says_so(visitor: Visitor, boss: Person) -> None:
    await boss.add("Plans for the new garden behind the house")
    await boss.add("Plans for the new shed")

    page = await visitor.get("/admin/tasks?q=plans+for+the+new+garden+beside+the+river")

    assert page.status_code == 200
    assert "Plans for the new garden behind the house" in page.text
    assert "Plans for the new shed" not in page.text
    assert "Only the first 5 words are searched for." in page.text
    assert 'value="plans for the new garden beside the river"' in page.text


async def test_a_short_search_says_nothing_of_it(visitor: Visitor) -> None:
    page = await visitor.get("/admin/tasks?q=one+two+three+four+five")

    assert "words are searched for" not in page.text


async def test_a_wrong_value_is_explained_in_german(visitor: Visitor) -> None:
    page = await visitor.http.get("/admin/tasks?priority__from=abc", headers={"Accept-Language": "de"})

    assert "Die Liste lässt sich so nicht anzeigen" in page.text
    assert "Priorität: Erlaubt sind eine Zahl oder `von..bis`." in page.text


async def test_a_long_name_filters_a_list(visitor: Visitor, boss: Person) -> None:
    answer = await boss.http.post("/api/projects", json={"name": "Plans for the new garden behind the house"})
    project = answer.json()["id"]

    page = await visitor.get("/admin/tasks?project_id__named=plans+for+the+new+garden+behind+the+house")

    assert (page.status_code, page.headers["location"]) == (303, f"/admin/tasks?project_id={project}")


@pytest.mark.parametrize("q", ["plans for the new garden behind the house", "plans for the new garden " + "x" * 300])
async def test_the_palette_and_the_search_take_long_texts(visitor: Visitor, boss: Person, q: str) -> None:
    for number in range(6):
        await boss.add(f"Plans for the new garden number {number}")
    task = await boss.add("Plans for the new garden behind the house")
    for number in range(6, 12):
        await boss.add(f"Plans for the new garden number {number}")

    palette, search = await visitor.get("/admin/palette", q=q), await visitor.get("/admin/search", q=q)

    assert (palette.status_code, search.status_code) == (200, 200)
    assert "Plans for the new garden number" in palette.text
    assert (f"/admin/tasks/{task['id']}" in palette.text) is q.endswith("house")
    assert "Only the first 5 words are searched for" in search.text
