"""A client of the FaceNet service.

    import facenet_client

    facenet_client.verify("a.jpg", "b.jpg").verified

    with facenet_client.Client() as client:
        staff = client.collection("staff")
        staff.create()
        staff.add_subject("ada", name="Ada Lovelace")
        staff.enrol("ada", "ada.jpg")
        client.identify("door.jpg", "staff").faces[0].subject

`Client` waits for each answer, `AsyncClient` is for asyncio. `facenet_client.schemas` has the types of the answers.
"""

from facenet_client.client import AsyncClient, Client
from facenet_client.errors import FacenetError, KeyUnreadable, RequestRefused, UnexpectedAnswer, Unreachable
from facenet_client.schemas import EmbeddingImage, FaceImage, FaceLine, SubjectImage
from facenet_client.shortcuts import cluster, embed, identify, verify

__all__ = [
    "AsyncClient",
    "Client",
    "EmbeddingImage",
    "FaceImage",
    "FaceLine",
    "FacenetError",
    "KeyUnreadable",
    "RequestRefused",
    "SubjectImage",
    "UnexpectedAnswer",
    "Unreachable",
    "cluster",
    "embed",
    "identify",
    "verify",
]
