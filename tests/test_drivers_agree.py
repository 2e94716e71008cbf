"""The two drivers say the same of any world: the same events, ledgers and stays, all with `==`.

That says nothing about the rules, which they share; other tests judge those.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from random_worlds import random_world

from ckptsim.drivers import virtual
from ckptsim.drivers.compiled import driver
from ckptsim.scenario import describe, load
from ckptsim.units import DAY, HOUR
from ckptsim.world import world_of

REPLICATION = 3
SHOWN = 10  # rows before the first that differs
WAYS = {
    "pools": {"lone": False},
    "lone jobs": {"lone": True},
    "pools with steps and tables": {"lone": False, "stepped": True},
    "lone jobs with steps and tables": {"lone": True, "stepped": True},
}


def told(a_driver, world):
    """The rows and the outcome of a run, all that both drivers tell."""
    rows = []
    outcome = a_driver.simulate(world, REPLICATION, rows.append)
    # Nothing waits for anything but time: the compiled driver has no gauges there.
    return rows, outcome if world.is_crowded else replace(outcome, gauge=None)


def first_difference(rows, others):
    pairs = enumerate(zip(rows, others, strict=False))
    return next((n for n, (row, other) in pairs if row != other), min(len(rows), len(others)))


def difference(seed, world, expected, found):
    """What to look at where the drivers differ."""
    place = first_difference(expected[0], found[0])
    names = [name for name in vars(expected[1]) if vars(expected[1])[name] != vars(found[1])[name]]
    return "\n".join(
        [
            f"seed {seed}: {describe(world.scenario)}",
            f"intervals: {[plan.interval for plan in world.plans]}",
            *map(str, expected[0][max(0, place - SHOWN) : place]),
            f"virtual:  {expected[0][place : place + 1]}",
            f"compiled: {found[0][place : place + 1]}",
            f"the outcomes differ in {names}",
        ]
    )


def assert_agreed(seeds, **way):
    for seed in seeds:
        world = random_world(seed, **way)
        expected, found = told(virtual, world), told(driver, world)
        assert expected == found, difference(seed, world, expected, found)


@pytest.mark.parametrize(
    ("way", "count"),
    [
        ("pools", 200),
        ("lone jobs", 60),
        ("pools with steps and tables", 60),
        ("lone jobs with steps and tables", 30),
    ],
)
def test_the_drivers_agree(way, count):
    assert_agreed(range(count), **WAYS[way])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "count"),
    [
        ("pools", 14_000),
        ("lone jobs", 3_000),
        ("pools with steps and tables", 3_000),
        ("lone jobs with steps and tables", 1_000),
    ],
)
def test_the_drivers_agree_on_very_many(way, count):
    assert_agreed(range(100_000, 100_000 + count), **WAYS[way])


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_leases_agree(seed):
    world = random_world(seed, lone=True)
    expected, found = [], []
    outcome = virtual.simulate_leases(world, REPLICATION, 200, expected.append)
    again = driver.simulate_leases(world, REPLICATION, 200, found.append)
    assert expected == found
    assert replace(outcome, gauge=None) == replace(again, gauge=None)


def test_leases_are_those_of_one_job_on_one_slot_however_many_there_are():
    """While its slot is away the job waits, in both drivers, though others are free."""
    given = {"slots.count": 3, "job.count": 2, "job.interval": "1h", "slots.limit": "3h"}
    scenario = load(None, {**given, "slots.absence": "30min"})
    world = world_of(scenario, scenario.job.interval)
    for a_driver in (virtual, driver):
        stays = a_driver.simulate_leases(world, 0, 3).stays
        found = [(stay.slot, stay.job, stay.start / HOUR, stay.end / HOUR) for stay in stays]
        assert found == [(0, 0, 0, 3), (0, 0, 3.5, 6.5), (0, 0, 7, 10)]


WITHOUT_COMPILER = """
from numba import config
from random_worlds import random_world
from test_drivers_agree import WAYS, assert_agreed

assert config.DISABLE_JIT
for way in WAYS.values():
    assert_agreed(range(6), **way)
print("agreed")
"""


def test_without_the_compiler_they_agree_too():
    tests = Path(__file__).parent
    path = os.pathsep.join([str(tests.parent), str(tests)])
    environment = os.environ | {"PYTHONPATH": path, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_COMPILER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("agreed\n", "")


@pytest.mark.parametrize("a_driver", [virtual, driver], ids=["virtual", "compiled"])
def test_more_slot_time_than_64_bits_hold_is_all_there(a_driver):
    """3,000 slots for two months are 490 years of slot time; 64 bits of nanoseconds are 292."""
    given = {"job.count": 3_000, "slots.count": 3_000, "job.interval": "20d", "duration": "60d"}
    scenario = load(None, given)
    outcome = a_driver.simulate(world_of(scenario, scenario.job.interval), 0)
    assert sum(outcome.ledger) == 3_000 * 60 * DAY
    assert sum(map(sum, outcome.marks[-1].ledgers)) == 3_000 * 60 * DAY
