"""/verify, /identify, /cluster and /embed."""

from collections.abc import Sequence
from typing import Literal

from facenet_client.calls import Call, json_as, query
from facenet_client.images import Image, image_fields, image_list
from facenet_client.operations.operation import Resource, Sends, sent
from facenet_client.schemas import ClusteringAnswer, EmbedAnswer, IdentifyAnswer, VerifyAnswer

CalibrationSource = Literal["model", "own"]
"""Whose error rates are used: those of the model, or the collection's own."""

Method = Literal["agglomerative", "kmeans", "dbscan", "hdbscan"]
"""A clustering method."""


class Decisions(Resource[Sends]):
    """What the service decides about faces. An option that is not given has the default of the service."""

    @sent
    def verify(
        self, image_a: Image, image_b: Image, *, threshold: float | None = None, max_fmr: float | None = None
    ) -> Call[VerifyAnswer]:
        """Tell whether two images show the same person.

        threshold: the squared L2 distance below which two faces match.
        max_fmr: in place of `threshold`: how often two people may match, such as 0.001.
        """
        parts = query(threshold=threshold, max_fmr=max_fmr) | image_fields(image_a=image_a, image_b=image_b)
        return Call("POST", "/verify", json_as(VerifyAnswer), parts)

    @sent
    def identify(
        self,
        image: Image,
        collection: str | None = None,
        *,
        k: int | None = None,
        threshold: float | None = None,
        max_fpir: float | None = None,
        one_person_once: bool | None = None,
        margin: float | None = None,
        calibration: CalibrationSource | None = None,
    ) -> Call[IdentifyAnswer]:
        """Find the enrolled subject of each face of an image.

        k: the most candidates for one face.
        threshold: the squared L2 distance below which the nearest subject is a match.
        max_fpir: in place of `threshold`: how often a stranger may get a match, such as 0.01.
        one_person_once: False for collages and mirrors, which can show a person several times.
        margin: how many points of score a match must have more than any other subject.
        """
        options = query(
            collection=collection,
            k=k,
            threshold=threshold,
            max_fpir=max_fpir,
            one_person_once=one_person_once,
            margin=margin,
            calibration=calibration,
        )
        return Call("POST", "/identify", json_as(IdentifyAnswer), options | image_fields(image=image))

    @sent
    def cluster(
        self,
        *images: Image,
        method: Method | None = None,
        threshold: float | None = None,
        n_clusters: int | None = None,
        one_person_once: bool | None = None,
    ) -> Call[ClusteringAnswer]:
        """Group the faces of images: one cluster for each person.

        threshold: a squared L2 distance. Faces with a smaller distance belong together.
        n_clusters: the number of people, if it is known.
        one_person_once: False for collages and mirrors, which can show a person several times.
        """
        options = query(method=method, threshold=threshold, n_clusters=n_clusters, one_person_once=one_person_once)
        return _clustering(options | image_list(images))

    @sent
    def cluster_embeddings(
        self,
        embeddings: Sequence[Sequence[float]],
        model: str,
        *,
        method: Method | None = None,
        threshold: float | None = None,
        n_clusters: int | None = None,
    ) -> Call[ClusteringAnswer]:
        """Group embeddings: one cluster for each person.

        embeddings: unit vectors, as lists of numbers. model: the id of the model that made them.
        """
        options = query(method=method, threshold=threshold, n_clusters=n_clusters)
        return _clustering(options | {"json": {"embeddings": [list(one) for one in embeddings], "model": model}})

    @sent
    def cluster_collection(
        self,
        collection: str,
        *,
        method: Method | None = None,
        threshold: float | None = None,
        n_clusters: int | None = None,
    ) -> Call[ClusteringAnswer]:
        """Group the enrolled faces of a collection: one cluster for each person.

        An access key needs the scopes `verify` and `read`.
        """
        return _clustering(query(collection=collection, method=method, threshold=threshold, n_clusters=n_clusters))

    @sent
    def embed(self, *images: Image, include: Literal["embedding"] | None = "embedding") -> Call[EmbedAnswer]:
        """Return all faces of images, with their embeddings. include: None leaves the embeddings out."""
        return Call("POST", "/embed", json_as(EmbedAnswer), query(include=include) | image_list(images))


def _clustering(parts: dict[str, object]) -> Call[ClusteringAnswer]:
    return Call("POST", "/cluster", json_as(ClusteringAnswer), parts)
