"""The panel of filters: by related rows, and the switch between all and any of the filters."""

import re

import pytest
from support.factories import Person
from support.pages import Visitor, text_of


@pytest.mark.parametrize(
    ("name", "label"), [("owner.email", "Owner: Email"), ("project.owner.email", "Owner of project: Email")]
)
async def test_a_filter_by_related_rows_is_a_chip_with_its_label(
    visitor: Visitor, ada: Person, boss: Person, name: str, label: str
) -> None:
    await ada.add("Water the plants")
    await boss.add("Pay the rent")

    page = await visitor.get(f"/admin/tasks?{name}=ada@")

    assert "Water the plants" in page.text
    assert "Pay the rent" not in page.text
    (chip,) = re.findall(r'<a class="chip".*?</a>', page.text, re.DOTALL)
    assert re.findall("(?<=>)[^<>]+(?=<)", chip)[:3:2] == [label, "ada@"]
    assert f'name="{name}" value="ada@"' in page.text  # the form keeps it


async def test_a_switch_lets_any_of_the_filters_suffice(visitor: Visitor, ada: Person, boss: Person) -> None:
    await ada.add("Water the plants", priority=4)
    await boss.add("Pay the rent")
    query = "/admin/tasks?owner.email=boss&priority=4..4"

    every = await visitor.get(query)
    some = await visitor.get(f"{query}&match=any")
    single = await visitor.get("/admin/tasks?priority=4..4")

    assert "Water the plants" not in every.text
    assert {"Water the plants" in some.text, "Pay the rent" in some.text} == {True}
    assert "match=any" in every.text
    assert "Any of:" in some.text
    assert "match=any" not in single.text


async def test_choices_of_related_rows_are_named_as_in_their_own_list(visitor: Visitor) -> None:
    for page in ("/admin/users", "/admin/tasks"):
        shown = text_of(await visitor.get(page))
        assert "Deletion scheduled" in shown and "Leaving" not in shown
