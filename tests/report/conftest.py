"""An output with real results in it, and a browser to look at its report."""

import hashlib
import shutil
import tempfile

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.recipe.overrides import PhotoOverrides
from archive_colorizer.records.outcomes import Measures
from archive_colorizer.report.build import build_report
from tests.manifest.records_of_a_run import EVIL_NAMES, done, failed, opening, skipped, written

MEASURES = Measures(grey=0.001, one_color=0.25, blotches=0.5, clipped=0.125, skin=None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1200,900"
).split()


def paint(path, color):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((60, 90, 3), color, dtype=np.uint8)).save(path, "PNG")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """scans, out and out-report: hostile names, a weak result, a failure, a skip."""
    top = tmp_path_factory.mktemp("archive")
    scans, out = top / "scans", top / "out"
    out.mkdir()

    def result(name, **more):
        before, after = paint(scans / name, (128, 128, 128)), paint(out / name, (200, 60, 60))
        return done(name, source_sha256=before, target_sha256=after, **more)

    records = [result(f"box {at % 2}/{at:03}.png") for at in range(70)]
    records += [result(name) for name in EVIL_NAMES]
    own = PhotoOverrides(("box 0/<b>.toml",), {"saturation": 0.25}, opening().settings)
    records += [result("box 0/weak.png", weak=("grey", "blotches"), measures=MEASURES, own=own)]
    records += [result("box 1/warned.png", warnings=("<script>alert(1)</script>",))]
    records += [failed("</script><script>document.title='owned'</script>.jpg")]
    written(out, opening(roots=(str(scans),)), *records, skipped("notes.txt"))
    return build_report(out).parent.parent


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium, which may load what it wants: the page is to keep it from that."""
    webdriver = pytest.importorskip("selenium.webdriver")
    driver = shutil.which("chromedriver")
    if driver is None or not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        downloads = tmp_path_factory.mktemp("downloads")
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        browser.downloads = downloads
        try:
            yield browser
        finally:
            browser.quit()
