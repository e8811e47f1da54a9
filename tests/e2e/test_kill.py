"""What was acknowledged survives kill -9, and a POST is wholly there or not at all."""

from pathlib import Path

import httpx
import pytest

from tests.served import serve
from tests.writers import KILLED_AFTER_ANSWERS, Writers, check


def test_what_was_acknowledged_is_found_after_kill_9(
    models_dir: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    acknowledged: dict[str, list[list[float]]] = {}
    rounds = int(pytestconfig.getoption("kill_rounds"))
    for _ in range(rounds):
        with serve(tmp_path / "data", models_dir) as served:
            check(served.url, acknowledged)
            writers = Writers(served.url, httpx.get(f"{served.url}/model").json()["id"])
            writers.start()
            writers.wait()
            served.kill()
            writers.join()
            acknowledged |= writers.acknowledged
    with serve(tmp_path / "data", models_dir) as served:
        check(served.url, acknowledged)
    assert len(acknowledged) >= rounds * KILLED_AFTER_ANSWERS
