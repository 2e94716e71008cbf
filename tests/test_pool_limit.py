"""Exact answers for a job alone, found again by the pool engine where nobody is in another's way.

As many slots as jobs, of laws that know of no others; or a link so wide that nothing takes time on
it. Scenarios, seeds and bounds were fixed before looking; the intervals hold jointly at 99 %.
"""

import random
from math import inf

import numpy as np
import pytest
from every_fate import makespan
from scipy.stats import norm

from ckptsim.drivers.compiled.driver import simulate
from ckptsim.estimate import mean_of
from ckptsim.scenario import load
from ckptsim.units import MINUTE, SECOND
from ckptsim.world import world_of

SCENARIOS = 60
BOUND = norm.isf(0.01 / SCENARIOS / 2)
SOLVED = 5e-4  # the lattice's own share of what a makespan may be off
JOBS, REPLICATIONS = 100, 20

HAZARDS = [
    "exponential(mean=6h)",
    "weibull(shape=0.7, mean=6h)",
    "weibull(shape=2.5, mean=5h)",
    "uniform(30min, 9h)",
    "hyperexponential(p=0.6, mean1=1h, mean2=12h)",
    "mixture(0.75: exponential(mean=4h), 0.25: constant(5h))",
]
COSTS = [
    "{0}min",
    "uniform(1min, {0}min)",
    "exponential(mean={0}min)",
    "gamma(mean={0}min, cv=0.5)",
    "lognormal(median={0}min, sigma=1.2)",
    "hyperexponential(p=0.9, mean1=2min, mean2=30min)",
]


def drawn_scenario(seed):
    """The keys of a job alone, its interval, and whether it goes over a link in the pool."""
    chance = random.Random(seed)
    linked = seed % 3 == 0

    def cost(most):
        return chance.choice(COSTS).format(chance.randint(2, most))

    keys = {
        "seed": seed,
        "job.work": f"{chance.randint(5, 13)}h",
        "job.write": cost(8),
        "job.restart_in_place": cost(4),
        "job.restart_lease": cost(8),
        "job.cold_start": cost(6),
        "job.last_checkpoint": chance.choice(["yes", "no"]),
        "job.leave_early": chance.choice(["yes", "no"]),
        "slots.limit": chance.choice(["none", "6h", "8h"]),
        "slots.evictions": HAZARDS[seed % len(HAZARDS)],
        "slots.power_failures": chance.choice(["none", "none", "exponential(mean=12h)"]),
        "slots.contact_lease": "20min",
        "slots.grace": chance.choice(["0", "5min", "20min"]),
        "slots.claim_worklife": chance.choice(["none", "none", "2h"]),
        "slots.gap": chance.choice(["0", "10min", "exponential(mean=20min)"]),
    }
    if not linked:
        keys |= {"job.transfer": cost(10), "job.input": cost(4)}
    return keys, chance.randint(5, 16) * 5 * MINUTE, linked


def pool_of(keys, linked):
    """So many such jobs on as many slots, or over a link that moves each in a nanosecond."""
    link = {"link.bandwidth": "1 PB/s", "job.size": "1 MB", "job.input_size": "1 MB"}
    pool = {"job.count": JOBS, "slots.count": JOBS, **(link if linked else {})}
    return load(None, keys | pool)


@pytest.mark.parametrize("seed", range(SCENARIOS))
def test_a_job_in_a_pool_without_contention_is_a_job_alone(seed):
    keys, interval, linked = drawn_scenario(seed)
    mean = makespan(load(None, keys), interval)
    assert mean < inf
    world = world_of(pool_of(keys, linked), interval)
    outcomes = [simulate(world, number, stays=False) for number in range(REPLICATIONS)]
    spans = np.array([span for outcome in outcomes for span in outcome.makespans]) / SECOND
    assert len(spans) == JOBS * REPLICATIONS
    found = mean_of(spans)
    allowed = BOUND * spans.std(ddof=1) / np.sqrt(len(spans)) + SOLVED * mean
    assert abs(found.mean - mean) <= allowed, f"{(found.mean - mean) / allowed:+.2f} of allowed"
