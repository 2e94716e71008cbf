"""The lesson against theory.md: its numbers were worked out elsewhere, by other means."""

import csv
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from base64 import b64decode
from functools import lru_cache
from html.parser import HTMLParser
from math import exp
from pathlib import Path

import numpy as np
import pytest
import v8
from rich.console import Console

from ckptsim import lesson
from ckptsim.commands.lesson import continued, flat, played, predict, see
from ckptsim.exact import Solver
from ckptsim.explorer.asked import asked, fragment_of
from ckptsim.explorer.page import MODULES, joined
from ckptsim.lesson.chart import Chart
from ckptsim.lesson.setting import LAWS, SEED, scenario
from ckptsim.lesson.step import cell
from ckptsim.lesson.watched import watched
from ckptsim.unequal import value_of
from ckptsim.units import MINUTE

WITHOUT_SCREEN = MODULES[: MODULES.index("controls")]
CKPTSIM = Path(sys.executable).with_name("ckptsim")
CLAIM, LIMIT, SCORE, RESTART, JITTER, EVICTIONS, CLIFFS, ROBUST, OWN = STEPS = range(1, 10)


@lru_cache
def step(number):
    [(found, built)] = lesson.steps("84-minutes", number)
    assert found == number
    return built


def table(number, name=None):
    """The rows of a step's table, the first unless named."""
    found = {each.name: each.rows for each in step(number).tables}
    return found[name] if name else next(iter(found.values()))


def rows(number, *keys):
    """A step's rows as tuples, times in minutes."""
    return [tuple(shown(row, key) for key in keys) for row in table(number)]


def shown(row, key):
    return row[key] if row[key] is None or not key.endswith("_s") else row[key] / 60


def by_interval(number):
    return {row["interval_s"] / 60: row for row in table(number)}


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
    assert rows(CLAIM, "interval_s", "tail_s") == [(60, 35), (84, 4)]
    said = step(CLAIM).explanation
    assert "At 60 min the last 35 min of the slot are wasted, at 84 min only 4" in said


def test_the_claim_as_it_is_drawn():
    assert step(CLAIM).timelines[1:3] == (
        "    60 " + 5 * (12 * "=" + "C") + 7 * "x",
        "    84 " + 2 * (17 * "=" + "C") + 16 * "=" + "C" + 17 * "=" + "Cx",
    )


@pytest.mark.parametrize("number", [CLAIM, SCORE, RESTART, OWN])
def test_timelines_fit_80_columns_and_are_six_hours_long(number):
    head, *lines, legend = step(number).timelines
    assert max(map(len, (head, *lines, legend))) <= 80
    assert {len(line) for line in lines} == {7 + 72}
    assert head.endswith("6")


# By hand: a round takes 65 min with an interval of 60 and 89 with one of 84, so the tails come back
# every 65 and every 89 min, and both together every 65 × 89 = 5,785 min, for 65 and 89 share no
# divisor: at 360, 6,145, ... min. That is a whole number of hours again after 12 × 5,785 min.


def test_six_hours_are_the_only_limit_by_brute_force():
    both = [limit for limit in range(90, 100_000) if (limit % 65, limit % 89) == (35, 4)]
    assert both[:2] == [360, 360 + 65 * 89] == [360, 6_145]
    assert (
        [limit // 60 for limit in both if limit % 60 == 0]
        == [6, 6 + 12 * 65 * 89 // 60]
        == [6, 1_163]
    )
    assert divmod(both[1] - 1, 60) == (102, 24)
    assert not [limit for limit in range(60, 60 * 84) if (limit % 60, limit % 84) == (35, 4)]


def test_the_implied_limit():
    said = step(LIMIT).explanation
    assert (
        "A tail of 35 min comes at limits of 100, 165, 230, 295, 360, … min, every 65 min" in said
    )
    assert "one of 4 at 93, 182, 271, 360, 449, … min, every 89." in said
    assert "360 min is in both lists and no other up to 102 h 24 min; the next is 6145 min" in said
    assert "Among whole hours 6 h is the only one up to 1162 h, which is 48 days" in said
    tails = {
        hours / 60: pair for hours, *pair in rows(LIMIT, "limit_s", "tail_often_s", "tail_seldom_s")
    }
    assert tails == {hours: [60 * hours % 65, 60 * hours % 89] for hours in range(2, 13)}
    assert [hours for hours, pair in tails.items() if pair == [35, 4]] == [6]


@pytest.mark.parametrize("interval", [60, 84])
def test_the_other_limit_that_would_do_does_when_it_is_simulated(interval):
    found = watched(scenario({"slots.limit": "6145min"}), [interval * MINUTE])
    assert found[interval * MINUTE].tail == {60: 35, 84: 4}[interval] * MINUTE


def test_where_the_tails_are_right_as_it_is_drawn():
    _, often, seldom, legend = step(LIMIT).timelines
    assert [place / 8 for place, sign in enumerate(often[7:]) if sign == "#"] == [6.0]
    assert [place for place, sign in enumerate(seldom[7:]) if sign == "#"] == [48]
    assert often.count("o") == 6  # 100, 165, 230, 295, and after 6 h 425 and 490 min
    assert seldom.count("o") == 5  # 93, 182, 271, and 449 and 538 min
    assert legend.split() == ["o", "the", "manual's", "tail", "#", "both"]


def test_the_score_is_all_that_is_not_committed():
    assert rows(SCORE, *ONE_LEASE, "not_committed_s") == WITHOUT_RESTART
    assert "85, 115, 175 and 355 min leave no tail" in step(SCORE).question
    assert "85 min commit 340 min of the lease, 355 min commit 355" in step(SCORE).explanation


def test_five_minutes_to_restart_break_84_and_355():
    assert rows(RESTART, *ONE_LEASE, "restart_s") == WITH_RESTART
    said = step(RESTART).explanation
    assert (
        "With 84 min, 3 checkpoints fit a lease instead of 4: 252 min are committed, not 336"
        in said
    )
    assert "With 355 min a job of 24 h never finishes" in said
    assert "of which 4 fit is now 83.75 min" in said


def test_the_makespan_of_24_hours_by_hand():
    makespans = dict(rows(RESTART, "interval_s", "makespan_s"))
    assert makespans[60] == 4 * 360 + 5 + 240 + 3 * 5  # 4 leases of 300 min, then 240
    assert makespans[84] == 360 + 4 * 360 + 5 + 96 + 5  # 336, 4 of 252, then 84 and 12
    assert makespans[355] is None


# Jitter


def work_with_jitter(tau):
    """τ Σ P(e_i <= 360) S(e_i) by convolution, in 1/500 min; nothing of ckptsim in it."""
    cells = 2_000
    width, elapsed, total = 4 / cells, np.ones(1), 0.0
    for count in range(1, 5):
        elapsed = np.convolve(elapsed, np.full(cells, 1 / cells))
        at = count * (tau + 3 + width / 2) + width * np.arange(len(elapsed))
        total += tau * float((elapsed * np.exp(-at / 720) * (at <= 360)).sum())
    return total


def shaken(takes):
    return {
        row["interval_s"] / 60: row for row in table(JITTER) if row["checkpoint_takes"] == takes
    }


def test_jitter_decides_between_84_and_85():
    steady, shaky = shaken("5 min"), shaken("3 to 7 min")
    for interval in (84, 85):
        found = shaky[interval]
        assert abs(found["work_per_lease_s"] / 60 - work_with_jitter(interval)) < 0.02
        assert found["work_per_lease_error_s"] / 60 < 0.002
    assert steady[84]["work_per_lease_s"] < steady[85]["work_per_lease_s"]
    assert shaky[84]["work_per_lease_s"] > shaky[85]["work_per_lease_s"]
    said = step(JITTER).explanation
    assert "85 falls from 251.18 to 225.47 and 84 from 249.04 to 246.92" in said
    assert "near 83.6 min" in said
    assert "leave 20 min of the lease" in said
    check_that_simulated_agrees_with_computed(JITTER)


def test_jitter_without_evictions_is_a_sum_of_four_uniforms():
    """Irwin and Hall: four uniforms on (0, 1) add up to at most 2 in 1/2 and at most 3 in 23/24."""
    shaky = shaken("3 to 7 min")
    assert abs(shaky[85]["work_without_evictions_s"] / 60 - 85 * 3.5) < 0.01
    assert abs(shaky[84]["work_without_evictions_s"] / 60 - 84 * (3 + 23 / 24)) < 0.01


def test_jitter_in_half_minutes_is_theory_md_s():
    halves = shaken("3, 3.5, … 7 min")
    found = {each: round(row["work_per_lease_s"] / 60, 4) for each, row in halves.items()}
    assert found == {84: 247.3009, 85: 227.5926}
    said = step(JITTER).explanation
    assert "85 min would commit 227.59 with evictions, 84 min 247.30" in said


# Evictions, unequal intervals and cliffs


def test_evictions_make_85_the_best_of_the_six():
    found = {each: row["work_per_lease_s"] / 60 for each, row in by_interval(EVICTIONS).items()}
    literal = {60: 230.69232, 84: 249.03977, 85: 251.18500, 115: 249.49752}
    assert {interval: round(found[interval], 5) for interval in literal} == literal
    assert abs(found[175] - 175 * (exp(-180 / 720) + exp(-360 / 720))) < 1e-9
    assert abs(found[355] - 355 * exp(-360 / 720)) < 1e-9
    check_that_simulated_agrees_with_computed(EVICTIONS)
    said = step(EVICTIONS).explanation
    assert said.startswith("Of the six, 85 min is now the best and 355 min the worst")


def check_that_simulated_agrees_with_computed(number):
    for row in table(number):
        low, high = row["simulated_work_ci99_s"]
        assert low < row["work_per_lease_s"] < high
        assert low < row["simulated_work_s"] < high


PLANS = {  # theory.md, section 2: the best equal interval, its work; the best unequal, their work
    "exponential, 12 h": (85.0, 251.184998, (84.3939, 84.7640, 85.1833, 85.6588), 251.185452),
    "… and 5 min restart": (83.75, 246.781232, (83.3663, 83.6009, 83.8662, 84.1665), 246.781414),
    "exponential, 24 h": (115.0, 292.712596, (115.1397, 115.0039, 114.8564), 292.712608),
}


@pytest.mark.parametrize("law", PLANS)
def test_unequal_intervals_gain_next_to_nothing_with_exponential_evictions(law):
    [row] = [row for row in table(EVICTIONS, "plans") if row["evictions"] == law]
    equal, work, unequal, more = PLANS[law]
    assert row["interval_s"] / 60 == equal
    assert abs(row["work_per_lease_s"] / 60 - work) < 1e-6
    assert [each / 60 for each in row["intervals_s"]] == pytest.approx(unequal, abs=0.01)
    assert abs(row["plan_work_per_lease_s"] / 60 - more) < 1e-6


@pytest.mark.parametrize(
    ("law", "equal", "work", "plan", "more"),
    [  # theory.md, section 2: on a grid of a minute
        ("Weibull, shape 0.5", 67, 161.3563, (48, 60, 69, 76, 82), 161.7725),
        ("Weibull, shape 2", 115, 312.4064, (148, 107, 90), 312.9989),
    ],
)
def test_unequal_intervals_gain_something_with_other_laws(law, equal, work, plan, more):
    [row] = [row for row in table(EVICTIONS, "plans") if row["evictions"] == law]
    assert row["interval_s"] / 60 == equal
    assert round(row["work_per_lease_s"] / 60, 4) == work
    solver = Solver(scenario(LAWS[law]))
    on_grid = value_of(solver, tuple(each * MINUTE for each in plan)).work_s / 60
    assert round(on_grid, 4) == more
    assert [each / 60 for each in row["intervals_s"]] == pytest.approx(plan, abs=1)
    assert on_grid <= row["plan_work_per_lease_s"] / 60 < on_grid + 0.001


def test_what_is_said_of_unequal_intervals():
    said = step(EVICTIONS).explanation
    assert "Intervals of 84.4, 84.8, 85.2, 85.7 min are better than equal ones of 85, but" in said
    assert "only by 0.00045 min a lease" in said
    assert "47.5, 60.2, 69.0, 76.1, 82.2 min commit 0.42 min more than 67 each time" in said
    assert "147.9, 107.1, 90.0 commit 0.59 min more than 115" in said


def test_the_cliff_at_85_is_20_5_percent():
    at = by_interval(CLIFFS)[85]
    assert (at["checkpoints_fitting"], at["checkpoints_fitting_beyond"]) == (4, 3)
    beyond = 85.01 * sum(exp(-count * 90.01 / 720) for count in (1, 2, 3))
    assert abs(at["work_per_lease_beyond_s"] / 60 - beyond) < 1e-6
    assert round(100 * at["drop_fraction"], 1) == 20.5
    said = step(CLIFFS).explanation
    assert "85.01 min commit 20.5 % less than 85" in said
    assert "Of all intervals 85 min is the best, 88.7 % of slot time useful" in said


def test_a_cliff_is_where_k_rounds_just_fit():
    found = [interval for (interval,) in rows(CLIFFS, "interval_s")]
    assert found == pytest.approx([360 / k - 5 for k in range(7, 1, -1)], abs=1e-9)


# Being sure


def useful(tau, costs=1.0, losses=1.0):
    """theory.md, section 2, with R = c = 5 and M = 720 min, each so many times as long."""
    c, mean = 5 * costs, 720 * losses
    fit = int((360 - c) / (tau + c) + 1e-12)
    work = tau * sum(exp(-(c + count * (tau + c)) / mean) for count in range(1, fit + 1))
    return work / (mean * (1 - exp(-360 / mean)))


def on_average(tau, band):
    shares = (2 * np.arange(60) + 1) / 60 - 1
    return np.mean([useful(tau, 1 + band * a, 1 + band * b) for a in shares for b in shares])


@pytest.mark.parametrize("band", ["10 %", "20 %"])
def test_the_robust_interval_keeps_its_checkpoints_all_over_the_band(band):
    kept, robust = (row for row in table(ROBUST) if row["within"] == band)
    share = float(band[:2]) / 100
    last = (360 - 5 * 5 * (1 + share)) / 4  # of which 4 fit if all costs are as long as may be
    assert kept["interval_s"] == 83.75 * 60
    assert 0.99 * last < robust["interval_s"] / 60 <= last
    for row, off in ((kept, 0.01), (robust, 0.001)):
        tau = row["interval_s"] / 60
        corners = [useful(tau, 1 + a, 1 + b) for a in (-share, share) for b in (-share, share)]
        assert abs(row["useful_fraction"] - useful(tau)) < 1e-9
        assert abs(row["useful_mean_fraction"] - on_average(tau, share)) < off
        assert abs(row["useful_worst_fraction"] - min(corners)) < 1e-9
    assert robust["useful_mean_fraction"] > kept["useful_mean_fraction"] + 0.05
    assert robust["useful_fraction"] > kept["useful_fraction"] - 0.02


def test_deciding_again_by_the_clock():
    """theory.md, section 4: 250.1218 against 247.8623 at 83.5, and 251.1854 without jitter."""
    steady, shaky, halves = table(ROBUST, "clock")
    assert abs(steady["clock_work_per_lease_s"] / 60 - 251.185452) < 1e-6
    assert halves["interval_s"] / 60 == 83.5
    assert abs(halves["work_per_lease_s"] / 60 - 247.8623) < 0.0001
    assert abs(halves["clock_work_per_lease_s"] / 60 - 250.1218) < 0.0001
    assert 250.1 < shaky["clock_work_per_lease_s"] / 60 < 250.1218
    assert shaky["clock_work_per_lease_error_s"] / 60 < 0.001
    said = step(ROBUST).explanation
    assert "a lease then commits 250.12 min on average, against 247.91 with the best fixed" in said


def test_ones_own_job():
    _, best = table(OWN)
    assert best["interval_s"] == 83.75 * 60
    assert abs(best["work_per_lease_s"] / 60 - 246.781232) < 1e-6
    check_that_simulated_agrees_with_computed(OWN)


# What is to be tried

OUTCOMES = {
    CLAIM: r"by limit +4 min ",
    LIMIT: r"by limit +35 min ",
    SCORE: r"Checkpoint every 5 h 55 min of computing",
    RESTART: r"5 h 55 min +0 .* never finishes",
    JITTER: r"Checkpoint every 1 h 23 min \d+ s of computing",
    EVICTIONS: r"Checkpoint every 1 h 7 min of computing",
    CLIFFS: r"88.6 % of slot time at job.interval = 1 h 25 min",
    ROBUST: r"within 20 % of what you said, 1 h 22 min",
    OWN: r"Checkpoint every 1 h 23 min 45 s of computing",
}


@pytest.mark.parametrize("number", STEPS)
def test_the_command_to_be_tried_can_be_typed_and_says_so(number, tmp_path):
    """As it is shown, broken over lines, in a shell."""
    shown_command = continued(step(number).commands[0])
    path = f"{CKPTSIM.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", shown_command],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(OUTCOMES[number], done.stdout)


def test_the_command_to_be_filled_in_is_the_first_one_when_it_is(tmp_path):
    first, blank, logs = step(OWN).commands
    times = dict(re.findall(r"(--[a-z-]+) (\S+)", first))
    filled = re.sub(r"(--[a-z-]+) [A-Z]+", lambda flag: f"{flag[1]} {times[flag[1]]}", blank)
    assert shlex.split(filled) == shlex.split(first)
    assert set(re.findall(r"--[a-z-]+", logs)) - set(times) == {"--log"}
    found = json.loads(run(*shlex.split(filled)[1:], "--json", cwd=tmp_path).stdout)
    best = table(OWN)[1]
    assert found["best_fixed"]["interval_s"] == best["interval_s"]
    assert abs(found["best_fixed"]["work_per_lease_s"] - best["work_per_lease_s"]) < 1e-6


# The exercises: what is worked out by hand, beside what the lesson computed

ANSWERS = {
    CLAIM: ["60 and 24 min", "5 checkpoints take 25 min", "4 take 20 and the tail 4"],
    LIMIT: ["35 min. 5 rounds", "so 91 min"],  # 480 - 5 * 89, 480 / 5 - 5
    SCORE: ["80 min: 4 rounds of 90 min", "commits 320 min, 20 less"],
    RESTART: ["82.5 min", "4 rounds of 87.5 min"],  # (360 - 10) / 4
    JITTER: ["four times 84 leave 24", "336.00 min, always"],
    EVICTIONS: ["84.9 min", "With a limit of 5 h the best would be 70 min"],  # √7200; 300 / 4 - 5
    CLIFFS: ["At 91 and 115 min", "the best is then 75 min"],  # 480 / 6 - 5
    ROBUST: ["27.5 min", "a quarter of the rest is 83.12 min"],
    OWN: ["10.5 h", "87.1 % of its time is useful instead of 80.9 %"],  # 168 * 0.0624
}


@pytest.mark.parametrize("number", STEPS)
def test_an_exercise_has_an_answer_that_was_worked_out_by_hand(number):
    found = step(number)
    assert found.exercise.endswith("?")
    for part in ANSWERS[number]:
        assert part in found.answer
    assert not re.search(r"[{}]", found.exercise + found.answer)


def test_the_explorer_is_set_to_each_step():
    """Read back by the page itself; 84 min, 60 of 6,145, 85, …"""
    questions = [asked(step(number).asked).question for number in STEPS]
    read = v8.answers(
        joined(WITHOUT_SCREEN), "textsIn", [(fragment_of(each),) for each in questions]
    )
    assert read == questions
    assert [each["interval"] for each in questions[:3]] == ["1h24min", "1h", "1h25min"]
    assert questions[EVICTIONS - 1]["evictions"] == "exponential(mean=12h)"
    assert questions[OWN - 1]["restart-lease"] == "5min"


def test_the_page_says_what_of_a_step_the_explorer_leaves_out():
    """Checkpoints of 3 to 7 min: the explorer's are all alike, and its answer is not the step's."""
    notices = {number: asked(step(number).asked).notices for number in STEPS}
    assert notices.pop(JITTER) == [
        "write is uniform(2min, 6min); here it always takes its mean of 4 min."
    ]
    assert not any(notices.values())
    assert played("5. Of jitter", step(JITTER)).endswith(
        "&interval=1h24min). In the explorer write is uniform(2min, 6min); "
        "here it always takes its mean of 4 min."
    )


# How it is told


@pytest.mark.parametrize("number", STEPS)
def test_a_step_is_a_question_a_few_sentences_a_figure_and_a_command(number):
    found = step(number)
    assert found.title.endswith("?")
    assert 2 <= len(re.findall(r"[.?!](?= [A-Z0-9]|$)", found.explanation)) <= 5
    assert found.timelines or found.chart
    assert found.commands[0].startswith("ckptsim ")
    assert not re.search(r"[{}]", found.question + found.explanation)


@pytest.mark.parametrize("number", STEPS)
def test_a_step_fits_80_columns(number):
    screen = Console(width=200, record=True, file=io.StringIO(), color_system=None)
    for line in (*predict(number, step(number), 80), *see(step(number), 80)):
        screen.print(line)
    assert max(len(line.rstrip()) for line in screen.export_text().splitlines()) <= 80


def test_a_chart_as_text():
    """A rise from 0 to 12 and a fall, in 13 rows: they cross in the middle of 70 columns."""
    at = [MINUTE * minute for minute in range(70)]
    up = [12 * minute / 69 for minute in range(70)]
    chart = Chart("", "", "Interval", "Work", at, {"up": up, "down": up[::-1]}, {"end": [at[-1]]})
    lines = chart.lines()
    assert lines[0] == "Work"
    assert lines[1] == "  12.0 |" + 3 * "+" + 64 * " " + 3 * "*"
    assert lines[7] == "   6.0 |" + 32 * " " + 6 * "#"
    assert lines[13] == "   0.0 |" + 3 * "*" + 64 * " " + 3 * "+"
    assert lines[14][7:] == "+" + "+---------" * 7
    assert lines[15][8:].split() == ["0", "10", "20", "30", "40", "50", "60"]
    assert lines[16] == " " * (8 + 69) + "^"
    assert [line.strip() for line in lines[17:]] == [
        "Interval (min)",
        "* up   + down   # both",
        "^ end",
    ]


def test_values_for_people():
    assert cell("makespan_s", None) == "never"
    assert cell("interval_s", 5_025) == "83.75"
    assert cell("work_per_lease_s", 15_000.0) == "250.00"
    assert cell("work_per_lease_error_s", 0.0) == "exact"
    assert cell("work_per_lease_error_s", 0.001) == "± 0.001"  # never less than it is
    assert cell("simulated_work_ci99_s", (60.0, 180.0)) == "± 1.00"
    assert cell("useful_fraction", 0.88664) == "88.7 %"
    assert cell("plan_gain_s", 0.0272) == "0.00045"
    assert cell("intervals_s", (5_025, 60.0)) == "83.8 1.0"
    assert cell("checkpoints", 4) == "4"


def test_a_long_command_goes_on_in_the_next_line():
    command = "ckptsim plan " + " ".join(["--limit 6h", "--write 'uniform(2min, 6min)'"] * 6)
    lines = continued(command).splitlines()
    assert max(map(len, lines)) <= 76
    assert all(line.startswith("    --") for line in lines[1:])
    assert shlex.split(continued(command).replace("\\\n", "")) == shlex.split(command)


def test_intervals_of_confidence_are_two_columns():
    assert flat({"a_s": 1, "b_ci99_s": (2.0, 3.0)}) == {"a_s": 1, "b_low_s": 2.0, "b_high_s": 3.0}
    assert flat({"intervals_s": (60, 30)}) == {"intervals_s": "60 30"}


@pytest.mark.parametrize("words", [["lesson"], ["lesson", "85-minutes"]])
def test_an_unknown_lesson_is_one_line_that_lists_them(words, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("ckptsim: lesson: ")
    assert "84-minutes" in line


def test_no_such_step_is_one_line(tmp_path):
    done = run("lesson", "84-minutes", "--step", "10", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_step_in_a_pipe_neither_waits_nor_writes(tmp_path):
    done = run("lesson", "84-minutes", "--step", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lstrip().startswith("Step 1. What does the manual claim?")
    assert "Enter" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_json_has_the_tables_in_seconds(tmp_path):
    done = run("lesson", "84-minutes", "--step", "4", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    [only] = found["steps"]
    assert (found["lesson"], found["seed"], only["step"]) == ("84-minutes", SEED, RESTART)
    last = only["tables"]["restart"][-1]
    assert (last["interval_s"], last["committed_s"], last["makespan_s"]) == (21_300, 0, None)


def test_a_report_of_one_step(tmp_path):
    done = run("lesson", "84-minutes", "--step", "3", "--out", "page", cwd=tmp_path)
    assert done.returncode == 0
    folder = tmp_path / "page"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "lesson.md",
        "lesson.html",
        "lesson.json",
        "explore.html",
        "lesson-score.png",
        "lesson-score.csv",
    }
    assert (folder / "lesson-score.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "lesson.md").read_text()
    assert "## 3. Is no tail the best there is?" in page
    assert str(tmp_path) not in page
    with (folder / "lesson-score.csv").open() as file:
        tails = [float(row["tail_s"]) / 60 for row in csv.DictReader(file)]
    assert tails == [row[4] for row in WITHOUT_RESTART]


class Page(HTMLParser):
    """What a page shows, and what it names."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.images = set(), set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        self.links += [found["href"]] if "href" in found else []
        self.images += [found] if tag == "img" else []


def test_the_lesson_is_one_page_that_needs_nothing_else(tmp_path):
    assert run("lesson", "84-minutes", "--out", "page", cwd=tmp_path).returncode == 0
    text = (tmp_path / "page" / "lesson.html").read_text()
    page = Page(text)
    assert not page.tags & {"link", "iframe", "object", "video", "audio"}
    assert not re.search(r"url\(|@import|src=\"http|<script[^>]* src=", text)
    assert {"h1", "h2", "table", "th", "style", "meta"} <= page.tags
    assert len(page.images) == len(STEPS)
    for image in page.images:
        assert image["src"].startswith("data:image/png;base64,")
        assert len(image["alt"]) > 30
    inner = {link for link in page.links if link.startswith("#")}
    assert len(inner) == len(STEPS) + 1  # the answers
    assert {link[1:] for link in inner} <= page.ids
    explored = [link for link in page.links if link.startswith("explore.html#")]
    assert len(explored) == len(STEPS)
    [kept] = re.findall(r'<script type="text/plain" data-page="explore.html">(.*?)</script>', text)
    assert b64decode(kept) == (tmp_path / "page" / "explore.html").read_bytes()
    rest = [link for link in page.links if not link.startswith("#") and link not in explored]
    assert all(re.match("data:(text/csv|application/json);base64,", link) for link in rest)
    markdown = (tmp_path / "page" / "lesson.md").read_text()
    for heading in (f"{number}. {step(number).title}" for number in STEPS):
        assert f"## {heading}" in markdown
    for number in STEPS:
        assert step(number).explanation in markdown
        assert step(number).exercise in markdown
        assert f"[Play with it, set for step {number}](explore.html#" in markdown
        assert f"\n{number}. {step(number).answer}\n" in markdown


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
        assert "60 and 24 min" not in seen  # not before the class has worked it out
        os.write(ours, b"\n")
        seen = read_until(ours, "Press Enter")
        assert "60 and 24 min" in seen
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
