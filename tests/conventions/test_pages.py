"""The pages name pages, headings, routes and messages that exist."""

import re
from pathlib import Path

import pytest

from service.app import describe_app
from service.settings.environment import Settings

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "docker", "docs", "k8s", "models", "service")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
GUIDES = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
ROUTE = re.compile(r"`(GET|PUT|POST|PATCH|DELETE) (/[^`?\s]*)")
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
STARTUP_MESSAGES = re.findall(
    r"^\| `(.+?)` \|", TROUBLESHOOTING.partition("## The service does not start")[2], re.MULTILINE
)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in LINK.findall(without_code(page)):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, re.Pattern[str]]]:
    """Return the method of each route, and the pattern of its paths."""
    paths = describe_app(Settings()).openapi()["paths"]
    return [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
        for path, methods in paths.items()
        for method in methods
    ]


@pytest.mark.parametrize("page", [ROOT / "README.md", *GUIDES], ids=name)
def test_every_route_exists(page: Path, routes: list[tuple[str, re.Pattern[str]]]) -> None:
    for method, path in ROUTE.findall(page.read_text("utf-8")):
        assert any(method == known and pattern.fullmatch(path) for known, pattern in routes), f"{method} {path}"


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_the_readme_links_each_guide(page: Path) -> None:
    assert f"(docs/{page.name})" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("message", STARTUP_MESSAGES)
def test_every_message_of_a_start_is_in_the_code(message: str) -> None:
    code = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "service").rglob("*.py")))
    assert message in re.sub(r'"\s*\n\s*f?"', "", code)
