"""How fast ckptsim is, as ratios that travel between machines; writes reports/bench.md.

Every figure is a median of runs that are interleaved with a fixed loop of plain Python and with a
minimal SimPy model of the same scenario, so that a slow moment of the machine hits all alike.
"""

import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from statistics import fmean, median, stdev
from typing import NamedTuple

import simpy

from ckptsim.doubt import spread
from ckptsim.drivers.virtual import simulate
from ckptsim.exact import Solver
from ckptsim.makespan import Whole, blocks_of
from ckptsim.makespan_law import makespan_law
from ckptsim.plan import plan
from ckptsim.program import Program
from ckptsim.scenario import Scenario, load
from ckptsim.search import Search
from ckptsim.units import MINUTE, SECOND
from ckptsim.world import world_of

REPORT = Path(__file__).parents[1] / "reports" / "bench.md"
GCP = Path(__file__).parents[1] / "scenarios" / "gcp-preemptible.toml"
ROUNDS = 7
JOBS = 400  # a run of S1
LOOPS = 1_000_000
BAR = 1_500  # jobs/s of S1 on one core
SEED = 20_250_611

S1 = {
    "job.work": "24h",
    "job.interval": "84min",
    "job.write": "5min",
    "job.restart_lease": "2min",
    "job.cold_start": "2min",
    "slots.limit": "6h",
    "slots.evictions": "8h",
    "slots.gap": "exponential(mean=10min)",
    "slots.first_gap": "yes",
    "seed": SEED,
}
S1_FLAGS = [word for key, value in S1.items() for word in ("--set", f"{key}={value}")]
S1_TEXT = (
    "one job: 24 h of work, interval 84 min, checkpoint 5 min, 2 min to start in every lease "
    "(the first too), 6 h limit, exponential evictions with mean 8 h drawn anew each lease, "
    "exponential gap with mean 10 min before every lease, no checkpoint after the last block"
)
S1_MAKESPAN = 106_104.23258  # seconds, theory.md §7

S2 = {
    "job.work": "24h",
    "job.count": 400,
    "job.interval": "1h",
    "job.write": "1min",
    "job.transfer": "24s",
    "job.restart_lease": "24s",
    "slots.count": 100,
    "slots.limit": "24h",
    "slots.evictions": "8h",
    "seed": SEED,
}


def minimal_job(env: simpy.Environment, chance: random.Random) -> Iterator[simpy.Event]:
    """S1 in as little SimPy as it takes: no phases, no ledger, float seconds, its own draws."""
    saved, work = 0.0, 86_400.0
    while saved < work:
        yield env.timeout(chance.expovariate(1 / 600))
        end = env.now + min(21_600.0, chance.expovariate(1 / 28_800))
        yield env.timeout(min(120.0, end - env.now))
        while env.now < end and saved < work:
            block = min(5_040.0, work - saved)
            if env.now + block > end:
                yield env.timeout(end - env.now)
                break
            yield env.timeout(block)
            if saved + block < work:
                if env.now + 300 > end:
                    yield env.timeout(end - env.now)
                    break
                yield env.timeout(300)
            saved += block


def minimal(number: int) -> list[float]:
    """Makespans of S1 by the minimal model."""
    found = []
    for job in range(JOBS):
        env = simpy.Environment()
        env.process(minimal_job(env, random.Random(f"{SEED}-{number}-{job}")))
        env.run()
        found.append(env.now)
    return found


def ours(number: int) -> list[float]:
    """Makespans of S1 by the driver, a scenario and a seed at a time."""
    scenario = load(None, S1)
    world = world_of(scenario, scenario.job.interval or 0)
    first = number * JOBS
    return [simulate(world, each).makespans[0] / SECOND for each in range(first, first + JOBS)]


def reference() -> None:
    """A fixed loop of plain Python."""
    total = 0
    for n in range(LOOPS):
        total += n * n % 7


class Timed(NamedTuple):
    """Seconds of one round, all taken within a moment of each other."""

    loop: float
    minimal: float
    ours: float


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def interleaved(spans: dict[str, list[float]]) -> list[Timed]:
    """The rounds; the makespans they find go into `spans`, to show that the work is the same."""
    return [
        Timed(
            timed(reference),
            timed(lambda number=number: spans["minimal"].extend(minimal(number))),
            timed(lambda number=number: spans["ours"].extend(ours(number))),
        )
        for number in range(ROUNDS)
    ]


def makespans(found: list[float]) -> str:
    return f"{fmean(found):,.0f} ± {2.576 * stdev(found) / len(found) ** 0.5:,.0f} s"


def s1_rows() -> Iterator[str]:
    spans: dict[str, list[float]] = {"minimal": [], "ours": []}
    rounds = interleaved(spans)
    speed = median(JOBS / each.ours for each in rounds)
    least = median(JOBS / each.minimal for each in rounds)
    verdict = "met" if speed >= BAR else "MISSED"
    yield f"| S1, ckptsim, one core | {speed:,.0f} jobs/s (the bar of {BAR:,} is {verdict}) |"
    yield f"| S1, minimal SimPy model, one core | {least:,.0f} jobs/s |"
    yield f"| ckptsim / minimal model | {median(each.minimal / each.ours for each in rounds):.2f} |"
    steps = median(LOOPS / each.loop for each in rounds)
    yield f"| reference loop `total += n * n % 7` | {steps / 1e6:.1f} million steps/s |"
    jobs = median(1000 * each.loop / each.ours * JOBS / LOOPS * 1000 for each in rounds)
    yield f"| S1 jobs in the time of a million steps of the loop | {jobs:.0f} |"
    yield f"| S1 makespan, ckptsim (99 %) | {makespans(spans['ours'])} |"
    yield f"| S1 makespan, minimal model (99 %) | {makespans(spans['minimal'])} |"
    yield f"| S1 makespan, exact | {S1_MAKESPAN:,.0f} s |"


def s2_rows() -> Iterator[str]:
    scenario = load(None, S2)
    world = world_of(scenario, scenario.job.interval or 0)
    took = median(timed(lambda number=number: simulate(world, number)) for number in range(3))
    yield f"| S2 without its shared link, 100 slots, 400 jobs | {1 / took:.1f} runs/s |"


def exact_rows() -> Iterator[str]:
    scenario = load(None, S1)
    jittery = load(None, S1 | {"job.write": "uniform(3min, 7min)"})
    for what, one in [("constant costs", scenario), ("random checkpoint cost", jittery)]:
        yield f"| exact value of an interval, {what} | {value_ms(one):.2f} ms |"
    solver = Solver(scenario)
    whole = Whole(solver, blocks_of(solver, 84 * MINUTE))
    took = median(timed(lambda: whole.makespan) for _ in range(ROUNDS))
    yield f"| exact makespan of S1 | {took * 1000:.2f} ms |"
    took = median(timed(lambda: makespan_law(whole)) for _ in range(ROUNDS))
    yield f"| law of the makespan of S1, 4,096 points | {took * 1000:.1f} ms |"
    for what, one in [("constant costs", scenario), ("random checkpoint cost", jittery)]:
        took = median(timed(lambda one=one: plan(one)) for _ in range(3))
        yield f"| whole `plan` of S1, {what} | {took:.2f} s |"


def planner_rows() -> Iterator[str]:
    """The planner against the bars of its issue."""
    scenario, day = load(None, S1), load(None, S1 | {"slots.limit": "24h"})
    intervals = [minutes * MINUTE for minutes in range(1, 351)]
    solver, lifetimes = Solver(scenario), load(GCP, {})
    search = Search(lifetimes)
    best = search.best
    runs: list[tuple[str, Callable[[], object], float]] = [
        ("exact curve of S1, 350 intervals", lambda: solver.values(intervals), 0.010),
        ("best fixed interval of S1 over the reals", lambda: Search(scenario).best, 0.050),
        ("dynamic program, 24 h limit, 1-min grid", lambda: program(day, 1_440), 0.1),
        ("dynamic program, 24 h limit, 10-s grid", lambda: program(day, 8_640), 2),
        ("bootstrap, 1,442 lifetimes, 1,000 resamples", lambda: spread(search, best), 10),
        ("`ckptsim plan` of S1 from the shell", lambda: shell(S1_FLAGS), 1.5),
        ("`ckptsim plan` of 1,442 lifetimes from the shell", lambda: shell([str(GCP)]), 1.5),
    ]
    for what, run, bar in runs:
        run()
        took = median(timed(run) for _ in range(ROUNDS))
        verdict = "met" if took <= bar else "MISSED"
        yield f"| {what} | {1000 * took:.1f} ms (the bar of {1000 * bar:,.0f} is {verdict}) |"
    for what, law in [("constant", "5min"), ("random", "uniform(3min, 7min)")]:
        peak = memory(law)
        verdict = "met" if peak <= 500 else "MISSED"
        yield f"| peak memory, 30 d limit, 1-min grid, {what} costs | {peak:.0f} MB ({verdict}) |"


def program(scenario: Scenario, points: int) -> object:
    return Program(Solver(scenario), points).best()


def shell(words: list[str]) -> None:
    command = [sys.executable, "-m", "ckptsim", "plan", *words, "--no-report"]
    subprocess.run(command, check=True, capture_output=True)


def memory(law: str) -> float:
    """Megabytes that a process needs at most, planning for 30 days in minutes."""
    code = (
        "import resource\nfrom ckptsim.exact import Solver\nfrom ckptsim.program import Program\n"
        "from ckptsim.scenario import load\n"
        f"given = {{'job.write': '{law}', 'slots.limit': '30d', 'slots.evictions': '12h'}}\n"
        "Program(Solver(load(None, given)), 43_200).best()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def value_ms(scenario: Scenario) -> float:
    """Milliseconds for one interval, once the solver is warm."""
    solver = Solver(scenario)
    intervals = [minutes * MINUTE for minutes in range(30, 230)]
    run = [timed(lambda each=each: solver.value(each)) for each in intervals]
    return median(run[20:]) * 1000


def start_rows() -> Iterator[str]:
    bare, helped = [], []
    for _ in range(ROUNDS):
        bare.append(timed(lambda: started("pass")))
        helped.append(timed(lambda: started("import sys; from ckptsim.cli import main; main()")))
    yield f"| `ckptsim --help` | {median(helped):.2f} s |"
    yield f"| Python alone, doing nothing | {median(bare):.2f} s |"


def started(code: str) -> None:
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)


def processor() -> str:
    """The kind of processor, not the name of the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def report() -> Iterator[str]:
    yield "# Speed"
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {cpu_count()} cores, {platform.system()};"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("simpy", "numpy", "scipy"))
    yield f"Python {platform.python_version()}, {libraries}. Remade by `make bench`."
    yield ""
    yield f"Medians of {ROUNDS} interleaved runs of {JOBS} jobs; on a shared machine the absolute"
    yield "figures move by a factor of two from day to day, the ratios much less."
    yield ""
    yield "| what | |"
    yield "|---|---|"
    for rows in (s1_rows, s2_rows, exact_rows, planner_rows, start_rows):
        yield from rows()
    yield ""
    yield f"S1: {S1_TEXT}."
    yield "The minimal model keeps no ledger, no trace and no phases, and draws its own chance with"
    yield "`random`: what is left of SimPy when nothing is asked of it."
    yield ""
    yield "S2: 100 slots, 400 jobs of 24 h of work, all at once; interval 1 h, write 1 min, 24 h"
    yield "limit, evictions with mean 8 h, no gap. Not modelled: the link that the transfers in"
    yield "flight share. A checkpoint of 30 GB takes 24 s here, as if alone on 1.25 GB/s, up and"
    yield "down; so this is lighter than S2 itself, not to be compared with engines that do it all."


def main() -> None:
    text = "\n".join(report()) + "\n"
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
