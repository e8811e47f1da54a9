"""The small set of faces that the tests of training use."""

from tests.models.training.conftest import faces

__all__ = ["faces"]
