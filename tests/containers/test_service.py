"""The image of the service, closed as docker-compose.yml and k8s/ close it."""

import json
import time
from pathlib import Path

import httpx
import pytest

from tests.containers.engine import CLOSED, DATA, docker, started, volume
from tests.writers import Writers, check

HEALTHY_WITHIN_S = 60
TOUR = Path(__file__).with_name("tour.py")
NOTHING_TO_BUILD_WITH = "for tool in gcc cc c++ make facenet-models; do ! command -v $tool || exit 1; done"


def test_it_answers_without_a_network(cpu: str, photographs: Path) -> None:
    with started(cpu, *CLOSED, DATA, "--network=none", f"--volume={photographs}:/photographs:ro") as service:
        service.wait_until_ready()
        told = json.loads(service.run("python3", "-", given=TOUR.read_text("utf-8")))
    assert told == {"verified": [True, False], "identified": "obama", "clusters": [[0, 2], [1]]}


def test_it_is_nobody_and_writes_nothing_but_its_data(cpu: str) -> None:
    with started(cpu, *CLOSED, DATA) as service:
        service.wait_until_ready()
        assert service.run("id", "-u").strip() == "65532"
        assert service.run("sh", "-c", "cat /proc/1/status | grep CapEff").split()[1] == "0" * 16
        service.run("sh", "-c", "touch /data/a && ! touch /opt/facenet/a && ! touch /etc/a && ! touch /root/a")
        service.run("sh", "-c", f"{NOTHING_TO_BUILD_WITH}; test ! -e /root/.cache/pip && test ! -e /tmp/pip*")


def test_the_engine_sees_its_health(cpu: str) -> None:
    with started(cpu, *CLOSED, DATA, "--health-interval=1s") as service:
        service.wait_until_ready()
        until = time.monotonic() + HEALTHY_WITHIN_S
        while service.state["Health"]["Status"] == "starting":
            assert time.monotonic() < until
        assert service.state["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("init", [(), ("--init",)])
def test_it_ends_well_as_process_1_and_under_an_init(cpu: str, init: tuple[str, ...]) -> None:
    with started(cpu, *CLOSED, DATA, *init) as service:
        service.wait_until_ready()
        docker("stop", "--time=30", service.id)
        assert service.state["ExitCode"] == 0
        assert '"event": "ended"' in service.log


def test_what_was_acknowledged_survives_kill_9(cpu: str) -> None:
    with volume() as data:
        options = (*CLOSED, "--publish=127.0.0.1::8000", f"--volume={data}:/data")
        with started(cpu, *options) as service:
            service.wait_until_ready()
            url = service.url()
            writers = Writers(url, httpx.get(f"{url}/model").json()["id"])
            writers.start()
            writers.wait()
            docker("kill", "--signal=KILL", service.id)
            writers.join()
        with started(cpu, *options) as service:
            service.wait_until_ready()
            check(service.url(), writers.acknowledged)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((DATA, "--env=FACE_MODELS__EMBEDDER=/models/mine.onnx"), "/models/mine.onnx is missing"),
        ((DATA, "--env=FACE_MODEL__EMBEDDER=sface"), "The nearest is FACE_MODELS__EMBEDDER"),
        (("--volume=/etc:/data:ro",), "/data cannot be read and written"),
        ((DATA, "--env=FACE_INFERENCE__PROVIDER=cuda"), "no cuda provider"),
    ],
)
def test_a_start_that_cannot_succeed_says_why_and_ends_with_1(cpu: str, options: tuple[str, ...], told: str) -> None:
    with started(cpu, *CLOSED, *options) as service:
        assert service.wait() == 1
        assert told in service.log
        assert "Traceback" not in service.log


def test_without_a_gpu_the_image_for_one_says_what_it_needs(gpu: str) -> None:
    with started(gpu, *CLOSED, DATA) as service:
        assert service.wait() == 1
        told = [line for line in service.log.splitlines() if line.startswith("facenet: ")]
        assert len(told) == 1
        assert "docker run --gpus all" in told[0]
