"""Keyed random streams: the n-th draw of (seed, replication, who, purpose), and nothing else.

The interval and the policy are never in a key. So the k-th lease of a slot meets the same fate
whatever is being compared (common random numbers), and a run is a scenario and a seed.

A stream is a counter run through Philox4x64-10, a cipher (Salmon, Moraes, Dror, Shaw, Parallel
random numbers: as easy as 1, 2, 3, SC11): its n-th word is word n % 4 of the block with the key
(seed, 0) and the counter (n // 4 + 1, who, replication, purpose). NumPy yields them one after the
other; the compiled driver computes any of them (drivers/compiled/words.py), and keeps no state.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import repeat

import numpy as np

from ckptsim.chance import UNIT, coded, nanoseconds_of, quantile, takes_no_chance
from ckptsim.lifetimes import Law

WORDS = 16  # asked of NumPy at a time; which numbers come does not depend on it


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
    ARRIVAL = 10
    DOMAIN_FAILURE = 11
    REPAIR = 12


def times(law: Law, seed: int, replication: int, who: int, purpose: Purpose) -> Iterator[int]:
    """The stream of draws from `law`, in integer nanoseconds, NEVER where it is infinite or later.

    `who` is the slot's number for what happens to slots, the job's for what happens to jobs.
    """
    codes = coded(law)
    if takes_no_chance(codes, 0):
        return repeat(nanoseconds_of(quantile(codes, 0, 0.0)))
    return drawn(codes, words(seed, who, replication, purpose))


def drawn(codes: list[float], stream: Iterator[int]) -> Iterator[int]:
    for word in stream:
        yield nanoseconds_of(quantile(codes, 0, (word >> 11) * UNIT))


def words(seed: int, who: int, replication: int, purpose: int) -> Iterator[int]:
    """The 64-bit words of a stream."""
    counter = np.array([0, who, replication, purpose], np.uint64)
    philox = np.random.Philox(key=np.array([seed, 0], np.uint64), counter=counter)
    while True:
        yield from philox.random_raw(WORDS).tolist()
