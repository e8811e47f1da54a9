import pytest

from benchmarks.load import Answer, Exchange, Measurement
from benchmarks.speed.photographs import SMALL
from benchmarks.speed.report import SpeedReport
from benchmarks.speed.rounds import Round, Served
from benchmarks.speed.rows import Row, rows_of, stage_row
from benchmarks.speed.stages import StageTime

THREADS = 2


def measured_round(clients: int, latency_s: float, statuses: list[int], alone_s: float, cpu_s: float) -> Round:
    """The requests are answered one after the other. The load generator takes no CPU time."""
    answers = [Answer(latency_s, status, b"") for status in statuses]
    exchange = Exchange(answers, wall_s=latency_s * len(answers), cpu_s=0.0)
    served = Served(exchange, cpu_s, {"2": 3}, {"decode": 0.5}, resident_mib=300.0, peak_mib=310.0)
    return Round(clients, served, Measurement([alone_s] * 4, wall_s=alone_s * 4, cpu_s=4 * alone_s))


def rows(*rounds: Round) -> list[Row]:
    return rows_of(SMALL, rounds, [StageTime("decode", 0.01, 0.02)], THREADS)


def test_the_latency_of_a_lone_client_is_divided_by_that_of_the_models_alone() -> None:
    row = rows(measured_round(1, 0.06, [200] * 4, 0.1, 0.4), measured_round(16, 0.1, [200] * 4, 0.1, 0.4))[2]
    assert row.ratios["latency"] == pytest.approx(0.6)
    assert row.targets == {"latency <= 0.62: met": True}


def test_throughput_and_cpu_time_of_several_clients_are_divided_by_those_of_the_models_alone() -> None:
    row = rows(measured_round(1, 0.06, [200] * 4, 0.1, 0.4), measured_round(16, 0.125, [200] * 4, 0.1, 0.44))[3]
    assert row.ratios == pytest.approx({"throughput": 0.8, "CPU": 1.1})
    assert row.targets == {"throughput >= 0.95: not met": False, "CPU <= 1.06: not met": False}


def test_a_refused_request_is_no_throughput() -> None:
    row = rows(measured_round(1, 0.1, [200] * 4, 0.1, 0.4), measured_round(16, 0.1, [200, 200, 503, 503], 0.1, 0.4))[3]
    assert (row.count, row.refused) == (2, 2)
    assert row.ratios["throughput"] == pytest.approx(0.5)


def test_a_row_without_an_accepted_request_has_no_figures() -> None:
    row = rows(measured_round(1, 0.1, [200] * 4, 0.1, 0.4), measured_round(64, 0.1, [503] * 4, 0.1, 0.4))[3]
    assert (row.refused, row.p50_ms, row.cpu_ms, row.ratios) == (4, None, None, {})


def test_the_limit_of_a_stage_is_its_rate_in_one_thread_times_the_threads() -> None:
    row = stage_row(SMALL, StageTime("decode", 0.01, 0.0125), THREADS)
    assert row.per_s == pytest.approx(160)
    assert row.ratios == pytest.approx({"throughput": 0.8})


def test_large_photographs_have_no_target() -> None:
    rounds = [measured_round(clients, 0.1, [200] * 4, 0.1, 0.4) for clients in (1, 16)]
    assert not any(row.targets for row in rows_of("12 MP", rounds, [StageTime("decode", 0.01, 0.02)], THREADS))


def test_each_row_of_the_table_has_a_cell_for_each_column() -> None:
    rounds = [measured_round(clients, 0.1, [200] * 4, 0.1, 0.4) for clients in (1, 4, 16, 64)]
    report = SpeedReport([stage_row(SMALL, StageTime("decode", 0.01, 0.02), THREADS), *rows(*rounds)], {SMALL: {}})
    assert len({len(row) for row in report.rows()}) == 1
    assert len(report.rows()) == 1 + 1 + 2 + 4
