"""The code of a page, and what it prints."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
"""A block of code. In a list, it is indented as the text of its item."""


class CodeBlock(NamedTuple):
    """Code of a page. prints: the text of the block after it, if that is the next one and has the language `text`."""

    language: str
    code: str
    prints: str | None


def code_blocks(page: Path, *languages: str) -> Iterator[CodeBlock]:
    """Yield the code of these languages in a page, in order."""
    found: list[tuple[str, str, str]] = FENCE.findall(page.read_text("utf-8"))
    blocks = [(language, dedent(code)) for _indent, language, code in found]
    for (language, code), (next_language, text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language in languages:
            yield CodeBlock(language, code, text if next_language == "text" else None)
