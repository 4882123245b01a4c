"""Forms of several rows: a line for each, with its version, and empty lines for new ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from todo.admin.conflicts import Conflicted, FieldConflict
from todo.admin.declaration import ModelAdmin
from todo.admin.fields import Field
from todo.admin.inlines import Inline
from todo.admin.pages.forms import WAS, Control, Sent, controls, errors_of, read_values, version_of
from todo.admin.pages.languages import marked
from todo.admin.pages.row_menus import applies as applies_to
from todo.admin.service import AdminService
from todo.admin.together import Edit, NotSaved
from todo.errors import Invalid, NotFound, Problem

EMPTY = 5  # lines for new rows
MOST = 100  # lines
CHANGED = marked("Another user has changed this row.")
DELETED = marked("Another user has deleted this row. Saving adds it again.")


@dataclass(frozen=True)
class Line:
    """A row of the form. `controls` are those of the columns, or None where a field is only shown.

    `sides` are what somebody else has changed meanwhile.
    """

    place: int
    row: Any
    version: int | None
    controls: list[Control | None]
    messages: list[str]
    sides: Sequence[FieldConflict] = ()


def has_grid(admin: AdminService, inline: Inline) -> bool:
    """Return whether the actor may write any column of the form of these rows."""
    return isinstance(admin.registry[inline.resource], ModelAdmin) and bool(Grid(admin, inline, []).columns)


class Grid:
    """The rows below a row, as a form."""

    def __init__(self, admin: AdminService, inline: Inline, rows: Sequence[Any], *, more: bool = False):
        """`more`: there are other rows, which are not shown."""
        self._admin, self._inline, self.more = admin, inline, more
        self.resource: ModelAdmin[Any] = admin.registry.table(inline.resource)
        self._rows = {str(row.id): row for row in rows if applies_to(admin, self.resource, "change", row)}
        may_add = admin.may(inline.resource, "add")
        self.empty = EMPTY if may_add else 0
        self._added = self._written(adding=True) if may_add else {}
        self._changed = self._written(adding=False) if admin.may(inline.resource, "change") else {}
        self.columns = self._columns()

    def lines(self) -> list[Line]:
        """Return a line for each row that may be changed, and empty ones."""
        rows = [*self._rows.values()] if self._changed else []
        found = [self._line(place, row, {}) for place, row in enumerate(rows)]
        return found + [self._line(len(found) + more, None, {}) for more in range(self.empty)]

    def again(self, sent: Sent, problems: Mapping[int, Problem], more: int = 0) -> list[Line]:
        """Return the lines as they were sent, each with what is wrong with it, and `more` empty ones."""
        count = self._count(sent)
        more = min(more, MOST - count) if self.empty else 0
        found = [self._again(place, sent_of_line(sent, place), problems.get(place)) for place in range(count)]
        return found + [self._line(count + place, None, {}) for place in range(more)]

    async def edits(self, sent: Sent) -> list[Edit]:
        """Return what was typed into the lines. Raise NotSaved for values that cannot be read."""
        edits, problems = [], {}
        for place in range(self._count(sent)):
            try:
                edit = await self._edit(place, sent_of_line(sent, place))
                edits += [edit] if edit else []
            except Invalid as problem:
                problems[place] = problem
        if problems:
            raise NotSaved(problems)
        return edits

    async def _edit(self, place: int, sent: Sent) -> Edit | None:
        row_id, timezone = sent.get("_id", [""])[-1], self._admin.actor.timezone
        if row_id:
            values = await read_values(self._admin, [*self._changed.values()], sent, timezone)
            return Edit(place, values, row_id, version_of(sent)) if values else None
        typed = {name: texts for name, texts in sent.items() if name in self._added and any(texts)}
        if all(texts == sent.get(f"{WAS}{name}", texts) for name, texts in typed.items()):
            return None
        values = await read_values(self._admin, [*self._added.values()], sent, timezone, whole=True)
        return Edit(place, values)

    def _again(self, place: int, sent: Sent, problem: Problem | None) -> Line:
        """Return a line as it was sent; after a change by somebody else with their values, where this one has none."""
        row = self._rows.get(sent.get("_id", [""])[-1])
        if isinstance(problem, Conflicted):
            changed = [name for name in self._changed if sent.get(name) != sent.get(f"{WAS}{name}")]
            sent = {name: texts for name, texts in sent.items() if name in changed}
            line = self._line(place, problem.theirs, sent, None, [CHANGED])
            return replace(line, sides=[side for side in problem.sides if side.theirs != side.base])
        if isinstance(problem, NotFound):
            return self._line(place, None, sent, None, [DELETED])
        line = self._line(place, row, sent, problem)
        return replace(line, version=version_of(sent)) if row is not None else line

    def _line(
        self, place: int, row: Any, sent: Sent, problem: Problem | None = None, messages: Sequence[str] = ()
    ) -> Line:
        written = self._added if row is None else self._changed
        found = controls(
            [*written.values()], row, self._admin.actor.timezone, sent=sent, problem=problem, adding=row is None
        )
        named = {one.field.name: _renamed(one, place) for one in found}
        shown = errors_of(problem).keys() & named.keys() & {field.name for field in self.columns}
        others = [] if problem is None or shown else [error.message for error in problem.errors] or [problem.detail]
        ordered = [named.get(field.name) for field in self.columns]
        return Line(place, row, row and row.version, ordered, [*messages, *others])

    def _written(self, *, adding: bool) -> dict[str, Field]:
        fields = self._admin.editor.writable(self._inline.resource, adding=adding)
        return {field.name: field for field in fields if field.name != self._inline.via}

    def _columns(self) -> list[Field]:
        """Return the fields of the form: those of lists that may be written, and those that a new row needs."""
        needed = {name for name, one in self._added.items() if one.required and name not in self.resource.defaults}
        written = self._added | self._changed
        listed = [name for name in self.resource.columns if name in written and not written[name].heavy]
        return [written[name] for name in dict.fromkeys([*listed, *(name for name in written if name in needed)])]

    def _count(self, sent: Sent) -> int:
        text = sent.get("_count", [""])[-1]
        if not (text.isascii() and text.isdigit() and int(text[:9]) <= MOST):
            raise Invalid.field("body._count", "The form has no number of rows. Reload the page.")
        return int(text)


def sent_of_line(sent: Sent, place: int) -> dict[str, list[str]]:
    """Return what was sent of one line, by the names of fields."""
    end = f"-{place}"
    return {name.removesuffix(end): texts for name, texts in sent.items() if name.endswith(end)}


def _renamed(one: Control, place: int) -> Control:
    """Return a control with a name of its own among all lines. No field is required: lines may be empty."""
    return replace(one, field=replace(one.field, name=f"{one.field.name}-{place}"), required=False)
