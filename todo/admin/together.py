"""Add and change several rows in one transaction: all of them, or none."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from todo.admin.declaration import Id
from todo.admin.service import AdminService
from todo.admin.several import problem_of
from todo.errors import Problem


class Edit(NamedTuple):
    """Values of a new row, or those to change of a row as it was at a version. `place` is its number in the form."""

    place: int
    values: Mapping[str, Any]
    row_id: Id | None = None
    version: int | None = None


class NotSaved(Exception):
    """Nothing was saved: `problems` of the rows that are refused, by their place."""

    def __init__(self, problems: Mapping[int, Problem]):
        super().__init__(problems)
        self.problems = problems


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
                    if edit.row_id is None:
                        saved.append(await editor.add(resource, edit.values, lax=True))
                    else:
                        changing = editor.change(resource, edit.row_id, edit.values, version=edit.version, lax=True)
                        saved.append(await changing)
            except Exception as error:
                problems[edit.place] = problem_of(error)
        if problems:
            raise NotSaved(problems)
    return saved
