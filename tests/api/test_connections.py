"""How connections are counted, and which one is closed if there are too many."""

import pytest

from service.api.server.connections import ConnectionLimits, Connections, within_descriptors


class RecordedConnection:
    """Remembers whether it was closed."""

    is_closed = False

    def abort(self) -> None:
        self.is_closed = True


def add_all(connections: Connections, address: str, count: int) -> list[RecordedConnection]:
    added = [RecordedConnection() for _ in range(count)]
    assert all(connections.add(connection, address) for connection in added)
    return added


def closed(added: list[RecordedConnection]) -> list[bool]:
    return [connection.is_closed for connection in added]


def test_the_connection_that_has_waited_longest_is_closed() -> None:
    connections = Connections(ConnectionLimits(total=3, per_address=3))
    first = add_all(connections, "192.0.2.1", 3)
    connections.set_working(first[0])
    connections.set_waiting(first[0])
    add_all(connections, "192.0.2.2", 1)
    assert closed(first) == [False, True, False]


def test_a_connection_with_a_request_is_not_closed() -> None:
    connections = Connections(ConnectionLimits(total=2, per_address=2))
    first = add_all(connections, "192.0.2.1", 2)
    connections.set_working(first[0])
    add_all(connections, "192.0.2.2", 1)
    assert closed(first) == [False, True]


def test_there_is_no_room_if_every_connection_has_a_request() -> None:
    connections = Connections(ConnectionLimits(total=2, per_address=2))
    first = add_all(connections, "192.0.2.1", 2)
    for connection in first:
        connections.set_working(connection)
    assert not connections.add(RecordedConnection(), "192.0.2.2")
    connections.remove(first[0])
    assert connections.add(RecordedConnection(), "192.0.2.2")


def test_an_address_with_too_many_connections_loses_its_own() -> None:
    connections = Connections(ConnectionLimits(total=10, per_address=2))
    other = add_all(connections, "192.0.2.1", 2)
    many = add_all(connections, "192.0.2.2", 4)
    assert closed(other) == [False, False]
    assert closed(many) == [True, True, False, False]


def test_an_address_with_too_many_connections_takes_none_from_others_when_all_are_in_use() -> None:
    connections = Connections(ConnectionLimits(total=4, per_address=2))
    others = [*add_all(connections, "192.0.2.1", 1), *add_all(connections, "192.0.2.2", 1)]
    add_all(connections, "192.0.2.3", 10)
    assert closed(others) == [False, False]


@pytest.mark.parametrize(
    ("address", "neighbour", "are_one_client"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, neighbour: str, *, are_one_client: bool) -> None:
    connections = Connections(ConnectionLimits(total=10, per_address=1))
    first = add_all(connections, address, 1)
    add_all(connections, neighbour, 1)
    assert closed(first) == [are_one_client]


def test_a_trusted_proxy_has_only_the_limit_of_all() -> None:
    connections = Connections(ConnectionLimits(total=3, per_address=1, trusted_proxies=("10.0.0.0/8",)))
    of_proxy = add_all(connections, "10.1.2.3", 3)
    assert closed(of_proxy) == [False, False, False]
    add_all(connections, "10.1.2.3", 1)
    assert closed(of_proxy) == [True, False, False]


def test_a_connection_that_is_removed_twice_is_counted_once() -> None:
    connections = Connections(ConnectionLimits(total=2, per_address=2))
    first = add_all(connections, "192.0.2.1", 2)
    connections.remove(first[0])
    connections.remove(first[0])
    connections.set_waiting(first[0])
    connections.set_working(first[1])
    add_all(connections, "192.0.2.1", 1)
    assert closed(first) == [False, False]


@pytest.mark.parametrize(
    ("connections", "descriptors", "expected"), [(2048, 2**20, 2048), (2048, 1024, 896), (2048, 200, 100), (16, 64, 16)]
)
def test_connections_leave_descriptors_for_the_rest_of_the_process(
    connections: int, descriptors: int, expected: int
) -> None:
    assert within_descriptors(connections, descriptors) == expected
