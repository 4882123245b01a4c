"""Hosts on this machine: network namespaces on one bridge, each of which can be cut off. Needs root and iproute2."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

NEW_NETWORK = 0x40000000  # CLONE_NEWNET of Linux
LIBC = ctypes.CDLL(None, use_errno=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *" ".join(words).split()], check=True)


class Host:
    """A host with an address of its own. Its files are those of this machine."""

    def __init__(self, name: str, link: str, address: str) -> None:
        self.address = address
        self._link = link
        self._namespace = Path("/run/netns", name)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, and the processes that it starts meanwhile, be on the host."""
        before, there = (os.open(path, os.O_RDONLY) for path in ("/proc/thread-self/ns/net", self._namespace))
        try:
            _enter(there)
            yield
        finally:
            _enter(before)
            os.close(before)
            os.close(there)

    def cut_off(self) -> None:
        """Lose every packet to and from the others."""
        ip("link set", self._link, "down")

    def heal(self) -> None:
        ip("link set", self._link, "up")


def _enter(namespace: int) -> None:
    if LIBC.setns(namespace, NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Hosts that reach each other, and that this process reaches."""
    if os.geteuid() or not shutil.which("ip"):
        if os.environ.get("CI"):
            pytest.fail("this needs root and iproute2")
        pytest.skip("this needs root and iproute2")
    tag, net = f"todo{os.getpid() % 10_000}", f"10.77.{os.getpid() % 250}"
    with ExitStack() as stack:
        ip("link add", f"{tag}b type bridge")
        stack.callback(ip, "link delete", f"{tag}b")
        ip("address add", f"{net}.254/24 dev {tag}b")
        ip("link set", f"{tag}b up")
        yield [_connect(stack, f"{tag}{number}", f"{tag}b", f"{net}.{number}") for number in range(1, count + 1)]


def _connect(stack: ExitStack, name: str, bridge: str, address: str) -> Host:
    ip("netns add", name)
    stack.callback(ip, "netns delete", name)
    ip("link add", f"{name}v type veth peer name eth0 netns {name}")
    stack.callback(ip, "link delete", f"{name}v")  # those into a namespace outlive it for a while
    ip("link set", f"{name}v master {bridge} up")
    ip("-n", f"{name} address add {address}/24 dev eth0")
    for link in ("eth0", "lo"):
        ip("-n", f"{name} link set {link} up")
    return Host(name, f"{name}v", address)
