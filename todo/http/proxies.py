"""Client addresses behind trusted proxies."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from litestar.types import Scope

Address = IPv4Address | IPv6Address


class Proxies:
    """Read `X-Forwarded-For` and `X-Forwarded-Proto` of trusted peers. Other forwarding headers are ignored."""

    def __init__(self, trusted: Sequence[str]):
        networks = [ip_network(network) for network in trusted]

        @lru_cache(4096)
        def trusts(text: str) -> bool:
            address = read_address(text)
            return address is not None and any(address in network for network in networks)

        self.trusts = trusts
        self._none = not networks

    def unwrap(self, scope: Scope) -> None:
        """Set the client's address and scheme in the scope, if a trusted proxy forwards them."""
        peer = address_of(scope)
        if self._none or not self.trusts(peer):
            return
        found: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"x-forwarded-proto": []}
        for name, value in scope["headers"]:
            if name in found:
                found[name] += [part.strip() for part in value.decode("latin-1").split(",")]
        scope["client"] = (self._client(peer, found[b"x-forwarded-for"]), 0)
        if found[b"x-forwarded-proto"] and found[b"x-forwarded-proto"][-1] in {"http", "https"}:
            scope["scheme"] = found[b"x-forwarded-proto"][-1]

    def _client(self, peer: str, hops: list[str]) -> str:
        """Return the right-most hop that is not a trusted proxy: a client can forge anything to the left of it."""
        for hop in reversed(hops):
            address = read_address(hop)
            if address is None:
                break
            peer = str(address)
            if not self.trusts(peer):
                break
        return peer


def read_address(text: str) -> Address | None:
    """Parse an IP address, with or without port (`1.2.3.4:80`, `[::1]:80`). IPv4-mapped IPv6 becomes IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@lru_cache(4096)
def network_of(text: str) -> str:
    """Return the key for counting: an IPv4 address, the /64 of an IPv6 address, or any other text unchanged."""
    address = read_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address.packed[:8] + bytes(8), 64)))
    return str(address) if address else text


def address_of(scope: Scope) -> str:
    """Return the address of the client, or an empty string when it is unknown."""
    client = scope.get("client")
    return client[0] if client else ""
