"""What the image installs, and how docker-compose runs it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LEFT_OUT = re.findall(r"--no-emit-package ([\w-]+)", (ROOT / "requirements.lock").read_text())

START = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LEFT_OUT:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import todo.cli.admin, todo.cli.migrate, todo.cli.server, todo.cli.up, todo.cli.worker
from todo.app import create_app
from todo.settings import load_settings

create_app(load_settings(_env_file=None, secret_key="x" * 40, env="production", mail_url="smtp://localhost"))
print("started")
"""


def test_the_service_starts_without_what_the_image_leaves_out() -> None:
    assert {"faker", "polyfactory", "watchfiles"} <= {*LEFT_OUT}

    code = f"LEFT_OUT = {LEFT_OUT!r}\n{START}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "started\n", done.stderr


def test_nothing_of_what_the_image_leaves_out_is_locked() -> None:
    locked = re.findall(r"^([\w-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert {*locked} & {*LEFT_OUT} == set()


def test_every_port_is_published_on_loopback_only() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_containers_have_no_privileges_and_ours_write_nothing() -> None:
    services = COMPOSE["services"]

    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert [name for name, service in services.items() if not service.get("read_only")] == ["postgres"]


def test_the_image_pins_what_builds_it_and_does_not_run_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert re.search(r"pip install --no-cache-dir uv==\d", text)
    assert "--require-hashes -r requirements.lock" in text
    assert "USER todo" in text.splitlines()
