"""Add, change and delete several rows in one transaction: all of them, or none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from todo.admin.declaration import Id
from todo.admin.editor import Editor
from todo.admin.service import AdminService
from todo.admin.several import problem_of
from todo.errors import Conflict, Invalid, Problem

NO_ROW = UUID(int=0)  # refers to no row


class Edit(NamedTuple):
    """Values of a new row, or those to change of a row as it was at a version, which may be deleted instead.

    `place` is its number in the form.
    """

    place: int
    values: Mapping[str, Any]
    row_id: Id | None = None
    version: int | None = None
    deletes: bool = False

    @property
    def verb(self) -> str:
        return "delete" if self.deletes else "change" if self.row_id else "add"


class NotSaved(Exception):
    """Nothing was saved: `problems` of the rows that are refused, by their place."""

    def __init__(self, problems: Mapping[int, Problem]):
        super().__init__(problems)
        self.problems = problems


class RowNotSaved(Exception):
    """Nothing was saved: the `problem` of a row, if any, and those of the rows `below` it, by resource and place."""

    def __init__(self, problem: Problem | None, below: Mapping[str, Mapping[int, Problem]]):
        super().__init__(problem, below)
        self.problem = problem
        self.below = below


async def save_with_rows(
    admin: AdminService, change: Callable[[Editor], Awaitable[Any]], below: Mapping[str, Sequence[Edit]]
) -> Any:
    """Change a row, and the rows below it by their resource; return what `change` returns.

    Raise RowNotSaved with all that is refused, and whatever else `change` raises.
    """
    problem, saved = None, None
    async with admin.context.transaction() as session:
        inner = AdminService(admin.registry, admin.database, admin.context.origin, session)
        try:
            async with session.begin_nested():
                saved = await change(inner.editor)
        except Invalid as invalid:
            problem = invalid
        problems = await _save_below(inner, below)
        if problem or problems:
            raise RowNotSaved(problem, problems)
    return saved


async def add_with_rows(
    admin: AdminService, resource: str, values: Mapping[str, Any], below: Mapping[str, Sequence[Edit]]
) -> Any:
    """Add a row, and new rows below it by the resources of its inlines; return the row. `values` are text.

    Raise RowNotSaved with all that is refused.
    """
    via = {one.resource: one.via for one in admin.registry[resource].inlines}
    async with admin.context.transaction() as session:
        inner = AdminService(admin.registry, admin.database, admin.context.origin, session)
        try:
            async with session.begin_nested():
                row = await inner.editor.add(resource, values, lax=True)
        except Exception as error:
            problem = problem_of(error)
            if not isinstance(problem, Invalid | Conflict):
                raise
            found = {name: _unacceptable(inner, name, _of(edits, via[name], NO_ROW)) for name, edits in below.items()}
            raise RowNotSaved(problem, {name: problems for name, problems in found.items() if problems}) from None
        problems = await _save_below(inner, {name: _of(edits, via[name], row.id) for name, edits in below.items()})
        if problems:
            raise RowNotSaved(None, problems)
    return row


async def _save_below(admin: AdminService, below: Mapping[str, Sequence[Edit]]) -> dict[str, Mapping[int, Problem]]:
    """Save rows by their resource; return what is refused."""
    problems = dict[str, Mapping[int, Problem]]()
    for resource, edits in below.items():
        try:
            await save_together(admin, resource, edits)
        except NotSaved as refused:
            problems[resource] = refused.problems
    return problems


def _of(edits: Sequence[Edit], via: str, row_id: Id) -> list[Edit]:
    """Return new rows with their reference to the row above."""
    return [edit._replace(values={**edit.values, via: str(row_id)}) for edit in edits]


def _unacceptable(admin: AdminService, resource: str, edits: Sequence[Edit]) -> dict[int, Problem]:
    """Return what is wrong with the values of new rows alone, while the row above them is refused itself."""
    problems: dict[int, Problem] = {}
    for edit in edits:
        try:
            admin.editor.accept(admin.registry.table(resource), edit.values, adding=True, lax=True)
        except Invalid as problem:
            problems[edit.place] = problem
    return problems


async def save_together(admin: AdminService, resource: str, edits: Sequence[Edit]) -> list[Any]:
    """Return the rows as saved. `values` are text as people type it.

    Raise NotSaved with every row that is refused: Forbidden, NotFound, Invalid, Conflict or Conflicted.
    """
    saved: list[Any] = []
    problems: dict[int, Problem] = {}
    async with admin.context.transaction() as session:
        editor = AdminService(admin.registry, admin.database, admin.context.origin, session).editor
        for edit in edits:
            try:
                async with session.begin_nested():
                    saved.append(await _save(editor, resource, edit))
            except Exception as error:
                problems[edit.place] = problem_of(error)
        if problems:
            raise NotSaved(problems)
    return saved


async def _save(editor: Editor, resource: str, edit: Edit) -> Any:
    if edit.row_id is None:
        return await editor.add(resource, edit.values, lax=True)
    if edit.deletes:
        return await editor.delete(resource, edit.row_id, version=edit.version)
    return await editor.change(resource, edit.row_id, edit.values, version=edit.version, lax=True)
