"""The numbers of a list's pages."""

import re

import pytest
from support.factories import Person
from support.pages import Visitor

from todo.admin.pages.lists import page_numbers

CURRENT = re.compile(r'aria-current="page"><span class="unseen">Page </span>(\d+)<')
TITLE = re.compile(r'class="row-link".*?>(Task \d+)<', re.DOTALL)


@pytest.fixture
async def fifty_five(boss: Person) -> None:
    for number in range(10, 65):
        await boss.add(f"Task {number}")


def link(page: str, name: str) -> str:
    """Return the address of a link of the pager."""
    found = re.search(rf'href="([^"]*)" id="page-{name}"', page)
    assert found, name
    return found[1].replace("&amp;", "&")


@pytest.mark.usefixtures("fifty_five")
async def test_a_page_is_opened_by_its_number(visitor: Visitor) -> None:
    first = await visitor.get("/admin/tasks?limit=25&sort=title")

    third = await visitor.get(link(first.text, "3"))

    assert CURRENT.findall(first.text) == ["1"] and CURRENT.findall(third.text) == ["3"]
    assert TITLE.findall(third.text) == [f"Task {number}" for number in range(60, 65)]
    assert 'id="page-next"' not in third.text


@pytest.mark.usefixtures("fifty_five")
async def test_next_and_previous_know_their_number_and_skip_nothing(visitor: Visitor, boss: Person) -> None:
    first = await visitor.get("/admin/tasks?limit=25&sort=title")
    await boss.add("Task 05")

    second = await visitor.get(link(first.text, "next"))
    again = await visitor.get(link(second.text, "previous"))

    assert CURRENT.findall(second.text) == ["2"] and CURRENT.findall(again.text) == ["1"]
    assert TITLE.findall(second.text)[0] == "Task 35"
    assert TITLE.findall(again.text)[0] == "Task 05"


@pytest.mark.usefixtures("fifty_five")
async def test_a_row_leads_back_to_its_page_and_a_filter_to_the_first(visitor: Visitor) -> None:
    page = (await visitor.get("/admin/tasks?limit=25&sort=title&page=3")).text

    row = re.search(r'class="row-link" href="([^"]*)"', page)
    assert row
    opened = (await visitor.get(row[1].replace("&amp;", "&"))).text
    assert "/admin/tasks?sort=title&amp;limit=25&amp;page=3#row-" in opened
    facet = re.search(r'href="([^"]*)" id="f-status-1-', page)
    assert facet and "page=" not in facet[1]


async def test_a_page_after_the_last_leads_to_the_last(visitor: Visitor, boss: Person) -> None:
    await boss.add("Only one")

    assert (await visitor.get("/admin/tasks?page=7")).headers["location"] == "/admin/tasks"
    assert (await visitor.get("/admin/tasks?page=0")).status_code == 200
    assert (await visitor.get("/admin/tasks?page=-1%00")).status_code == 200
    assert "up to row 10,000" in (await visitor.get("/admin/tasks?page=99999")).text


@pytest.mark.parametrize(
    ("number", "last", "shown"),
    [
        (1, 1, [1]),
        (1, 7, [1, 2, 3, 4, 5, 6, 7]),
        (1, 40, [1, 2, 0, 40]),
        (20, 40, [1, 0, 19, 20, 21, 0, 40]),
        (4, 8, [1, 2, 3, 4, 5, 0, 8]),
        (40, 40, [1, 0, 39, 40]),
        (0, 9, [1, 0, 9]),
    ],
)
def test_numbers_beside_the_page_are_shown(number: int, last: int, shown: list[int]) -> None:
    assert page_numbers(number, last) == shown


async def test_sums_of_all_pages_stand_beside_the_number_of_rows(visitor: Visitor, boss: Person) -> None:
    for minutes in (30, 1_500):
        await boss.add(estimate_minutes=minutes)

    page = (await visitor.get("/admin/tasks?limit=1")).text

    assert "<strong>2</strong> tasks · Estimate minutes in total: 1,530</p>" in page
