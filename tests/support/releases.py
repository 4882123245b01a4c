"""The next release, as far as its schema goes: one more migration."""

import shutil
from pathlib import Path

import pytest

from todo import migrate, migration_plan, revisions

ROOT = Path(__file__).parents[2]
NEXT = "9999"
TEXT = '''"""The column of the next release."""

from alembic import op

revision = "{next}"
down_revision = "{head}"
branch_labels = None
depends_on = None
{declared}


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN next_release text")


def downgrade() -> None:
    op.execute("ALTER TABLE tasks DROP COLUMN next_release")
'''


def use_next_release(folder: Path, monkeypatch: pytest.MonkeyPatch, declared: str = "") -> None:
    """Let this process migrate as the next release does, until `monkeypatch` and the cache of `known` are cleared."""
    head = revisions.head()
    migrations = folder / "next/migrations"
    shutil.copytree(ROOT / "migrations", migrations, ignore=shutil.ignore_patterns("__pycache__"))
    text = TEXT.format(next=NEXT, head=head, declared=declared.format(head=head))
    (migrations / f"versions/{NEXT}_next.py").write_text(text)
    for module in (migrate, migration_plan, revisions):
        monkeypatch.setattr(module, "folder", lambda: migrations)
    revisions.known.cache_clear()
