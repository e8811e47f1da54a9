from models.evaluation.metrics import Mean
from models.evaluation.report import png
from models.evaluation.trend import Point, trend


def test_models_stand_in_the_order_of_their_numbers() -> None:
    found = trend("dimension", [Point("b", 512, Mean(0.9, 0.01)), Point("a", 64, Mean(0.8, 0.02))])

    assert found.rows() == [
        ("dimension", "VAL at FMR 0.001, mean of 5 splits", "model"),
        ("64", "80.00 ± 2.00 %", "a"),
        ("512", "90.00 ± 1.00 %", "b"),
    ]
    assert found.figures() == {
        "number": "dimension",
        "val_at_far_1e-3": [
            {"model": "a", "number": 64, "val": 0.8, "standard_error": 0.02},
            {"model": "b", "number": 512, "val": 0.9, "standard_error": 0.01},
        ],
    }


def test_few_and_many_models_are_drawn() -> None:
    one = [Point("alone", 1e9, Mean(0.9, 0.01))]
    many = [Point(f"{number}", 10.0**number, Mean(0.9, 0.01)) for number in range(9)]

    for points in (one, many):
        assert png(trend("multiply-adds", points, line="-").draw()).startswith(b"\x89PNG")
