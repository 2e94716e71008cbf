"""Relative precision: rounds of replications until the mean is known as well as was asked."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from ckptsim.cli import cli
from ckptsim.commands.experiment_options import share
from ckptsim.errors import ScenarioError
from ckptsim.estimate import Estimate
from ckptsim.experiment import replicate, replicate_leases
from ckptsim.precision import Precision, in_rounds, is_precise, measured
from ckptsim.rules import Mode
from ckptsim.scenario import load
from ckptsim.steady import enough, more_needed
from ckptsim.summary import Summary
from ckptsim.units import MINUTE
from ckptsim.world import world_of

SEED = 20_250_613
KEYS = {
    "job.work": "6h",
    "job.write": "5min",
    "slots.limit": "3h",
    "slots.evictions": "4h",
    "seed": SEED,
    "replications": 10,
}


@pytest.fixture
def world():
    return world_of(load(None, KEYS), 40 * MINUTE)


def test_enough_is_below_the_share_of_the_true_mean():
    assert enough(Estimate(101, 1), 0.01)
    assert not enough(Estimate(100, 1), 0.01)
    assert enough(Estimate(-101, 1), 0.01)


def test_more_is_what_the_square_law_says_and_at_most_as_many_again():
    assert more_needed(Estimate(101, 1.25), 100, 0.01) == 57
    assert more_needed(Estimate(101, 1.001), 10, 0.01) == 1
    assert more_needed(Estimate(101, 100), 10, 0.01) == 10
    assert more_needed(Estimate(101, float("inf")), 10, 0.01) == 10
    assert more_needed(Estimate(101, 1), 10, 0.01) == 0


def test_rounds_end_when_the_interval_is_short_enough(world):
    precision = Precision(0.02)
    summary = measured(world, None, precision)
    count = len(summary.results.replications)
    makespans = np.array([each.makespans[0] for each in summary.results.replications])
    low, high = stats.t.interval(0.99, count - 1, makespans.mean(), stats.sem(makespans))
    assert (high - low) / 2 <= 0.02 / 1.02 * makespans.mean()
    assert is_precise(summary, precision)
    fewer = Summary(replicate(world, count - 1), endless=False)
    assert count > 10
    assert not summary.results.interrupted
    assert fewer.results.ledger != summary.results.ledger


def test_rounds_give_what_one_run_of_as_many_gives(world):
    in_all = measured(world, None, Precision(0.02))
    plain = Summary(replicate(world, len(in_all.results.replications)), endless=False)
    assert in_all.json() == plain.json()


def test_leases_come_in_whole_replications(world):
    summary = measured(world, 300, Precision(0.01))
    leases = len(summary.results.stays("work"))
    assert leases % 250 == 0
    assert leases > 500
    assert is_precise(summary, Precision(0.01))
    plain = Summary(replicate_leases(world, leases), endless=True)
    assert json.dumps(summary.json()) == json.dumps(plain.json())


def test_the_most_is_the_most(world):
    precision = Precision(0.0001, 25)
    summary = measured(world, None, precision)
    assert len(summary.results.replications) == 25
    assert not is_precise(summary, precision)
    assert len(measured(world, None, Precision(0.5, 3)).results.replications) == 3


def test_what_never_finishes_is_not_waited_for():
    world = world_of(load(None, {**KEYS, "slots.limit": "30min"}), 40 * MINUTE)
    assert len(measured(world, None, Precision(0.01)).results.replications) == 10


def test_jobs_that_never_commit_are_known_at_once():
    world = world_of(load(None, {**KEYS, "job.mode": "none"}), 40 * MINUTE)
    assert world.plan.mode == Mode.NONE
    assert len(measured(world, None, Precision(0.01)).results.replications) == 10


def test_an_interruption_ends_the_rounds(world):
    def stop(done, _):
        if done >= 4:
            raise KeyboardInterrupt

    summary = measured(world, None, Precision(0.01), stop)
    assert summary.results.interrupted
    assert len(summary.results.replications) == 4


def test_the_rounds_follow_from_the_numbers(world):
    asked = []

    def run(count):
        asked.append(count)
        return Summary(replicate(world, count), endless=False)

    in_rounds(run, 10, Precision(0.02))
    first, asked = asked, []
    in_rounds(run, 10, Precision(0.02))
    assert first == asked
    assert first[0] == 10
    assert first == sorted(set(first))


# --- the flags ------------------------------------------------------------------------------------

CASE = ["--work", "6h", "--write", "5min", "--limit", "3h", "--evictions", "4h"]


def answer(*words):
    done = CliRunner().invoke(cli, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_simulate_is_as_precise_as_asked():
    words = ["simulate", *CASE, "--interval", "40min", "--replications", "10", "--precision", "2%"]
    found = answer(*words)
    assert (found["precision"], found["precise"]) == (0.02, True)
    low, high = found["jobs"]["makespan_ci99_s"]
    assert (high - low) / 2 <= 0.02 / 1.02 * found["jobs"]["makespan_mean_s"]
    assert found["replications"] > 10
    fewer = answer(*words, "--replications-max", "12")
    assert (fewer["replications"], fewer["precise"]) == (12, False)


def test_what_is_not_precise_is_said():
    words = ["simulate", *CASE, "--interval", "40min", "--replications", "10", "--no-report"]
    done = CliRunner().invoke(cli, [*words, "--precision", "1 %", "--replications-max", "11"])
    assert (
        "Not every mean is known to within 1.00 % of itself: --replications-max, 11, was reached."
        in done.stdout
    )


def test_each_point_of_a_sweep_is_as_precise_as_asked():
    words = ["sweep", *CASE, "--over", "job.interval=20min,40min,60min", "--replications", "10"]
    found = answer(*words, "--precision", "5%")
    for point in found["points"]:
        assert point["precise"]
        half = point["makespan_s"] - point["makespan_s_low"]
        assert half <= 0.05 / 1.05 * point["makespan_s"]
    assert not any(
        point["precise"]
        for point in answer(*words, "--precision", "0.1%", "--replications-max", "11")["points"]
    )


def test_a_share_is_read():
    assert (share("1%"), share("0.5 %"), share("0.01")) == (0.01, 0.005, 0.01)


@pytest.mark.parametrize("text", ["", "x", "0%", "100%", "-1%", "nan", "1%%x"])
def test_no_share_is_told(text):
    with pytest.raises(ScenarioError, match=r"^--precision"):
        share(text)


def test_a_flag_without_effect_is_told():
    for words, mistake in (
        (["--replications-max", "5"], "--replications-max: has no effect without --precision"),
        (["--workers", "2"], "--workers: has no effect without --cluster"),
    ):
        with pytest.raises(ScenarioError, match=mistake):
            CliRunner().invoke(
                cli,
                ["simulate", *CASE, "--interval", "1h", *words],
                catch_exceptions=False,
                standalone_mode=False,
            )
