"""The errors that `facenet-models` raises on purpose. A developer reads the messages, so they name files.

    FacenetError
    └── ModelsError
        ├── UnknownModel          a name that neither the zoo nor the list of networks has
        ├── DownloadFailed        pip cannot download a package, or the package lacks the file that the zoo names
        ├── WrongChecksum         a downloaded or converted file has another sha256 than the zoo expects
        ├── InvalidModel          a model file without a valid card, or with a graph that was changed later
        ├── DatasetError          a list or a picture of a data set is missing or is not as it should be
        ├── TrainingError         a run cannot start or continue
        └── ExportRefused         a new file would give other results than its network or its source; it is not written

Each message is one line: what was expected, what came, and what to do next.
"""

from service.domain.errors import FacenetError


class ModelsError(FacenetError):
    """The root of the errors of `facenet-models`. The message is one line."""


class UnknownModel(ModelsError):
    """A name that neither the zoo nor the list of networks has."""


class DownloadFailed(ModelsError):
    """Pip cannot download a package, or the package lacks the file that the zoo names."""


class WrongChecksum(ModelsError):
    """A downloaded or converted file has another sha256 than the zoo expects."""


class InvalidModel(ModelsError):
    """A model file without a valid card, or with a graph that was changed after its card was written."""


class DatasetError(ModelsError):
    """A list or a picture of a data set is missing or is not as it should be."""


class TrainingError(ModelsError):
    """A run cannot start or continue: an input is missing, or its numbers are no longer finite."""


class ExportRefused(ModelsError):
    """A new file would give other results than its network or its source file, so it is not written."""
