"""What the making of models refuses, by name. Messages are for whoever runs `facenet-models`, so they name files.

    FaceError
    └── ModelsError
        ├── UnknownModel          neither the zoo nor the list of networks has this name
        ├── DownloadFailed        the package index did not give what the zoo names
        ├── WrongChecksum         what came, or what was made of it, is not what the zoo says
        ├── InvalidModel          a model file without a valid card, or changed behind it
        ├── DatasetError          a list or an image of a data set is missing or not as it should be
        ├── TrainingError         a run cannot start or go on
        └── ExportRefused         a file that would not say what the network says, and is not written

Each message is one line that says what was expected, what came and what to do.
"""

from service.errors import FaceError


class ModelsError(FaceError):
    """The root of what `facenet-models` refuses; its message is one line."""


class UnknownModel(ModelsError):
    """Neither the zoo nor the list of networks has this name."""


class DownloadFailed(ModelsError):
    """The package index did not give what the zoo names."""


class WrongChecksum(ModelsError):
    """What came, or what was made of it, is not what the zoo says."""


class InvalidModel(ModelsError):
    """A model file without a valid card, or changed after its card was written."""


class DatasetError(ModelsError):
    """A list or an image of a data set is missing or not as it should be."""


class TrainingError(ModelsError):
    """A run cannot start or go on: what it asks for is not there, or its numbers are no longer finite."""


class ExportRefused(ModelsError):
    """The file would not say what the network or the file says that it is made of, so it is not written."""
