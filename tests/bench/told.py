"""How a run is timed, and how its figure is told beside its bar."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, NamedTuple

from scipy.stats import ttest_ind

TWINS = Path(__file__).parents[1] / "twin"


class Effort(NamedTuple):
    """How much is run: all of it, or just enough to see that the bench works."""

    rounds: int
    rounds_of_pools: int
    rounds_of_scale: int
    compiled_jobs: int  # of S1, in a run of the compiled driver and of the C program
    pools: tuple[int, ...]  # slots of S2
    largest: int  # slots
    sizes: tuple[int, ...]  # slots, for the time of an event
    log_events: int


SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
WHOLE = Effort(7, 5, 3, 80_000, (100, 1_000), 100_000, SIZES, 1_000_000)
QUICK = Effort(3, 3, 1, 10_000, (100,), 1_000, (100, 300, 1_000), 10_000)


class Took(NamedTuple):
    """Seconds of the clock on the wall, and of this process on the processor."""

    wall: float
    cpu: float


def took(run: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def timed(run: Callable[[], object]) -> float:
    """Seconds on the wall."""
    return took(run).wall


def at_least(found: float, bar: float) -> str:
    return f"(the bar of ≥ {bar:,g} is {verdict(found >= bar)})"


def at_most(found: float, bar: float) -> str:
    return f"(the bar of ≤ {bar:,g} is {verdict(found <= bar)})"


def verdict(good: bool) -> str:
    return "met" if good else "MISSED"


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios of what was run side by side."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def mean_and_bound(found: list[float]) -> tuple[float, float]:
    """The mean, and how far off it may be (99 %)."""
    return fmean(found), 2.576 * stdev(found) / len(found) ** 0.5


def told_apart(ours: list[float], theirs: list[float]) -> str:
    """Whether two samples have different means (Welch's test, 99 %)."""
    return "DIFFERENT" if ttest_ind(ours, theirs, equal_var=False).pvalue < 0.01 else "alike"


def built(name: str, folder: Path) -> Path:
    """A program of tests/twin."""
    flags = ["-O3", "-std=c11", "-ffp-contract=off"]
    command = ["gcc", *flags, "-o", folder / name, TWINS / f"{name}.c", "-lm"]
    subprocess.run(command, check=True)
    return folder / name


def said(program: Path, *words: object) -> str:
    """What it prints."""
    command = [program, *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


MEMORY = """
def memory():  # at most, in bytes; what getrusage says begins with that of the parent
    status = open("/proc/self/status").read()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
"""


def elsewhere(code: str, environment: dict[str, str] | None = None) -> Any:
    """What some Python prints, as JSON, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return json.loads(done.stdout)
