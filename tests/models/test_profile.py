from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import pytest
from rich.console import Console

from models.architectures import ARCHITECTURES, build
from models.profile import PAPER, Cost, Profile, profile, table

POWERS = {"K": 3, "M": 6, "B": 9}
"""What a printed figure ends in, as a power of ten."""

EXCEPTION = ("nn2", "4a", "weights")
"""545,536 weights are printed 545K: the one of 58 cells that does not follow from the shapes, rounded half up."""

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
def costs(name: str) -> Profile:
    return profile(ARCHITECTURES[name], 128)


def as_printed(count: int, printed: str) -> str:
    """The count with the unit and the digits of `printed`, rounded half up."""
    figure = Decimal(printed[:-1])
    return f"{Decimal(count).scaleb(-POWERS[printed[-1]]).quantize(figure, ROUND_HALF_UP)}{printed[-1]}"


def rows(name: str) -> dict[str, Cost]:
    one = costs(name)
    return {row.name: row for row in (*one.rows, one.total)}


def cells(name: str) -> list[tuple[str, str, int, str]]:
    """(row, column, counted, printed)."""
    return [
        (row.name, column, getattr(row, column), printed)
        for row in rows(name).values()
        for column in ("weights", "multiply_adds")
        if (printed := getattr(row.printed, column))
    ]


def test_the_two_tables_have_58_cells() -> None:
    assert len(cells("nn1")) + len(cells("nn2")) == 58


@pytest.mark.parametrize("name", PAPER)
def test_each_cell_is_the_papers_to_the_printed_digits(name: str) -> None:
    for row, column, counted, printed in cells(name):
        if (name, row, column) != EXCEPTION:
            assert as_printed(counted, printed) == printed, (row, column)


def test_the_exception_is_4as_weights() -> None:
    row = rows("nn2")["4a"]

    assert (row.weights, row.printed.weights) == (545_536, "545K")


@pytest.mark.parametrize(("name", "outputs"), [("nn1", NN1_OUTPUTS), ("nn2", NN2_OUTPUTS)])
def test_each_row_gives_the_papers_output(name: str, outputs: dict[str, tuple[int, ...]]) -> None:
    assert {row.name: row.output for row in costs(name).rows} == outputs


@pytest.mark.parametrize(("name", "sides"), [("nn3", (80, 40, 20, 10, 5)), ("nn4", (48, 24, 12, 6, 3))])
def test_nn3_and_nn4_have_nn2s_rows_on_smaller_maps(name: str, sides: tuple[int, ...]) -> None:
    smaller = dict(zip((112, 56, 28, 14, 7), sides, strict=True))
    expected = [(smaller[one[0]], smaller[one[1]]) for one in NN2_OUTPUTS.values() if len(one) == 3]

    assert [row.output[:2] for row in costs(name).rows if len(row.output) == 3] == expected


@pytest.mark.parametrize(
    ("name", "weights", "multiply_adds"),
    [
        ("nn1", 140_025_664, 1_608_287_104),
        ("nn2", 7_456_304, 1_599_771_872),
        ("nn3", 7_456_304, 816_274_400),
        ("nn4", 6_607_888, 285_330_432),
    ],
)
def test_the_totals_of_the_papers_networks(name: str, weights: int, multiply_adds: int) -> None:
    total = costs(name).total

    assert (total.weights, total.multiply_adds) == (weights, multiply_adds)


def test_compact_is_smaller_than_the_papers_nn4_in_both() -> None:
    total = costs("compact").total

    assert total.weights <= 1_500_000
    assert total.multiply_adds <= 250_000_000


@pytest.mark.parametrize("name", ["nn4", "nns2", "compact"])
def test_weights_and_scales_are_all_parameters(name: str) -> None:
    """Each normalised channel has a shift, which is counted twice: as the bias and with its scale."""
    total = costs(name).total
    shifts = total.normalisation // 2

    parameters = sum(one.numel() for one in build(name).parameters())

    assert total.weights + total.normalisation - shifts == parameters


@pytest.mark.parametrize("name", ["nn1", "compact"])
def test_another_dimension_changes_the_last_row_alone(name: str) -> None:
    *same, last = profile(ARCHITECTURES[name], 512).rows
    *before, embedding = costs(name).rows

    assert [(row.weights, row.multiply_adds) for row in same] == [(row.weights, row.multiply_adds) for row in before]
    assert last.output == (512,)
    assert last.weights == 4 * embedding.weights


def test_the_papers_cells_stand_beside_the_papers_dimension_alone() -> None:
    assert not any(row.printed.weights for row in profile(ARCHITECTURES["nn1"], 64).rows)


def test_the_papers_rows_are_rows_of_the_networks() -> None:
    assert all(set(printed) <= set(rows(name)) for name, printed in PAPER.items())


def shown(one: Profile) -> list[str]:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(table(one))
    return capture.get().splitlines()


def test_the_table_has_what_is_counted_beside_what_is_printed() -> None:
    lines = shown(costs("nn2"))

    row = next(line for line in lines if " 4a " in line)
    assert [one.strip() for one in row.split("│")[1:-1]] == [
        "4a", "14 x 14 x 640", "545,536", "545K", "106,925,056", "107M", "1,536"
    ]  # fmt: skip
    assert "7,456,304" in lines[-2]


def test_a_network_of_our_own_has_no_printed_cells() -> None:
    lines = shown(costs("compact"))

    assert lines[0].strip() == "compact, 96 x 96"
    assert len(lines) == len(costs("compact").rows) + 7
