"""Names that were replaced are not used again, and the text has no hard words."""

import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("service", "models", "tests", "benchmarks", "docker")
CODE = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
DOCUMENTS = [file for file in sorted(ROOT.glob("*.md")) if file.name != "CHANGELOG.md"] + [
    file for folder in (*FOLDERS, "docs", "k8s") for file in sorted((ROOT / folder).rglob("*.md"))
]

RETIRED_NAMES = {
    "Allowance": "process_limits",
    "AsItIs": "Unchanged",
    "Compatible": "CompatibleModel",
    "Door": "Admission",
    "FaceError": "FacenetError",
    "Grouping": "ClusteringLimits",
    "Limited": "RequestLimits",
    "Meeting": "ModelPairResult",
    "ModelRef": "EmbeddingModel",
    "Observed": "RequestObservation",
    "PairThresholds": "ThresholdsBetweenModels",
    "Shelf": "CollectionIndex",
    "Shrinking": "QuantisationRequest",
    "Sight": "FaceExtractor",
    "Split": "LabelledPairs",
    "Tally": "FaceChecksum",
    "TripletLearning": "TripletObjective",
    "UnseenFaces": "ComparedFaces",
    "Views": "Augmenter",
    "galleries": "gallery",
    "take_step": "train_step",
}
"""Names of earlier versions, and what the thing is called now."""

HARD_WORDS = ("anew", "hitherto", "likewise", "thereby", "thereof", "therein", "whereby", "wherein", "whom", "of old")
"""Words that an engineer may have to look up. All of them have a plain equivalent."""


def _relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _names(file: Path) -> set[str]:
    with tokenize.open(file) as stream:
        return {token.string for token in tokenize.generate_tokens(stream.readline) if token.type == tokenize.NAME}


def _text(file: Path) -> str:
    """Return all text of a document, or the strings and comments of code."""
    if file.suffix != ".py":
        return file.read_text("utf-8")
    with tokenize.open(file) as stream:
        kinds = {tokenize.STRING, tokenize.COMMENT}
        return "\n".join(token.string for token in tokenize.generate_tokens(stream.readline) if token.type in kinds)


@pytest.mark.parametrize("file", CODE, ids=_relative)
def test_the_code_uses_no_retired_name(file: Path) -> None:
    retired = {name: RETIRED_NAMES[name] for name in _names(file) & RETIRED_NAMES.keys()}
    assert not retired, f"These names were replaced: {retired}"


@pytest.mark.parametrize("file", [*CODE, *DOCUMENTS], ids=_relative)
def test_the_text_has_no_hard_word(file: Path) -> None:
    if file == Path(__file__):
        return
    pattern = rf"\b({'|'.join(HARD_WORDS)})\b"
    found = sorted({word.lower() for word in re.findall(pattern, _text(file), re.IGNORECASE)})
    assert not found, f"Write these words plainly: {found}"
