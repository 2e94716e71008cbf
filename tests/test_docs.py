"""The docs site builds without a warning, and what is made for it is what the program has."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ckptsim.cli import COMMANDS
from ckptsim.lawtext import law

TOP = Path(__file__).parents[1]
pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a link that leads nowhere inside it is a warning, and so an error."""
    out = tmp_path_factory.mktemp("site")
    words = ["-q", "-W", "--keep-going", "-b", "html", str(TOP / "docs"), str(out / "html")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


def page(site, name):
    return (site / f"{name}.html").read_text()


def test_every_key_of_the_schema_is_on_the_page_of_keys(site):
    done = subprocess.run(
        [sys.executable, "-m", "ckptsim", "schema"], capture_output=True, text=True, check=True
    )
    schema = json.loads(done.stdout)
    tables = [schema, *schema["$defs"].values()]
    shown = page(site, "reference/keys")
    named = set(re.findall(r'<span class="pre">([a-z_]+)</span>', shown))
    assert {key for table in tables for key in table["properties"]} <= named


def test_every_law_in_the_glossary_is_one():
    laws = (TOP / "docs/reference/glossary.md").read_text().partition("## Laws")[2]
    written = [each for each in re.findall(r"`([^`]+)`", laws) if not each.endswith("=")]
    readable = [each for each in written if "FILE.csv" not in each]
    assert len(readable) == len(written) - 1 >= 10
    for each in readable:
        assert law(each, "hazard", TOP).mean > 0


def test_the_speeds_on_the_pages_are_those_recorded(site):
    shown = page(site, "explanation/compared") + page(site, "howto/administrator")
    bench = (TOP / "reports/bench.md").read_text()
    recorded = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", bench, re.MULTILINE))
    for name in ("compiled / C", "exact curve of S1, 350 intervals", "events read"):
        assert f"<p>{recorded[name]}</p>" in shown


def test_the_explorer_is_in_the_site_and_led_to(site):
    explorer = page(site, "explorer")
    assert "How often should a job checkpoint?" in explorer
    [start] = re.findall('<script type="application/json" id="start">(.*)</script>', explorer)
    assert json.loads(start)["question"] == {
        "limit": "6h",
        "evictions": "exponential(mean=12h)",
        "write": "4min",
        "transfer": "1min",
    }
    for name in ("index", "explore"):
        assert 'href="explorer.html"' in page(site, name)


def test_commands_are_shown_with_their_help(site):
    shown = page(site, "reference/cli")
    for name in (*COMMANDS, "pool start"):
        assert f"Usage: ckptsim {name} " in shown


def test_nothing_is_fetched_when_a_page_is_read(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for each in pages:
        text = each.read_text()
        fetched = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="([^"]*)"', text)
        fetched += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]*)"', text)
        assert not [at for at in fetched if re.match(r"(https?:)?//", at)], each


def test_formulas_are_drawn(site):
    text = page(site, "explanation/mathematics")
    assert text.count('<svg class="formula"') > 20
    assert "$$" not in text


def test_every_picture_has_words_for_those_who_cannot_see_it(site):
    for each in site.rglob("*.html"):
        for image in re.findall(r"<img [^>]*>", each.read_text()):
            assert re.search(r'alt="[^"]{10,}"', image), (each, image)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_pages_are_read_in_a_browser_without_network_error_or_overflow(site, width, scheme):
    sync = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("there is no chromium")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        reader, wrong = context.new_page(), []
        reader.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        reader.on("request", lambda to: wrong.append(to.url) if to.url[:4] == "http" else None)
        for each in sorted(site.rglob("*.html")):
            reader.goto(each.as_uri())
            wide = reader.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert (wide <= 0, wrong) == (True, []), each
        browser.close()
