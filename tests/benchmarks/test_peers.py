import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.peers.accuracy import rate
from benchmarks.peers.candidates import Verdict, deepface, own_pair, verifyface
from benchmarks.peers.servers import Server
from benchmarks.peers.weights import dequantise

SERVER = Server(0, "http://127.0.0.1:1")


def test_a_refused_pair_counts_as_two_people() -> None:
    verdicts = [Verdict(verified=True, distance=0.1), Verdict(verified=False, distance=0.9), None, None]
    accuracy = rate("peer", verdicts, same=[True, False, True, False])
    assert (accuracy.refused, accuracy.at_default, accuracy.answered_at_default) == (2, 0.75, 1.0)


def test_the_best_threshold_separates_what_the_default_does_not() -> None:
    verdicts = [Verdict(verified=False, distance=distance) for distance in (0.2, 0.3, 0.7, 0.1)]
    accuracy = rate("peer", verdicts, same=[True, True, False, False])
    assert (accuracy.answered_at_default, accuracy.answered_at_best) == (0.5, 0.75)


def test_a_distance_is_smaller_if_a_pair_is_more_alike() -> None:
    likely = verifyface(SERVER).read(b'{"matched": true, "score": 0.9}')
    unlikely = verifyface(SERVER).read(b'{"matched": false, "score": 0.1}')
    assert likely.distance < unlikely.distance


@pytest.mark.parametrize("candidate", [own_pair(SERVER), deepface(SERVER, 1)], ids=lambda one: str(one.name))
def test_a_candidate_sends_both_photographs(candidate: object) -> None:
    assert isinstance(candidate, type(own_pair(SERVER)))
    (request,) = candidate.requests([(b"photograph-one", b"photograph-two")])
    assert b"photograph-one" in request
    assert b"photograph-two" in request


def test_dequantised_weights_are_constants_of_the_graph() -> None:
    tensors = [
        helper.make_tensor("quantised", TensorProto.INT8, [2, 2], [1, 2, 3, 4]),
        helper.make_tensor("scales", TensorProto.FLOAT, [1, 2], [0.5, 2.0]),
        helper.make_tensor("zeros", TensorProto.INT8, [1, 2], [0, 0]),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["quantised", "scales", "zeros"], ["weight"], axis=0, block_size=2),
        helper.make_node("MatMul", ["data", "weight"], ["features"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("data", "weight")]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 2])]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    found = onnx.load_from_string(dequantise(helper.make_model(graph).SerializeToString())).graph
    assert [one.name for one in found.input] == ["data"]
    assert onnx.numpy_helper.to_array(found.initializer[0]).tolist() == [[0.5, 4.0], [1.5, 8.0]]
