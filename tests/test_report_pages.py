"""The pages of the commands: the same parts on each; and, in a browser, nothing in the way."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from ckptsim.cli import cli

TOP = Path(__file__).parents[1]
LEASE = ("--limit", "6h", "--evictions", "12h", "--write", "4min", "--transfer", "1min")
LOG = str(TOP / "tests/data/condor-logs/htcanalyze_job_evicted.log")
LIFETIMES = str(TOP / "ckptsim/profiles/gcp-preemptible.csv")
PARTS = ["Evidence", "What would change it", "How it was computed"]
CHEAP = {
    "plan": ("plan", *LEASE, "--confirm", "50", "--interval", "1h"),
    "plan without an interval": ("plan", *LEASE[:6], "--mode", "none", "--work", "4h"),
    "simulate": ("simulate", *LEASE, "--interval", "1h", "--leases", "20"),
    "sweep": ("sweep", *LEASE, "--over", "job.interval=1h,2h", "--leases", "20"),
    "audit": ("audit", LOG),
}
OTHERS = {
    "plan for a pool": ("plan", str(TOP / "scenarios/shared-link.toml")),
    "simulate a pool": ("simulate", str(TOP / "scenarios/shared-link.toml")),
    "fit": ("fit", LIFETIMES, "--column", "lifetime_s"),
    "lesson": ("lesson", "84-minutes"),
}
ANSWERS = {
    "plan": "Checkpoint every 1 h 25 min of computing.",
    "simulate": "of slot time became committed work with a checkpoint every 1 h.",
    "sweep": "Most useful: ",
    "audit": "1 job, ",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The web page of a command, made once."""
    made, folder = {}, tmp_path_factory.mktemp("pages")

    def page(name):
        if name not in made:
            words = (CHEAP | OTHERS)[name]
            done = CliRunner().invoke(cli, [*words, "--out", str(folder / name)])
            assert done.exit_code == 0, done.output
            made[name] = folder / name / f"{words[0]}.html"
        return made[name]

    return page


class Outline(HTMLParser):
    """A page's headings, by level, and its pictures' alternatives."""

    def __init__(self, text):
        super().__init__()
        self.levels, self.alternatives = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        elif tag == "img":
            self.alternatives.append(dict(attrs)["alt"])


@pytest.mark.parametrize("name", CHEAP)
def test_every_page_has_the_answer_first_and_then_the_same_parts(name, pages):
    text = pages(name).with_suffix(".md").read_text()
    sections = re.findall("^## (.*)", text, re.MULTILINE)
    assert sections[0] == "Answer"
    assert [section for section in sections if section in PARTS] == PARTS
    assert sections[-1] == "How it was computed"
    first = text.split("## Answer\n\n")[1].splitlines()[0]
    assert ANSWERS.get(name, "") in first
    assert re.search(r"[.:]$", first)


@pytest.mark.parametrize("name", CHEAP)
def test_headings_are_in_order_and_every_picture_is_told_and_numbered(name, pages):
    page = pages(name)
    outline = Outline(page.read_text())
    assert outline.levels[:2] == [1, 2]
    assert outline.levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(outline.levels, outline.levels[1:], strict=False))
    assert all(len(told) > 30 for told in outline.alternatives)
    numbers = re.findall(r"\*\*Figure (\d+)\.\*\*", page.with_suffix(".md").read_text())
    assert numbers == [str(n + 1) for n in range(len(outline.alternatives))]


@pytest.mark.parametrize("name", ["sweep", "audit"])
def test_the_page_s_json_is_what_the_command_prints(name, pages, tmp_path):
    done = CliRunner().invoke(cli, [*CHEAP[name], "--json", "--out", str(tmp_path)])
    written = json.loads(pages(name).with_suffix(".json").read_text())
    assert written == json.loads(done.stdout)


def test_pictures_are_written_as_vectors_where_that_is_asked(tmp_path):
    words = [*CHEAP["sweep"], "--figures", "svg", "--figures", "pdf", "--out", str(tmp_path)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    kinds = {path.suffix for path in tmp_path.glob("sweep-map.*")}
    assert kinds == {".png", ".svg", ".pdf"}
    refused = CliRunner().invoke(cli, [*CHEAP["sweep"], "--figures", "gif"])
    assert refused.exit_code == 2
    assert "'gif' is not one of 'svg', 'pdf'" in refused.output


@pytest.fixture
def readers():
    """Readers of a page without a network: light, dark, on a phone."""
    sync = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("there is no chromium")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield [
            browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
            ).new_page()
            for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"))
        ]
        browser.close()


def assert_nothing_is_amiss(reader):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert reader.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    found = axe.Axe().run(reader)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CHEAP, *OTHERS])
def test_a_browser_finds_nothing_amiss(name, pages, readers):
    for reader in readers:
        reader.goto(pages(name).as_uri())
        assert_nothing_is_amiss(reader)


@pytest.mark.slow
def test_the_explorer_opens_within_the_lesson_set_for_the_step(pages, readers):
    """Of the page alone, with nothing beside it; asked by the mouse and by the keyboard."""
    alone = pages("lesson").parent / "alone" / "lesson.html"
    alone.parent.mkdir()
    alone.write_bytes(pages("lesson").read_bytes())
    for reader in readers:
        said = []
        reader.on("console", lambda message, said=said: said.append(message.text))
        reader.on("pageerror", lambda error, said=said: said.append(str(error)))
        reader.goto(alone.as_uri())
        link = reader.get_by_role("button", name="Play with it").nth(5)
        link.click()
        inside = reader.frame_locator("iframe")
        inside.locator("#headline", has_text="Checkpoint every 1 h 25 min").wait_for()
        assert inside.locator("#text-link").input_value().startswith("explore.html#limit=6h&")
        assert link.get_attribute("aria-expanded") == "true"
        assert_nothing_is_amiss(reader)
        link.press(" ")
        assert reader.locator("iframe").count() == 0
        assert said == []
