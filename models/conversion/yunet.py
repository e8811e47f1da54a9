"""Convert YuNet of the OpenCV zoo to a detector.

The published file returns raw heads at three strides, for one image of a fixed size. The converted graph takes images
and batches of any size. It decodes the heads to boxes, scores and landmarks, in pixels of the input.
"""

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, parser

from models.conversion import graph

STRIDES = (8, 16, 32)

# The decoding as in OpenCV's FaceDetectorYN. The heads give the centre and size of a box, and five points, all relative
# to a cell. `_nodes` replaces S by the stride.
_DECODE = """
<ir_version: 10, opset_import: ["" : 21]>
decode (float[n, m, 1] cls_S, float[n, m, 1] obj_S, float[n, m, 4] bbox_S, float[n, m, 10] kps_S,
        int64 rows_S, int64 columns_S, float stride_S)
    => (float[n, m, 4] boxes_S, float[n, m] scores_S, float[n, m, 5, 2] landmarks_S)
{
    cells_S = Mul (rows_S, columns_S)
    cell_S = Range (zero, cells_S, one)
    row_S = Div (cell_S, columns_S)
    column_S = Mod (cell_S, columns_S)
    column_row_S = Concat <axis = 0> (column_S, row_S)
    by_axis_S = Reshape (column_row_S, two_rows)
    by_cell_S = Transpose <perm = [1, 0]> (by_axis_S)
    grid_S = Cast <to = 1> (by_cell_S)
    shift_S, extent_S = Split <axis = 2, num_outputs = 2> (bbox_S)
    cell_centre_S = Add (shift_S, grid_S)
    centre_S = Mul (cell_centre_S, stride_S)
    ratio_S = Exp (extent_S)
    size_S = Mul (ratio_S, stride_S)
    half_S = Mul (size_S, one_half)
    corner_S = Sub (centre_S, half_S)
    boxes_S = Concat <axis = 2> (corner_S, size_S)
    points_S = Reshape (kps_S, five_points)
    grid_of_points_S = Unsqueeze (grid_S, axis_1)
    cell_points_S = Add (points_S, grid_of_points_S)
    landmarks_S = Mul (cell_points_S, stride_S)
    cls_low_S = Clip (cls_S, float_zero, float_one)
    obj_low_S = Clip (obj_S, float_zero, float_one)
    product_S = Mul (cls_low_S, obj_low_S)
    root_S = Sqrt (product_S)
    scores_S = Squeeze (root_S, axis_2)
}
"""

_SIZES = """
<ir_version: 10, opset_import: ["" : 21]>
sizes (uint8[n, h, w, 3] images) => (int64 rows_8, int64 rows_16, int64 rows_32,
                                     int64 columns_8, int64 columns_16, int64 columns_32)
{
    shape = Shape (images)
    height = Gather <axis = 0> (shape, index_1)
    width = Gather <axis = 0> (shape, index_2)
    rows_8 = Div (height, side_8)
    rows_16 = Div (height, side_16)
    rows_32 = Div (height, side_32)
    columns_8 = Div (width, side_8)
    columns_16 = Div (width, side_16)
    columns_32 = Div (width, side_32)
}
"""

_JOIN = """
<ir_version: 10, opset_import: ["" : 21]>
join (float boxes_8) => (float boxes)
{
    boxes = Concat <axis = 1> (boxes_8, boxes_16, boxes_32)
    scores = Concat <axis = 1> (scores_8, scores_16, scores_32)
    landmarks = Concat <axis = 1> (landmarks_8, landmarks_16, landmarks_32)
}
"""

_CONSTANTS: graph.Weights = {
    "zero": np.array(0, np.int64),
    "one": np.array(1, np.int64),
    "index_1": np.array(1, np.int64),
    "index_2": np.array(2, np.int64),
    "axis_1": np.array([1], np.int64),
    "axis_2": np.array([2], np.int64),
    "two_rows": np.array([2, -1], np.int64),
    "five_points": np.array([0, -1, 5, 2], np.int64),
    "one_half": np.array(0.5, np.float32),
    "float_zero": np.array(0.0, np.float32),
    "float_one": np.array(1.0, np.float32),
    **{f"side_{stride}": np.array(stride, np.int64) for stride in STRIDES},
    **{f"stride_{stride}": np.array(stride, np.float32) for stride in STRIDES},
}


def convert(data: bytes) -> ModelProto:
    """Convert the published file.

    data: the bytes of the ONNX file. Its input is BGR in 0..255, one image of 640 x 640.
    """
    source = onnx.load_from_string(data).graph
    nodes, weights = graph.fold_dequantisation(source.node, graph.initializers(source))
    weights = graph.allow_any_batch(nodes, weights)
    weights = _reverse_channels_of_first_convolution(source.input[0].name, nodes, weights)
    tail = [*_nodes(_SIZES), *(node for stride in STRIDES for node in _nodes(_DECODE, stride)), *_nodes(_JOIN)]
    return graph.build(
        "yunet",
        [*graph.pixels_to_float("images", source.input[0].name), *nodes, *tail],
        weights | _CONSTANTS,
        [graph.uint8_input("images", "h", "w")],
        [
            graph.float_output("boxes", "m", 4),
            graph.float_output("scores", "m"),
            graph.float_output("landmarks", "m", 5, 2),
        ],
    )


def _nodes(text: str, stride: int = 0) -> list[NodeProto]:
    return list(parser.parse_model(text.replace("_S", f"_{stride}")).graph.node)


def _reverse_channels_of_first_convolution(image: str, nodes: list[NodeProto], weights: graph.Weights) -> graph.Weights:
    """Reverse the input channels of the first convolution from BGR to RGB, so that no image needs to be reversed."""
    (weight,) = (node.input[1] for node in nodes if image in node.input)
    return weights | {weight: weights[weight][:, ::-1]}
