"""What `.ci/clients`, which builds and tries the clients, does not look at."""

import json
from pathlib import Path

from todo import __version__

ROOT = Path(__file__).parent.parent


def test_the_clients_have_the_version_of_the_service() -> None:
    package = json.loads((ROOT / "clients/typescript/package.json").read_text())

    assert package["version"] == __version__
    assert 'path = "../../todo/__init__.py"' in (ROOT / "clients/python/pyproject.toml").read_text()


def test_the_lock_files_of_npm_name_no_registry() -> None:
    locks = [*ROOT.glob("clients/*/package-lock.json"), *ROOT.glob("tests/**/package-lock.json")]
    found = {lock.parent.name: "resolved" in lock.read_text() for lock in locks if "node_modules" not in lock.parts}

    assert found == {"typescript": False, "openapi": False, "npm": False}
