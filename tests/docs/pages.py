"""The pages, and the snippets in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPET = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def snippets(page: Path, language: str) -> list[str]:
    """Return the blocks of a page that are in a language, or in none."""
    return [text for found, text in SNIPPET.findall(page.read_text()) if found == language]
