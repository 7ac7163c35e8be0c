"""The report in headless Chromium: from the disk and from its own server."""

import os
import threading

import pytest

from archive_colorizer.report.build import build_report
from archive_colorizer.report.marks import read_marks
from archive_colorizer.report.serve import ReportServer
from tests.manifest.records_of_a_run import EVIL_NAMES, done, opening, written


def wait(browser, until):
    support = pytest.importorskip("selenium.webdriver.support.ui")
    return support.WebDriverWait(browser, 60).until(lambda _: until())


def script(browser, code, *given):
    return browser.execute_script(code, *given)


def choose(browser, filter_, beginning):
    """Choose the option whose text begins so, as a person would."""
    script(
        browser,
        "const s = document.getElementById(arguments[0]);"
        "s.value = [...s.options].find((o) => o.text.startsWith(arguments[1])).value;"
        "s.dispatchEvent(new Event('input', {bubbles: true}));",
        filter_,
        beginning,
    )


def titles(browser):
    return script(
        browser, "return [...document.querySelectorAll('#grid .title')].map((x) => x.textContent)"
    )


def where(browser):
    return browser.find_element("id", "where").text


def leave(browser):
    """Without the question about marks that are not saved."""
    script(browser, "unsaved = false")
    browser.get("about:blank")


@pytest.fixture
def page(browser, archive):
    browser.get_log("browser")
    browser.get((archive / "out-report" / "index.html").as_uri())
    yield browser
    leave(browser)


def open_file(page, name):
    page.find_element("id", "by-name").send_keys(name)
    wait(page, lambda: titles(page) == [name])
    page.find_element("css selector", "#grid button").click()
    wait(page, lambda: page.find_element("id", "one").is_displayed())


def test_it_opens_from_the_disk_with_its_pictures_and_nothing_is_refused(page):
    images = "[...document.querySelectorAll('#grid img')].slice(0, 4)"
    wait(page, lambda: script(page, f"return {images}.every((i) => i.naturalWidth === 90)"))
    assert all(script(page, f"return {images}.map((i) => i.alt)"))
    assert page.get_log("browser") == []


def test_it_asks_nobody_for_anything(page, archive):
    asked = script(page, "return performance.getEntriesByType('resource').map((x) => x.name)")
    assert all(one.startswith((archive / "out-report").as_uri()) for one in asked)
    refused = script(
        page,
        "const done = arguments[arguments.length - 1];"
        "return fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')",
    )
    assert refused == "refused"
    assert "Content Security Policy" in str(page.get_log("browser"))


def test_a_name_is_text_and_nothing_else(page):
    choose(page, "by-folder", "(top)")
    assert script(page, "return document.title") == "Report of archive-colorizer"
    assert script(page, "return document.querySelectorAll('#grid b, #grid script').length") == 0
    seen = "".join(titles(page))
    assert "\u202e" not in seen
    assert "\n" not in seen
    assert "gnp.\\u202eexe.png" in seen
    assert "two\\u000alines.png" in seen
    assert "b\\udcffd.png" in seen
    assert "<b>&amp;]]>.png" in seen
    choose(page, "by-folder", "all")
    choose(page, "by-state", "failed")
    assert "document.title='owned'" in titles(page)[0]
    assert script(page, "return document.title") == "Report of archive-colorizer"


def test_filters_filter(page):
    assert where(page).endswith("84 of 84 files")
    choose(page, "by-state", "failed: damaged")
    (name,) = titles(page)
    assert name.endswith(".jpg")
    assert "is cut <here> & there" in page.find_element("id", "grid").text
    choose(page, "by-state", "all")
    choose(page, "by-weak", "blotches")
    assert titles(page) == ["box 0/weak.png"]
    choose(page, "by-weak", "anything or")
    choose(page, "by-warning", "with")
    choose(page, "by-folder", "box 1")
    choose(page, "by-warning", "without")
    assert where(page) == "page 1 of 1; 35 of 84 files"


def test_pages_turn(page):
    assert len(titles(page)) == 60
    page.find_element("id", "forth").click()
    assert where(page).startswith("page 2 of 2")
    assert len(titles(page)) == 24
    assert not page.find_element("id", "forth").is_enabled()


def test_the_slider_moves_by_keys_and_shows_more_of_the_source(page):
    open_file(page, "box 0/004.png")
    share = "return getComputedStyle(document.getElementById('before')).clipPath"
    half = script(page, share)
    slider = page.find_element("id", "slider")
    slider.send_keys("\ue014" * 20)  # arrow right
    assert slider.get_attribute("value") == "70"
    assert script(page, share) != half
    assert slider.get_attribute("aria-valuetext") == "70 percent before"
    assert page.find_element("id", "before").get_attribute("alt").endswith("box 0/004.png")
    slider.send_keys("\ue00c")  # escape
    wait(page, lambda: not page.find_element("id", "one").is_displayed())


def test_every_photograph_tells_by_what_means(page):
    open_file(page, "box 0/weak.png")
    facts = page.find_element("id", "facts").text
    for said in ("constant, Apache-2.0", "a" * 64, "strength = 0.5", "no face found", "0.125"):
        assert said in facts


def test_a_photograph_with_settings_of_its_own_tells_them_and_whose_they_are(page):
    open_file(page, "box 0/weak.png")
    facts = page.find_element("id", "facts").text
    assert "box 0/<b>.toml" in facts
    assert "saturation = 0.25" in facts


def test_marks_come_as_a_file_that_retry_understands(page):
    open_file(page, "box 0/002.png")
    page.find_element("css selector", "input[value=redo]").click()
    page.find_element("id", "note").send_keys("sky is green")
    page.find_element("id", "next-one").is_enabled()
    page.find_element("id", "close").click()
    script(page, "open(files.findIndex((f) => f.name.includes('\\udcff')) * 0)")
    script(
        page,
        "marks.set(files.find((f) => f.name.includes('\\udcff')).name, {mark: 'redo', note: ''})",
    )
    page.find_element("id", "close").click()
    page.find_element("id", "save").click()
    file = page.downloads / "marked.json"
    wait(page, file.exists)
    wait(page, lambda: file.stat().st_size > 0)
    marks = {one.name: one for one in read_marks(file)}
    assert set(marks) == {"box 0/002.png", EVIL_NAMES[8]}
    assert os.fsencode(EVIL_NAMES[8]) == b"b\xffd.png"
    assert marks["box 0/002.png"].verdict == "redo"
    assert marks["box 0/002.png"].note == "sky is green"


def marks_in(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_the_server_keeps_each_mark_at_once(browser, archive):
    folder = archive / "out-report"
    with ReportServer(folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        browser.get(server.address)
        images = "[...document.querySelectorAll('#grid img')].slice(0, 4)"
        loaded = f"return {images}.length === 4 && {images}.every((i) => i.naturalWidth)"
        wait(browser, lambda: script(browser, loaded))
        open_file(browser, "box 0/004.png")
        browser.find_element("css selector", "input[value=accept]").click()
        browser.find_element("id", "note").send_keys("as I remember it")
        wait(browser, lambda: "I remember it" in marks_in(folder / "marked.json"))
        wait(browser, lambda: script(browser, "return !unsaved"))
        browser.get("about:blank")
        browser.get(server.address)
        told = browser.find_element("id", "marked")
        wait(browser, lambda: told.text == "1 accepted, 0 to redo")
        leave(browser)
        server.shutdown()
    assert [one.verdict for one in read_marks(folder / "marked.json")] == ["accept"]


def test_ten_thousand_photographs_are_paged(browser, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    records = [done(f"{at % 20}/{at:05}.png", width=None) for at in range(10_000)]
    written(out, opening(), *records)
    browser.get(build_report(out).as_uri())
    assert where(browser) == "page 1 of 167; 10000 of 10000 files"
    assert len(titles(browser)) == 60
    choose(browser, "by-folder", "19")
    assert where(browser) == "page 1 of 9; 500 of 10000 files"
    browser.find_element("id", "forth").click()
    assert titles(browser)[0] == "19/01219.png"
    assert script(browser, "return document.querySelectorAll('*').length") < 1000


def test_all_text_has_the_contrast_that_wcag_asks_for(page):
    """4.5 to 1 for every color of text on every background it stands on."""
    colors = script(
        page,
        "const s = getComputedStyle(document.documentElement);"
        "return Object.fromEntries(['back','card','text','soft','bad','weak','good']"
        ".map((n) => [n, s.getPropertyValue('--' + n).trim()]))",
    )
    for text in ("text", "soft", "bad", "weak", "good"):
        for behind in ("back", "card"):
            assert contrast(colors[text], colors[behind]) >= 4.5, (text, behind)


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color):
    digits = color.removeprefix("#")
    digits = "".join(x * 2 for x in digits) if len(digits) == 3 else digits
    unit = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in unit)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
