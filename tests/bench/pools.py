"""S2, a pool behind one link: SimPy and the compiled driver."""

from collections.abc import Iterator
from statistics import fmean, median
from typing import NamedTuple

import minimal
from settings import s2, world
from told import Effort, at_least, ratio, told_apart, took

from ckptsim.drivers import virtual
from ckptsim.drivers.compiled import driver
from ckptsim.ledger import Category
from ckptsim.outcome import Outcome
from ckptsim.units import SECOND
from ckptsim.world import World

BARS = {100: 25.0, 1_000: 40.0}
RUNS = 10  # of the compiled driver in a round


class Round(NamedTuple):
    """Runs/s of CPU time of one round."""

    minimal: float
    virtual: float
    compiled: float


def rows(effort: Effort) -> Iterator[str]:
    for slots in effort.pools:
        yield from rows_of(slots, effort.rounds_of_pools)


def rows_of(slots: int, count: int) -> Iterator[str]:
    one, theirs, ours = world(s2(slots)), list[tuple[float, float]](), list[tuple[float, float]]()
    driver.simulate(one, 0, stays=False)
    rounds = [one_round(one, slots, number, theirs, ours) for number in range(count)]
    found = Round(*(list(column) for column in zip(*rounds, strict=True)))
    name, least = f"S2, {slots:,} slots", ratio(found.compiled, found.minimal)
    yield f"| {name}, minimal SimPy model | {median(found.minimal):,.2f} runs/s |"
    yield f"| {name}, SimPy driver | {median(found.virtual):,.2f} runs/s |"
    yield f"| {name}, compiled driver | {median(found.compiled):,.1f} runs/s |"
    yield f"| compiled / minimal SimPy model | {least:,.0f} × {at_least(least, BARS[slots])} |"
    yield f"| compiled / SimPy driver | {ratio(found.compiled, found.virtual):,.0f} × |"
    for place, what in enumerate(("makespan, s", "useful fraction")):
        mine, other = ([each[place] for each in found] for found in (ours, theirs))
        both = f"{fmean(mine):,.4g}, {fmean(other):,.4g}: {told_apart(mine, other)}"
        yield f"| mean {what}, compiled, minimal | {both} |"


def one_round(
    one: World,
    slots: int,
    number: int,
    theirs: list[tuple[float, float]],
    ours: list[tuple[float, float]],
) -> Round:
    """The means that are found go into the lists, to show that the work is the same."""
    numbers, few = (range(number * runs, (number + 1) * runs) for runs in (RUNS, 1_000 // slots))
    return Round(
        minimal=len(few) / took(lambda: theirs.extend(minimal.s2(n, slots) for n in few)).cpu,
        virtual=1 / took(lambda: virtual.simulate(one, number)).cpu,
        compiled=RUNS
        / took(
            lambda: ours.extend(means(driver.simulate(one, n, stays=False)) for n in numbers)
        ).cpu,
    )


def means(outcome: Outcome) -> tuple[float, float]:
    """The mean makespan in seconds, and the useful fraction of slot time."""
    ledger = outcome.ledger
    return fmean(outcome.makespans) / SECOND, ledger[Category.USEFUL] / sum(ledger)
