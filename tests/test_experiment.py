"""Many replications: in the order of their numbers, the same on one core and on all, or resumed."""

import json
import random
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from time import monotonic, sleep

import numpy as np
import pytest

from ckptsim import experiment, ledger
from ckptsim.drivers.virtual import simulate, simulate_leases
from ckptsim.engine import Engine
from ckptsim.experiment import Results, replicate, replicate_leases
from ckptsim.outcome import Stay
from ckptsim.partial import NAME, Partial
from ckptsim.running import Means, chunks, finished, run_some
from ckptsim.scenario import load
from ckptsim.sweep import axis, grid, sweep
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
    pairs = zip(results.replications, others.replications, strict=True)
    return all(
        np.array_equal(*each) for one, other in pairs for each in zip(one, other, strict=True)
    )


def test_a_replication_is_a_run_in_brief(world):
    results = replicate(world, 3)
    for number, replication in enumerate(results.replications):
        outcome = simulate(world, number)
        assert replication.number == number
        assert replication.ledger == outcome.ledger
        assert replication.makespans.tolist() == outcome.makespans
        assert (replication.completed, replication.stranded) == ([1], [0])
        assert (replication.leases, replication.end) == ([len(outcome.stays)], outcome.end)
        assert replication.checkpoints == [sum(stay.checkpoints for stay in outcome.stays)]


def test_of_leases_each_is_kept(world):
    (replication,) = replicate_leases(world, 40).replications
    outcome = simulate_leases(world, 0, 40)
    assert [Stay(*row) for row in replication.stays.tolist()] == outcome.stays


def test_one_core_and_all_give_the_same(world, monkeypatch):
    alone = replicate(world, 120)
    monkeypatch.setattr(experiment, "EVENTS_SERIAL_MAX", 0)
    on_all = replicate(world, 120)
    assert same(on_all, alone)
    assert [replication.number for replication in on_all.replications] == list(range(120))


def test_leases_are_run_in_replications_of_so_many(world, monkeypatch):
    results = replicate_leases(world, 1100)
    assert [len(each.stays) for each in results.replications] == [250, 250, 250, 250, 100]
    assert len(results.stays("work")) == 1100
    assert (results.stays("work")[250:500] == column(simulate_leases(world, 1, 250), "work")).all()
    monkeypatch.setattr(experiment, "EVENTS_SERIAL_MAX", 0)
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
    stays = [stay for number in range(20) for stay in simulate(world, number).stays]
    assert ledger.slot_time(results.ledger) == sum(stay.end - stay.start for stay in stays)
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
    results = Results(world, [], 10, Engine.VIRTUAL)
    assert results.ledger == ledger.opened()
    assert results.interrupted
    assert (results.completed, results.stranded, len(results.stays("work"))) == (0, 0, 0)


def test_a_mistake_in_an_item_is_raised():
    kept = Means().kept("items", int, "test", count=2)
    with pytest.raises(ZeroDivisionError):
        finished(partial(divmod, 1), [1, 0], kept, serial=False)


def test_chunks_hold_every_item_once():
    numbered = [(number, None) for number in range(1003)]
    for workers in (1, 2, 7, 2000):
        split = chunks(numbered, workers)
        assert [pair for chunk in split for pair in chunk] == numbered
        assert max(map(len, split)) <= 250
        assert len(split) >= min(2 * workers, 1003)


def test_long_items_are_handed_in_one_by_one(monkeypatch):
    numbered = [(7, "a"), (8, "b"), (9, "c")]
    assert run_some(str.upper, numbered) == {7: "A", 8: "B", 9: "C"}
    monkeypatch.setattr("ckptsim.running.HAND_IN_S", -1.0)
    assert run_some(str.upper, numbered) == {7: "A"}


# --- taken up again -------------------------------------------------------------------------------


@pytest.fixture
def told():
    return []


def kept_in(folder, told, run):
    """What `run` with the folder's partial results gives; as a command does it."""
    file = Partial(folder, told.append)
    means = Means(file)
    results = run(means)
    means.told()
    file.close()
    return results


def test_what_was_interrupted_goes_on(world, tmp_path, told):
    part = kept_in(
        tmp_path, told, lambda means: replicate(world, 50, partial(stop_after, 7), means)
    )
    assert (len(part.replications), told) == (7, [])
    progress = []
    whole = kept_in(
        tmp_path,
        told,
        lambda means: replicate(world, 50, lambda *counts: progress.append(counts), means),
    )
    assert told == [f"Going on from 7 of 50 replications kept in {tmp_path / NAME}"]
    assert progress == [(done, 50) for done in range(8, 51)]
    assert same(whole, replicate(world, 50))
    assert not list(tmp_path.iterdir())


def test_more_than_before_goes_on_and_fewer_too(world, tmp_path, told):
    for asked in (50, 30, 5):
        kept_in(tmp_path, [], lambda means: replicate(world, 50, partial(stop_after, 7), means))
        results = kept_in(tmp_path, told, lambda means, n=asked: replicate(world, n, None, means))
        assert same(results, replicate(world, asked))
        assert not list(tmp_path.iterdir())
    assert [line.split(" of ")[0] for line in told] == [
        f"Going on from {count}" for count in (7, 7, 5)
    ]


def test_leases_go_on_too(world, tmp_path, told, monkeypatch):
    kept_in(
        tmp_path, told, lambda means: replicate_leases(world, 1100, partial(stop_after, 2), means)
    )
    monkeypatch.setattr(experiment, "EVENTS_SERIAL_MAX", 0)
    whole = kept_in(tmp_path, told, lambda means: replicate_leases(world, 1100, None, means))
    assert told == [f"Going on from 2 of 5 replications kept in {tmp_path / NAME}"]
    assert same(whole, replicate_leases(world, 1100))


def test_another_experiment_in_the_folder_is_not_mixed_in(world, tmp_path, told):
    other = world_of(world.scenario, 50 * MINUTE)
    kept_in(tmp_path, told, lambda means: replicate(world, 50, partial(stop_after, 7), means))
    assert same(
        kept_in(tmp_path, told, lambda means: replicate(other, 9, None, means)), replicate(other, 9)
    )
    kept_in(tmp_path, told, lambda means: replicate_leases(world, 500, None, means))
    assert told == []
    assert (tmp_path / NAME).exists()
    kept_in(tmp_path, told, lambda means: replicate(world, 50, None, means))
    assert len(told) == 1


def test_a_sweep_goes_on(tmp_path, told):
    over = [axis("job.interval=20min,40min,60min,80min"), axis("slots.limit=2h,3h")]
    keys = {"job.work": "6h", "job.write": "5min", "slots.evictions": "4h", "replications": 5}
    points = [(each, load(None, {**keys, **each})) for each in grid(over)]
    plain = sweep(over, points, 10)
    part = kept_in(
        tmp_path, told, lambda means: sweep(over, points, 10, partial(stop_after, 1), means)
    )
    assert 0 < len(part) < len(plain)
    whole = kept_in(tmp_path, told, lambda means: sweep(over, points, 10, None, means))
    assert told == [f"Going on from {len(part)} of 8 points kept in {tmp_path / NAME}"]
    assert whole.to_csv() == plain.to_csv()
    assert whole.dtypes.equals(plain.dtypes)
    assert not list(tmp_path.iterdir())


# --- by real processes ----------------------------------------------------------------------------

COUNT = 4000
RUN = [sys.executable, "-m", "ckptsim", "simulate", "--work", "40h", "--limit", "6h"]
RUN += ["--evictions", "12h", "--write", "4min", "--interval", "84min"]
RUN += ["--replications", str(COUNT), "--json"]


@pytest.fixture(scope="module")
def plain():
    """What a run that nothing interrupts prints."""
    return subprocess.run(RUN, capture_output=True, check=True, text=True).stdout


def interrupted(folder, signal_, more):
    """A run that gets the signal when it has kept so many more bytes."""
    before = kept_bytes(folder)
    with subprocess.Popen(
        [*RUN, "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = monotonic() + 60
        while process.poll() is None and kept_bytes(folder) < before + more and monotonic() < until:
            sleep(0.01)
        process.send_signal(signal_)
        out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


def kept_bytes(folder):
    total = 0
    for path in folder.glob(f"{NAME}*"):
        with suppress(FileNotFoundError):  # SQLite's own come and go
            total += path.stat().st_size
    return total


def test_killed_at_any_moment_it_goes_on(tmp_path, plain):
    chance, folder = random.Random(SEED), tmp_path / "out"
    for _ in range(3):
        status, _, _ = interrupted(folder, signal.SIGKILL, chance.randrange(8_000, 200_000))
        assert status == -signal.SIGKILL
    done = subprocess.run([*RUN, "--out", str(folder)], capture_output=True, check=True, text=True)
    assert done.stdout == plain
    (line,) = done.stderr.splitlines()
    assert line.startswith("Going on from ")
    assert line.endswith(f" of {COUNT:,} replications kept in {folder / NAME}")
    assert not list(folder.glob(f"{NAME}*"))


def test_after_ctrl_c_it_goes_on(tmp_path, plain):
    folder = tmp_path / "out"
    status, out, errors = interrupted(folder, signal.SIGINT, 50_000)
    part = json.loads(out)
    assert (status, errors, part["interrupted"]) == (0, "", True)
    assert 0 < part["replications"] < COUNT
    assert (folder / "simulate.md").exists()
    assert (folder / NAME).exists()
    done = subprocess.run([*RUN, "--out", str(folder)], capture_output=True, check=True, text=True)
    assert done.stdout == plain
    assert done.stderr == (
        f"Going on from {part['replications']:,} of {COUNT:,} replications "
        f"kept in {folder / NAME}\n"
    )
    assert not (folder / NAME).exists()


def test_without_a_folder_nothing_is_kept(tmp_path, plain):
    assert json.loads(plain)["replications"] == COUNT
    few = [*RUN, "--replications", "5"]
    subprocess.run(few, cwd=tmp_path, check=True, capture_output=True)
    assert not list(tmp_path.iterdir())
