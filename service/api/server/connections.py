"""All open connections. If there are too many, one that waits for a request makes room for a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

from service.observability.metrics import CONNECTIONS, CONNECTIONS_DISPLACED

OTHER_DESCRIPTORS = 128
"""Descriptors that are kept for everything but connections: the database, its journal, models, logs."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections can be open.

    total: of all clients together.
    per_address: of one client: an IPv4 address, or an IPv6 network of 64 bits, which is what one client gets.
    trusted_proxies: addresses and networks that only `total` limits, because they connect for many clients.
    """

    total: int
    per_address: int
    trusted_proxies: Sequence[str] = ()


def within_descriptors(connections: int, descriptors: int) -> int:
    """Return how many connections can be open with so many descriptors. It is `connections`, or less."""
    return min(connections, descriptors - min(OTHER_DESCRIPTORS, descriptors // 2))


class Connection(Protocol):
    """A connection that can be closed."""

    def abort(self) -> None:
        """Close it at once. What was not sent yet is lost."""


@dataclass(slots=True, eq=False)
class _Group:
    """Connections with a common limit. waiting: those without a request, the one that has waited longest first."""

    limit: int
    count: int = 0
    waiting: dict[Connection, None] = field(default_factory=dict)


class Connections:
    """Counts connections. One that has waited longest for a request is closed if there are too many.

    A client that opens connections and is silent loses them. A client that sends its request at once is served. The
    limit of one client is checked first, so a client with too many connections closes its own, not those of others.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._trusted = [ip_network(network) for network in limits.trusted_proxies]
        self._all = _Group(limits.total)
        self._of_address: dict[str, _Group] = {}
        self._groups: dict[Connection, list[_Group]] = {}
        self._addresses: dict[Connection, str] = {}

    def add(self, connection: Connection, address: str) -> bool:
        """Count a new connection, which waits for a request. Return False if there is no room for it."""
        client, groups = self._client(address)
        if not all(self._has_room(group) for group in groups):
            return False
        for group in groups:
            group.count += 1
        self._groups[connection] = groups
        self._addresses[connection] = client
        if groups[0] is not self._all:
            self._of_address[client] = groups[0]
        self.set_waiting(connection)
        CONNECTIONS.set(self._all.count)
        return True

    def set_waiting(self, connection: Connection) -> None:
        """Note that the connection waits for a request from now on."""
        for group in self._groups.get(connection, ()):
            group.waiting[connection] = None

    def set_working(self, connection: Connection) -> None:
        """Note that a request has come on the connection. It is not closed before its answer."""
        for group in self._groups.get(connection, ()):
            group.waiting.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """No longer count the connection."""
        self.set_working(connection)
        for group in self._groups.pop(connection, ()):
            group.count -= 1
        client = self._addresses.pop(connection, "")
        if client in self._of_address and not self._of_address[client].count:
            del self._of_address[client]
        CONNECTIONS.set(self._all.count)

    def _has_room(self, group: _Group) -> bool:
        if group.count < group.limit:
            return True
        if not group.waiting:
            return False
        oldest = next(iter(group.waiting))
        self.remove(oldest)
        oldest.abort()
        CONNECTIONS_DISPLACED.inc()
        return True

    def _client(self, address: str) -> tuple[str, list[_Group]]:
        """Return the name of the client, and the groups of its connections, the smallest first."""
        ip = ip_address(address)
        if isinstance(ip, IPv6Address):
            ip = ip.ipv4_mapped or ip
        client = str(ip_network((int(ip), 64), strict=False)) if isinstance(ip, IPv6Address) else str(ip)
        if any(ip in network for network in self._trusted):
            return client, [self._all]
        return client, [self._of_address.get(client) or _Group(self._limits.per_address), self._all]
