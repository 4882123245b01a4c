"""The schema revisions this version knows, without Alembic, which takes a tenth of the time a server needs to start."""

from functools import lru_cache
from pathlib import Path

# The oldest revision whose code works with the schema: what the migrations declare, kept for exactly this revision.
COMMENT = "COMMENT ON TABLE alembic_version IS '{revision} is compatible with {compatible_with}'"
COMPATIBLE_WITH = (
    "substring(obj_description('alembic_version'::regclass, 'pg_class') FROM version_num || ' is compatible with (.+)')"
)
REVISION = f"SELECT version_num, {COMPATIBLE_WITH} FROM alembic_version"  # noqa: S608 -- ours


class MigrationError(Exception):
    """The database cannot be migrated. The message says what to do."""


def folder() -> Path:
    """Return where the migrations are: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    inside = here / "migrations"
    return inside if inside.is_dir() else here.parent / "migrations"


@lru_cache
def known() -> frozenset[str]:
    """Return every revision; a file is named after its revision, such as `0017_vocabulary.py`."""
    return frozenset(path.name.partition("_")[0] for path in (folder() / "versions").glob("[0-9]*_*.py"))


def head() -> str:
    """Return the newest revision."""
    return max(known())


def is_newer(revision: str | None) -> bool:
    """Return whether a newer version has migrated the database to `revision`."""
    return revision is not None and revision not in known()


def fits(revision: str | None, compatible_with: str | None) -> bool:
    """Return whether this version works with a database at `revision`.

    It does with its own revision, and with a newer one that declares itself compatible with one that it knows.
    """
    return revision == head() or is_newer(revision) and compatible_with in known()


def require_known(revision: str | None, compatible_with: str | None) -> None:
    """Raise MigrationError when the database is of a newer version, and not compatible with this one."""
    if is_newer(revision) and not fits(revision, compatible_with):
        raise MigrationError(
            f"The database is at revision {revision}, which this version does not know: it was migrated by a newer "
            "version. Install that version again, or set TODO_DATABASE_URL to another database."
        )
