"""What only the pages use of a declaration: how they show a resource."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

Tone = Literal["good", "info", "accent", "warn", "bad"]
TONES: tuple[str, ...] = get_args(Tone)
WIDGETS = ("color", "markdown")


class Appearance:
    """How the pages show a resource and its rows."""

    icon: ClassVar[str] = "table"
    group: ClassVar[str] = ""
    field_labels: ClassVar[Mapping[str, str]] = {}  # where the name of a field does not make a good one
    diff: ClassVar[tuple[str, ...]] = ()  # two JSON fields, before and after, shown as their differences
    fieldsets: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Fieldsets, and resources of inlines, that are shown together; the first has those that no tab names.
    tabs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Fields that apply only while another has one of some values, e.g. `{"timezone": ("kind", ("zoned",))}`.
    shown_if: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {}
    # Controls other than that of the field's kind: one of WIDGETS, or a template of one's own, `rule.html`.
    widgets: ClassVar[Mapping[str, str]] = {}
    # What JSON fields hold: the names in it are translated.
    schemas: ClassVar[Mapping[str, Any]] = {}
    # Texts that other programs write, in English whatever the language of the page: errors of mail servers.
    foreign: ClassVar[tuple[str, ...]] = ()
    # Values that are shown as badges, e.g. `{"priority": {"4": "bad"}}`.
    badges: ClassVar[Mapping[str, Mapping[str, Tone]]] = {}
