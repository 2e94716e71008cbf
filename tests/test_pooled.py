"""What a pool's results are made of: a story by hand, sums that must come out, and steady state."""

import json
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from ckptsim.course import Course, course_of
from ckptsim.engine import Engine
from ckptsim.experiment import Results, replicate
from ckptsim.gauge import BINS, Measure
from ckptsim.ledger import Category
from ckptsim.pieces import Method, ledger_of
from ckptsim.running import Means
from ckptsim.scenario import load
from ckptsim.summary import Summary
from ckptsim.terminal import finite
from ckptsim.units import HOUR, MINUTE, SECOND
from ckptsim.world import pool_world

# Two jobs of 20 min on two slots, each with one checkpoint of 600 MB in its middle. The link takes
# 60 s for one, so 120 s for the two that come together.
TWINS = {
    "job.count": 2,
    "job.work": "20min",
    "job.interval": "10min",
    "job.size": "600MB",
    "slots.count": 2,
    "link.bandwidth": "10MB/s",
    "replications": 1,
}
POOL = {
    "classes.long.user": "ann",
    "classes.long.count": 4,
    "classes.long.work": "20h",
    "classes.long.size": "30GB",
    "classes.short.user": "ben",
    "classes.short.count": 30,
    "classes.short.work": "2h",
    "classes.short.size": "1GB",
    "classes.short.arrivals": "exponential(mean=30min)",
    "classes.tiny.user": "ben",
    "classes.tiny.count": 5,
    "classes.tiny.work": "1h",
    "classes.tiny.size": "1GB",
    "job.interval": "30min",
    "kinds.old.count": 3,
    "kinds.new.count": 3,
    "kinds.new.speed": 2,
    "slots.evictions": "6h",
    "link.bandwidth": "1Gb/s",
    "replications": 3,
}
ENDLESS = {
    "job.count": 4,
    "job.interval": "30min",
    "job.write": "3min",
    "slots.count": 4,
    "slots.evictions": "6h",
    "duration": "20d",
    "warm_up": "2d",
}
# Of such a job alone, whose leases start from a checkpoint, by exact.py.
EXACT = 0.868061


def ran(keys, engine=Engine.VIRTUAL):
    scenario = load(None, keys)
    intervals = [job.interval for job in scenario.job_classes.values()]
    world = pool_world(scenario, intervals)
    results = replicate(world, scenario.replications, means=Means(engine=engine))
    return Summary(results, endless=False)


@pytest.fixture(scope="module")
def pool():
    return ran(POOL)


def test_two_jobs_share_the_link_as_worked_out_by_hand():
    summary = ran(TWINS)
    link, course = summary.pool.link, summary.pool.course
    assert summary.makespan.mean == 22 * 60
    assert summary.ledger[Category.TRANSFER] == 2 * 2 * MINUTE
    assert link.busy == pytest.approx(2 / 22)
    assert link.in_flight == pytest.approx(2 * 2 / 22)
    assert link.waiting == 0
    assert link.bytes == pytest.approx(1.2e9)
    assert course.most(Measure.BUSY) == 2
    assert course.end == 22 * MINUTE
    assert link.demand == pytest.approx(2 * 60 / (20 * 60 + 60))
    assert not link.saturated


def test_three_that_come_together_could_be_staggered():
    three = {"job.count": 3, "slots.count": 3}
    assert ran(TWINS | three).pool.link.bunched
    assert not ran(TWINS | three | {"job.stagger": "yes"}).pool.link.bunched


def test_twins_of_which_one_is_shifted_do_not_meet():
    link = ran(TWINS | {"job.stagger": "yes"}).pool.link
    assert link.in_flight == pytest.approx(link.busy)


def test_one_transfer_at_a_time_lets_the_other_wait():
    link = ran(TWINS | {"link.at_most": 1}).pool.link
    assert link.in_flight == pytest.approx(link.busy)
    assert link.waiting > 0


@pytest.mark.parametrize("parts", ["classes", "users", "kinds"])
def test_the_parts_add_up_to_the_whole(pool, parts):
    books = [ledger_of(pool.results, part) for part in getattr(pool.pool, parts)]
    assert [sum(column) for column in zip(*books, strict=True)] == list(pool.ledger.values())
    shown = pool.json()[parts]
    committed = sum(
        part["committed_slot_hours_per_slot_hour"] * part.get("slots", 6) / 6
        for part in shown.values()
    )
    assert committed == pytest.approx(pool.committed_per_slot.mean)


def test_users_have_what_their_classes_have(pool):
    document = pool.json()
    assert [*document["users"]] == ["ann", "ben"]
    jobs = [document["classes"][name]["jobs"]["completed"] for name in ("short", "tiny")]
    assert document["users"]["ben"]["jobs"]["completed"] == sum(jobs) == 3 * 35
    assert document["users"]["ben"]["jobs"]["count"] == 35
    assert document["classes"]["long"]["jobs"] == document["users"]["ann"]["jobs"]


def test_makespans_are_those_of_the_class(pool):
    spans = pool.json()["classes"]
    everyone = (12 * spans["long"]["jobs"]["makespan_mean_s"]) + sum(
        3 * spans[name]["jobs"]["count"] * spans[name]["jobs"]["makespan_mean_s"]
        for name in ("short", "tiny")
    )
    assert pool.makespan.mean == pytest.approx(everyone / (3 * 39))


def test_slots_are_busy_as_long_as_the_ledger_says(pool):
    runs = pool.results.replications
    ends = sum(run.end for run in runs)
    assert pool.pool.course.mean(Measure.BUSY) == pytest.approx(pool.slot_time / ends)


def test_a_document_can_be_read_again(pool):
    assert json.loads(json.dumps(finite(pool.json())))["link"]["saturated"] is False


# --- steady state ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steady():
    return ran(ENDLESS | {"replications": 1})


def test_one_run_is_read_by_batches_and_close_to_what_mathematics_says(steady):
    found = steady.pool.steady
    assert (found.method, found.pieces, found.warm_up) == (Method.BATCHES, 20, 48 * HOUR)
    low, high = steady.useful.interval
    assert low < EXACT < high
    assert high - low < 0.03


def test_many_runs_are_read_by_their_own_means():
    summary = ran(ENDLESS | {"replications": 5})
    assert summary.pool.steady.method == Method.REPLICATIONS
    assert len(summary.pieces.times) == 5
    assert set(summary.pieces.times) == {18 * 24 * HOUR}
    low, high = summary.useful.interval
    assert low < EXACT < high


def test_what_is_pending_at_the_end_is_neither_lost_nor_useful(steady):
    books = steady.ledger
    assert 0 < books[Category.PENDING] < 4 * 33 * MINUTE
    known = steady.slot_time - books[Category.PENDING]
    assert steady.useful.mean == pytest.approx(books[Category.USEFUL] / known, rel=2e-3)
    assert steady.json()["ledger"]["pending_s"] == books[Category.PENDING] / SECOND


def test_the_warm_up_is_left_out(steady):
    [run] = steady.results.replications
    first = sum(map(sum, run.marked_ledgers[0]))
    assert steady.slot_time == sum(run.ledger) - first
    assert 4 * 47 * HOUR < first < 4 * 48 * HOUR


def course_of_queue(numbers, start=0):
    bins = len(numbers)
    means = np.zeros((len(Measure), bins))
    means[Measure.QUEUED] = numbers
    return Course(means * SECOND, SECOND, np.full(bins, float(SECOND)), start, bins * SECOND)


def test_a_warm_up_that_is_too_short_is_noticed():
    random = np.random.default_rng(5)
    numbers = 50 + random.normal(size=400)
    numbers[:100] = np.linspace(0, 50, 100)
    assert course_of_queue(numbers).warm_up_short
    assert 90 * SECOND <= course_of_queue(numbers).warm_up_found <= 110 * SECOND
    assert not course_of_queue(numbers, 100 * SECOND).warm_up_short


def test_a_queue_that_grows_for_ever_does_not_settle():
    assert course_of_queue(np.linspace(0, 100, 400)).warm_up_found == inf


def test_a_number_that_never_changes_needs_no_warm_up():
    assert course_of_queue(np.full(400, 7.0)).warm_up_found == 0


# --- over time ------------------------------------------------------------------------------------


def test_runs_of_different_lengths_are_put_on_one_grid(steady):
    [run] = steady.results.replications
    world = steady.results.world
    sums = np.zeros((len(Measure), BINS))
    sums[Measure.BUSY, :4] = 2.0 * SECOND
    short = run._replace(gauges=sums, gauge_width=SECOND, end=4 * SECOND)
    wide = np.zeros((len(Measure), BINS))
    wide[Measure.BUSY, :2] = 4 * 6.0 * SECOND
    long = run._replace(gauges=wide, gauge_width=4 * SECOND, end=8 * SECOND)
    bare = replace(world, scenario=world.scenario.model_copy(update={"warm_up": 0}))
    course = course_of(Results(bare, [short, long], 2, Engine.VIRTUAL))
    assert course.width == 4 * SECOND
    assert course.means[Measure.BUSY].tolist() == [4.0, 3.0]  # the short one is over then
    assert course.mean(Measure.BUSY) == (2 * 4 + 6 * 8) / 12  # of the time that there were runs


def test_compiled_code_tells_the_same():
    one, other = (
        ran(POOL | {"replications": 1}, engine).json() for engine in ("virtual", "compiled")
    )
    assert (one.pop("engine"), other.pop("engine")) == ("virtual", "compiled")
    assert finite(one) == finite(other)
