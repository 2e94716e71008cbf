"""The gallery in reports/ is that of scenarios/make_gallery.py, and small."""

import re
import shlex
from html import unescape
from pathlib import Path
from runpy import run_path

import pytest

from ckptsim.cli import COMMANDS

TOP = Path(__file__).parents[1]
PLACE = TOP / "reports" / "gallery"


@pytest.fixture(scope="module")
def script():
    return run_path(str(TOP / "scenarios" / "make_gallery.py"))


def test_every_exhibit_is_there_with_its_caption_and_its_command(script):
    text = (PLACE / "gallery.md").read_text()
    assert re.findall("^## (.*)", text, re.MULTILINE) == [e.heading for e in script["EXHIBITS"]]
    captions = re.findall(r"^\*\*Figure (\d+)\.\*\* (.*)", text, re.MULTILINE)
    assert [int(number) for number, _ in captions] == list(range(1, len(captions) + 1))
    for exhibit, (_, caption) in zip(script["EXHIBITS"], captions, strict=True):
        assert caption.endswith(exhibit.shows)
    typed = [shlex.split(line) for line in re.findall("^ckptsim .*", text, re.MULTILINE)]
    assert typed == [script["commands"]()[exhibit.name] for exhibit in script["EXHIBITS"]]
    assert {words[1] for words in typed} <= set(COMMANDS)


def test_what_the_commands_read_is_in_the_repository(script):
    for words in script["commands"]().values():
        for word in words:
            if word.startswith(("scenarios/", "ckptsim/", "tests/")):
                assert (TOP / word).is_file()


def test_its_pictures_are_all_there_and_no_others_and_small():
    pages = {"gallery.md", "gallery.html"}
    text = (PLACE / "gallery.html").read_text()
    shown = re.findall(r'<img src="([^"]+)" alt="([^"]+)"', text)
    files = {path.name for path in PLACE.iterdir()}
    assert {name for name, _ in shown} == files - pages
    assert all(len(unescape(told)) > 30 for _, told in shown)
    assert sum(path.stat().st_size for path in PLACE.iterdir()) < 3e6


def test_each_kind_of_picture_that_a_report_has_is_shown(script):
    """Read from the commands' source: what they call `report.picture` for."""
    shown = {exhibit.file for exhibit in script["EXHIBITS"]}
    stems = {"plan_told": "plan", "plan_pool": "plan", "simulate_told": "simulate"}
    stems |= {"sweep": "sweep", "audit": "audit", "measure_told": "measure"}
    named = {
        f"{stem}-{name}"
        for module, stem in stems.items()
        for name in re.findall(
            r'report\.picture\(\s*"([^"]+)"',
            (TOP / "ckptsim" / "commands" / f"{module}.py").read_text(),
        )
    }
    assert len(named) >= 12
    assert named <= shown
