"""Functions are about ten lines; 60 are a refusal. Files stay where a reader keeps them in mind."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "service").rglob("*.py"), *(ROOT / "models").rglob("*.py")])
MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 320


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_of_a_readable_size(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name
