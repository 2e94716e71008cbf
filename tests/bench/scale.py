"""How far the compiled driver goes: 100,000 slots, and what an event costs on the way."""

import tempfile
from collections.abc import Iterator
from math import log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from settings import week, world
from told import MEMORY, Effort, at_most, built, elsewhere, said, took, verdict

from ckptsim.drivers.compiled import crowd as crowds
from ckptsim.drivers.compiled import driver

PICTURE = Path(__file__).parents[2] / "reports" / "bench-scale.png"
ONE_RUN = """
import json, sys, time
sys.path.insert(0, {folder!r})
from settings import week, world
from ckptsim.drivers.compiled import driver
driver.simulate(world(week(10)), 0, stays=False)
wall, cpu = time.perf_counter(), time.process_time()
outcome = driver.simulate(world(week({slots})), 0, stays=False)
took = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([*took, memory() / 1e9, len(outcome.makespans)]))
"""


def rows(effort: Effort) -> Iterator[str]:
    folder, slots = str(Path(__file__).parent), effort.largest
    wall, cpu, memory, jobs = elsewhere(MEMORY + ONE_RUN.format(folder=folder, slots=slots))
    name = f"{slots:,} slots, {10 * slots:,} jobs, a week"
    yield f"| {name}, setting up included | {wall:.1f} s {at_most(wall, 120)}, {cpu:.1f} s of CPU |"
    yield f"| its memory at most | {memory:.2f} GB {at_most(memory, 4)} |"
    yield f"| jobs completed in it | {jobs:,} |"
    yield from event_rows(effort)


def event_rows(effort: Effort) -> Iterator[str]:
    """The time of an event by the number of slots, and whether it grows faster than log n."""
    rounds = [[event_ns(slots) for slots in effort.sizes] for _ in range(effort.rounds_of_scale)]
    found = dict(zip(effort.sizes, map(median, zip(*rounds, strict=True)), strict=True))
    least, reads = effort.sizes[0], read_ns(effort.sizes)
    growth = {slots: found[slots] / found[least] for slots in effort.sizes[1:]}
    for slots, nanoseconds in found.items():
        beside = f", {growth[slots]:.2f} × the first" if slots in growth else ""
        yield f"| an event, {slots:,} slots | {nanoseconds:.0f} ns{beside}; {reads[slots]} |"
    steepest = max(growth[slots] / (log(slots) / log(least)) for slots in growth)
    yield f"| its growth over that of log n, at worst | {steepest:.2f} ({verdict(steepest <= 1)}) |"
    draw(found)


def event_ns(slots: int) -> float:
    """CPU time of an event, in nanoseconds, without setting up."""
    crowd = driver.crowd_of(world(week(slots)), 0, 0, 0)
    return 1e9 * took(lambda: finish(crowd)).cpu / crowd.numbers[crowds.EVENTS]


def read_ns(sizes: tuple[int, ...]) -> dict[int, str]:
    """What a read costs that waits for the one before, in as much memory as a pool takes."""
    with tempfile.TemporaryDirectory() as folder:
        program = built("latency", Path(folder))
        room = {slots: memory_of(driver.crowd_of(world(week(slots)), 0, 0, 0)) for slots in sizes}
        return {
            slots: f"a read in {size / 1e6:.1f} MB takes {float(said(program, size)):.0f} ns"
            for slots, size in room.items()
        }


def memory_of(state: Any) -> int:
    """Bytes of all arrays in a tuple of them."""
    if isinstance(state, tuple):
        return sum(map(memory_of, state))
    return state.nbytes if isinstance(state, np.ndarray) else 0


def finish(crowd: crowds.Crowd) -> None:
    while crowds.run(crowd, driver.EVENTS_AT_ONCE):
        pass


def draw(found: dict[int, float]) -> None:
    slots, (first, *_) = list(found), found.values()
    logarithm = [first * log(n) / log(slots[0]) for n in slots]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(slots, list(found.values()), "o-", color="#0072B2", label="measured")
    axes.semilogx(slots, logarithm, "--", color="#5A5A5A", label="c · log n through the first")
    axes.set(xlabel="slots", ylabel="CPU time of an event, ns", ylim=(0, None))
    axes.grid(color="#E6E6E6")
    axes.legend(frameon=False)
    figure.savefig(PICTURE, dpi=150, metadata={"Software": None})
