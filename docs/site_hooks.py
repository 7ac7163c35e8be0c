"""What the site is made of beyond docs/: the README, the changelog, model cards, linked files.

Links are written as they work in the repository; here each is turned into one that works in the
site, and a file that is linked but is no page (a test, a job file) comes along as it is.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""Pages that stand elsewhere in the repository, and their places in the site."""
PAGES |= {f"models/{card.name}": f"models/{card.name}" for card in (ROOT / "models").glob("*.md")}

LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages that have no place in the navigation yet at its end, so that all can be found."""
    placed = set(re.findall(r"[\w./-]+\.md", repr(config.nav)))
    left = sorted({page.name for page in (ROOT / "docs").glob("*.md")} - placed)
    if config.nav and left:
        config.nav = [*config.nav, {"More": left}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the other pages, and whatever any page links to."""
    for place, name in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / place)))
    wanted: set[str] = set()
    for place, text in _texts(files):
        wanted |= {_target(found[2], place) for found in LINK.finditer(text)}
    there = {one.src_uri for one in files}
    for place in sorted(wanted):
        name = _in_site(place)
        if name not in there and (ROOT / place).is_file():
            files.append(File.generated(config, name, abs_src_path=str(ROOT / place)))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the repository's links into the site's."""
    place = _in_repository(page.file.src_uri)
    here = posixpath.dirname(page.file.src_uri)

    def turned(found: re.Match[str]) -> str:
        name = posixpath.relpath(_in_site(_target(found[2], place)), here or ".")
        return f"{found[1]}{name}{found[3] or ''})"

    return LINK.sub(turned, markdown)


def _texts(files: Files) -> list[tuple[str, str]]:
    """The place in the repository and the text of each page."""
    pages = [_in_repository(one.src_uri) for one in files.documentation_pages()]
    return [(place, (ROOT / place).read_text(encoding="utf-8")) for place in pages]


def _target(link: str, place: str) -> str:
    """Where a link in the file at `place` leads, from the root of the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), link))


def _in_site(place: str) -> str:
    return PAGES.get(place, place.removeprefix("docs/"))


def _in_repository(name: str) -> str:
    known = {there: here for here, there in PAGES.items()}
    return known.get(name, f"docs/{name}")
