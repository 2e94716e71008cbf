"""The exact answers and the planner: what one waits for."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median

from settings import GCP, S1
from told import MEMORY, Effort, at_most, elsewhere, timed, verdict

from ckptsim.bootstrap import spread
from ckptsim.exact import Solver
from ckptsim.makespan import Whole, blocks_of
from ckptsim.makespan_law import makespan_law
from ckptsim.plan import plan
from ckptsim.program import Program
from ckptsim.scenario import Scenario, load
from ckptsim.search import Search
from ckptsim.units import MINUTE

S1_FLAGS = [word for key, value in S1.items() for word in ("--set", f"{key}={value}")]
SLOW = 3  # rounds of what takes long


def rows(effort: Effort) -> Iterator[str]:
    yield from exact_rows(effort.rounds)
    yield from planner_rows(effort.rounds)
    yield from start_rows(effort.rounds)


def exact_rows(rounds: int) -> Iterator[str]:
    scenario = load(None, S1)
    jittery = load(None, S1 | {"job.write": "uniform(3min, 7min)"})
    for what, one in [("constant costs", scenario), ("random checkpoint cost", jittery)]:
        yield f"| exact value of an interval, {what} | {value_ms(one):.2f} ms |"
    solver = Solver(scenario)
    whole = Whole(solver, blocks_of(solver, 84 * MINUTE))
    took = median(timed(lambda: whole.makespan) for _ in range(rounds))
    yield f"| exact makespan of S1 | {took * 1000:.2f} ms |"
    took = median(timed(lambda: makespan_law(whole)) for _ in range(rounds))
    yield f"| law of the makespan of S1, 4,096 points | {took * 1000:.1f} ms |"
    for what, one in [("constant costs", scenario), ("random checkpoint cost", jittery)]:
        took = median(timed(lambda one=one: plan(one)) for _ in range(SLOW))
        yield f"| whole `plan` of S1, {what} | {took:.2f} s |"


def planner_rows(rounds: int) -> Iterator[str]:
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
        took = median(timed(run) for _ in range(rounds))
        yield f"| {what} | {1000 * took:.1f} ms {at_most(1000 * took, 1000 * bar)} |"
    for what, law in [("constant", "5min"), ("random", "uniform(3min, 7min)")]:
        peak = memory(law)
        met = verdict(peak <= 500)
        yield f"| peak memory, 30 d limit, 1-min grid, {what} costs | {peak:.0f} MB ({met}) |"


def program(scenario: Scenario, points: int) -> object:
    return Program(Solver(scenario), points).best()


def shell(words: list[str]) -> None:
    command = [sys.executable, "-m", "ckptsim", "plan", *words, "--no-report"]
    subprocess.run(command, check=True, capture_output=True)


def memory(law: str) -> float:
    """Megabytes that a process needs at most, planning for 30 days in minutes."""
    code = (
        "from ckptsim.exact import Solver\nfrom ckptsim.program import Program\n"
        "from ckptsim.scenario import load\n"
        f"given = {{'job.write': '{law}', 'slots.limit': '30d', 'slots.evictions': '12h'}}\n"
        "Program(Solver(load(None, given)), 43_200).best()\n"
        "print(memory() / 1e6)"
    )
    return float(elsewhere(MEMORY + code))


def value_ms(scenario: Scenario) -> float:
    """Milliseconds for one interval, once the solver is warm."""
    solver = Solver(scenario)
    intervals = [minutes * MINUTE for minutes in range(30, 230)]
    run = [timed(lambda each=each: solver.value(each)) for each in intervals]
    return median(run[20:]) * 1000


def start_rows(rounds: int) -> Iterator[str]:
    bare, helped = [], []
    for _ in range(rounds):
        bare.append(timed(lambda: started("pass")))
        helped.append(timed(lambda: started("import sys; from ckptsim.cli import main; main()")))
    yield f"| `ckptsim --help` | {median(helped):.2f} s |"
    yield f"| Python alone, doing nothing | {median(bare):.2f} s |"


def started(code: str) -> None:
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)
