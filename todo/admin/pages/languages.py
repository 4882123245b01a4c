"""The languages of the pages: texts by gettext, and how each writes numbers, times and sentences."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.messages.mofile import read_mo
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from markupsafe import Markup

from todo.admin.declaration import Resource
from todo.admin.fields import Field, label_of
from todo.admin.filters import local_time
from todo.admin.lookups import CAP
from todo.admin.pages.sentences import Sentences
from todo.database import now

CATALOGS = Path(__file__).parents[2] / "locale"
SCRIPTS = (Path(__file__).parent / "static" / name for name in ("admin.js", "basics.js", "controls.js"))
SCRIPT_TEXTS = re.findall(r'\btranslate\("([^"]+)"\)', "".join(script.read_text() for script in SCRIPTS))
NAMED = re.compile(r"(?:^|(?<=[.!?] ))([a-z_]+(?:\.[a-z_]+)*): ")  # the field of a reason
IDENTIFIER = re.compile("[a-z]+(_[a-z]+)*")
LANGUAGES = ("en", "de")  # the texts of the program are English
NAMES = {
    "true": "yes",
    "false": "no",
    "empty": "empty",
    "set": "not empty",
    "leaving": "deletion scheduled",
    "past_7_days": "past 7 days",
}


class Language:
    """A language of the pages. Its methods are filters of the templates."""

    def __init__(self, code: str):
        self.code = code
        self.locale = Locale.parse(code)
        self.direction = self.locale.text_direction
        self.name = self.locale.get_display_name(code)
        self.texts: NullTranslations = Translations.load(CATALOGS, [code], "admin")
        self.sentences = Sentences(self.locale, _texts_of(code))

    def gettext(self, text: str, **values: Any) -> str:
        """Translate a text of the program, and insert values: `gettext("Add %(row)s", row="task")`."""
        translated = self.texts.gettext(text)
        return translated % values if values else translated

    def ngettext(self, one: str, many: str, number: int, **values: Any) -> str:
        """Translate a text that depends on a number, which is `%(num)s` in it."""
        return self.texts.ngettext(one, many, number) % {"num": self.number(number), **values}

    def translate(self, text: object) -> str:
        """Translate what a declaration or an error says. What the catalog does not have stays as it is."""
        return self.sentences.translate(str(text)) if text else ""

    def reason(self, text: str, fields: Mapping[str, Field]) -> str:
        """Translate why a row was refused, such as `title: This field is required.`, with the labels of fields."""
        first, *named = NAMED.split(text)
        said = [self.translate(first)] if first else []
        for name, why in zip(named[::2], named[1::2], strict=True):
            label = self.translate(fields[name].label) if name in fields else name
            said.append(f"{label}: {self.translate(why.strip())}")
        return " ".join(said)

    def known(self, text: object) -> str:
        """Translate a text; one that the catalog does not have is marked as English, for screen readers."""
        plain, said = str(text), self.translate(text)
        if self.code == "en" or said != plain or self.sentences.knows(plain):
            return said
        return Markup('<span lang="en">{}</span>').format(plain)

    def key(self, name: str) -> str:
        """Return what a name in the data of a JSON field is called."""
        label = label_of(name)
        return self.known(label) if IDENTIFIER.fullmatch(name) else label

    def script_texts(self) -> dict[str, str]:
        """Return the texts that scripts show, with their translations."""
        return {text: self.translate(text) for text in SCRIPT_TEXTS}

    def mid_sentence(self, label: str) -> str:
        """Return a label as it stands within a sentence: German writes nouns with capitals."""
        translated = self.translate(label)
        return translated if self.code == "de" else translated.lower()

    def rows_of(self, resource: Resource, number: int) -> str:
        """Return a number of rows: `1 task`, `12,345 tasks`."""
        label = resource.label_one if number == 1 else resource.label
        return f"{self.number(number)} {self.mid_sentence(label)}"

    def searched(self, resource: Resource) -> str:
        """Return the names of the fields that the search looks at."""
        return ", ".join(self.mid_sentence(resource.fields[name].label) for name in resource.search)

    def first_sentence(self, text: str) -> str:
        """Return the first sentence of a docstring."""
        return self.translate(text).replace("`", "").split(". ")[0].rstrip(".") + "."

    def words(self, value: Any) -> str:
        """Format a choice: `in_progress` becomes `In progress`."""
        words = words_of(value)
        text = self.translate(words[:1].lower() + words[1:])
        return text[:1].upper() + text[1:]

    def number(self, value: float) -> str:
        """Format a number with thousands separators: `12,345`."""
        return str(format_decimal(value, locale=self.locale))

    def count(self, value: int) -> str:
        """Format a capped count of a facet."""
        return f"{CAP // 1000}k+" if value > CAP else self.number(value)

    def about(self, value: int, exact: bool = True) -> str:
        """Format a number of rows: `12,345`; not exact: `at least 12`, `more than 10,000` or `about 62,000`."""
        if exact:
            return self.number(value)
        if value < CAP:
            return self.gettext("at least %(number)s", number=self.number(value))
        if value == CAP:
            return self.gettext("more than %(number)s", number=self.number(CAP))
        return self.gettext("about %(number)s", number=self.number(float(f"{value:.2g}")))

    def friendly(self, value: datetime, timezone: str) -> str:
        """Format an instant as people write it: `today 16:46`, `29 Nov 16:46`, or with its year if that is another."""
        local, today = local_time(value, zone(timezone)), now().astimezone(zone(timezone)).date()
        near = {-1: self.gettext("yesterday"), 0: self.gettext("today"), 1: self.gettext("tomorrow")}
        days = (local.date() - today).days
        if days in near:
            return f"{near[days]} {local:%H:%M}"
        pattern = "d MMM HH:mm" if local.year == today.year else "d MMM yyyy"
        return str(format_datetime(local.replace(tzinfo=None), pattern, locale=self.locale))

    def month(self, day: date) -> str:
        """Return the short name of a month: `Nov`."""
        return str(format_date(day, "LLL", locale=self.locale))

    def ago(self, value: datetime) -> str:
        """Format a relative time: `3 minutes ago`, `in 2 days`."""
        passed = value - now()
        if abs(passed.total_seconds()) < 45:
            return self.gettext("just now")
        return str(format_timedelta(passed, add_direction=True, threshold=1, locale=self.locale))


FILTERS = (
    "translate", "reason", "known", "key", "mid_sentence", "rows_of", "searched", "first_sentence", "words", "number",
    "count", "about", "friendly", "ago",
)  # fmt: skip


def _texts_of(code: str) -> list[tuple[str, str]]:
    """Return the texts of a catalog that has them as one sentence, with their translations."""
    path = CATALOGS / code / "LC_MESSAGES" / "admin.mo"
    if not path.exists():
        return []
    with path.open("rb") as file:
        return [(str(one.id), str(one.string)) for one in read_mo(file) if one.id and not one.pluralizable]


def marked(text: str) -> str:
    """Mark a text for the catalogs, which is translated where it is shown."""
    return text


@cache
def language_of(code: str) -> Language:
    """Return one of the LANGUAGES."""
    return Language(code)


def choose(cookie: str, accepted: str) -> Language:
    """Return the language of a cookie, else the first that the browser accepts (`Accept-Language`), else English."""
    if cookie in LANGUAGES:
        return language_of(cookie)
    wanted = [part.partition(";")[0].strip() for part in accepted.split(",")[:20]]
    return language_of(negotiate_locale(_with_parents(wanted), LANGUAGES, sep="-") or "en")


def _with_parents(codes: Iterable[str]) -> list[str]:
    """Return each code with the language that it is a variety of: `de-AT`, `de`."""
    return [name for code in codes for name in (code, code.partition("-")[0])]


def zone(name: str) -> ZoneInfo:
    """Return a viewer's time zone, or UTC for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def when(value: datetime, timezone: str) -> str:
    """Format an instant in the viewer's time zone, e.g. `2026-12-31 09:00`."""
    return local_time(value, zone(timezone)).strftime("%Y-%m-%d %H:%M")


def words_of(value: Any) -> str:
    """Return the words of a choice: `in_progress` becomes `in progress`."""
    return NAMES.get(str(value), str(value)).replace("_", " ")
