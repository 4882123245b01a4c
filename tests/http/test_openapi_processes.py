"""The document is the same in every process, so that its ETag is too, whatever else the process has imported."""

import os
import subprocess
import sys

SCRIPT = """
from hashlib import sha256
from todo.app import create_app
from todo.http.openapi import documents
from todo.settings import load_settings

app = create_app(load_settings(_env_file=None, env="test", database_url="postgresql://none/none", secret_key="a" * 40))
{more}
print([sha256(text).hexdigest() for text in documents(app)])
"""


def digests(seed: str, more: str = "") -> str:
    """The documents of a process whose sets are in this order."""
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(more=more)], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_every_process_serves_the_same_document() -> None:
    assert digests("1") == digests("2", "from benchmarks.peers import bare  # has a TaskIn of its own")
