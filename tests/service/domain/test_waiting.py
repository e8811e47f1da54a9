import pytest

from service.domain.errors import Abandoned, TimedOut
from service.domain.waiting import (
    WaitingClient,
    begin_storing,
    current_client,
    require_time,
    require_waiting_client,
    work_for,
)


def test_work_outside_a_request_always_continues() -> None:
    require_waiting_client()
    begin_storing()


def test_work_continues_while_its_client_waits() -> None:
    with work_for(WaitingClient()):
        require_waiting_client()
        begin_storing()


def test_work_for_a_refused_client_is_neither_continued_nor_stored() -> None:
    client = WaitingClient()
    assert client.refuse()
    with work_for(client):
        for step in (require_waiting_client, begin_storing):
            with pytest.raises(Abandoned):
                step()


def test_work_for_a_client_that_left_is_not_continued_but_its_change_is_stored() -> None:
    client = WaitingClient()
    client.leave()
    with work_for(client):
        with pytest.raises(Abandoned):
            require_waiting_client()
        begin_storing()


def test_a_client_whose_change_is_being_stored_cannot_be_refused() -> None:
    client = WaitingClient()
    with work_for(client):
        begin_storing()
    assert not client.refuse()
    assert client.waits


def test_work_that_has_stored_a_part_stores_no_more_when_its_time_has_passed() -> None:
    client = WaitingClient()
    require_time()
    with work_for(client):
        require_time()
        begin_storing()
        require_time()
        client.refuse()
        with pytest.raises(TimedOut):
            require_time()


def test_work_that_has_stored_a_part_ends_when_its_client_has_left() -> None:
    client = WaitingClient()
    with work_for(client):
        begin_storing()
        client.leave()
        with pytest.raises(Abandoned):
            require_time()


def test_the_client_is_known_only_inside_its_request() -> None:
    client = WaitingClient()
    with work_for(client):
        assert current_client() is client
    assert current_client() is None
