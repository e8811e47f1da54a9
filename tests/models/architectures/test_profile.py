from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import pytest
from rich.console import Console

from models.architectures import ARCHITECTURES, build_network
from models.architectures.profile import PAPER_TABLES, NetworkProfile, RowCost, profile_network, profile_table

POWERS = {"K": 3, "M": 6, "B": 9}
"""The last letter of a printed number, as a power of ten."""

EXCEPTION = ("nn2", "4a", "weights")
"""545,536 weights are printed as 545K. In the 57 other cells, the printed number is the count, rounded half up."""

NN1_OUTPUTS = {
    "conv1": (110, 110, 64),
    "pool1": (55, 55, 64),
    "rnorm1": (55, 55, 64),
    "conv2a": (55, 55, 64),
    "conv2": (55, 55, 192),
    "rnorm2": (55, 55, 192),
    "pool2": (28, 28, 192),
    "conv3a": (28, 28, 192),
    "conv3": (28, 28, 384),
    "pool3": (14, 14, 384),
    "conv4a": (14, 14, 384),
    "conv4": (14, 14, 256),
    "conv5a": (14, 14, 256),
    "conv5": (14, 14, 256),
    "conv6a": (14, 14, 256),
    "conv6": (14, 14, 256),
    "pool4": (7, 7, 256),
    "concat": (7 * 7 * 256,),
    "fc1": (32 * 128,),
    "fc2": (32 * 128,),
    "embedding": (128,),
}

NN2_OUTPUTS = {
    "conv1": (112, 112, 64),
    "pool1": (56, 56, 64),
    "2": (56, 56, 192),
    "pool2": (28, 28, 192),
    "3a": (28, 28, 256),
    "3b": (28, 28, 320),
    "3c": (14, 14, 640),
    "4a": (14, 14, 640),
    "4b": (14, 14, 640),
    "4c": (14, 14, 640),
    "4d": (14, 14, 640),
    "4e": (7, 7, 1024),
    "5a": (7, 7, 1024),
    "5b": (7, 7, 1024),
    "avg_pool": (1024,),
    "embedding": (128,),
}


@cache
def profile(name: str) -> NetworkProfile:
    return profile_network(ARCHITECTURES[name], 128)


def as_printed(count: int, printed: str) -> str:
    """Return the count with the unit and the digits of `printed`, rounded half up."""
    number = Decimal(printed[:-1])
    return f"{Decimal(count).scaleb(-POWERS[printed[-1]]).quantize(number, ROUND_HALF_UP)}{printed[-1]}"


def rows(name: str) -> dict[str, RowCost]:
    return {row.name: row for row in (*profile(name).rows, profile(name).total)}


def cells(name: str) -> list[tuple[str, str, int, str]]:
    """Return (row, column, count, printed number) of each cell that the paper prints."""
    return [
        (row.name, column, getattr(row, column), printed)
        for row in rows(name).values()
        for column in ("weights", "multiply_adds")
        if (printed := getattr(row.paper, column))
    ]


def test_tables_1_and_2_have_58_cells() -> None:
    assert len(cells("nn1")) + len(cells("nn2")) == 58


@pytest.mark.parametrize("name", PAPER_TABLES)
def test_each_count_equals_the_printed_number_to_its_digits(name: str) -> None:
    for row, column, count, printed in cells(name):
        if (name, row, column) != EXCEPTION:
            assert as_printed(count, printed) == printed, (row, column)


def test_only_the_weights_of_4a_are_printed_rounded_down() -> None:
    row = rows("nn2")["4a"]

    assert (row.weights, row.paper.weights) == (545_536, "545K")


@pytest.mark.parametrize(("name", "outputs"), [("nn1", NN1_OUTPUTS), ("nn2", NN2_OUTPUTS)])
def test_each_row_has_the_output_that_the_paper_prints(name: str, outputs: dict[str, tuple[int, ...]]) -> None:
    assert {row.name: row.output for row in profile(name).rows} == outputs


@pytest.mark.parametrize(("name", "sides"), [("nn3", (80, 40, 20, 10, 5)), ("nn4", (48, 24, 12, 6, 3))])
def test_nn3_and_nn4_have_the_rows_of_nn2_on_smaller_maps(name: str, sides: tuple[int, ...]) -> None:
    smaller = dict(zip((112, 56, 28, 14, 7), sides, strict=True))
    expected = [(smaller[output[0]], smaller[output[1]]) for output in NN2_OUTPUTS.values() if len(output) == 3]

    assert [row.output[:2] for row in profile(name).rows if len(row.output) == 3] == expected


@pytest.mark.parametrize(
    ("name", "weights", "multiply_adds"),
    [
        ("nn1", 140_025_664, 1_608_287_104),
        ("nn2", 7_456_304, 1_599_771_872),
        ("nn3", 7_456_304, 816_274_400),
        ("nn4", 6_607_888, 285_330_432),
    ],
)
def test_the_totals_of_the_networks_of_the_paper(name: str, weights: int, multiply_adds: int) -> None:
    total = profile(name).total

    assert (total.weights, total.multiply_adds) == (weights, multiply_adds)


def test_compact_has_fewer_weights_and_multiply_adds_than_nn4() -> None:
    total = profile("compact").total

    assert total.weights <= 1_500_000
    assert total.multiply_adds <= 250_000_000


@pytest.mark.parametrize("name", ["nn4", "nns2", "compact"])
def test_weights_and_scales_are_all_parameters_of_a_network(name: str) -> None:
    """The shift of each normalised channel is counted twice: as a bias in `weights`, and in `normalisation`."""
    total = profile(name).total
    shifts = total.normalisation // 2

    parameters = sum(parameter.numel() for parameter in build_network(name).parameters())

    assert total.weights + total.normalisation - shifts == parameters


def trunk_costs(rows: Sequence[RowCost]) -> list[tuple[int, int]]:
    return [(row.weights, row.multiply_adds) for row in rows]


@pytest.mark.parametrize("name", ["nn1", "compact"])
def test_another_dimension_changes_only_the_last_row(name: str) -> None:
    *trunk_512, embedding_512 = profile_network(ARCHITECTURES[name], 512).rows
    *trunk_128, embedding_128 = profile(name).rows

    assert trunk_costs(trunk_512) == trunk_costs(trunk_128)
    assert embedding_512.output == (512,)
    assert embedding_512.weights == 4 * embedding_128.weights


def test_only_a_profile_at_the_dimension_of_the_paper_has_its_numbers() -> None:
    assert not any(row.paper.weights for row in profile_network(ARCHITECTURES["nn1"], 64).rows)


def test_each_printed_row_is_a_row_of_the_network() -> None:
    assert all(set(printed) <= set(rows(name)) for name, printed in PAPER_TABLES.items())


def lines_of_table(name: str) -> list[str]:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(profile_table(profile(name)))
    return capture.get().splitlines()


def test_the_table_has_each_count_beside_the_printed_number() -> None:
    lines = lines_of_table("nn2")

    row = next(line for line in lines if " 4a " in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "4a", "14 x 14 x 640", "545,536", "545K", "106,925,056", "107M", "1,536"
    ]  # fmt: skip
    assert "7,456,304" in lines[-2]


def test_the_table_of_compact_has_only_counts() -> None:
    lines = lines_of_table("compact")

    assert lines[0].strip() == "compact, 96 x 96"
    assert len(lines) == len(profile("compact").rows) + 7
