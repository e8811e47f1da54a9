"""The bases of all schemas."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What the service answers.

    Fields that a newer service adds are ignored. A field with a fixed set of values takes new ones too.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Input(BaseModel):
    """What is sent to the service. An unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
