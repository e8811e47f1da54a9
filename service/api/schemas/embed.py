"""POST /embed. Its body is `ImagesBody`."""

from typing import Literal

import numpy as np
from pydantic import Field

from service.api.schemas.fields import Options
from service.api.schemas.responses import Answer, FaceAnswer, ModelAnswer, WarningAnswer
from service.domain.embedding import Embeddings


class EmbedOptions(Options):
    """The query of /embed."""

    include: Literal["embedding"] | None = Field(
        None, description="`embedding` adds the embeddings to the response", examples=["embedding"]
    )


class EmbeddedFace(FaceAnswer):
    """One face. `embedding` is null unless the query has include=embedding."""

    embedding: list[float] | None


class EmbeddedImage(Answer):
    """The faces of one image."""

    faces: list[EmbeddedFace]
    warnings: list[WarningAnswer]


class EmbedAnswer(Answer):
    """One entry for each image, in the order of the request."""

    images: list[EmbeddedImage]
    model: ModelAnswer


def json_vectors(embeddings: Embeddings) -> list[list[float]]:
    """Return embeddings as JSON numbers. A client that reads them gets the same float32."""
    return embeddings.astype(np.float64).tolist()  # type: ignore[no-any-return]  # a list of lists, by the shape
