import io
import pickle
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest

from models.conversion.torch_tensors import MAGIC, read_tensors


class _PickleThatRunsCode:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return print, ("this file runs code",)


def _file(state: object) -> bytes:
    stream = io.BytesIO()
    for part in (MAGIC, 1001, {}, state, []):
        pickle.dump(part, stream, protocol=2)
    return stream.getvalue()


def test_a_file_that_names_another_class_is_refused_and_runs_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError, match="print is not allowed in a file of weights"):
        read_tensors(_file(OrderedDict(weight=_PickleThatRunsCode())))

    assert capsys.readouterr().out == ""


def test_a_file_of_another_format_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="not a PyTorch file of the legacy format"):
        read_tensors(pickle.dumps(12))


def test_a_file_without_tensors_has_none() -> None:
    assert read_tensors(_file(OrderedDict())) == {}


def test_the_weights_of_o_net_have_the_shapes_of_its_layers(original: Callable[[str], bytes]) -> None:
    tensors = read_tensors(original("onet"))

    assert {name: tensors[name].shape for name in ("conv1.weight", "conv4.weight", "dense5.weight")} == {
        "conv1.weight": (32, 3, 3, 3),
        "conv4.weight": (128, 64, 2, 2),
        "dense5.weight": (256, 1152),
    }
    assert all(tensor.dtype == np.float32 and tensor.flags.c_contiguous for tensor in tensors.values())
