"""Many replications: in the order of their numbers, the same on one core and on all."""

from functools import partial

import numpy as np
import pytest

from ckptsim import experiment, ledger
from ckptsim.drivers.virtual import Stay, simulate, simulate_leases
from ckptsim.experiment import Results, replicate, replicate_leases
from ckptsim.scenario import load
from ckptsim.units import HOUR, MINUTE
from ckptsim.world import world_of

SEED = 20_250_611


@pytest.fixture
def world():
    scenario = load(
        None,
        {
            "job.work": "6h",
            "job.write": "5min",
            "slots.limit": "3h",
            "slots.evictions": "4h",
            "seed": SEED,
        },
    )
    return world_of(scenario, 40 * MINUTE)


def same(results, others):
    pairs = list(zip(results.replications, others.replications, strict=True))
    return all(
        one[:4] == other[:4] and (one.stays == other.stays).all() and one.end == other.end
        for one, other in pairs
    )


def test_a_replication_is_a_run_in_brief(world):
    results = replicate(world, 3)
    for number, replication in enumerate(results.replications):
        outcome = simulate(world, number)
        assert replication.number == number
        assert replication.ledger == outcome.ledger
        assert replication.makespans == outcome.makespans
        assert [Stay(*row) for row in replication.stays.tolist()] == outcome.stays


def test_one_core_and_all_give_the_same(world, monkeypatch):
    alone = replicate(world, 120)
    monkeypatch.setattr(experiment, "JOBS_SERIAL_MAX", 0)
    on_all = replicate(world, 120)
    assert same(on_all, alone)
    assert [replication.number for replication in on_all.replications] == list(range(120))


def test_leases_are_run_in_replications_of_so_many(world, monkeypatch):
    results = replicate_leases(world, 1100)
    assert [len(each.stays) for each in results.replications] == [250, 250, 250, 250, 100]
    assert len(results.stays("work")) == 1100
    assert (results.stays("work")[250:500] == column(simulate_leases(world, 1, 250), "work")).all()
    monkeypatch.setattr(experiment, "LEASES_SERIAL_MAX", 0)
    assert same(results, replicate_leases(world, 1100))


def column(outcome, name):
    return np.array([getattr(stay, name) for stay in outcome.stays])


@pytest.mark.parametrize("leases", [1, 249, 250, 251])
def test_no_lease_too_many_and_none_too_few(world, leases):
    assert len(replicate_leases(world, leases).stays("start")) == leases


def test_the_whole_is_the_sum_of_the_replications(world):
    results = replicate(world, 20)
    assert results.completed == 20
    assert results.stranded == 0
    assert results.ledger[ledger.Category.USEFUL] == 20 * 6 * HOUR
    stays = results.stays("end") - results.stays("start")
    assert ledger.slot_time(results.ledger) == int(stays.sum())
    assert not results.interrupted


def test_stranded_jobs_are_counted():
    scenario = load(None, {"job.work": "6h", "job.write": "5min", "slots.limit": "1h"})
    results = replicate(world_of(scenario, 56 * MINUTE), 5)
    assert (results.completed, results.stranded) == (0, 5)
    assert len(results.stays("work")) == 0


def test_progress_is_told(world):
    told = []
    replicate(world, 4, lambda done, asked: told.append((done, asked)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_progress_on_all_cores_ends_with_all(world):
    told = []
    replicate(world, 250, lambda done, asked: told.append((done, asked)))
    assert told[-1] == (250, 250)
    assert told == sorted(told)


def stop_after(count, done, _):
    if done >= count:
        raise KeyboardInterrupt


def test_ctrl_c_keeps_what_is_finished(world):
    results = replicate(world, 50, partial(stop_after, 7))
    assert results.interrupted
    assert [replication.number for replication in results.replications] == list(range(7))
    assert results.completed == 7


def test_ctrl_c_on_all_cores_keeps_what_is_finished(world):
    results = replicate(world, 400, partial(stop_after, 1))
    assert results.interrupted
    assert 0 < len(results.replications) < 400
    for replication in results.replications:
        assert replication.ledger == simulate(world, replication.number).ledger


def test_nothing_finished_is_nothing(world):
    results = Results(world, [], 10)
    assert results.ledger == ledger.opened()
    assert results.interrupted
    assert (results.completed, results.stranded, len(results.stays("work"))) == (0, 0, 0)
