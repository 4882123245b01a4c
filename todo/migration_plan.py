"""Which migrations would run, with their SQL, and what they declare about older versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from todo.revisions import MigrationError, folder, known


@dataclass(frozen=True)
class Step:
    """A migration that would run; `is_down` when it would be undone."""

    revision: str
    title: str
    is_down: bool
    before: str | None  # the revision below it

    def sql(self) -> str:
        """Return its statements."""
        below, written = self.before or "base", StringIO()
        settled = config(output=written)
        if self.is_down:
            command.downgrade(settled, f"{self.revision}:{below}", sql=True)
        else:
            command.upgrade(settled, f"{below}:{self.revision}", sql=True)
        return written.getvalue().strip()


def config(connection: Connection | None = None, output: StringIO | None = None) -> Config:
    """Return Alembic's configuration, for a connection or for writing SQL. There is no ini file."""
    found = Config(attributes={"connection": connection}, output_buffer=output)
    found.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return found


def steps(current: str | None, target: str) -> list[Step]:
    """Return the migrations that lead from revision `current` to `target`, in the order in which they would run.

    Raise MigrationError when either is unknown.
    """
    for revision in (current, target):
        if revision and revision not in known():
            oldest, newest = min(known()), max(known())
            raise MigrationError(f"There is no revision {revision}: this version knows {oldest} to {newest}.")
    is_down = (current or "") > target
    upper, lower = (current, target) if is_down else (target, current)
    found = [
        Step(script.revision, script.doc, is_down, str(script.down_revision) if script.down_revision else None)
        for script in _between(upper, lower)
    ]
    return found if is_down else found[::-1]


def compatible_with(revision: str) -> str:
    """Return the oldest revision whose code works with the schema at `revision`.

    A migration declares it as `compatible_with`; without, it needs its own code. All migrations must allow it.
    """
    scripts = _between(revision, None)
    return max(getattr(script.module, "compatible_with", None) or script.revision for script in scripts)


def _between(upper: str | None, lower: str | None) -> Iterator[Script]:
    return ScriptDirectory.from_config(config()).iterate_revisions(upper or "base", lower or "base")
