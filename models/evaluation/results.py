"""A measured verification as the card and `zoo.toml` have it: VAL, and the error rates that stand in every card."""

import json

from pydantic import BaseModel

from models.evaluation.metrics import FACENET_THRESHOLD, rounded_down
from models.evaluation.verification import VAL_OF_SPLITS, Verification
from service.card import ErrorRate, Result


def result(measured: Verification, command: str) -> Result:
    """VAL at FMR 1e-3 with its standard error over the splits. command: what gave it."""
    return Result(
        benchmark=f"people not trained on, {VAL_OF_SPLITS}",
        value=round(measured.val.value, 4),
        standard_error=round(measured.val.standard_error, 4),
        command=command,
    )


def error_rates(measured: Verification, own: float, measured_on: str) -> tuple[ErrorRate, ...]:
    """At the model's own threshold, at 1.242 and where the FMR is 1e-3, over the pairs of all splits; each once.

    own: its card's, squared L2. measured_on: whose photographs they are, in words. The last threshold is rounded down
    to three digits, so that its FMR is at most 1e-3; where that is 0 it accepts nobody, and has no row.
    """
    whole = measured.whole
    thresholds = dict.fromkeys((own, FACENET_THRESHOLD, rounded_down(whole.threshold_at_far)))
    who = f"{measured.photographs:,} photographs of {measured.people:,} people of {measured_on}"
    rates = (whole.error_rate(d, who) for d in thresholds if d > 0)
    return tuple(one.model_copy(update={"fmr": round(one.fmr, 6), "fnmr": round(one.fnmr, 6)}) for one in rates)


def toml(model: str, measured: Result, rates: tuple[ErrorRate, ...]) -> str:
    """As `zoo.toml` has them. model: its name there."""
    return "\n\n".join([entry(model, "results", measured), *(entry(model, "error_rates", one) for one in rates)])


def entry(model: str, field: str, row: BaseModel) -> str:
    """One more row of a list in a model's card, as `zoo.toml` has it.

    Lists of it that are empty are left out: TOML adds no row to a list that was written out.
    """
    values = row.model_dump(exclude_none=True).items()
    lines = (f"{name} = {_value(value)}" for name, value in values if value != ())
    return "\n".join([f"[[models.{model}.{field}]]", *lines])


def _value(value: object) -> str:
    """JSON writes numbers and strings as TOML does; tables and lists within a row stand on its line."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_value(one)}' for name, one in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value)
