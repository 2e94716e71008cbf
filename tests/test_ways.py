"""The ways to checkpoint beside each other, and what the commands say of each mode."""

import pytest
from every_fate import at
from test_cli import DOCUMENTED, FEW, LEASE, answer, ckptsim, fields, mistake

from ckptsim.errors import ScenarioError
from ckptsim.plan import plan
from ckptsim.rules import Mode
from ckptsim.scenario import Scenario, load, named
from ckptsim.units import MINUTE
from ckptsim.ways import ways

LIMIT = {
    "slots__limit": "6h",
    "job__write": "4min",
    "job__transfer": "1min",
    "job__restart": "2min",
    "slots__grace": "10min",
}


def found(**given):
    advice = plan(at(**LIMIT | given))
    return {
        named(way.mode): (
            way.interval and way.interval / MINUTE,
            round(way.value.useful_fraction, 9),
            round(way.lost_more_h(advice.best), 6),
        )
        for way in advice.ways
    }


def expected(interval, minutes, slot_time, own=353 / 360):
    useful = minutes / slot_time
    return interval, round(useful, 9), round(168 * (own - useful), 6)


def test_all_modes_where_only_the_limit_ends_a_lease():
    """By hand: one checkpoint as late as can be. Of 360 min 2 go to the restart, 4 to the write and
    1 to the transfer, unless that comes after the limit; a job of 5 h needs no checkpoint at all.
    """
    assert found(job__work="5h") == {
        "exit code": expected(353, 353, 360),
        "manual": expected(353, 353, 360),
        "periodic signal": expected(355, 353, 360),
        "early exit": expected(353, 353, 360),
        "delayed": expected(354, 354, 361),
        "delayed signal": expected(None, 358, 365),
        "none": expected(None, 300, 300),
    }


def test_the_scenarios_own_mode_is_what_others_are_measured_by():
    others = found(job__mode="delayed")
    assert others["delayed"] == expected(354, 354, 361, own=354 / 361)
    assert others["exit code"] == expected(353, 353, 360, own=354 / 361)
    assert "none" not in others  # a job without end never finishes so


def test_an_exit_signal_stands_in_the_place_of_the_exit_code():
    assert next(iter(found(job__mode="exit signal"))) == "exit signal"


def test_early_exits_wait_for_a_slot_after_each_checkpoint():
    """Of a limit of 24 h with evictions every 12 h: each checkpoint costs another gap of 30 min."""
    plain = at(**LIMIT | {"slots__limit": "24h", "slots__evictions": "12h", "slots__gap": "30min"})
    advice = plan(plain)
    (early,) = (way for way in advice.ways if way.mode == Mode.EARLY_EXIT)
    assert early.lost_more_h(advice.best) > 10
    assert early.note == ""
    (early,) = (way for way in plan(at(**LIMIT)).ways if way.mode == Mode.EARLY_EXIT)
    assert "give --gap" in early.note


def test_what_never_fits_the_grace_is_told_with_its_reason():
    advice = plan(at(**LIMIT | {"slots__grace": "3min"}))
    notes = {way.mode: way.note for way in advice.ways}
    assert notes[Mode.DELAYED] == ""
    assert notes[Mode.DELAYED_SIGNAL] == (
        "nothing is ever saved, for write and transfer take 5 min and the grace is 3 min"
    )


def test_a_job_in_steps_of_its_own_is_compared_in_the_modes_that_heed_them():
    scenario = at(**LIMIT | {"slots__limit": "90min"}, job__steps="40min, 20min, 60min")
    assert [way.mode for way in ways(scenario, plan(scenario).best)] == [
        Mode.EXIT_CODE,
        Mode.MANUAL,
        Mode.EARLY_EXIT,
        Mode.NONE,
    ]


# What is refused, in a line.


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"job.mode": "none"}, r"job\.work: missing: without checkpoints a job starts over"),
        (
            {"job.mode": "delayed", "job.leave_early": "yes"},
            r"job\.leave_early: has no effect with the mode 'delayed'",
        ),
        (
            {"job.mode": "none", "job.work": "1h", "job.last_checkpoint": "yes"},
            r"job\.last_checkpoint: has no effect with the mode 'none'",
        ),
        (
            {"job.mode": "delayed signal", "job.stagger": "yes"},
            r"job\.stagger: has no effect with the mode 'delayed signal': there is no interval",
        ),
        (
            {"job.mode": "periodic signal", "job.step": "10min"},
            r"job\.step: given with the mode 'periodic signal'",
        ),
        (
            {"job.mode": "delayed-signal", "job.steps": "10min"},
            r"job\.steps: given with the mode 'delayed signal'",
        ),
        ({"job.mode": "exit cod"}, r"job\.mode: 'exit cod': .*did you mean 'exit code'"),
    ],
)
def test_a_mode_and_what_contradicts_it(given, line):
    with pytest.raises(ScenarioError, match=line):
        load(None, given)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"slots__retirement": "1h", "slots__evictions": "9h"}, r"retirement: 1 h: there is no ex"),
        ({"job__mode": "delayed", "job__steps": "1h, 2h"}, r"job\.steps: there is no exact answer"),
    ],
)
def test_without_an_exact_answer_the_simulation_is_named(given, line):
    with pytest.raises(ScenarioError, match=f"{line}.*ckptsim simulate.*ckptsim sweep"):
        plan(at(**LIMIT | given))


def test_a_retirement_without_evictions_is_of_no_account():
    with_it = plan(at(**LIMIT, slots__retirement="1h")).best
    assert with_it == plan(at(**LIMIT)).best


@pytest.mark.parametrize("mode", Mode)
def test_a_mode_is_written_as_it_is_read(mode):
    assert Scenario.model_validate({"job": {"mode": named(mode), "work": "1h"}}).job.mode == mode


# What the commands say.

COSTS = ["--write", "4min", "--transfer", "1min", "--limit", "6h", "--evictions", "9h"]


def test_plan_says_that_everything_is_lost_and_does_not_refuse():
    done = ckptsim("plan", *COSTS, "--mode", "delayed", "--no-report", *FEW)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "Nothing is ever saved, for transfer takes 1 min and there is no grace.\n"
        "100.0 % of slot time is wasted.\n"
    )


@pytest.mark.parametrize(
    ("more", "interval", "never"),
    [
        (["--mode", "delayed"], None, True),
        (["--mode", "delayed signal", "--grace", "5min"], None, False),
        (["--mode", "none", "--work", "5h"], None, False),
        (["--mode", "none", "--work", "7h"], None, True),
    ],
)
def test_plan_where_there_is_no_interval_to_choose(more, interval, never):
    document = answer("plan", *COSTS, *more, *FEW)
    assert document["recommended"]["interval_s"] == interval
    assert document["recommended"]["never_finishes"] is never
    named = fields({**document, "scenario": {}})
    assert {name.removesuffix("_ci99") for name in named} <= DOCUMENTED


@pytest.mark.parametrize("mode", ["delayed", "periodic signal", "manual", "early exit"])
def test_plan_for_other_modes(mode):
    """The simulation confirms it, with fates of its own; 99 %, and once more as much to be sure."""
    document = answer("plan", *COSTS, "--grace", "5min", "--mode", mode, "--confirm", "3000")
    simulated, (low, high) = (
        document["simulation"][f"useful_fraction_with_gap{name}"] for name in ("", "_ci99")
    )
    assert abs(simulated - document["recommended"]["useful_fraction"]) <= high - low
    whole_job = document["recommended"]["makespan_s"], document["makespan"]
    assert whole_job == (None, None)
    assert (document["policy"] is None) == (mode in ("delayed", "periodic signal"))


def test_plan_asked_about_whole_jobs_in_a_mode_in_which_they_are_not_known():
    words = [*COSTS, "--mode", "delayed", "--grace", "5min", "--work", "9h"]
    assert "--objective makespan: with the mode 'delayed' only leases have an exact answer" in (
        mistake("plan", *words, "--objective", "makespan")
    )


def test_simulate_without_an_interval():
    words = ["--mode", "delayed signal", "--grace", "5min", "--leases", "50"]
    assert answer("simulate", *COSTS, *words)["useful_fraction"] > 0.9
    done = ckptsim("simulate", *COSTS, *words, "--no-report")
    assert "with a checkpoint when the slot is lost." in done.stdout
    assert "job.interval: missing" in mistake("simulate", *COSTS, "--mode", "delayed")


def test_simulate_says_why_nothing_is_saved():
    words = ["--mode", "delayed", "--interval", "1h", "--no-report"]
    done = ckptsim("simulate", *COSTS, *words, "--leases", "50")
    assert done.stdout.startswith("Nothing is ever saved, for transfer takes 1 min and there is no")
    done = ckptsim("simulate", *COSTS, *words, "--work", "9h", "--replications", "1")
    assert done.stdout.startswith("This job never finishes: nothing is ever saved, for transfer ta")


def test_simulate_refuses_what_has_no_effect():
    none = ["simulate", *COSTS, "--mode", "none", "--work", "5h"]
    assert "--leases: runs a job without end" in mistake(*none, "--leases", "5")
    assert "--policy x: has no effect with the mode 'none'" in mistake(*none, "--policy", "x")


def test_sweep_over_the_modes():
    over = "job.mode=exit code,delayed,delayed signal"
    points = answer(
        "sweep", *LEASE, "--grace", "9min", "--interval", "1h", "--over", over, "--leases", "9"
    )["points"]
    assert [point["job.mode"] for point in points] == ["exit code", "delayed", "delayed signal"]


def test_retirement_is_simulated():
    words = ["--interval", "1h", "--leases", "200", "--retirement", "2h"]
    assert answer("simulate", *COSTS, *words)["scenario"]["slots"]["retirement"] == "2h"
