"""S1, one job alone: SimPy, the compiled driver, and a C program that does the same."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

import minimal
from settings import S1, S1_MAKESPAN, SEED, world
from told import Effort, at_least, built, mean_and_bound, ratio, said, took

from ckptsim.drivers import virtual
from ckptsim.drivers.compiled import driver
from ckptsim.engine import Engine
from ckptsim.experiment import replicate
from ckptsim.running import Means
from ckptsim.units import SECOND
from ckptsim.world import World

JOBS = 400  # a run of SimPy's
REPLICATED = 10_000  # a run of an experiment, small enough to stay in one process
LOOPS = 1_000_000
SIMPY_BAR = 1_500  # jobs/s on one core


class Round(NamedTuple):
    """Speeds of one round, taken within a moment of each other, by CPU time if nothing is said."""

    loop: float  # steps/s
    minimal: float  # jobs/s
    virtual: float
    compiled: float
    c: float
    replicated: float
    one_core: float  # by the clock on the wall
    two_cores: float
    beside: float  # the compiled driver again, while the other core does the same


def rows(effort: Effort) -> Iterator[str]:
    spans: dict[str, list[float]] = {"SimPy driver": [], "minimal SimPy model": []}
    with tempfile.TemporaryDirectory() as folder, two_processes() as pair:
        program = built("s1", Path(folder))
        rounds = [
            one_round(n, effort.compiled_jobs, program, pair, spans) for n in range(effort.rounds)
        ]
    found = Round(*(list(column) for column in zip(*rounds, strict=True)))
    yield from simpy_rows(found, spans)
    yield from compiled_rows(found)


def one_round(
    number: int,
    jobs: int,
    program: Path,
    pair: ProcessPoolExecutor,
    spans: dict[str, list[float]],
) -> Round:
    one, (ours, least) = world(S1), spans.values()
    driver.many_alone(one, 0, 1)
    means = Means(engine=Engine.COMPILED)
    first = number * jobs
    return Round(
        loop=LOOPS / took(reference).cpu,
        minimal=JOBS / took(lambda: least.extend(minimal.s1(number, JOBS))).cpu,
        virtual=JOBS / took(lambda: ours.extend(by_simpy(one, number))).cpu,
        compiled=jobs / took(lambda: driver.many_alone(one, first, jobs)).cpu,
        c=speed_of_c(program, first, jobs),
        replicated=REPLICATED / took(lambda: replicate(one, REPLICATED, means=means)).cpu,
        one_core=2 * jobs / took(lambda: share(pair, [2 * jobs])).wall,
        two_cores=2 * jobs / took(lambda: share(pair, [jobs, jobs])).wall,
        beside=2 * jobs / sum(share(pair, [jobs, jobs])),
    )


def reference() -> None:
    """A fixed loop of plain Python."""
    total = 0
    for n in range(LOOPS):
        total += n * n % 7


def by_simpy(one: World, number: int) -> list[float]:
    """Makespans of S1 by the SimPy driver, one replication after the other."""
    first = number * JOBS
    return [virtual.simulate(one, n).makespans[0] / SECOND for n in range(first, first + JOBS)]


def speed_of_c(program: Path, first: int, jobs: int) -> float:
    """Jobs/s of CPU time, as the program says."""
    return float(said(program, SEED, first, jobs).split()[-1])


@contextmanager
def two_processes() -> Iterator[ProcessPoolExecutor]:
    """Two processes that have compiled what they are to run."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pair:
        share(pair, [1, 1, 1, 1])
        yield pair


def share(pair: ProcessPoolExecutor, jobs: list[int]) -> list[float]:
    """CPU time of each share."""
    return list(pair.map(run_alone, jobs))


def run_alone(jobs: int) -> float:
    one = world(S1)
    return took(lambda: driver.many_alone(one, 0, jobs)).cpu


def simpy_rows(found: Round, spans: dict[str, list[float]]) -> Iterator[str]:
    speed = median(found.virtual)
    yield f"| S1, SimPy driver | {speed:,.0f} jobs/s {at_least(speed, SIMPY_BAR)} |"
    yield f"| S1, minimal SimPy model | {median(found.minimal):,.0f} jobs/s |"
    yield f"| SimPy driver / minimal SimPy model | {ratio(found.virtual, found.minimal):.2f} |"
    million = median(found.loop) / 1e6
    yield f"| reference loop `total += n * n % 7` | {million:.1f} million steps/s |"
    steps = 1e6 * ratio(found.virtual, found.loop)
    yield f"| S1 jobs of the SimPy driver in the time of a million steps | {steps:.0f} |"
    for what, makespans in spans.items():
        mean, off = mean_and_bound(makespans)
        yield f"| S1 makespan, {what} (99 %) | {mean:,.0f} ± {off:,.0f} s |"
    yield f"| S1 makespan, exact | {S1_MAKESPAN:,.0f} s |"


def compiled_rows(found: Round) -> Iterator[str]:
    yield f"| S1, compiled driver | {median(found.compiled):,.0f} jobs/s |"
    yield f"| S1, C program, `gcc -O3` | {median(found.c):,.0f} jobs/s |"
    over_simpy, over_c = ratio(found.compiled, found.virtual), ratio(found.compiled, found.c)
    yield f"| compiled / SimPy driver | {over_simpy:,.0f} × {at_least(over_simpy, 300)} |"
    yield f"| compiled / minimal SimPy model | {ratio(found.compiled, found.minimal):,.0f} × |"
    yield f"| compiled / C | {over_c:.2f} × {at_least(over_c, 0.5)} |"
    both = ratio(found.two_cores, found.one_core)
    yield f"| two cores / one core, by the clock | {both:.2f} × {at_least(both, 1.7)} |"
    both = 2 * ratio(found.beside, found.compiled)
    yield f"| the same by processor time, so as if nothing else ran | {both:.2f} × |"
    speed = median(found.replicated)
    yield f"| S1, compiled, as an experiment (`replicate`) | {speed:,.0f} jobs/s |"
