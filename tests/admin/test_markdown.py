"""Markdown of people: what it becomes, and what it never does."""

import pytest

from todo.admin.pages.markdown import LONGEST, rendered

SAFE = 'rel="noopener nofollow noreferrer"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo *three* ~~four~~", "<p>one<br />\ntwo <em>three</em> <s>four</s></p>\n"),
        ("# Title", "<h3>Title</h3>\n"),
        ("###### Deep", "<h6>Deep</h6>\n"),
        ("[here](https://a.example/?b=1&c)", f'<p><a href="https://a.example/?b=1&amp;c" {SAFE}>here</a></p>\n'),
        ("See https://a.example/b_c_d.", f'<p>See <a href="https://a.example/b_c_d" {SAFE}>https://a.example/b_c_d</a>.</p>\n'),
        ("[https://a.example](https://b.example)", f'<p><a href="https://b.example" {SAFE}>https://a.example</a></p>\n'),
    ],
)  # fmt: skip
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert rendered(text) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](/admin/users)", "<p>[a](/admin/users)</p>\n"),
        ("![cat](https://a.example/cat.png)", f'<p><a href="https://a.example/cat.png" {SAFE}>cat</a></p>\n'),
        ('![](https://a.example/"onerror=x)', f'<p><a href="https://a.example/%22onerror=x" {SAFE}>https://a.example/%22onerror=x</a></p>\n'),
        ('https://a.example/"onclick="x', f'<p><a href="https://a.example/" {SAFE}>https://a.example/</a>&quot;onclick=&quot;x</p>\n'),
    ],
)  # fmt: skip
def test_nothing_of_a_text_runs_or_is_loaded(text: str, html: str) -> None:
    assert rendered(text) == html


@pytest.mark.parametrize(
    "text", ["a " * LONGEST, "> " * 100 + "<a>\n" * 1000, "![[]" * 500, "+ + + + + + a\n" * 999, "1. > a\n" * 990]
)
def test_what_would_take_long_is_shown_as_it_is(text: str) -> None:
    assert rendered(text).startswith("<pre>") and "<a>" not in rendered(text)
