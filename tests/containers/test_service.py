"""The image of the service, with the restrictions of docker-compose.yml and k8s/."""

import json
import time
from pathlib import Path

import httpx
import pytest

from tests.containers.engine import (
    ANONYMOUS_DATA_VOLUME,
    HARDENING_OPTIONS,
    WITHOUT_KEYS,
    create_volume,
    docker,
    run_container,
)
from tests.support.enrolling_clients import EnrollingClients, check_acknowledged_faces

HEALTHY_WITHIN_S = 60
REQUESTS_SCRIPT = Path(__file__).with_name("container_requests.py")
CHECK_FOR_NO_BUILD_TOOLS = "for tool in gcc cc c++ make facenet-models; do ! command -v $tool || exit 1; done"


def test_the_service_answers_without_a_network(cpu_image: str, photographs: Path) -> None:
    with run_container(
        cpu_image,
        *HARDENING_OPTIONS,
        WITHOUT_KEYS,
        ANONYMOUS_DATA_VOLUME,
        "--network=none",
        f"--volume={photographs}:/photographs:ro",
    ) as service:
        service.wait_until_ready()
        answers = json.loads(service.run("python3", "-", stdin=REQUESTS_SCRIPT.read_text("utf-8")))
    assert answers == {"verified": [True, False], "identified": "obama", "clusters": [[0, 2], [1]]}


def test_the_service_is_unprivileged_and_can_write_only_its_data(cpu_image: str) -> None:
    with run_container(cpu_image, *HARDENING_OPTIONS, WITHOUT_KEYS, ANONYMOUS_DATA_VOLUME) as service:
        service.wait_until_ready()
        assert service.run("id", "-u").strip() == "65532"
        assert service.run("sh", "-c", "cat /proc/1/status | grep CapEff").split()[1] == "0" * 16
        service.run("sh", "-c", "touch /data/a && ! touch /opt/facenet/a && ! touch /etc/a && ! touch /root/a")
        service.run("sh", "-c", "! python3 -c 'import models'")
        service.run("sh", "-c", f"{CHECK_FOR_NO_BUILD_TOOLS}; test ! -e /root/.cache/pip && test ! -e /tmp/pip*")


def test_the_engine_reports_the_service_as_healthy(cpu_image: str) -> None:
    with run_container(
        cpu_image, *HARDENING_OPTIONS, WITHOUT_KEYS, ANONYMOUS_DATA_VOLUME, "--health-interval=1s"
    ) as service:
        service.wait_until_ready()
        deadline_s = time.monotonic() + HEALTHY_WITHIN_S
        while service.state["Health"]["Status"] == "starting":
            assert time.monotonic() < deadline_s
        assert service.state["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("init", [(), ("--init",)])
def test_the_service_ends_with_0_as_process_1_and_under_an_init(cpu_image: str, init: tuple[str, ...]) -> None:
    with run_container(cpu_image, *HARDENING_OPTIONS, WITHOUT_KEYS, ANONYMOUS_DATA_VOLUME, *init) as service:
        service.wait_until_ready()
        docker("stop", "--time=30", service.id)
        assert service.state["ExitCode"] == 0
        assert '"event": "ended"' in service.log


def test_acknowledged_faces_survive_kill_9(cpu_image: str) -> None:
    with create_volume() as data_volume:
        options = (*HARDENING_OPTIONS, WITHOUT_KEYS, "--publish=127.0.0.1::8000", f"--volume={data_volume}:/data")
        with run_container(cpu_image, *options) as service:
            service.wait_until_ready()
            url = service.url()
            clients = EnrollingClients(url, httpx.get(f"{url}/model").json()["id"])
            clients.start()
            clients.wait_for_acknowledgements()
            docker("kill", "--signal=KILL", service.id)
            clients.join()
        with run_container(cpu_image, *options) as service:
            service.wait_until_ready()
            check_acknowledged_faces(service.url(), clients.acknowledged)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((ANONYMOUS_DATA_VOLUME, "--env=FACE_MODELS__EMBEDDER=/models/mine.onnx"), "/models/mine.onnx is missing"),
        ((ANONYMOUS_DATA_VOLUME, "--env=FACE_MODEL__EMBEDDER=sface"), "The nearest is FACE_MODELS__EMBEDDER"),
        (("--volume=/etc:/data:ro",), "/data cannot be read and written"),
        ((ANONYMOUS_DATA_VOLUME, "--env=FACE_INFERENCE__PROVIDER=cuda"), "no cuda provider"),
        ((ANONYMOUS_DATA_VOLUME,), "The service has no access key"),
    ],
)
def test_a_failed_start_logs_the_reason_and_ends_with_1(cpu_image: str, options: tuple[str, ...], message: str) -> None:
    with run_container(cpu_image, *HARDENING_OPTIONS, *options) as service:
        assert service.wait() == 1
        assert message in service.log
        assert "Traceback" not in service.log


def test_without_a_gpu_the_gpu_image_logs_the_missing_option(gpu_image: str) -> None:
    with run_container(gpu_image, *HARDENING_OPTIONS, ANONYMOUS_DATA_VOLUME) as service:
        assert service.wait() == 1
        error_lines = [line for line in service.log.splitlines() if line.startswith("facenet: ")]
        assert len(error_lines) == 1
        assert "docker run --gpus all" in error_lines[0]
