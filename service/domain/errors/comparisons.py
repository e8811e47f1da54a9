"""Embeddings cannot be compared, or an error rate is not known."""

from service.domain.errors.base import FacenetError


class EmbeddingError(FacenetError):
    """An embedding cannot be compared."""


class InvalidEmbedding(EmbeddingError):
    """An embedding has the wrong dimension, is not finite, or is not of unit length."""

    code = "invalid_embedding"


class ModelMismatch(EmbeddingError):
    """Two models made the embeddings, and the card of the loaded model does not name the other as compatible."""

    code = "model_mismatch"


class RateNotMeasured(FacenetError):
    """The caller asks for an error rate, and the calibration of the model does not reach it, or there is none."""

    code = "rate_not_measured"
