"""The network of the zoo's sface as its authors published it, to be adopted, and people to measure it on."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PEOPLE, PHOTOGRAPHS = 150, 3
"""What docs/own-models.md asks for."""


def publish_sface(models_dir: Path, path: Path, mean: float = 0, std: float = 1) -> Path:
    """Write the network without what the conversion has added before it: float32, one face at a time.

    It expects `(pixel - mean) / std`, where a pixel is 0 to 255.
    """
    model = onnx.load(models_dir / "sface.onnx")
    (last,) = (place for place, node in enumerate(model.graph.node) if node.op_type == "Cast")
    nodes = list(model.graph.node[last + 1 :])
    read = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    weights += [
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("mean", mean), ("std", std))
    ]
    to_pixels = [
        helper.make_node("Mul", ["image", "std"], ["multiplied"]),
        helper.make_node("Add", ["multiplied", "mean"], [model.graph.node[last].output[0]]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 112, 112])
    graph = helper.make_graph([*to_pixels, *nodes], "published", [image], list(model.graph.output), weights)
    onnx.save(helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version), path)
    return path


def few_people(lfw: Path, folder: Path) -> Path:
    """Make a folder of people of Labelled Faces in the Wild: as many as an adoption needs."""
    enough = (person for person in sorted((lfw / "images").iterdir()) if len(list(person.iterdir())) >= PHOTOGRAPHS)
    for person, _ in zip(enough, range(PEOPLE), strict=False):
        (folder / person.name).mkdir(parents=True)
        for file in sorted(person.iterdir())[:PHOTOGRAPHS]:
            (folder / person.name / file.name).symlink_to(file.resolve())
    return folder
