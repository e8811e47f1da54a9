"""POST /cluster."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, ConfigDict, FailFast, Field, GetPydanticSchema, model_validator
from pydantic_core import PydanticCustomError

from service.api.schemas.fields import (
    EXAMPLE_COLLECTION,
    MAX_EMBEDDINGS,
    Body,
    Id,
    OnePersonOnce,
    Options,
    Threshold,
    UnitVector,
)
from service.api.schemas.images import Images
from service.api.schemas.responses import Answer, FaceAnswer, ModelAnswer, WarningAnswer
from service.domain.embedding import Vector
from service.model_files.card import ModelId


def _to_array(vectors: list[list[float]]) -> Sequence[Vector]:
    """Return (n, d) float64. It takes a tenth of the time of lists to pass on. Vectors of several dimensions stay."""
    return np.array(vectors) if len({len(vector) for vector in vectors}) == 1 else vectors  # type: ignore[return-value]  # rows are vectors


_JSON_EMBEDDINGS = Annotated[
    list[UnitVector], FailFast(), Field(min_length=1, max_length=MAX_EMBEDDINGS), AfterValidator(_to_array)
]
Embeddings = Annotated[Sequence[Vector], GetPydanticSchema(lambda _type, handler: handler(_JSON_EMBEDDINGS))]
"""Embeddings of a request, not yet checked."""


class ClusterBody(Body):
    """Images. Or, in JSON only, embeddings and the model that made them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["images"], "maxProperties": 1},
                {"required": ["embeddings", "model"], "maxProperties": 2},
            ]
        }
    )

    images: Images = Field(default_factory=list)
    embeddings: Embeddings = Field(default_factory=list)
    model: ModelId = Field(default_factory=str)

    @model_validator(mode="after")
    def _images_or_embeddings(self) -> Self:
        if self.model_fields_set not in ({"images"}, {"embeddings", "model"}):
            raise PydanticCustomError("cluster_kind", "Send either images, or embeddings with their model.")
        return self


class ClusterOptions(Options):
    """The query of /cluster."""

    method: Literal["agglomerative", "kmeans", "dbscan", "hdbscan"] = Field(
        "agglomerative",
        description="the clustering method. `agglomerative` takes a threshold or n_clusters, `kmeans` takes "
        "n_clusters, `dbscan` takes a threshold, `hdbscan` takes neither",
    )
    threshold: Threshold | None = Field(
        None,
        description="a squared L2 distance in [0, 4]. Faces with a smaller distance belong together. Default: the "
        "model's threshold for this method, which is lower if there are more people",
        examples=[1.1],
    )
    n_clusters: int | None = Field(
        None, ge=1, le=5000, description="the number of people, if it is known", examples=[2]
    )
    one_person_once: OnePersonOnce = True
    collection: Id | None = Field(
        None, description="cluster the faces of this collection, and send no body", examples=[EXAMPLE_COLLECTION]
    )


class ClusteredFace(Answer):
    """One face: where it comes from, and the label of its cluster. The label is -1 if no other face is similar."""

    image: int | None = Field(description="the position of the image in the request")
    face: FaceAnswer
    enrolled: Id | None = Field(description="the id of the face, if a collection was clustered")
    subject: Id | None
    label: int


class ClusterAnswer(Answer):
    """One cluster. The numbers are positions in `faces`."""

    label: int
    size: int
    representative: int
    members: list[int]


class ClusteringAnswer(Answer):
    """Which faces belong to the same person."""

    faces: list[ClusteredFace]
    clusters: list[ClusterAnswer]
    method: str
    threshold: float | None = Field(description="the threshold that gives these clusters. Null if none was used")
    expected_mixed_share: float | None = Field(
        description="at most this share of the clusters is expected to hold faces of several people. Null if you pass "
        "`threshold` or `n_clusters`, and for methods or models without a measured threshold"
    )
    warnings: list[list[WarningAnswer]] = Field(description="one list for each image, in the order of the request")
    model: ModelAnswer
