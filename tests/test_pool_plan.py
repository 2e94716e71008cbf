"""Plans of pools: where the truth is known they find it, and they never say more than they know."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from ckptsim import plots
from ckptsim.cli import main
from ckptsim.commands import plan_pool as telling
from ckptsim.commands.plan import command
from ckptsim.engine import Engine
from ckptsim.errors import ScenarioError
from ckptsim.partial import Partial
from ckptsim.pool_bound import bound_classes, caveats, expected_at_once
from ckptsim.pool_choices import Anchors, grid, rounded
from ckptsim.pool_plan import Effort, plan_pool
from ckptsim.running import Means
from ckptsim.scenario import load
from ckptsim.search import Search
from ckptsim.selection import Stop
from ckptsim.trials import Aim, Choice, in_brief
from ckptsim.units import HOUR, MINUTE, SECOND
from ckptsim.world import pool_world

FEW = Effort(most=12)
ALONE = {
    "job.write": "5min",
    "job.restart_lease": "2min",
    "slots.evictions": "6h",
}
# A wide link: no transfer takes more than a millisecond.
WIDE = {"link.bandwidth": "1TB/s", "job.size": "1MB", "slots.count": 4, "job.count": 4}
ENDLESS = {**ALONE, **WIDE, "duration": "20d", "warm_up": "1d"}
# Eight jobs that start together; the checkpoint of one keeps the link busy for 5 minutes.
TOGETHER = {
    "job.count": 8,
    "slots.count": 8,
    "job.size": "30GB",
    "link.bandwidth": "100MB/s",
    "slots.evictions": "4d",
    "duration": "4d",
}
# Ten times as long, and evictions every 8 h.
SATURATED = {**TOGETHER, "link.bandwidth": "10MB/s", "slots.evictions": "8h", "warm_up": "1d"}


def compiled():
    return Means(engine=Engine.COMPILED)


def planned(keys, effort=FEW, **given):
    return plan_pool(load(None, keys), effort=effort, means=compiled(), **given)


@pytest.fixture(scope="module")
def endless():
    return planned(ENDLESS, Effort(most=25))


@pytest.fixture(scope="module")
def together():
    return planned(TOGETHER, Effort(most=20))


@pytest.fixture(scope="module")
def saturated():
    return planned(SATURATED)


def test_without_contention_the_exact_optimum_is_in_the_set(endless):
    exact = Search(load(None, {**ALONE, "job.transfer": "1us"})).best
    assert endless.grid.choices.index(Choice((exact.interval,))) in endless.grid.selection.among
    least = min(point.interval for point in endless.points if point.among)
    most = max(point.interval for point in endless.points if point.among)
    assert least <= exact.interval <= most
    low, high = endless.measure.interval
    assert low <= exact.useful_fraction <= high
    assert endless.stage.selection.regret < 0.01


def test_its_bound_is_what_one_job_alone_wastes_at_best(endless):
    exact = Search(load(None, {**ALONE, "job.transfer": "1us"})).best
    assert endless.bounds.caveats == ()
    assert 1 - endless.bounds.exponential.waste == pytest.approx(exact.useful_fraction, abs=1e-5)
    low, _ = endless.measure.interval
    assert low <= 1 - endless.bounds.exponential.waste


def test_where_nothing_differs_nothing_is_claimed(endless):
    """A wide link does not care when checkpoints come, and after the warm-up all is the same."""
    gain = endless.gain("staggered")
    assert (gain.least, gain.mean, gain.most) == (0, 0, 0)
    assert not gain.is_sure
    assert endless.recommended is None
    assert endless.gain("per class") is None  # there is one class


def test_without_chance_the_answer_is_exact_and_its_regret_nothing():
    """theory.md §1: 6 h leases, c = 5 min, no evictions: 355 min commit most."""
    plan = planned(
        {"job.write": "5min", "slots.limit": "6h", "slots.count": 2, "job.count": 2}
        | {"duration": "60h"}
    )
    selection = plan.stage.selection
    assert plan.interval == 355 * MINUTE
    assert plan.measure == pytest.approx((355 / 360, 0.0), abs=1e-12)
    assert (selection.regret, selection.stop, len(plan.stage.among)) == (0.0, Stop.TOLD, 1)
    assert set(selection.replications) == {12}
    assert "a runtime limit" in plan.bounds.caveats[0]


def test_ties_are_told_as_ties():
    """Jobs of 2 h without losses, no last checkpoint: from 1 h to 2 h one checkpoint each."""
    keys = {"job.work": "2h", "job.write": "6min", "job.count": 2, "slots.limit": "100h"}
    plan = planned({**keys, "queue.cycle": "1min"}, asked=[61 * MINUTE, 70 * MINUTE, 80 * MINUTE])
    assert plan.interval == 2 * HOUR
    assert plan.measure == (1.0, 0.0)
    tied = [p.value for p in plan.points if 1 * HOUR <= p.interval < 2 * HOUR]
    assert len(tied) >= 3
    assert tied == pytest.approx([120 / 126] * len(tied), rel=1e-12)


def test_jobs_that_checkpoint_together_had_better_not(together):
    gain = together.gain("staggered")
    assert gain.is_sure
    assert together.recommended == gain
    assert together.demand < 1


def test_a_saturated_link_stretches_the_interval(saturated):
    alone = Search(load(None, {"job.transfer": "50min", "slots.evictions": "8h"})).best.interval
    assert saturated.unhindered > 1
    assert saturated.interval > 1.3 * alone
    useful = {point.interval: point.value for point in saturated.points}
    at_alone = min(useful, key=lambda interval: abs(interval - alone))
    assert useful[at_alone] < useful[saturated.interval] - 0.01
    assert saturated.measure.interval[0] <= 1 - saturated.bounds.exponential.waste
    assert saturated.bounds.exponential.nu > 0
    text = "\n".join(map(str, telling.told(saturated)))
    assert "would be saturated" in text or "is saturated" in text


def test_what_it_does_not_know_it_does_not_say():
    plan = planned(TOGETHER, Effort(within=1e-9, most=5))
    selection = plan.stage.selection
    assert selection.stop is Stop.BUDGET
    assert max(selection.replications) == 5
    assert selection.regret > 1e-9
    assert len(selection.among) > 1
    assert "all replications allowed are used" in telling.statement(plan)
    assert telling.document(plan)["regret_bound"] == selection.regret
    assert telling.difference(plan, -math.inf) == "unknown"


def test_each_class_has_an_interval_of_its_own_where_that_is_better():
    """Two classes that share nothing but the pool: 1 min and 30 min a checkpoint."""
    keys = {"classes.quick.write": "1min", "classes.slow.write": "30min", "slots.evictions": "6h"}
    counts = {f"classes.{name}.count": 2 for name in ("quick", "slow")}
    plan = planned({**keys, **counts, "slots.count": 4, "duration": "20d", "warm_up": "1d"})
    gain = plan.gain("per class")
    quick, slow = gain.choice.intervals
    assert quick < plan.interval < slow
    assert gain.is_sure
    assert plan.recommended == gain
    document = telling.document(plan)
    assert document["per_class"]["intervals_s"] == {"quick": quick / 1e9, "slow": slow / 1e9}
    assert document["saturation"] is document["stagger"] is None


def test_the_shortest_makespan():
    keys = {**ALONE, **WIDE, "job.work": "12h", "job.count": 8}
    plan = planned(keys, aim=Aim.MAKESPAN)
    best = Search(load(None, {**ALONE, "job.transfer": "1us"})).best.interval
    assert plan.measure.mean > 12 * 3600
    assert min(p.interval for p in plan.points if p.among) <= best * 1.1
    values = {point.interval: point.value for point in plan.points}
    assert values[plan.interval] == pytest.approx(min(values.values()), rel=0.01)
    assert "on average" in telling.headline(plan)


# Where to look


def test_the_grid_has_what_it_was_asked_for_and_steps_of_a_tenth_at_most():
    found = grid([1 * HOUR, 2 * HOUR], [77 * MINUTE], 100 * HOUR)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (30 * MINUTE, 4 * HOUR)
    assert {1 * HOUR, 2 * HOUR, 77 * MINUTE} <= set(found)
    assert max(np.divide(found[1:], found[:-1])) < 1.11


def test_no_interval_is_longer_than_the_work():
    assert max(grid([1 * HOUR], [], 90 * MINUTE)) == 90 * MINUTE


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (7_000.4 * SECOND, 117 * MINUTE),
        (500.4 * SECOND, 500 * SECOND),
        (9.0004 * SECOND, 9 * SECOND),
    ],
)
def test_intervals_are_round(interval, expected):
    assert rounded(interval) == expected


def test_the_places_to_look_are_those_of_jobs_alone_and_of_the_bound():
    anchors = Anchors(load(None, ENDLESS))
    exact = Search(load(None, {**ALONE, "job.transfer": "1us"})).best.interval
    assert anchors.alone[0] == pytest.approx(exact, rel=1e-3)
    assert anchors.bound[0] == pytest.approx(exact, rel=1e-3)
    assert anchors.unhindered < 1e-6


def test_a_pool_as_the_bound_has_it():
    scenario = load(
        None,
        {
            "classes.a.count": 30,
            "classes.a.size": "60GB",
            "classes.b.count": 10,
            "classes.b.size": "1GB",
            "job.work": "10h",
            "job.write": "1min",
            "job.restart": "30s",
            "job.input_size": "6GB",
            "link.bandwidth": "1GB/s",
            "slots.count": 20,
            "slots.evictions": "8h",
        },
    )
    world = pool_world(scenario, [HOUR, HOUR])
    at_once = expected_at_once(world)
    assert sum(at_once) == pytest.approx(20)
    assert at_once[0] / at_once[1] == pytest.approx(3, rel=0.1)
    first, second = bound_classes(world, [15.0, 5.0])
    assert first == pytest.approx((15.0, 0.05, 8 * 3600, 60.0, 96.0, 90.0))
    assert second == pytest.approx((5.0, 0.05, 8 * 3600, 1.0, 37.0, 90.0))
    assert list(caveats(scenario)) == ["jobs that end do so without a last checkpoint"]


def test_a_trial_counts_from_the_end_of_the_warm_up():
    from ckptsim.drivers.virtual import simulate

    keys = {"job.write": "5min", "slots.limit": "6h", "duration": "24h", "warm_up": "12h"}
    outcome = simulate(pool_world(load(None, keys), [355 * MINUTE]), 0)
    trial = in_brief(outcome)
    assert (trial.useful, trial.at_once, trial.link_busy) == (355 / 360, [1.0], 0.0)


# Stopped, resumed


def test_stopped_early_it_tells_what_it_knows_and_goes_on_from_there(tmp_path):
    scenario, said = load(None, TOGETHER), []
    whole = plan_pool(scenario, effort=FEW, means=compiled())
    enough = sum(whole.grid.selection.replications) + 50

    def stop(done, _):
        if done == enough:
            raise KeyboardInterrupt

    file = Partial(tmp_path, said.append)
    means = Means(file, engine=Engine.COMPILED)
    part = plan_pool(scenario, effort=FEW, means=means, progress=stop)
    means.told()
    file.close()
    assert part.interrupted
    assert part.grid.selection == whole.grid.selection
    assert "Stopped early" in "\n".join(map(str, telling.told(part)))
    assert telling.document(part)["interrupted"]

    file = Partial(tmp_path, said.append)
    again = plan_pool(scenario, effort=FEW, means=Means(file, engine=Engine.COMPILED))
    file.close()
    assert said[-1].startswith(f"Going on from {enough} of ")
    assert again.stage.selection == whole.stage.selection
    assert again.gains == whole.gains


def test_stopped_before_anything_is_known_there_is_no_plan():
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        planned(TOGETHER, progress=stop)


# By the command line

FLAGS = ["--write", "5min", "--evictions", "6h", "--slots", "2", "--jobs", "2"]
SHORT = [*FLAGS, "--duration", "2d", "--replications-max", "4", "--engine", "virtual"]
LINKED = ["--interval", "2h", "--link", "1GB/s", "--size", "10GB"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--objective", "quantile(0.9)", "--work", "9h"], "expected useful or makespan"),
        (["--objective", "makespan", "--work", "9h"], "the run ends with its duration"),
        (["--confirm", "100"], "--confirm: has no effect here"),
        (["--within", "2%"], "--within: has no effect here"),
        (["--replications-max", "2"], "expected 3 or more"),
        (["--precision", "much"], "--precision much: not a number"),
        (["--mode", "none", "--work", "9h"], "no job has an interval to choose"),
    ],
)
def test_a_mistake_is_one_line(words, expected):
    done = CliRunner().invoke(command, [*SHORT, *words, "--json"])
    assert isinstance(done.exception, ScenarioError)
    (line,) = str(done.exception).splitlines()
    assert expected in line


def test_what_a_pool_takes_is_refused_where_there_is_none():
    done = CliRunner().invoke(command, [*FLAGS, "--precision", "1%", "--json"])
    assert str(done.exception) == (
        "--precision: has no effect here: of one job the answer is computed"
    )


def test_the_document_and_the_report(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ckptsim", "plan", *SHORT, *LINKED, "--json", "--out", "page"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert list(found) == [
        "objective", "best_common", "indistinguishable", "regret_bound", "confidence", "statement",
        "curve", "per_class", "stagger", "per_class_stagger", "present", "bound", "saturation",
        "interrupted", "scenario", "seed", "engine",
    ]  # fmt: skip
    best = found["best_common"]
    assert best["interval_s"] in found["indistinguishable"]
    assert best["interval_s"] in [point["interval_s"] for point in found["curve"]]
    assert best["makespan_s"] is None
    assert found["present"]["intervals_s"] == {"job": 7200}
    assert found["stagger"]["staggered"] is True
    assert found["bound"]["exponential"]["waste"] <= found["bound"]["first_order"]["waste"]
    assert found["saturation"]["saturated"] is False
    assert found["confidence"] == 0.99
    assert (found["seed"], found["engine"], found["interrupted"]) == (1, "virtual", False)
    names = {path.name for path in (tmp_path / "page").iterdir()}
    assert names == {"plan.md", "plan.html", "plan.json", "plan-curve.csv", "plan-curve.png"}
    assert "With 99.5 % confidence" in (tmp_path / "page" / "plan.md").read_text()


def test_the_picture_shades_the_set_and_marks_the_best_and_the_bound(together):
    figure = plots.pool_plan_figure(together)
    (axes,) = figure.axes
    shaded = [patch for patch in axes.patches if patch.get_width() > 0]
    assert len(shaded) == sum(point.among for point in together.points)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[1:] == [
        "the best common",
        "bound, for exponential losses",
        "cannot be told apart from the best",
    ]
    assert figure.get_suptitle().startswith("Best common interval: ")


# In the long run


@pytest.mark.slow
def test_the_truth_is_in_the_set_as_often_as_said():
    """Surely worse than another the exact optimum is in at most 3 of 40 plans (p = 0.001)."""
    exact = Search(load(None, {**ALONE, "job.transfer": "1us"})).best.interval
    misses = 0
    for seed in range(40):
        plan = planned({**ENDLESS, "duration": "5d", "seed": seed})
        points = {point.interval: point for point in plan.points}
        misses += points[exact].behind.least > 0
    assert misses <= 3


def test_the_program_ends_with_2_and_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ckptsim", "plan", *SHORT, "--within", "1%"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ckptsim: --within: ")
