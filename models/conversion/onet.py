"""Convert O-Net of `facenet-pytorch`, the third network of MTCNN (Zhang et al., 2016), to a landmark network."""

import numpy as np
from onnx import ModelProto, parser

from models.conversion import graph
from models.conversion.torch_tensors import read_tensors

SIDE_PX = 48

# The dense layer was trained on features in the order (width, height, channel), so a Transpose comes before it. Then
# `dense6_3` returns five x and then five y, and `dense6_1` the logits of "no face" and "face".
_NETWORK = """
<ir_version: 10, opset_import: ["" : 21]>
onet (float[n, 3, 48, 48] pixels) => (float[n, 5, 2] landmarks, float[n] scores)
{
    centred = Sub (pixels, mean)
    x0 = Div (centred, scale)
    c1 = Conv (x0, conv1.weight, conv1.bias)
    a1 = PRelu (c1, prelu1.weight)
    p1 = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (a1)
    c2 = Conv (p1, conv2.weight, conv2.bias)
    a2 = PRelu (c2, prelu2.weight)
    p2 = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (a2)
    c3 = Conv (p2, conv3.weight, conv3.bias)
    a3 = PRelu (c3, prelu3.weight)
    p3 = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (a3)
    c4 = Conv (p3, conv4.weight, conv4.bias)
    a4 = PRelu (c4, prelu4.weight)
    whc = Transpose <perm = [0, 3, 2, 1]> (a4)
    flat = Flatten (whc)
    d5 = Gemm <transB = 1> (flat, dense5.weight, dense5.bias)
    a5 = PRelu (d5, prelu5.weight)
    d6 = Gemm <transB = 1> (a5, dense6_3.weight, dense6_3.bias)
    by_axis = Reshape (d6, two_fives)
    landmarks = Transpose <perm = [0, 2, 1]> (by_axis)
    d6_1 = Gemm <transB = 1> (a5, dense6_1.weight, dense6_1.bias)
    probabilities = Softmax <axis = 1> (d6_1)
    face = Gather <axis = 1> (probabilities, face_class)
    scores = Squeeze (face, class_axis)
}
"""


def convert(data: bytes) -> ModelProto:
    """Convert the published file. The boxes are left out. data: the bytes of the .pt file."""
    weights: graph.Weights = {name.replace(".", "_"): array for name, array in read_tensors(data).items()}
    for layer in (1, 2, 3, 4):
        weights[f"prelu{layer}_weight"] = weights[f"prelu{layer}_weight"].reshape(-1, 1, 1)
    weights |= {
        "mean": np.array(127.5, np.float32),
        "scale": np.array(128, np.float32),
        "two_fives": np.array([0, 2, 5], np.int64),
        "face_class": np.array([1], np.int64),
        "class_axis": np.array([1], np.int64),
    }
    text = _NETWORK.replace(".weight", "_weight").replace(".bias", "_bias")
    nodes, weights = graph.lower_prelu(parser.parse_model(text).graph.node, weights)
    return graph.build(
        "onet",
        [*graph.pixels_to_float("crops", "pixels"), *nodes],
        weights,
        [graph.uint8_input("crops", SIDE_PX, SIDE_PX)],
        [graph.float_output("landmarks", 5, 2), graph.float_output("scores")],
    )
