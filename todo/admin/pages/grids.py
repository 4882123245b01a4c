"""Forms of several rows: a line for each, with its version, and empty lines for new ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from todo.admin.conflicts import Conflicted, FieldConflict
from todo.admin.declaration import ModelAdmin
from todo.admin.fields import Field
from todo.admin.inlines import Inline, arranged
from todo.admin.pages.forms import WAS, Control, Sent, controls, errors_of, read_values, version_of
from todo.admin.pages.languages import marked
from todo.admin.pages.row_menus import applies as applies_to
from todo.admin.service import AdminService
from todo.admin.together import Edit, NotSaved
from todo.errors import Invalid, NotFound, Problem

EMPTY = 5  # lines for new rows
EMPTY_IN_FORM = 2
MOST = 100  # lines
CHANGED = marked("Another user has changed this row.")
DELETED = marked("Another user has deleted this row. Saving adds it again.")


@dataclass(frozen=True)
class Line:
    """A row of the form. `controls` are those of the columns, or None where a field is only shown.

    `sides` are what somebody else has changed meanwhile, `position` is the place in the order that was seen.
    """

    place: int
    row: Any
    version: int | None
    controls: list[Control | None]
    messages: list[str]
    sides: Sequence[FieldConflict] = ()
    position: str = ""
    may_delete: bool = False
    deletes: bool = False


def has_grid(admin: AdminService, inline: Inline) -> bool:
    """Return whether the actor may write any column of the form of these rows."""
    return isinstance(admin.registry[inline.resource], ModelAdmin) and bool(Grid(admin, inline, []).columns)


class Grid:
    """The rows below a row, as a form, or as a part of the form of the row.

    There, the names of its controls have a `mark`, and rows are moved by the order of their lines.
    """

    def __init__(
        self, admin: AdminService, inline: Inline, rows: Sequence[Any], *,
        more: bool = False, in_form: bool = False, of_new: bool = False,
    ):  # fmt: skip
        """`more`: there are other rows, which are not shown. `of_new`: the form is that of a new row without any."""
        self._admin, self.inline, self.more, self._of_new = admin, inline, more, of_new
        self.mark = f"-{inline.resource}" if in_form else ""
        self.resource: ModelAdmin[Any] = admin.registry.table(inline.resource)
        self._rows = {str(row.id): row for row in rows if applies_to(admin, self.resource, "change", row)}
        may_add = admin.may(inline.resource, "add")
        self.empty = (EMPTY_IN_FORM if in_form else EMPTY) if may_add else 0
        self._added = self._written(adding=True) if may_add else {}
        self._changed = self._written(adding=False) if admin.may(inline.resource, "change") and not of_new else {}
        self.may_change = bool(self._changed)
        self.changes_all = self.may_change and len(self._rows) == len(rows)
        ordered = self._added if of_new else self._changed
        self.order_by = inline.order_by if in_form and inline.order_by in ordered else ""
        self.columns = self._columns()

    def lines(self) -> list[Line]:
        """Return a line for each row that may be changed, and empty ones."""
        rows = [*self._rows.values()] if self._changed else []
        found = [self._line(place, row, {}) for place, row in enumerate(rows)]
        return found + [self._line(len(found) + more, None, {}) for more in range(self.empty)]

    def again(
        self, sent: Sent, problems: Mapping[int, Problem], more: int = 0, places: Sequence[int] | None = None
    ) -> list[Line]:
        """Return the lines as they were sent, each with what is wrong with it, and `more` empty ones.

        `places` are the lines in another order.
        """
        count = self._count(sent)
        more = min(more, MOST - count) if self.empty else 0
        found = [
            self._again(number, self._sent_of(sent, place), problems.get(place))
            for number, place in enumerate(places or self.places(sent))
        ]
        return found + [self._line(count + place, None, {}) for place in range(more)]

    def copied(self, rows: Sequence[Any]) -> dict[str, list[str]]:
        """Return what the form would send with these rows as new ones, and empty lines after them."""
        shown = [self._added[field.name] for field in self.columns if field.name in self._added]
        sent = {f"_count{self.mark}": [str(len(rows) + self.empty)]}
        for place, row in enumerate(rows):
            found = controls(shown, row, self._admin.actor.timezone, adding=True)
            sent |= {f"{one.field.name}{self.mark}-{place}": [one.text] for one in found}
        return sent

    async def edits(self, sent: Sent) -> list[Edit]:
        """Return what was typed into the lines. Raise NotSaved for values that cannot be read."""
        edits, problems = [], {}
        for place, line in self._placed(sent):
            try:
                edit = await self._edit(place, line)
                edits += [edit] if edit else []
            except Invalid as problem:
                problems[place] = problem
        if problems:
            raise NotSaved(problems)
        return edits

    def places(self, sent: Sent) -> list[int]:
        """Return the places of the lines in the order that they have been moved to."""
        count = self._count(sent)
        texts = sent.get(f"_place{self.mark}", [])
        found = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 4]
        return found if sorted(found) == [*range(count)] else [*range(count)]

    def _placed(self, sent: Sent) -> Sequence[tuple[int, Sent]]:
        """Return the lines by their places, those that have been moved with another position."""
        lines = [(place, self._sent_of(sent, place)) for place in self.places(sent)]
        if not self.order_by:
            return lines
        ordered = [place for place, line in lines if (_id(line) and not self._deletes(line)) or self._is_typed(line)]
        of = dict(lines)
        positions = arranged([self._position(of[place]) for place in ordered])
        return [
            (place, {**line, self.order_by: [str(positions[ordered.index(place)])]} if place in ordered else line)
            for place, line in lines
        ]

    def _position(self, line: Sent) -> tuple[int, str] | None:
        text = line.get(f"{WAS}{self.order_by}", [""])[-1]
        if not _id(line):
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Invalid.field("body._count", "The form has no number of rows. Reload the page.")
        return int(text), _id(line)

    async def _edit(self, place: int, sent: Sent) -> Edit | None:
        row_id, timezone = _id(sent), self._admin.actor.timezone
        if row_id and self._deletes(sent):
            return Edit(place, {}, row_id, version_of(sent), deletes=True)
        if row_id:
            values = await read_values(self._admin, [*self._changed.values()], sent, timezone)
            return Edit(place, values, row_id, version_of(sent)) if values else None
        if not self._is_typed(sent):
            return None
        values = await read_values(self._admin, [*self._added.values()], sent, timezone, whole=True)
        return Edit(place, values)

    def _is_typed(self, sent: Sent) -> bool:
        """Return whether something was typed into the line of a new row."""
        typed = {name: texts for name, texts in sent.items() if name in self._added and any(texts)}
        return not _id(sent) and any(texts != sent.get(f"{WAS}{name}", texts) for name, texts in typed.items())

    def _deletes(self, sent: Sent) -> bool:
        return bool(sent.get("_delete")) and self._admin.may(self.inline.resource, "delete")

    def _again(self, place: int, sent: Sent, problem: Problem | None) -> Line:
        """Return a line as it was sent; after a change by somebody else with their values, where this one has none."""
        row = self._rows.get(_id(sent))
        if isinstance(problem, Conflicted):
            changed = [name for name in self._changed if sent.get(name) != sent.get(f"{WAS}{name}")]
            sent = {name: texts for name, texts in sent.items() if name in changed}
            line = self._line(place, problem.theirs, sent, None, [CHANGED])
            return replace(line, sides=[side for side in problem.sides if side.theirs != side.base])
        if isinstance(problem, NotFound):
            return self._line(place, None, sent, None, [DELETED])
        line = self._line(place, row, sent, problem)
        if row is None:
            return line
        return replace(line, version=version_of(sent), deletes=self._deletes(sent))

    def _line(
        self, place: int, row: Any, sent: Sent, problem: Problem | None = None, messages: Sequence[str] = ()
    ) -> Line:
        written = self._added if row is None else self._changed
        found = controls(
            [*written.values()], row, self._admin.actor.timezone, sent=sent, problem=problem, adding=row is None
        )
        position = next((one.was for one in found if row is not None and one.field.name == self.order_by), "")
        named = {one.field.name: _renamed(one, f"{self.mark}-{place}") for one in found}
        shown = errors_of(problem).keys() & named.keys() & {field.name for field in self.columns}
        others = [] if problem is None or shown else [error.message for error in problem.errors] or [problem.detail]
        ordered = [named.get(field.name) for field in self.columns]
        may_delete = row is not None and applies_to(self._admin, self.resource, "delete", row)
        return Line(
            place, row, row and row.version, ordered, [*messages, *others], position=position, may_delete=may_delete
        )

    def _written(self, *, adding: bool) -> dict[str, Field]:
        fields = self._admin.editor.writable(self.inline.resource, adding=adding)
        return {field.name: field for field in fields if field.name != self.inline.via}

    def _columns(self) -> list[Field]:
        """Return the fields of the form: those of lists that may be written, and those that a new row needs."""
        needed = {name for name, one in self._added.items() if one.required and name not in self.resource.defaults}
        written = self._added | self._changed
        listed = [name for name in self.resource.columns if name in written and not written[name].heavy]
        names = dict.fromkeys([*listed, *(name for name in written if name in needed)])
        return [written[name] for name in names if name != self.order_by]

    def _sent_of(self, sent: Sent, place: int) -> dict[str, list[str]]:
        """Return what was sent of one line, by the names of fields."""
        end = f"{self.mark}-{place}"
        found = {name.removesuffix(end): texts for name, texts in sent.items() if name.endswith(end)}
        return {name: texts for name, texts in found.items() if name != "_id"} if self._of_new else found

    def _count(self, sent: Sent) -> int:
        text = sent.get(f"_count{self.mark}", [""])[-1]
        if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MOST):
            raise Invalid.field("body._count", "The form has no number of rows. Reload the page.")
        return int(text)


def _id(sent: Sent) -> str:
    return sent.get("_id", [""])[-1]


def _renamed(one: Control, end: str) -> Control:
    """Return a control with a name of its own among all lines. No field is required: lines may be empty."""
    return replace(one, field=replace(one.field, name=f"{one.field.name}{end}"), required=False)
