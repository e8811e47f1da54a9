"""POST /cluster: which of these faces are one person's?"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api import examples
from service.api.answers import FaceAnswer, ModelAnswer, warnings_of
from service.api.bodies import optional_body_of
from service.api.body_schemas import request_body
from service.api.decision_answers import ClusterAnswer, ClusteredFace, ClusteringAnswer
from service.api.dependencies import Services, ServicesDep
from service.api.problems import answers
from service.api.requests import ClusterBody, ClusterOptions
from service.decisions.cluster import Cluster, Faces, Method, cluster, faces_enrolled, faces_given, faces_of
from service.domain import Face, Notice
from service.errors import InvalidOption
from service.galleries.base import EnrolledFace

router = APIRouter(tags=["decisions"])


@router.post(
    "/cluster",
    openapi_extra=request_body(ClusterBody, examples.IMAGES, required=False),
    responses=answers(400, 404, 409, 413, 415, 422, 503),
)
async def cluster_faces(
    services: ServicesDep,
    body: Annotated[ClusterBody | None, Depends(optional_body_of(ClusterBody))],
    options: Annotated[ClusterOptions, Query()],
) -> ClusteringAnswer:
    """Groups the faces of images, embeddings, or (with ?collection= and no body) of a collection."""
    group = await _group(services, body, options.collection)
    method = Method(options.method, options.threshold, options.n_clusters, options.together)
    found = await cluster(services.inputs, group.faces, method, services.cluster_threads)
    return ClusteringAnswer(
        faces=[_face(origin, int(label)) for origin, label in zip(group.origins, found.labels, strict=True)],
        clusters=[_cluster(one) for one in found.clusters],
        method=found.method,
        threshold=found.threshold_sq_l2,
        warnings=[warnings_of(notices) for notices in group.notices],
        model=ModelAnswer.of(services.inputs.card),
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a face came from: an image of the request, and its place there if it was seen; or the gallery."""

    image: int | None = None
    face: Face | None = None
    enrolled: EnrolledFace | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """What is to be grouped, and row by row where it came from. notices: one tuple an image."""

    faces: Faces
    origins: list[_Origin]
    notices: list[tuple[Notice, ...]]


async def _group(services: Services, body: ClusterBody | None, collection: str | None) -> _Group:
    match body, collection:
        case None, str():
            faces, enrolled = await faces_enrolled(services.inputs, collection, services.embeddings_per_request)
            return _Group(faces, [_Origin(enrolled=face) for face in enrolled], [])
        case ClusterBody(images=[_, *_]), None:
            with services.door.admit(len(body.images)):
                faces, probes = await faces_of(services.inputs, body.images, services.embeddings_per_request)
            origins = [_Origin(image, face) for image, probe in enumerate(probes) for face in probe.faces]
            return _Group(faces, origins, [probe.notices for probe in probes])
        case ClusterBody(), None:
            faces = faces_given(services.inputs, body.embeddings, body.model, services.embeddings_per_request)
            return _Group(faces, [_Origin(image) for image in range(len(body.embeddings))], [])
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
