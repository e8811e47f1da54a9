"""What can be sent instead of a photograph.

This file is written by write_schemas.py.
"""

from typing import Any

from pydantic import Field

from facenet_client.schemas.base import Input


class EmbeddingImage(Input):
    """An embedding that you have, instead of a photograph."""

    embedding: tuple[float, ...]
    """a unit vector of the model's dimension"""
    model: str
    """the model that made it: the loaded model or, in /verify and /identify, a compatible one"""


class FaceImage(Input):
    """An enrolled face."""

    face: str
    """the id of the enrolled face"""
    collection: str
    """the id of its collection"""


class SubjectImage(Input):
    """A subject: the nearest of the subject's faces counts."""

    subject: str
    """the id of the subject"""
    collection: str
    """the id of its collection"""


class FaceLine(Input):
    """One line of a bulk enrolment: an embedding, and the subject that it belongs to.

    The subject is created if it does not exist. Only then `name` and `metadata` are used. Send `embedding` or
    `embedding_base64`, one of the two.
    """

    subject: str
    """the subject. It is created if it does not exist"""
    name: str | None = None
    """is stored only if the subject is new"""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """any JSON object of at most 4 kB. It is stored only if the subject is new"""
    model: str
    """the model that made the embedding: the loaded model"""
    embedding: tuple[float, ...] | None = None
    """a unit vector of the model's dimension"""
    embedding_base64: str = ""
    """the numbers as float32, little-endian, in base64"""
