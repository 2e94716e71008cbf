"""The lesson against theory.md: its numbers were worked out elsewhere, by other means."""

import csv
import json
import os
import pty
import subprocess
import sys
from functools import lru_cache
from math import exp
from pathlib import Path

import numpy as np
import pytest

from ckptsim import lesson
from ckptsim.commands.lesson import continued, flat

CKPTSIM = Path(sys.executable).with_name("ckptsim")


@lru_cache
def step(number):
    [(found, built)] = lesson.steps("84-minutes", number)
    assert found == number
    return built


def rows(number, *keys):
    """A step's rows as tuples, times in minutes."""
    return [tuple(shown(row, key) for key in keys) for row in step(number).table.rows]


def shown(row, key):
    return row[key] if row[key] is None or not key.endswith("_s") else row[key] / 60


def by_interval(number):
    return {row["interval_s"] / 60: row for row in step(number).table.rows}


def run(*words, cwd):
    done = subprocess.run([CKPTSIM, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


# The numbers

ONE_LEASE = ("interval_s", "checkpoints", "committed_s", "checkpoint_time_s", "tail_s")
WITHOUT_RESTART = [
    (60, 5, 300, 25, 35, 60),
    (84, 4, 336, 20, 4, 24),
    (85, 4, 340, 20, 0, 20),
    (115, 3, 345, 15, 0, 15),
    (175, 2, 350, 10, 0, 10),
    (355, 1, 355, 5, 0, 5),
]
WITH_RESTART = [
    (60, 5, 300, 25, 30, 5),
    (84, 3, 252, 15, 88, 5),
    (85, 3, 255, 15, 85, 5),
    (115, 2, 230, 10, 115, 5),
    (175, 1, 175, 5, 175, 5),
    (355, 0, 0, 0, 355, 5),
]


def test_the_claim_is_35_and_4_minutes():
    assert rows(1, "interval_s", "tail_s") == [(60, 35), (84, 4)]
    said = step(1).explanation
    assert "At 60 min the last 35 min of the slot are wasted, at 84 min only 4" in said
    assert "a limit of 360 min" in said


def test_the_claim_as_it_is_drawn():
    assert step(1).timelines[1:3] == (
        "    60 " + 5 * (12 * "=" + "C") + 7 * "x",
        "    84 " + 2 * (17 * "=" + "C") + 16 * "=" + "C" + 17 * "=" + "Cx",
    )


@pytest.mark.parametrize("number", [1, 2, 3])
def test_timelines_fit_80_columns_and_are_six_hours_long(number):
    head, *lines, legend = step(number).timelines
    assert max(map(len, (head, *lines, legend))) <= 80
    assert {len(line) for line in lines} == {7 + 72}
    assert head.endswith("6")


def test_the_score_is_all_that_is_not_committed():
    assert rows(2, *ONE_LEASE, "not_committed_s") == WITHOUT_RESTART
    assert "85, 115, 175 and 355 min leave no tail" in step(2).question
    assert "85 min commit 340 min of the lease, 355 min commit 355" in step(2).explanation


def test_five_minutes_to_restart_break_84_and_355():
    assert rows(3, *ONE_LEASE, "restart_s") == WITH_RESTART
    said = step(3).explanation
    assert (
        "With 84 min, 3 checkpoints fit a lease instead of 4: 252 min are committed, not 336"
        in said
    )
    assert "With 355 min a job of 24 h never finishes" in said
    assert "of which 4 fit is now 83.75 min" in said


def test_the_makespan_of_24_hours_by_hand():
    makespans = dict(rows(3, "interval_s", "makespan_s"))
    assert makespans[60] == 4 * 360 + 5 + 240 + 3 * 5  # 4 leases of 300 min, then 240
    assert makespans[84] == 360 + 4 * 360 + 5 + 96 + 5  # 336, 4 of 252, then 84 and 12
    assert makespans[355] is None


def test_evictions_and_the_cliff():
    found = {interval: row["work_per_lease_s"] / 60 for interval, row in by_interval(4).items()}
    literal = {60: 230.69232, 84: 249.03977, 85: 251.18500, 115: 249.49752}
    assert {interval: round(found[interval], 5) for interval in literal} == literal
    assert abs(found[175] - 175 * (exp(-180 / 720) + exp(-360 / 720))) < 1e-9
    assert abs(found[355] - 355 * exp(-360 / 720)) < 1e-9
    assert by_interval(4)[85]["checkpoints_fitting"] == 4
    assert by_interval(4)[85.01]["checkpoints_fitting"] == 3
    check_that_simulated_agrees_with_computed(4)
    said = step(4).explanation
    assert said.startswith("Of the six, 85 min is now the best and 355 min the worst")
    assert "85.01 min commits 20.5 % less than 85" in said
    assert "Of all intervals 85 min is the best, 88.7 % of slot time useful" in said


def check_that_simulated_agrees_with_computed(number):
    for row in step(number).table.rows:
        low, high = row["simulated_work_ci99_s"]
        computed_low, computed_high = row["work_per_lease_ci99_s"]
        assert low <= computed_high
        assert computed_low <= high
        assert low < row["simulated_work_s"] < high


def work_with_jitter(tau):
    """τ Σ P(e_i <= 360) S(e_i) by convolution, in 1/500 min; nothing of ckptsim in it.

    Checkpoints of U(3, 7) min; theory.md has the same on a grid of half minutes, where 85 is
    worth 227.59: there four checkpoints take exactly 20 min with a probability that is not 0.
    """
    cells = 2_000
    width, elapsed, total = 4 / cells, np.ones(1), 0.0
    for count in range(1, 5):
        elapsed = np.convolve(elapsed, np.full(cells, 1 / cells))
        at = count * (tau + 3 + width / 2) + width * np.arange(len(elapsed))
        total += tau * float((elapsed * np.exp(-at / 720) * (at <= 360)).sum())
    return total


def test_jitter_decides_between_84_and_85():
    steady, shaky = (
        {
            row["interval_s"] / 60: row
            for row in step(5).table.rows
            if row["checkpoint_takes"] == law
        }
        for law in ("5 min", "3 to 7 min")
    )
    for interval in (84, 85):
        low, high = shaky[interval]["work_per_lease_ci99_s"]
        assert low < 60 * work_with_jitter(interval) < high
    assert steady[84]["work_per_lease_s"] < steady[85]["work_per_lease_s"]
    assert shaky[84]["work_per_lease_ci99_s"][0] > shaky[85]["work_per_lease_ci99_s"][1]
    assert "near 83.6 min" in step(5).explanation
    assert "leave 20 min of the lease" in step(5).explanation
    check_that_simulated_agrees_with_computed(5)


def test_ones_own_job_has_the_answer_of_its_first_command(tmp_path):
    best = step(6).table.rows[1]
    assert best["interval_s"] == 83.75 * 60
    assert abs(best["work_per_lease_s"] / 60 - 246.781232) < 1e-6
    check_that_simulated_agrees_with_computed(6)
    words = step(6).commands[0].split()[1:]
    found = json.loads(run(*words, "--json", "--confirm", "0", cwd=tmp_path).stdout)
    assert found["best_fixed"]["interval_s"] == best["interval_s"]
    assert abs(found["best_fixed"]["work_per_lease_s"] - best["work_per_lease_s"]) < 1e-6


# How it is told


def test_values_for_people():
    assert lesson.cell("makespan_s", None) == "never"
    assert lesson.cell("interval_s", 5_025) == "83.75"
    assert lesson.cell("work_per_lease_s", 15_000.0) == "250.00"
    assert lesson.cell("work_per_lease_ci99_s", (60.0, 60.0)) == "exact"
    assert lesson.cell("work_per_lease_ci99_s", (60.0, 180.0)) == "± 1.00"
    assert lesson.cell("useful_fraction", 0.88664) == "88.7 %"
    assert lesson.cell("checkpoints", 4) == "4"


def test_a_long_command_goes_on_in_the_next_line():
    shown = continued("ckptsim plan " + " ".join(["--limit 6h"] * 10))
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.replace("\\\n", "").split() == ["ckptsim", "plan", *["--limit", "6h"] * 10]


def test_intervals_of_confidence_are_two_columns():
    assert flat({"a_s": 1, "b_ci99_s": (2.0, 3.0)}) == {"a_s": 1, "b_low_s": 2.0, "b_high_s": 3.0}


@pytest.mark.parametrize("words", [["lesson"], ["lesson", "85-minutes"]])
def test_an_unknown_lesson_is_one_line_that_lists_them(words, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("ckptsim: lesson: ")
    assert "84-minutes" in line


def test_no_such_step_is_one_line(tmp_path):
    done = run("lesson", "84-minutes", "--step", "7", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_step_in_a_pipe_neither_waits_nor_writes(tmp_path):
    done = run("lesson", "84-minutes", "--step", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lstrip().startswith("Step 1. The manual's claim")
    assert "Enter" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_json_has_the_tables_in_seconds(tmp_path):
    done = run("lesson", "84-minutes", "--step", "3", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    [only] = found["steps"]
    assert (found["lesson"], found["seed"], only["step"]) == ("84-minutes", lesson.SEED, 3)
    last = only["tables"]["restart"][-1]
    assert (last["interval_s"], last["committed_s"], last["makespan_s"]) == (21_300, 0, None)


def test_a_report_of_one_step(tmp_path):
    done = run("lesson", "84-minutes", "--step", "2", "--out", "page", cwd=tmp_path)
    assert done.returncode == 0
    folder = tmp_path / "page"
    names = {path.name for path in folder.iterdir()}
    assert names == {"lesson.md", "lesson-score.png", "lesson-score.csv"}
    assert (folder / "lesson-score.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "lesson.md").read_text()
    assert "## 2. The tail is the wrong score" in page
    assert str(tmp_path) not in page
    with (folder / "lesson-score.csv").open() as file:
        tails = [float(row["tail_s"]) / 60 for row in csv.DictReader(file)]
    assert tails == [row[4] for row in WITHOUT_RESTART]


def test_on_a_terminal_it_waits_for_enter_and_leaves_at_the_end_of_input(tmp_path):
    ours, theirs = pty.openpty()
    words = [CKPTSIM, "lesson", "84-minutes", "--no-report"]
    with subprocess.Popen(words, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        seen = read_until(ours, "Press Enter")
        assert "35" not in seen  # not before the class has predicted
        os.write(ours, b"\n")
        seen = read_until(ours, "Press Enter")
        assert "35" in seen
        os.write(ours, b"\x04")
        assert child.wait(30) == 130
    assert "Traceback" not in read_until(ours, None)
    os.close(ours)


def read_until(terminal, words):
    seen = ""
    while words is None or words not in seen:
        try:
            seen += os.read(terminal, 65_536).decode(errors="replace")
        except OSError:  # Linux: the other end is closed
            break
    return seen
