"""Measured results as entries of a model's card, in the TOML of `service/model_files/catalogue.toml`."""

import json
from collections.abc import Iterator

from pydantic import BaseModel

from models.evaluation.experiments.verification import Verification, val_of_splits
from models.evaluation.metrics.labelled_pairs import round_down
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.model_files.card import BenchmarkResult, ErrorRate


def val_result(measured: Verification, command: str) -> BenchmarkResult:
    """Return VAL at its FMR with its standard error over the splits.

    command: the command that measured it.
    """
    return BenchmarkResult(
        benchmark=f"people not trained on, {val_of_splits(measured.fmr)}",
        value=round(measured.val.value, 4),
        standard_error=round(measured.val.standard_error, 4),
        command=command,
    )


def error_rates(measured: Verification, own_threshold_sq_l2: float, measured_on: str) -> tuple[ErrorRate, ...]:
    """Return the error rates over the pairs of all splits, at three thresholds. Equal thresholds have one entry.

    The three are: the threshold of the model's card, 1.242, and the threshold at the FMR of VAL. The third is rounded
    down to three decimal places, so that its FMR is not above it. If that gives 0, it accepts no pair, and it is left
    out.

    own_threshold_sq_l2: the verification threshold in the model's card.
    measured_on: the name of the data set.
    """
    pairs = measured.pairs
    thresholds = dict.fromkeys(
        (own_threshold_sq_l2, FACENET_THRESHOLD_SQ_L2, round_down(pairs.threshold_at_fmr(measured.fmr)))
    )
    sample = f"{measured.photographs:,} photographs of {measured.people:,} people of {measured_on}"
    rates = (pairs.error_rate(threshold, sample) for threshold in thresholds if threshold > 0)
    return tuple(rate.model_copy(update={"fmr": round(rate.fmr, 6), "fnmr": round(rate.fnmr, 6)}) for rate in rates)


def card_toml(model: str, measured: BenchmarkResult, rates: tuple[ErrorRate, ...]) -> str:
    """Return the entries as TOML. model: the name of the model in the catalogue."""
    return "\n\n".join([toml_entry(model, "results", measured), *(toml_entry(model, "error_rates", r) for r in rates)])


def toml_entry(model: str, field: str, row: BaseModel) -> str:
    """Return one more row of a list in the card of a model, as TOML.

    field: the name of the list.
    row: the values. Empty lists are left out: if TOML has `name = []`, no later table can add a row to that list.
    """
    return "\n".join([f"[[models.{model}.{field}]]", *_toml_lines(row)])


def toml_table(model: str, field: str, values: BaseModel) -> str:
    """Return a table in the card of a model, as TOML. field: its name."""
    return "\n".join([f"[models.{model}.{field}]", *_toml_lines(values)])


def _toml_lines(row: BaseModel) -> Iterator[str]:
    values = row.model_dump(exclude_none=True).items()
    return (f"{name} = {_toml_value(value)}" for name, value in values if value != ())


def _toml_value(value: object) -> str:
    """Return the value. Long lists have one item on a line. TOML writes numbers and strings as JSON does."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml_value(item)}' for name, item in value.items())} }}"
    if isinstance(value, list | tuple) and len(value) > 1 and isinstance(value[0], dict):
        return "[\n" + "".join(f"  {_toml_value(item)},\n" for item in value) + "]"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    return json.dumps(value)
