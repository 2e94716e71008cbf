"""The lesson's notebook, all its cells run, and what students see in it."""

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "lesson.py"


def run(**given):
    """What its cells show and define, run in order; what is given, no cell defines."""
    pytest.importorskip("marimo")
    return runpy.run_path(str(NOTEBOOK))["app"].run(defs=given)


@pytest.fixture(scope="module")
def found():
    _, defined = run()
    return defined


def test_the_manuals_two_tails(found):
    assert found["seen"] == {
        "60min": {"committed": 300, "lost": 35},
        "84min": {"committed": 336, "lost": 4},
    }


def test_the_best_intervals(found):
    """355 min leave room for one checkpoint of 5 min in 6 h; 85 min are 360 / 4 - 5."""
    assert found["nothing_else"].interval_s == 355 * 60
    assert found["evicted"].interval_s == 85 * 60
    assert found["played"].interval_s == 85 * 60


def test_the_exercises_have_the_answers_of_the_model(found):
    committed, young, loading = found["answers"].values()
    assert committed == "336 are committed, 20 go into checkpoints; 4 are lost."
    assert young.startswith("It says 84.9 min. ")  # √(2 × 5 × 720)
    assert loading.startswith("Four rounds no longer fit: ")
    less, more = (float(part.split(" %")[0].split()[-1]) for part in loading.split("useful", 1))
    assert less + 10 < more  # three rounds of 84 min against four of 83.75


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"limit": "24h", "write": "10min", "transfer": ""}, "Checkpoint every 23 h 50 min"),
        ({"limit": "a day", "write": "10min"}, "not a duration; write for example 90min"),
        ({"limit": "", "evictions": "", "write": "10min"}, "nothing ends a lease"),
    ],
)
def test_ones_own_job_has_an_answer_or_is_told_what_to_mend(own, told):
    """A lease of 24 h that only its limit ends has room for one checkpoint of 10 min."""
    shown, _ = run(own=SimpleNamespace(value=own))
    assert told in shown[-1].text


def test_it_is_a_notebook_as_marimo_wants_it():
    checked = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", str(NOTEBOOK)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
