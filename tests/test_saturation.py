"""What the jobs ask of a link: against sums done by hand."""

import pytest

from ckptsim.saturation import demand, is_saturated
from ckptsim.scenario import load
from ckptsim.units import HOUR
from ckptsim.world import pool_world, world_of

# 100 slots, 1,000 jobs; a checkpoint of 10 GB has the link of 1 GB/s for 10 s; with a write of 30 s
# a cycle takes 3,640 s.
POOL = {
    "link.bandwidth": "1GB/s",
    "job.size": "10GB",
    "job.write": "30s",
    "job.count": 1_000,
    "slots.count": 100,
    "duration": "30d",
}


def asked(**keys):
    return demand(world_of(load(None, {**POOL, **keys}), HOUR))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, 100 * 10 / 3640),
        ({"slots.speed": 2}, 100 * 10 / 1840),
        ({"job.restart": "20s"}, 100 * 10 / 3660),
        ({"job.restart": "20s", "job.mode": "manual"}, 100 * 10 / 3640),
        ({"job.count": 5}, 5 * 10 / 3640),
        ({"job.mode": "none", "job.work": "100h", "link.fetch_checkpoint": "no"}, 0),
        ({"job.work": "10h"}, 100 * 9 * 10 / (36_000 + 9 * 40)),
        ({"job.work": "10h", "job.last_checkpoint": "yes"}, 100 * 10 * 10 / (36_000 + 10 * 40)),
        ({"slots.limit": "6h"}, 100 * (10 / 21_600 + (1 - 10 / 21_600) * 10 / 3640)),
        ({"slots.limit": "6h", "link.fetch_checkpoint": "no"}, 100 * 10 / 3640),
        ({"slots.claim_worklife": "20min"}, 100 * (10 / 3640 + (1 - 10 / 3640) * 10 / 3640)),
        (
            {"slots.evictions": "2h", "slots.absence": "2h", "link.fetch_checkpoint": "no"},
            0.5 / 3.64,
        ),
        (
            {"job.work": "10h", "job.arrivals": "exponential(mean=1h)"},
            (36_360 / 3_600) * 9 * 10 / 36_360,
        ),
    ],
)
def test_what_is_asked_of_the_link(keys, expected):
    assert asked(**keys) == pytest.approx(expected, rel=1e-12)


def test_a_domain_of_other_slots_takes_nothing_from_these():
    rooms = {"domains.room.size": 10, "domains.room.power_failures": "exponential(mean=6h)"}
    kinds = {"kinds.a.count": 100, "kinds.b.count": 1, "domains.room.kinds": "b"}
    apart = asked(**rooms, **kinds)
    assert asked(**rooms) == pytest.approx(100 * (10 / 21_600 + (1 - 10 / 21_600) * 10 / 3640))
    assert 101 * 10 / 3640 < apart < 1.01 * 101 * 10 / 3640


def test_classes_share_the_slots_as_they_are_many():
    keys = {"classes.often.count": 300, "classes.seldom.count": 100, "duration": "30d"}
    world = pool_world(load(None, {**POOL, **keys}), [HOUR, 2 * HOUR])
    assert demand(world) == pytest.approx(75 * 10 / 3640 + 25 * 10 / 7240)


def test_without_a_link_nothing_is_asked_of_it():
    assert demand(world_of(load(None, {"job.work": "10h"}), HOUR)) == 0


def test_saturated_is_more_than_the_whole():
    assert not is_saturated(1.0)
    assert is_saturated(1.001)
