"""A report's pages: what they are made of, and that they are written whole or not at all."""

import json
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
    made.answer("The answer.", "A sentence with `code`.", "<script>alert(1)</script>")
    made.table([["name", "share"], ["a", "8.0 %"], ["b|c".replace("|", "/"), "± 12.5 %"]])
    made.data("numbers", pd.DataFrame({"a_s": [1, 2]}))
    figure, _ = sheet(2)
    made.picture("picture", finish(figure, f"A [finding]{80 * ' '}in two lines"), "A caption")
    made.computed("Solved exactly.", scenario={"seed": 7, "job": {"write": "4min"}})
    return made


FOUND = {"best_s": 5100, "never": float("inf")}
NAMES = {"plan.md", "plan.html", "plan.json", "plan-numbers.csv", "plan-picture.png"}


def test_both_pages_and_all_that_they_name_are_written(page):
    assert page.write(FOUND) == page.folder / "plan.md"
    assert {path.name for path in page.folder.iterdir()} == NAMES
    text = (page.folder / "plan.md").read_text()
    assert "![A caption: A \\[finding\\] in two lines](plan-picture.png)" in text
    assert "| name | share |\n| --- | ---: |\n| a | 8.0 % |" in text


def test_the_web_page_has_everything_in_it(page):
    page.write(FOUND)
    text = (page.folder / "plan.html").read_text()
    [picture] = re.findall(r'<img src="data:image/png;base64,([^"]+)"', text)
    assert b64decode(picture) == (page.folder / "plan-picture.png").read_bytes()
    numbers, name = re.findall(r'href="data:text/csv;base64,([^"]+)" download="([^"]+)"', text)[0]
    assert (b64decode(numbers), name) == (b"a_s\n1\n2\n", "plan-numbers.csv")
    assert 'alt="A caption: A [finding] in two lines"' in text
    assert "http" not in text
    assert "<title>Jobs &amp; &lt;slots&gt;</title>" in text
    assert '<h1 id="jobs--slots">Jobs &amp; &lt;slots&gt;</h1>' in text


def test_what_a_user_wrote_is_shown_and_never_run(page):
    page.write(FOUND)
    text = (page.folder / "plan.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_it_begins_with_the_answer_and_ends_with_how_it_was_computed(page, monkeypatch):
    monkeypatch.setattr("ckptsim.report.version", lambda _: "9.9")
    headings = [line for line in page.text.splitlines() if line.startswith("#")]
    last = ["## How it was computed", "### The scenario"]
    assert headings == ["# Jobs & <slots>", "## Answer", *last]
    assert page.text.index("## Answer\n\nThe answer.") < page.text.index("A sentence")
    assert f"```sh\n{page.command}\n```" in page.text
    assert "ckptsim 9.9, seed 7." in page.text
    assert page.text.rstrip().endswith("| `seed` | 7 |\n| `job.write` | 4min |")


def test_a_long_page_says_after_the_answer_what_is_in_it(page):
    for heading in ("Evidence", "What's more", "Third"):
        assert "On this page" not in page.text
        page.say(f"## {heading}")
    expected = (
        "On this page: [Evidence](#evidence) · [What's more](#whats-more) · [Third](#third) · "
        "[How it was computed](#how-it-was-computed)\n\n## Evidence"
    )
    assert expected in page.text
    page.write(FOUND)
    links = re.findall('href="#([^"]+)"', (page.folder / "plan.html").read_text())
    ids = re.findall(' id="([^"]+)"', (page.folder / "plan.html").read_text())
    assert len(links) == 4
    assert set(links) <= set(ids)


def test_all_of_it_is_there_for_programs(page):
    page.write(FOUND)
    assert json.loads((page.folder / "plan.json").read_text()) == {"best_s": 5100, "never": None}
    text = (page.folder / "plan.html").read_text()
    [whole] = re.findall('href="data:application/json;base64,([^"]+)" download="plan.json"', text)
    assert b64decode(whole) == (page.folder / "plan.json").read_bytes()


@pytest.mark.parametrize(("kind", "begin"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_to_print(kind, begin, tmp_path):
    made = Report(tmp_path, "plan", "Title", seed=None, kinds=(kind,))
    figure, _ = sheet(2)
    made.picture("one", finish(figure, "A finding"), "A caption")
    made.picture("two", finish(figure, "A finding"), "Another")
    assert f"**Figure 2.** Another. To print: [{kind.upper()}](plan-two.{kind})." in made.text
    assert made.files[f"plan-one.{kind}"].startswith(begin)
    made.write({})
    text = (tmp_path / "plan.html").read_text()
    assert f'download="plan-one.{kind}"' in text


def test_a_pdf_has_its_letters_in_it(tmp_path):
    made = Report(tmp_path, "plan", "Title", seed=None, kinds=("pdf",))
    figure, _ = sheet(2)
    made.picture("one", finish(figure, "A finding"), "A caption")
    content = made.files["plan-one.pdf"]
    assert b"/FontFile2" in content  # TrueType, whole: journals refuse Type 3
    assert b"/Type3" not in content
    assert b"/CreationDate" not in content


def test_heads_of_tables_say_what_they_head():
    text = "|  | a |\n| --- | --- |\n| best | 1 |\n\n| b | c |\n| --- | --- |\n| 2 | 3 |\n"
    body = webpage("title", text, {}).decode()
    assert re.findall(r"<t[hd][^>]*>[^<]*</t[hd]>", body) == [
        "<td></td>",
        '<th scope="col">a</th>',
        '<th scope="row">best</th>',
        "<td>1</td>",
        '<th scope="col">b</th>',
        '<th scope="col">c</th>',
        "<td>2</td>",
        "<td>3</td>",
    ]
    assert re.findall('aria-label="([^"]+)"', body) == ["Table 1", "Table 2"]


def test_a_wide_table_scrolls_by_itself_and_numbers_are_at_the_right(page):
    page.write(FOUND)
    text = (page.folder / "plan.html").read_text()
    assert re.search(r'<div class="wide"[^>]*tabindex="0">\s*<table>', text)
    assert text.count("</table>\n</div>") == 2  # with the scenario's
    assert '<td style="text-align:right">8.0 %</td>' in text


def test_the_same_pages_again_are_the_same_bytes(page):
    page.write(FOUND)
    before = {path.name: path.read_bytes() for path in page.folder.iterdir()}
    page.write(FOUND)
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
    page.write(FOUND)
    before = (page.folder / "plan.html").read_bytes()
    page.say("More.")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.Path, "replace", full)
    with pytest.raises(OutputError, match="no space left on device"):
        page.write(FOUND)
    assert (page.folder / "plan.html").read_bytes() == before
    assert {path.name for path in page.folder.iterdir()} == NAMES
