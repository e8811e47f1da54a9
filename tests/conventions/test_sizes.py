"""Functions, files and folders stay small enough to be read at once."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "service").rglob("*.py"), *(ROOT / "models").rglob("*.py")])
FOLDERS = sorted({file.parent for file in FILES})
MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 300
MAX_ENTRIES = 12


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_has_at_most_300_lines_and_a_function_at_most_40(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_has_at_most_12_entries(folder: Path) -> None:
    """Files that Python defines (`__init__.py`, `__main__.py`), README.md and hidden files do not count.

    Nor does a distribution of its own, which has a pyproject.toml.
    """
    entries = [
        path.name for path in folder.iterdir() if not path.name.startswith(("_", ".")) and path.name != "README.md"
    ]
    own = [entry for entry in entries if not (folder / entry / "pyproject.toml").exists()]
    assert len([entry for entry in own if is_in_use(folder / entry)]) <= MAX_ENTRIES, sorted(own)


def is_in_use(path: Path) -> bool:
    """A folder that holds only `__pycache__` is left over from an older version."""
    return path.is_file() or any(child.name != "__pycache__" for child in path.iterdir())
