"""An embedder whose calls keep their buffers on a device."""

from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.execution.bound_calls import BoundCalls, DeviceName
from service.model_files.model_file import ModelFile
from service.pipeline.embedders.onnx import OnnxEmbedder


class BoundEmbedder(OnnxEmbedder):
    """Embeds crops in ONNX Runtime, for a GPU. Safe to call from several threads at once.

    device: where the buffers are.
    max_batch: the most crops that are embedded at once.
    """

    def __init__(self, file: ModelFile[EmbedderCard], device: DeviceName, max_batch: int) -> None:
        super().__init__(file)
        self._calls = BoundCalls(file.session, device, max_batch)

    def _run(self, crops: Crops) -> Embeddings:
        return self._calls.run(crops)
