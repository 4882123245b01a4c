"""The languages of the pages: catalogs that are complete, templates without bare text, and how a language is chosen."""

import io
import re
from pathlib import Path

import asyncpg
import httpx
import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from support.factories import Person
from support.pages import Visitor, heading_of, text_of

import todo
from todo.admin.declaration import Resource
from todo.admin.pages.languages import CATALOGS, LANGUAGES, choose, language_of
from todo.cli import messages
from todo.modules import REGISTRY

ROOT = Path(todo.__file__).parent
TEMPLATES = sorted([*ROOT.glob("admin/pages/templates/*.html"), *ROOT.glob("domain/*/templates/*.html")])
MAILS = ("notifications",)  # have a language of their own
INNER = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
MARKED = re.compile(rf"\b(?:_|ngettext){INNER}")
SILENT = re.compile(r"\{#.*?#\}|<(code|kbd|svg|script)\b.*?</\1>|\{% set \w+ %\}.*?\{% endset %\}", re.DOTALL)
JINJA, TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL), re.compile(r"<[^>]*>")
SHOWN = re.compile(r'(?:title|aria-label|placeholder|alt)="([^"]*)"')
LITERAL = re.compile(r"\"([^\"]*)\"|'([^']*)'")
SENTENCE = re.compile(r"^[^<=/]*([A-Z][a-z]|[a-z] [a-z])[^<=/]*$")
NAMES = {"todo", "UTC", "Ctrl", "API", "wider", "Esc", "Enter"}  # of no language, or of a class
CODE = {"light dark", "panel narrow", "Retry-After", "Excel"}


def bare_text(source: str) -> set[str]:
    """Return what a template shows that no language can replace."""
    text = MARKED.sub("0", SILENT.sub("", source))
    literals = {"".join(found) for code in JINJA.findall(text) for found in LITERAL.findall(code)}
    found = {literal for literal in literals if SENTENCE.match(literal)} - CODE
    text = JINJA.sub(" ", text)
    shown = [*SHOWN.findall(text), *TAG.split(text)]
    return found | {word for part in shown for word in re.findall(r"[A-Za-z]{2,}", part)} - NAMES


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_each_text_of_a_template_is_translatable(path: Path) -> None:
    if path.parents[1].name not in MAILS:
        assert bare_text(path.read_text()) == set()


@pytest.mark.parametrize(
    "source", ["<p>Hello</p>", '<a title="Hello">', '{{ "Not saved" if problem }}', "{{ x }} rows"]
)
def test_bare_text_is_found(source: str) -> None:
    assert bare_text(source)


@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_a_catalog_has_every_text_and_no_other(code: str) -> None:
    stored = (CATALOGS / code / "LC_MESSAGES" / "admin.po").read_bytes()
    catalog, compiled = read_po(io.BytesIO(stored), locale=code), io.BytesIO()
    write_mo(compiled, catalog)

    assert {one.id for one in messages.update(code)} == {one.id for one in catalog}, "python -m todo.cli.messages"
    assert compiled.getvalue() == (CATALOGS / code / "LC_MESSAGES" / "admin.mo").read_bytes()


@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_each_text_is_translated_with_all_its_values(code: str) -> None:
    for one in messages.update(code):
        source = [one.id] if isinstance(one.id, str) else [*one.id]
        translated = [one.string] if isinstance(one.string, str) else [*one.string]
        if one.id:
            assert all(translated), one.id
            values = [set(re.findall(r"%\(\w+\)s", text)) for text in (*source, *translated)]
            assert all(found == values[0] for found in values), one.id


@pytest.mark.parametrize(
    ("cookie", "accepted", "code"),
    [
        ("", "", "en"), ("", "de", "de"), ("", "de-AT,de;q=0.9,en;q=0.8", "de"), ("", "fr,de;q=0.5", "de"),
        ("", "en-US,de;q=0.5", "en"), ("en", "de", "en"), ("de", "en", "de"), ("xx", "de", "de"),
        ("", ";,-_ü" * 2000, "en"),
    ],
)  # fmt: skip
def test_the_language_is_that_of_the_choice_or_of_the_browser(cookie: str, accepted: str, code: str) -> None:
    assert choose(cookie, accepted).code == code


def test_numbers_and_times_are_written_as_the_language_writes_them() -> None:
    english, german = language_of("en"), language_of("de")

    assert (english.number(12345), german.number(12345)) == ("12,345", "12.345")
    assert (english.about(62_349, False), german.about(62_349, False)) == ("about 62,000", "etwa 62.000")
    assert german.ngettext("%(num)s day", "%(num)s days", 1) == "1 Tag"
    assert german.ngettext("%(num)s day", "%(num)s days", 3) == "3 Tage"
    assert (english.mid_sentence("Tasks"), german.mid_sentence("Tasks")) == ("tasks", "Aufgaben")
    assert (english.words("in_progress"), german.words("in_progress")) == ("In progress", "In Arbeit")


async def test_the_pages_speak_the_language_that_the_browser_asks_for(visitor: Visitor) -> None:
    visitor.http.headers["accept-language"] = "de-CH,de;q=0.9"

    page = await visitor.get("/admin/tasks")

    assert '<html lang="de" dir="ltr"' in page.text
    assert "Accept-Language" in page.headers["vary"]
    assert heading_of(page) == "Aufgaben"
    assert "Aufgabe hinzufügen" in text_of(page)


async def test_a_chosen_language_stays_and_messages_are_in_it(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Miete <b>")

    chosen = await visitor.send("/admin/language", language="de", next="/admin/tasks")
    deleted = await visitor.send("/admin/tasks/act", action="delete", id=task["id"], confirmed="1")
    said = await visitor.follow(deleted)

    assert chosen.headers["location"] == "/admin/tasks"
    assert "1 Aufgabe gelöscht." in said


async def test_what_people_wrote_is_shown_as_text_in_every_language(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("<b>100 % %(x)s</b>")
    await visitor.send("/admin/language", language="de", next="/admin")

    page = await visitor.get(f"/admin/tasks/{task['id']}/history")

    assert "&lt;b&gt;100 % %(x)s&lt;/b&gt;" in page.text and "<b>100" not in page.text


async def test_a_language_that_there_is_not_is_english(visitor: Visitor) -> None:
    await visitor.send("/admin/language", language="../../etc", next="//evil.example")

    assert '<html lang="en"' in (await visitor.get("/admin")).text


CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WORDS = re.compile(r"[A-Za-z]{2,}")
VALUE = re.compile(r"%\(\w+\)s")


def english_of(code: str) -> list[re.Pattern[str]]:
    """Return what finds the sentences of a catalog in English: texts of three words and more, not parts of them."""
    stored = (CATALOGS / code / "LC_MESSAGES" / "admin.po").read_bytes()
    found = {str(one.id) for one in read_po(io.BytesIO(stored), locale=code) if isinstance(one.id, str)}
    sentences = [text for text in found if len(WORDS.findall(VALUE.sub(" ", text))) >= 3 and text[:1] in f"%{CAPITALS}"]
    return [re.compile(r"\b" + ".{1,99}?".join(map(re.escape, VALUE.split(text)))) for text in sentences]


# Words that English sentences have and German ones have not, with what is around them.
ENGLISH = re.compile(
    r"(?:\S+ ){0,3}"
    r"\b(?:the|of|and|is|are|that|with|from|which|every|not|be|by|to|it|its|has|have|for|on|or)\b(?: \S+){0,3}",
    re.I,
)
NAMES_OF_PROGRAMS = re.compile(r"X-Forwarded-For und -Proto")


def english_in(page: httpx.Response, sentences: list[re.Pattern[str]]) -> set[str]:
    text = text_of(page)
    found = {found[0] for one in sentences if (found := one.search(text))}
    return found | set(ENGLISH.findall(NAMES_OF_PROGRAMS.sub("", text)))


@pytest.fixture(scope="module")
def english() -> list[re.Pattern[str]]:
    return english_of("de")


@pytest.mark.parametrize("resource", [*REGISTRY], ids=lambda one: one.name)
async def test_a_german_page_has_no_english_sentence(
    visitor: Visitor, boss: Person, resource: Resource, english: list[re.Pattern[str]]
) -> None:
    """Lists and forms of each resource, also with what is refused."""
    visitor.http.headers["accept-language"] = "de"
    wrong = dict.fromkeys(resource.fields, "!")
    at = f"/admin/{resource.name}"

    pages = [
        await visitor.get(at), await visitor.get(at, nosuch="1"), await visitor.get(at, sort="nosuch"),
        await visitor.get(at, q="\0"), await visitor.get(at, **dict.fromkeys(resource.filter_names, "?")),
        await visitor.get(f"{at}/add"), await visitor.send(f"{at}/add", **wrong), await visitor.get(f"{at}/nosuch"),
        await visitor.get(f"{at}/{boss.id}"), await visitor.get(f"{at}/import"), await visitor.get(f"{at}/act/nosuch"),
        await visitor.get(f"/admin/docs/{resource.name}"),
    ]  # fmt: skip

    assert {text for page in pages for text in english_in(page, english)} == set()


async def test_what_happened_is_told_in_german(visitor: Visitor, boss: Person, english: list[re.Pattern[str]]) -> None:
    """The explanation of a task, its history, a refused action, the dashboard and the state of the service."""
    due = {"kind": "day", "date": "2031-01-31"}
    task = await boss.add("Miete", due=due, recurrence={"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"})
    visitor.http.headers["accept-language"] = "de"
    at = f"/admin/tasks/{task['id']}"
    (await boss.http.post(f"/api/tasks/{task['id']}/complete", json={})).raise_for_status()

    pages = [
        await visitor.get(f"{at}/explanation"), await visitor.get(f"{at}/history"), await visitor.get("/admin/health"),
        await visitor.get("/admin"), await visitor.get(at), await visitor.send(at, _version="1", priority="99"),
        await visitor.send("/admin/tasks/act", action="complete", id=task["id"], confirmed="1"),
        await visitor.get(f"/admin/series/{task['series_id']}/explanation"), await visitor.get("/admin/account"),
    ]  # fmt: skip

    assert {text for page in pages for text in english_in(page, english)} == set()
    assert "Termin 2031-01-31: erledigt" in text_of(pages[0])
    for page in (pages[0], pages[7]):
        assert ENGLISH.findall(text_of(page)) == []
        assert "Jeden Monat am 31.; in kürzeren Monaten am letzten Tag" in text_of(page)
    assert "Februar hat keinen 31.: am 28." in text_of(pages[7])


async def test_rules_settings_and_jobs_are_described_in_german(visitor: Visitor, boss: Person) -> None:
    """REST says them in English, also for who reads German."""
    task = await boss.add("Miete", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=WEEKLY"})
    at, german = f"/admin/series/{task['series_id']}", {"accept-language": "de"}
    visitor.http.headers.update(german)

    pages = [await visitor.get(one) for one in (at, "/admin/series", "/admin/settings", "/admin/schedules")]
    answer = await boss.http.get(f"/api{at}", headers=german)

    assert [ENGLISH.findall(NAMES_OF_PROGRAMS.sub("", text_of(page))) for page in pages] == [[], [], [], []]
    assert "Jede Woche am Freitag" in text_of(pages[0]) and "Jede Woche am Freitag" in text_of(pages[1])
    assert "Adresse, auf der die API lauscht." in text_of(pages[2])
    assert "Fällige Zustellungen versenden." in text_of(pages[3])
    assert answer.json()["repeats"] == "Every week on Friday"


def test_reasons_of_refused_rows_have_the_labels_of_fields() -> None:
    reason = "title: This field is required. status: Must be one of open, done."
    fields = REGISTRY["tasks"].fields

    assert language_of("en").reason(reason, fields) == reason.replace("title:", "Title:").replace("status:", "Status:")
    assert language_of("de").reason(reason, fields) == (
        "Titel: Dieses Feld ist erforderlich. Status: Erlaubt ist: eines von open, done."
    )


def test_a_sentence_with_values_is_translated_where_it_is_shown() -> None:
    german = language_of("de")

    assert german.translate("There is no role support.") == "Die Rolle support gibt es nicht."
    assert german.translate("This must be a whole number from 0 to 4, or null.") == (
        "Erlaubt ist: eine ganze Zahl von 0 bis 4, oder null."
    )
    assert german.translate("A file can have at most 5,000 rows. Split the file.") == (
        "Eine Datei kann höchstens 5.000 Zeilen haben. Teilen Sie die Datei."
    )
    assert german.translate("3 days late: no worker ran, the one before was open, or the series began later.")[:6] == (
        "3 Tage"
    )
    assert german.translate("There is no role Tasks.") == "Die Rolle Tasks gibt es nicht."  # a name stays
    assert german.translate("1 restored. Not restored: x: y") == "1 wiederhergestellt. Nicht wiederhergestellt: x: y"
    assert language_of("en").translate("There is no role support.") == "There is no role support."
    assert german.translate("x" * 5_000) == "x" * 5_000


async def test_data_is_named_in_german_and_what_others_wrote_is_marked(
    visitor: Visitor, boss: Person, sql: asyncpg.Connection
) -> None:
    task = await boss.add(
        "Miete", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=WEEKLY"}, priority=3
    )
    await sql.execute("UPDATE series SET last_error = 'No route to host' WHERE id = $1", task["series_id"])
    visitor.http.headers["accept-language"] = "de"

    page = await visitor.get(f"/admin/series/{task['series_id']}")
    history = await visitor.get(f"/admin/series/{task['series_id']}/history")

    assert "<dt>Priorität</dt><dd>Hoch</dd>" in page.text and "<dt>Tage bis zur Frist</dt>" in page.text
    assert '<span lang="en">No route to host</span>' in page.text
    assert "Titel: Miete; Priorität: Hoch" in text_of(history)


def test_arguments_of_jobs_have_names_in_german() -> None:
    assert [language_of(code).key("run_id") for code in LANGUAGES] == ["Run", "Hintergrundauftrag"]
    assert [*REGISTRY["jobs"].texts()] == ["Run"]


def test_names_of_others_are_marked_in_german_alone() -> None:
    assert [language_of(code).key("foot_length") for code in LANGUAGES] == [
        "Foot length", '<span lang="en">Foot length</span>'
    ]  # fmt: skip
    assert language_of("de").key("Länge <m>") == "Länge <m>"
