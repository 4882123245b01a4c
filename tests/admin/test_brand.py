"""The name, logo and accent color of the pages; texts keep their contrast, whatever the color."""

import itertools
import re
from pathlib import Path

import pytest

from todo.admin.pages.assets import FILES
from todo.admin.pages.brand import DARK_GROUNDS, LIGHT_GROUNDS, Brand, contrast, parsed, style_of

COLORS = [f"#{red}{green}{blue}" for red, green, blue in itertools.product(("00", "55", "99", "dd", "ff"), repeat=3)]


def variables(color: str) -> list[dict[str, str]]:
    """Return those of the light and of the dark theme."""
    lines = style_of(color).splitlines()[1:-1]
    light, dark, chosen = (dict(re.findall(r"--([\w-]+): (#\w{6});", line)) for line in lines)
    assert dark == chosen
    return [light, dark]


@pytest.mark.parametrize("color", COLORS)
def test_texts_of_any_color_are_readable_in_both_themes(color: str) -> None:
    for found, grounds in zip(variables(color), (LIGHT_GROUNDS, DARK_GROUNDS), strict=True):
        behind = [*grounds, found["accent-soft"]]
        assert all(contrast(parsed(found["accent-text"]), parsed(place)) >= 4.5 for place in behind)
        for button in (found["accent"], found["accent-hover"]):
            assert contrast(parsed(found["on-accent"]), parsed(button)) >= 4.5
        assert contrast(parsed(found["accent"]), parsed(grounds[0])) >= 3


def test_a_color_that_has_its_contrast_stays_as_it_is() -> None:
    assert variables("#4338ca")[0]["accent"] == "#4338ca"


def test_a_logo_is_also_the_icon() -> None:
    svg, png = Brand(logo=b"<svg/>"), Brand(logo=b"\x89PNG...")

    assert svg.icon_url == svg.logo_url == f"/admin/brand/{svg.digest}/logo.svg"
    assert png.logo_url.endswith("/logo.png")
    assert Brand().logo_url == "" and Brand().icon_url.startswith("/admin/static/")


def test_without_a_logo_the_icon_has_the_color() -> None:
    brand = Brand(color="#aa0000")

    assert b'fill="#aa0000"' in brand.files["mark.svg"]
    assert brand.icon_url.endswith("/mark.svg")


def test_the_address_of_a_style_sheet_changes_with_its_content() -> None:
    one, other = Brand(css=b"a {}"), Brand(css=b"b {}")

    assert one.files == {"own.css": b"a {}"} and Brand().url("own.css") == ""
    assert one.url("own.css") != other.url("own.css")


def test_every_property_that_a_style_sheet_may_set_is_documented() -> None:
    first = FILES["admin.css"].decode().partition("}")[0]
    table = Path("docs/admin.md").read_text().partition("| property |")[2].partition("\n\n")[0]

    assert set(re.findall(r"`(--[\w-]+)`", table)) == set(re.findall(r"(--[\w-]+):", first))
