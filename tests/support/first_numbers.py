"""A network that needs no download: it returns the first numbers of each crop."""


def first_numbers_graph(side_px: int, dimension: int) -> str:
    """Return the network in the text form of ONNX. Its crops have `side_px` rows and columns."""
    return f"""
<ir_version: 10, opset_import: ["" : 21]>
first_numbers (uint8[n, {side_px}, {side_px}, 3] crops) => (float[n, {dimension}] embeddings)
{{
    pixels = Cast <to = 1> (crops)
    flat = Flatten (pixels)
    starts = Constant <value_ints = [0]> ()
    ends = Constant <value_ints = [{dimension}]> ()
    axes = Constant <value_ints = [1]> ()
    embeddings = Slice (flat, starts, ends, axes)
}}
"""
