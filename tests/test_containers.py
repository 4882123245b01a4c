"""What the image installs, and how docker-compose runs it."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from conftest import SECRET, create_database
from support.servers import serving

from todo.cli import main
from todo.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    one
    for path in sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
    for one in yaml.safe_load_all(path.read_text())
    if one["kind"] != "Kustomization"
]


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]
    found: dict[str, Any] = spec.get("jobTemplate", manifest)["spec"]["template"]["spec"]
    return found


def unit_of(path: Path) -> ConfigParser:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # the names of systemd have capitals
    unit.read(path)
    return unit


PODS = [pod_of(one) for one in MANIFESTS if one["kind"] in {"Deployment", "Job", "CronJob"}]
UNITS = {path.name: unit_of(path) for path in sorted((ROOT / "deploy/systemd").glob("*.service"))}
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


def test_every_port_is_published_on_loopback_unless_asked_otherwise() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert published
    assert all(re.match(r"\$\{TODO_\w+:-127\.0\.0\.1:\d+\}:", port) for port in published)


def test_containers_have_no_privileges_and_ours_write_nothing() -> None:
    services = COMPOSE["services"]

    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"] == "10m", name
    assert [name for name, service in services.items() if not service.get("read_only")] == ["postgres"]


def test_a_process_has_the_time_to_end() -> None:
    longest = Settings.model_fields["drain_seconds"].default + 4
    composed = [service["stop_grace_period"] for service in COMPOSE["services"].values() if "build" in service]
    units = [unit["Service"] for unit in UNITS.values() if unit["Service"].get("Type") != "oneshot"]
    drain = float(next(one for one in MANIFESTS if one["kind"] == "ConfigMap")["data"]["TODO_DRAIN_SECONDS"])

    assert longest < 10, "what Docker waits by itself"
    assert all(int(value.rstrip("s")) > longest for value in composed)
    assert all(int(unit["TimeoutStopSec"]) > longest for unit in units)
    assert all(pod["terminationGracePeriodSeconds"] > drain + 4 for pod in PODS)


def test_the_proxy_knows_every_server_and_asks_which_are_ready() -> None:
    text = (ROOT / "deploy/Caddyfile").read_text()
    servers = [name for name, service in COMPOSE["services"].items() if service.get("command") == ["todo", "server"]]

    assert re.findall(r"(\S+):8000", text) == servers
    assert "health_uri /health/ready" in text


@pytest.mark.skipif(shutil.which("caddy") is None and "CI" not in os.environ, reason="there is no caddy here")
def test_the_proxy_understands_its_file(tmp_path: Path) -> None:
    done = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", ROOT / "deploy/Caddyfile"],
        env={**os.environ, "HOME": str(tmp_path), "TODO_SITE": ":80"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_every_variable_of_the_files_is_a_setting() -> None:
    names = {name for service in COMPOSE["services"].values() if "build" in service for name in service["environment"]}
    names |= {name for one in MANIFESTS if one["kind"] == "ConfigMap" for name in one["data"]}
    names |= {env["name"] for pod in PODS for one in pod["containers"] for env in one.get("env", [])}

    assert len(names) > 8
    assert names - {f"TODO_{name.upper()}" for name in Settings.model_fields} == set()


def test_pods_are_restricted_and_are_not_confused_by_service_links() -> None:
    assert len(PODS) == 4
    for pod in PODS:
        assert pod["enableServiceLinks"] is False
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
            }  # fmt: skip


def test_every_command_that_is_started_exists() -> None:
    started = [tuple(service["command"]) for service in COMPOSE["services"].values() if "build" in service]
    started += [tuple(one["command"]) for pod in PODS for one in pod["containers"]]
    started += [tuple(unit["Service"]["ExecStart"].replace("/opt/todo/bin/", "").split()) for unit in UNITS.values()]

    assert {words[0] for words in started} == {"todo"}
    assert {words[1] for words in started} <= main.commands.keys()


def test_selectors_find_the_pods() -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in MANIFESTS if one["kind"] == "Deployment"]
    selectors = [one["spec"]["selector"] for one in MANIFESTS if "selector" in one.get("spec", {})]

    assert len(selectors) == 4
    for selector in selectors:
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= one.items() for one in labels), wanted


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_units_are_understood_by_systemd(tmp_path: Path) -> None:
    for name in UNITS:
        text = (ROOT / "deploy/systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/todo/bin/todo", "/bin/true"))

    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.glob("*.service")))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert [line for line in done.stderr.splitlines() if "todo" in line] == []


def test_the_health_check_of_the_image_asks_the_server(tmp_path: Path) -> None:
    url = asyncio.run(create_database(f"containers_{uuid4().hex}", "todo_template"))

    def healthy(port: int, *path: str) -> bool:
        environment = {"TODO_PORT": str(port)}
        return not subprocess.run([ROOT / "deploy/healthcheck", *path], env=environment, check=False).returncode

    with serving(tmp_path, {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET}) as port:
        assert healthy(port)
        assert healthy(port, "/health/ready")
        assert not healthy(port, "/nowhere")
    assert not healthy(port)


def test_the_image_pins_what_builds_it_and_does_not_run_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert re.search(r"pip install --no-cache-dir uv==\d", text)
    assert "--require-hashes -r requirements.lock" in text
    assert "USER 10001" in text.splitlines()
    assert "python" not in next(line for line in text.splitlines() if line.startswith("HEALTHCHECK"))
