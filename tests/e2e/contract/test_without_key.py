"""A service that wants a key refuses every operation without one, as its OpenAPI description says."""

import httpx
import pytest

from tests.e2e.contract.random_requests import samples, send_random_requests
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow


def test_no_operation_answers_without_a_key(closed_service: RunningService, pytestconfig: pytest.Config) -> None:
    before = refused_without_key(closed_service)
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance,response_headers_conformance"
    send_random_requests(closed_service, pytestconfig, "--checks", checks, hooks={"CONTRACT_WITHOUT_KEY": "yes"})
    assert refused_without_key(closed_service) > before
    assert httpx.get(f"{closed_service.url}/collections").status_code == 401


def refused_without_key(service: RunningService) -> float:
    """Return how many requests were refused because they had no key."""
    found = samples(service, "face_refusals_total")
    return sum(value for labels, value in found if labels["code"] == "key_missing")
