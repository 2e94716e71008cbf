"""The explorer's page in a headless Chromium: silent, quick, accessible, and right.

With CKPTSIM_SHOTS=DIR the screenshots and the print are kept there, to be looked at.
"""

import os
import shlex
import shutil
import statistics
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_explorer import MANUAL, of_plan, texts_of
from test_explorer_solver import ASKED, assert_all_are_those_of_python

from ckptsim.commands.explore import command as explore
from ckptsim.explorer.asked import asked
from ckptsim.explorer.page import SOLVER, joined
from ckptsim.scenario import load

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
SHOTS = os.environ.get("CKPTSIM_SHOTS")
QUICK = 50  # ms from a slider to the paint, median
MOVES = 40
SLID = """async ([id, count]) => {
  const slider = document.getElementById(id), found = [];
  const [low, high] = [+slider.min, +slider.max];
  for (let n = 0; n < count; n++) {
    const start = performance.now();
    slider.value = Math.round(low + (high - low) * (0.2 + 0.6 * ((n * 0.618034) % 1)));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => {
      const painted = new MessageChannel();
      painted.port1.onmessage = done;
      painted.port2.postMessage(0);
    }));
    found.push(performance.now() - start);
  }
  return found;
}"""
SCREENS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "narrow": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page on disk."""
    out = tmp_path_factory.mktemp("explorer") / "page.html"
    made = CliRunner().invoke(explore, [*shlex.split(MANUAL), "--out", str(out)])
    assert made.exit_code == 0, made.output
    return out.as_uri()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def visit(browser, address):
    """Open the page; what it complains of or asks the network for fails the test."""
    complaints, contexts = [], []

    def opened(fragment="", **options):
        context = browser.new_context(**(options or SCREENS["light"]))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: complaints.append(request.url) if foreign(request) else 0
        )
        page.goto(address + fragment)
        settled(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def foreign(request):
    return not request.url.startswith(("file:", "data:", "blob:"))


def settled(page):
    """Wait until the plan, that comes a moment later, is there too."""
    page.wait_for_timeout(700)


def said(page, name):
    return page.locator(f"#{name}").text_content()


def test_the_answer_is_plans(visit):
    page = visit()
    assert said(page, "headline") == "Checkpoint every 1 h 23 min of computing."
    assert "best plan" in said(page, "rows")


def test_its_solver_says_in_chromium_what_python_says(visit):
    page = visit()
    assert page.locator("script[type=module]").text_content().strip().startswith(joined(SOLVER))

    def answers(name, rows):
        body = f"{joined(SOLVER)}{ASKED}\nreturn rows.map((row) => {name}(...row));"
        return page.evaluate(f"(rows) => {{ {body} }}", rows)

    assert_all_are_those_of_python(answers)


def test_a_link_carries_the_question(visit):
    page = visit()
    page.fill("#value-limit", "8h")
    page.select_option("#value-evictions", "weibull")
    page.fill("#value-law-shape", "0.6")
    page.fill("#value-write", "90s")
    page.fill("#value-claim-worklife", "20min")
    page.fill("#value-interval", "1h10min")
    settled(page)
    link = page.evaluate("location.hash")
    again = visit(link)
    assert again.input_value("#text-command") == page.input_value("#text-command")
    assert said(again, "headline") == said(page, "headline")
    assert said(again, "rows") == said(page, "rows")
    assert again.input_value("#value-limit") == "8h"


def test_texts_to_copy_ask_the_same_question(visit, tmp_path):
    page = visit()
    page.fill("#value-gap", "10min")
    page.fill("#value-interval", "45min")
    settled(page)
    expected = texts_of(f"{MANUAL} --gap 10min --interval 45min")
    line = shlex.split(page.input_value("#text-command"))
    assert line[:2] == ["ckptsim", "plan"]
    assert asked(of_plan(line[2:])).question == expected
    file = tmp_path / "explored.toml"
    file.write_text(page.input_value("#text-scenario"), encoding="utf-8")
    assert asked(load(file, {})).question == expected
    submit = page.input_value("#text-submit")
    assert "my_interval = 2700\n" in submit
    assert "checkpoint_exit_code      = 85\n" in submit


def test_dragging_moves_the_lease(visit):
    page = visit()
    before = said(page, "leases-told")
    box = page.locator("#curve svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 100, steps=8)
    page.mouse.up()
    settled(page)
    assert said(page, "leases-told") != before
    assert "interval=" in page.evaluate("location.hash")
    page.focus("#drag")
    place = page.input_value("#drag")
    page.keyboard.press("ArrowLeft")
    settled(page)
    assert float(page.input_value("#drag")) < float(place)
    page.click("#forget")
    settled(page)
    assert said(page, "leases-told") == before


@pytest.mark.parametrize(
    ("slider", "fragment"),
    [
        ("drag", "#limit=6h&evictions=12h&write=4min&transfer=1min&interval=1h24min"),
        ("slide-write", "#limit=6h&evictions=12h&write=5s"),
    ],
)
def test_no_value_holds_a_slider_fast_under_the_keys(visit, slider, fragment):
    """A press is less than what values are rounded to there: 19 s of a minute, 0.1 s of one."""
    page = visit(fragment)
    thumb = page.locator(f"#{slider}")
    place, told = float(thumb.input_value()), thumb.get_attribute("aria-valuetext")
    for _ in range(10):
        thumb.press("ArrowLeft")
        page.wait_for_timeout(100)  # it is drawn anew
    assert float(thumb.input_value()) <= place - 8
    assert thumb.get_attribute("aria-valuetext") != told


def test_a_mistake_is_told_beside_its_field(visit):
    page = visit()
    page.fill("#value-write", "soon")
    assert "is not a time" in said(page, "wrong-write")
    assert page.get_attribute("#value-write", "aria-invalid") == "true"
    page.fill("#value-write", "5min")
    assert said(page, "wrong-write") == ""
    page.fill("#value-limit", "5min")
    settled(page)
    assert said(page, "headline").startswith("No interval can work")


@pytest.mark.parametrize("slider", ["slide-limit", "slide-write", "slide-law-mean", "drag"])
def test_a_slider_is_followed_at_once(visit, slider):
    assert statistics.median(visit().evaluate(SLID, [slider, MOVES])) <= QUICK


@pytest.mark.parametrize(("name", "kind"), [("curve", "png"), ("badput", "svg"), ("leases", "png")])
def test_a_picture_can_be_saved(visit, tmp_path, name, kind):
    page = visit()
    with page.expect_download() as coming:
        page.click(f'[data-saves="{name}"][data-kind="{kind}"]')
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    assert path.name == f"{name}.{kind}"
    assert path.read_bytes().startswith(b"\x89PNG" if kind == "png" else b"<svg")
    assert path.stat().st_size > 5_000


@pytest.mark.parametrize("screen", SCREENS)
def test_the_page_is_accessible_and_fits(visit, screen):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(**SCREENS[screen])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("summary").click()
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"{screen}.png", full_page=True)


def test_the_page_prints_without_its_controls(visit, tmp_path):
    page = visit(**SCREENS["dark"])
    page.emulate_media(media="print")
    assert not page.locator("#question").is_visible()
    assert page.locator("#curve svg").is_visible()
    path = Path(SHOTS or tmp_path) / "print.pdf"
    page.pdf(path=path, format="A4")
    assert path.read_bytes().startswith(b"%PDF")
