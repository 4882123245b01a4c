"""Long texts as Markdown: CommonMark and ~~struck~~ words, without HTML and images, with links to other sites alone."""

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

# A longer text, or one with more marks, is shown as it is: some that are made for it take a second to read.
LONGEST, MOST_LINES, MOST_MARKS = 20_000, 1_000, 1_000
MARKS = re.compile(r"[\[\]()*_~!<>`&\\#|+-]|\d[.)]")
ELSEWHERE = re.compile("(https?://|mailto:|tel:)", re.IGNORECASE)
ADDRESS = re.compile(r"""(https?://[^\s<>"']*[^\s<>"'.,;:!?)*_~\]])""")
LINK = Markup('<a href="{}" rel="noopener nofollow noreferrer">{}</a>')
BELOW = 2  # the headings of a page end at the second level


class Renderer(RendererHTML):
    """Writes headings below those of the page, bare addresses as links, and images as links to them."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        content = tokens[idx].content
        if env.get("is_link"):
            return escapeHtml(content)
        parts = enumerate(ADDRESS.split(content))
        return "".join(LINK.format(part, part) if number % 2 else escapeHtml(part) for number, part in parts)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        one = tokens[idx]
        words = self.renderInlineAsText(one.children or [], options, env)
        return words if env.get("is_link") else LINK.format(one.attrs["src"], words or one.attrs["src"])

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        env["is_link"] = True
        tokens[idx].attrSet("rel", "noopener nofollow noreferrer")
        return self.renderToken(tokens, idx, options, env)

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        env["is_link"] = False
        return "</a>"

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"</h{_level(tokens[idx])}>\n"


def _level(heading: Token) -> int:
    return min(int(heading.tag[1:]) + BELOW, 6)


class Parser(MarkdownIt):
    """Reads links to other sites alone; others stay as they were typed."""

    def validateLink(self, url: str) -> bool:
        return ELSEWHERE.match(url) is not None


PARSER = Parser("commonmark", {"html": False, "breaks": True}, renderer_cls=Renderer).enable("strikethrough")


def rendered(text: str) -> Markup:
    """Return a text as HTML."""
    if len(text) > LONGEST or text.count("\n") >= MOST_LINES or len(MARKS.findall(text)) > MOST_MARKS:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(PARSER.render(text))  # noqa: S704 -- its parser escapes
