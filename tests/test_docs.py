"""The documentation says what is so: its messages are the code's, its site is whole offline."""

import ast
import re
import subprocess
import sys
from functools import cache

import pytest

from archive_colorizer import errors
from archive_colorizer.errors import ArchiveColorizerError
from tests.locations import REPOSITORY_ROOT

ROOT = REPOSITORY_ROOT
DOCS = ROOT / "docs"
GAP = "…"


@cache
def sentences() -> frozenset[str]:
    """Every text in the code, with GAP for what is put in."""
    found = set()
    for path in (ROOT / "archive_colorizer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [one.value if isinstance(one, ast.Constant) else GAP for one in node.values]
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(found)


def messages():
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(.*?)` \| ", text, re.MULTILINE)


@pytest.mark.parametrize("message", messages())
def test_every_message_of_the_page_is_one_of_the_code(message):
    pieces = [re.escape(one) for one in message.strip(f"{GAP} ").split(GAP)]
    said = re.compile(".*?".join(pieces))
    assert any(said.search(one) for one in sentences())


def test_the_page_has_a_message_for_each_exit_code():
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    for code in (2, 3, 4, 5, 6, 7, 8):
        assert re.search(rf"^## .*with {code}\b", text, re.MULTILINE | re.IGNORECASE), code
    assert len(messages()) > 60


def test_every_reason_is_explained():
    text = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]
    reasons = {one.reason for one in kinds if issubclass(one, ArchiveColorizerError)}
    # Those that end a run are told by their exit code.
    reasons -= {"dependency", "device", "model", "output", "busy"}
    assert {one for one in reasons if f"`{one}`" not in text} == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="the site needs the docs extra")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_is_built_without_a_warning_and_has_every_page(site):
    pages = {path.stem for path in DOCS.glob("*.md")} | {"index", "changelog"}
    assert {path.stem for path in site.glob("*.html")} >= pages
    for linked in ("models/default.html", "workflows/systemd/archive-colorizer.timer"):
        assert (site / linked).exists()
    assert not list(site.rglob("site_hooks.py"))


def test_the_site_loads_nothing_from_elsewhere(site):
    loads = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*rel=["']?(?:stylesheet|preconnect|icon)[^>]*href=["']?(?:https?:)?//"""
    )
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text(encoding="utf-8")), page.name
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text(encoding="utf-8")
