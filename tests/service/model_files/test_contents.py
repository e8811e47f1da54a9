"""What a model file may hold. Each file is a real one, written by the package `onnx`."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

from service.domain.command_errors import ModelFileError
from service.model_files import contents
from service.model_files.contents import (
    MAX_FIELDS,
    MAX_FILE_BYTES,
    PARTS,
    ForbiddenContents,
    check_contents,
    read_model,
)
from service.model_files.wire import MalformedMessage

PLACES = ("initializer", "constant", "constants", "subgraph", "subgraphs", "sparse", "sparse attribute", "function")


def weights() -> TensorProto:
    return numpy_helper.from_array(np.arange(4, dtype=np.float32), "weights")


def external_weights() -> TensorProto:
    tensor = weights()
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def add_node(name: str = "Add", domain: str = "") -> NodeProto:
    return helper.make_node(name, ["x", "weights"], ["y"], domain=domain)


def graph_of(nodes: list[NodeProto], tensors: list[TensorProto]) -> GraphProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    return helper.make_graph(nodes, "graph", values[:1], values[1:], tensors)


def model_of(graph: GraphProto) -> ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def sparse(tensor: TensorProto) -> SparseTensorProto:
    return SparseTensorProto(values=tensor, indices=weights(), dims=[4])


def constant(key: str, value: Any) -> NodeProto:
    return helper.make_node("Constant", [], ["c"], **{key: value})


def model_with(tensor: TensorProto, place: str) -> ModelProto:
    """Return a model that has this tensor in one of the places where ONNX allows a tensor."""
    model = model_of(graph_of([add_node()], [weights()]))
    inner = graph_of([add_node()], [tensor])
    match place:
        case "initializer":
            model.graph.initializer.append(tensor)
        case "constant":
            model.graph.node.append(constant("value", tensor))
        case "constants":
            model.graph.node.append(constant("values", [weights(), tensor]))
        case "subgraph":
            model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner))
        case "subgraphs":
            model.graph.node.append(helper.make_node("Loop", ["x"], ["z"], bodies=[inner]))
        case "sparse":
            model.graph.sparse_initializer.append(sparse(tensor))
        case "sparse attribute":
            model.graph.node.append(constant("sparse_value", sparse(tensor)))
        case "function":
            model.functions.add(name="f", domain="own").node.append(constant("value", tensor))
    return model


def refusal(model: ModelProto) -> str:
    with pytest.raises(ForbiddenContents) as error:
        check_contents(model.SerializeToString())
    return str(error.value)


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_refused_wherever_a_tensor_can_be(place: str) -> None:
    check_contents(model_with(weights(), place).SerializeToString())
    assert "external data" in refusal(model_with(external_weights(), place))


def test_a_file_with_external_data_that_onnx_runtime_opens_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    model = model_of(graph_of([add_node()], [weights()]))
    onnx.save_model(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    (output,) = ort.InferenceSession(path).run(None, {"x": np.zeros(4, np.float32)})
    np.testing.assert_array_equal(output, np.arange(4))
    for folder in (tmp_path, tmp_path.parent):
        monkeypatch.chdir(folder)
        with pytest.raises(ModelFileError, match="another file"):
            read_model(path)


def test_a_file_name_without_the_mark_external_is_refused_too() -> None:
    tensor = weights()
    tensor.external_data.add(key="location", value="weights.bin")
    assert "external data" in refusal(model_with(tensor, "initializer"))


@pytest.mark.parametrize("domain", ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"])
def test_the_domains_of_onnx_runtime_are_accepted(domain: str) -> None:
    check_contents(model_of(graph_of([add_node(domain=domain)], [weights()])).SerializeToString())


@pytest.mark.parametrize("domain", ["ai.onnx.contrib", "com.microsoft.extensions", "org.pytorch.aten", "ai", "x" * 200])
@pytest.mark.parametrize("place", ["graph", "subgraph", "function"])
def test_an_operator_of_another_domain_is_refused(domain: str, place: str) -> None:
    node = add_node(domain=domain)
    model = model_of(graph_of([add_node()], [weights()]))
    if place == "graph":
        model.graph.node.append(node)
    elif place == "function":
        model.functions.add(name="f", domain="own").node.append(node)
    else:
        model.graph.node.append(helper.make_node("Loop", ["x"], ["z"], body=graph_of([node], [])))
    assert "not part of ONNX Runtime" in refusal(model)


@pytest.mark.parametrize("name", ["EPContext", "Snpe", "PythonOp"])
def test_an_operator_that_runs_other_code_is_refused(name: str) -> None:
    assert name in refusal(model_of(graph_of([add_node(name, "com.microsoft")], [weights()])))


def test_every_place_of_onnx_for_nodes_and_tensors_is_known() -> None:
    """A new version of ONNX may have a place that this code does not look at."""
    pending: list[Any] = [ModelProto.DESCRIPTOR]
    found: dict[str, dict[int, str]] = {}
    while pending:
        message = pending.pop()
        if message.name not in found:
            parts = {field.number: field.message_type for field in message.fields if field.message_type}
            found[message.name] = {number: part.name for number, part in parts.items() if _leads_to_a_tensor(part)}
            pending += [part for part in parts.values() if _leads_to_a_tensor(part)]
    assert found == PARTS


def _leads_to_a_tensor(message: Any, seen: frozenset[str] = frozenset()) -> bool:
    if message.name in {"TensorProto", "NodeProto"}:
        return True
    parts = [field.message_type for field in message.fields if field.message_type]
    return any(_leads_to_a_tensor(part, seen | {message.name}) for part in parts if part.name not in seen)


def test_the_numbers_of_the_checked_fields_are_those_of_onnx() -> None:
    tensor, node = TensorProto.DESCRIPTOR.fields_by_name, NodeProto.DESCRIPTOR.fields_by_name
    assert tensor["external_data"].number == contents.TENSOR_EXTERNAL_DATA
    assert tensor["data_location"].number == contents.TENSOR_DATA_LOCATION
    assert (node["op_type"].number, node["domain"].number) == (contents.NODE_OPERATOR, contents.NODE_DOMAIN)


def test_a_file_with_too_many_fields_is_refused() -> None:
    with pytest.raises(ForbiddenContents, match="fields"):
        check_contents(b"\x08\x01" * (MAX_FIELDS + 1))  # the field ir_version, again and again


@pytest.mark.parametrize(
    "data",
    [
        b"\x3b",  # a group
        b"\x00\x00",  # the field number 0
        b"\x3a\x05abc",  # a graph that is longer than the file
        b"\x38\x01",  # a number where the graph is expected
        b"\x08" + b"\xff" * 11,  # a number that does not end
        b"\xf8\xff\xff\xff\xff\x01\x00",  # a field number of more than 29 bits
        b"\x09\x00",  # eight bytes are announced, one is there
    ],
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        check_contents(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_accepted_or_refused_with_one_of_two_errors(data: bytes) -> None:
    try:
        check_contents(data)
    except (ForbiddenContents, MalformedMessage):
        return


@given(st.data())
def test_a_changed_byte_does_not_hide_external_data(data: st.DataObject) -> None:
    """What the package onnx still reads as external data, this code refuses or does not accept as a message."""
    changed = bytearray(model_with(external_weights(), "initializer").SerializeToString())
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        model = onnx.load_model_from_string(bytes(changed))
    except Exception:  # noqa: BLE001  # the package has no public base class for the errors of a bad file
        return
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        with pytest.raises((ForbiddenContents, MalformedMessage)):
            check_contents(bytes(changed))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # a file of zeros that takes no space on the disk
    with pytest.raises(ModelFileError, match=r"1,073,741,825 bytes"):
        read_model(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.onnx"
    os.mkfifo(path)
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_model(path)


def test_a_link_to_a_device_is_refused_and_a_link_to_a_model_is_read(tmp_path: Path) -> None:
    device, link = tmp_path / "device.onnx", tmp_path / "link.onnx"
    device.symlink_to("/dev/zero")
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_model(device)
    model = tmp_path / "model.onnx"
    onnx.save(model_of(graph_of([add_node()], [weights()])), model)
    link.symlink_to(model)
    assert read_model(link) == model.read_bytes()
