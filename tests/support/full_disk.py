"""A simulated full disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def simulate_full_disk(max_file_bytes: int) -> Iterator[None]:
    """Let every write fail that makes a file larger than `max_file_bytes`.

    RLIMIT_FSIZE limits the files of this process. The kernel reports the limit as it reports a full disk: as an error
    of the write.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
