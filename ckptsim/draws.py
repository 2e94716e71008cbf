"""Keyed random streams: the n-th draw of (seed, replication, who, purpose), and nothing else.

The interval and the policy are never in a key. So the k-th lease of a slot meets the same fate
whatever is being compared (common random numbers), and a run is a scenario and a seed.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import repeat

import numpy as np

from ckptsim.lifetimes import Constant, Law, Never
from ckptsim.rules import NEVER
from ckptsim.units import SECOND

# All draws of a stream are made in blocks of this one size, so that the n-th is the same number
# however many are asked for: vectorised functions may differ in the last bit by block length.
BLOCK = 16


class Purpose(IntEnum):
    """What a draw decides; the numbers are part of the keys, so they must not change."""

    EVICTION = 0
    POWER_FAILURE = 1
    ABSENCE = 2
    GAP = 3
    INPUT = 4
    COLD_START = 5
    RESTART_LEASE = 6
    RESTART_IN_PLACE = 7
    WRITE = 8
    TRANSFER = 9


def times(law: Law, seed: int, replication: int, who: int, purpose: Purpose) -> Iterator[int]:
    """The stream of draws from `law`, in integer nanoseconds, NEVER where it is infinite or later.

    `who` is the slot's number for what happens to slots, the job's for what happens to jobs.
    """
    if isinstance(law, Never):
        return repeat(NEVER)
    if isinstance(law, Constant):
        return repeat(in_nanoseconds(np.array([law.mean]))[0])
    return blocks(law, (replication, who, purpose), seed)


def blocks(law: Law, key: tuple[int, int, int], seed: int) -> Iterator[int]:
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))
    while True:
        yield from in_nanoseconds(law.quantile(generator.random(BLOCK)))


def in_nanoseconds(seconds: np.ndarray) -> list[int]:
    rounded = np.minimum(np.rint(seconds * SECOND), float(NEVER)).astype(np.int64)
    found: list[int] = rounded.tolist()
    return found
