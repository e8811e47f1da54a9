"""With an access key, every operation agrees with its OpenAPI description, for random requests."""

import pytest

from tests.e2e.contract.random_requests import (
    CHECKSUMMED,
    KEY,
    described_operations,
    send_random_requests,
    successful_operations,
)
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


def test_every_operation_agrees_with_its_description_where_a_key_is_sent(
    closed_service: RunningService, pytestconfig: pytest.Config
) -> None:
    send_random_requests(
        closed_service, pytestconfig, "--header", f"Authorization: Bearer {KEY}", hooks={"CONTRACT_KEY": KEY}
    )
    assert successful_operations(closed_service) >= described_operations(closed_service) - CHECKSUMMED
