"""Functions for one call, as in a notebook: `facenet_client.verify("a.jpg", "b.jpg")`.

The address and the key are those of the environment. Each call connects again, so a program uses a `Client`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from facenet_client.client import Client
from facenet_client.operations.operation import Operation

P = ParamSpec("P")
T = TypeVar("T")


def _with_own_client(operation: Operation[P, T, Any]) -> Callable[P, T]:
    @wraps(operation.describe)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with Client() as client:
            return operation.__get__(client, Client)(*args, **kwargs)

    return call


verify = _with_own_client(Client.verify)
identify = _with_own_client(Client.identify)
cluster = _with_own_client(Client.cluster)
embed = _with_own_client(Client.embed)
