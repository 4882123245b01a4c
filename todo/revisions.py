"""The schema revisions this version knows, without Alembic, which takes a tenth of the time a server needs to start."""

from functools import lru_cache
from pathlib import Path


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


def is_head(revision: str | None) -> bool:
    """Return whether a database at `revision` is up to date. Raise MigrationError when it is from a newer version."""
    if revision is not None and revision not in known():
        raise MigrationError(
            f"The database is at revision {revision}, which this version does not know: it was migrated by a newer "
            "version. Install that version again, or set TODO_DATABASE_URL to another database."
        )
    return revision == head()
