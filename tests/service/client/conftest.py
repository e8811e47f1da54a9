"""Both transports."""

import pytest


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Return which transport sends."""
    name: str = request.param
    return name
