from models.evaluation.experiments.trend import Point, make_trend
from models.evaluation.metrics.labelled_pairs import MeanWithError
from models.evaluation.reports.report import to_png


def test_models_are_in_the_order_of_their_numbers() -> None:
    trend = make_trend(
        "dimension", [Point("b", 512, MeanWithError(0.9, 0.01)), Point("a", 64, MeanWithError(0.8, 0.02))]
    )

    assert trend.rows() == [
        ("dimension", "VAL at FMR 0.001, mean of 5 splits", "model"),
        ("64", "80.00 ± 2.00 %", "a"),
        ("512", "90.00 ± 1.00 %", "b"),
    ]
    assert trend.numbers() == {
        "number": "dimension",
        "val_at_fmr_1e-3": [
            {"model": "a", "number": 64, "val": 0.8, "standard_error": 0.02},
            {"model": "b", "number": 512, "val": 0.9, "standard_error": 0.01},
        ],
    }


def test_one_model_and_many_models_can_be_drawn() -> None:
    val = MeanWithError(0.9, 0.01)
    single = [Point("alone", 1e9, val)]
    many = [Point(f"{exponent}", 10.0**exponent, val) for exponent in range(9)]

    for points in (single, many):
        assert to_png(make_trend("multiply-adds", points, line="-").draw()).startswith(b"\x89PNG")
