"""POST /cluster: which of these faces belong to the same person?"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api.bodies import optional_body_of
from service.api.dependencies import Services, ServicesDep
from service.api.openapi.examples import IMAGES_EXAMPLE, request_body
from service.api.openapi.refusals import OF_IMAGES, refusals
from service.api.schemas.cluster import ClusterAnswer, ClusterBody, ClusteredFace, ClusteringAnswer, ClusterOptions
from service.api.schemas.responses import FaceAnswer, ModelAnswer, warnings_of
from service.decisions.cluster import (
    Cluster,
    ClusteringOptions,
    FacesToCluster,
    cluster,
    faces_of_collection,
    faces_of_embeddings,
    faces_of_images,
)
from service.decisions.probes import ProbeReader
from service.decisions.two_models import decide
from service.domain.errors import InvalidOption
from service.domain.face import Face
from service.domain.image import Notice
from service.gallery.base import EnrolledFace

router = APIRouter(tags=["decisions"])

TOO_MANY_IMAGES = (
    "Enrol them in a collection and cluster that (?collection=), or send the embeddings that /embed returns for them."
)
"""Several requests would give several clusterings."""


@router.post(
    "/cluster",
    openapi_extra=request_body(ClusterBody, IMAGES_EXAMPLE, required=False),
    operation_id="cluster",
    responses=refusals(*OF_IMAGES),
)
async def cluster_faces(
    services: ServicesDep,
    body: Annotated[ClusterBody | None, Depends(optional_body_of(ClusterBody))],
    options: Annotated[ClusterOptions, Query()],
) -> ClusteringAnswer:
    """Cluster faces by person. Send images or embeddings in the body. Or pass ?collection= without a body.

    With ?collection=, an access key needs the scope `read` too: the answer lists all faces of the collection.
    """
    collection = options.collection
    read, probes = await decide(
        partial(_choose_model, services, collection), lambda probes: _read_faces(services, probes, body, collection)
    )
    how = ClusteringOptions(options.method, options.threshold, options.n_clusters, options.one_person_once)
    found = await cluster(probes, read.faces, how, services.clustering)
    return ClusteringAnswer(
        faces=[_face(origin, int(label)) for origin, label in zip(read.origins, found.labels, strict=True)],
        clusters=[_cluster(one) for one in found.clusters],
        method=found.method,
        threshold=found.threshold_sq_l2,
        expected_mixed_share=found.expected_mixed_share,
        warnings=[warnings_of(notices) for notices in read.notices],
        model=ModelAnswer.of(probes.card),
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a face comes from: the request or the gallery.

    image: the position of its image or embedding in the request. None if it comes from the gallery.
    face: where it is in the photograph. None without a photograph.
    enrolled: the face in the gallery. None if it comes from the request.
    """

    image: int | None = None
    face: Face | None = None
    enrolled: EnrolledFace | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _ReadFaces:
    """The faces of a request and the origin of each, row by row. notices: what to warn about, for each image."""

    faces: FacesToCluster
    origins: list[_Origin]
    notices: list[tuple[Notice, ...]]


async def _choose_model(services: Services, collection: str | None) -> ProbeReader:
    return services.probes if collection is None else await services.models.of_collection(collection)


async def _read_faces(
    services: Services, probes: ProbeReader, body: ClusterBody | None, collection: str | None
) -> _ReadFaces:
    max_faces = services.embeddings_per_request
    match body, collection:
        case None, str():
            faces, enrolled = await faces_of_collection(probes, collection, max_faces)
            return _ReadFaces(faces, [_Origin(enrolled=face) for face in enrolled], [])
        case ClusterBody(images=[_, *_]), None:
            with services.admission.admit(len(body.images), TOO_MANY_IMAGES):
                faces, read = await faces_of_images(probes, body.images, max_faces)
            origins = [_Origin(image, face) for image, probe in enumerate(read) for face in probe.faces]
            return _ReadFaces(faces, origins, [probe.notices for probe in read])
        case ClusterBody(), None:
            faces = faces_of_embeddings(probes, body.embeddings, body.model, max_faces)
            return _ReadFaces(faces, [_Origin(image) for image in range(len(body.embeddings))], [])
    raise InvalidOption("Send either a body with images or embeddings, or ?collection= without a body.")


def _face(origin: _Origin, label: int) -> ClusteredFace:
    return ClusteredFace(
        image=origin.image,
        face=FaceAnswer.of(origin.face),
        enrolled=origin.enrolled.id if origin.enrolled else None,
        subject=origin.enrolled.subject if origin.enrolled else None,
        label=label,
    )


def _cluster(one: Cluster) -> ClusterAnswer:
    return ClusterAnswer(
        label=one.label, size=len(one.members), representative=one.representative, members=list(one.members)
    )
