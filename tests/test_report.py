"""A report's pages: what they are made of, and that they are written whole or not at all."""

import re
from base64 import b64decode

import pandas as pd
import pytest
from matplotlib.figure import Figure

from ckptsim import report
from ckptsim.errors import OutputError
from ckptsim.plots.style import finish, sheet
from ckptsim.report import Report, aligned, alternative
from ckptsim.webpage import anchor, webpage


@pytest.fixture
def page(tmp_path):
    """A report with everything in it, not yet written."""
    made = Report(tmp_path / "out", "plan", "Jobs & <slots>", seed=7)
    made.say("A sentence with `code`.", "<script>alert(1)</script>")
    made.table([["name", "share"], ["a", "8.0 %"], ["b|c".replace("|", "/"), "± 12.5 %"]])
    made.data("numbers", pd.DataFrame({"a_s": [1, 2]}))
    figure, _ = sheet(2)
    made.picture("picture", finish(figure, f"A [finding]{80 * ' '}in two lines"), "A caption")
    return made


def test_both_pages_and_all_that_they_name_are_written(page):
    assert page.write() == page.folder / "plan.md"
    names = {"plan.md", "plan.html", "plan-numbers.csv", "plan-picture.png"}
    assert {path.name for path in page.folder.iterdir()} == names
    text = (page.folder / "plan.md").read_text()
    assert "![A caption: A \\[finding\\] in two lines](plan-picture.png)" in text
    assert "| name | share |\n| --- | ---: |\n| a | 8.0 % |" in text


def test_the_web_page_has_everything_in_it(page):
    page.write()
    text = (page.folder / "plan.html").read_text()
    [picture] = re.findall(r'<img src="data:image/png;base64,([^"]+)"', text)
    assert b64decode(picture) == (page.folder / "plan-picture.png").read_bytes()
    [numbers, name] = re.findall(r'href="data:text/csv;base64,([^"]+)" download="([^"]+)"', text)[0]
    assert (b64decode(numbers), name) == (b"a_s\n1\n2\n", "plan-numbers.csv")
    assert 'alt="A caption: A [finding] in two lines"' in text
    assert "http" not in text
    assert "<title>Jobs &amp; &lt;slots&gt;</title>" in text
    assert '<h1 id="jobs--slots">Jobs &amp; &lt;slots&gt;</h1>' in text


def test_what_a_user_wrote_is_shown_and_never_run(page):
    page.write()
    text = (page.folder / "plan.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_wide_table_scrolls_by_itself_and_numbers_are_at_the_right(page):
    page.write()
    text = (page.folder / "plan.html").read_text()
    assert re.search(r'<div class="wide"[^>]*tabindex="0">\s*<table>', text)
    assert text.count("</table>\n</div>") == 1
    assert '<td style="text-align:right">8.0 %</td>' in text


def test_the_same_pages_again_are_the_same_bytes(page):
    page.write()
    before = {path.name: path.read_bytes() for path in page.folder.iterdir()}
    page.write()
    assert {path.name: path.read_bytes() for path in page.folder.iterdir()} == before


def test_in_the_dark_on_a_phone_and_on_paper():
    text = webpage("title", "# title", {}).decode()
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert '<html lang="en">' in text


def test_columns_of_numbers():
    rows = [["a", "b", "c", "d", "e"], ["1 h 5 min", "5 min", "± 0.40", "", "83.6"]]
    rows += [["2 d", "3 to 7 min", "exact", "12.5 %", "never"]]
    assert aligned(rows) == ["---:", "---", "---:", "---:", "---:"]
    assert aligned([["a", "b"]]) == ["---", "---"]


def test_anchors_are_github_s():
    assert anchor("2. How long is the manual's slot?") == "2-how-long-is-the-manuals-slot"


def test_a_picture_without_a_title_is_told_by_its_caption():
    assert alternative("A *caption*", Figure()) == r"A \*caption\*"


def test_a_file_that_cannot_be_written_leaves_the_old_one(page, monkeypatch):
    page.write()
    before = (page.folder / "plan.html").read_bytes()
    page.say("More.")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.Path, "replace", full)
    with pytest.raises(OutputError, match="no space left on device"):
        page.write()
    assert (page.folder / "plan.html").read_bytes() == before
    names = {"plan.md", "plan.html", "plan-numbers.csv", "plan-picture.png"}
    assert {path.name for path in page.folder.iterdir()} == names
