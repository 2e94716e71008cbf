"""How fast ckptsim is, as ratios that travel between machines; writes reports/bench.md.

    python tests/bench            everything, some minutes
    python tests/bench --quick    a little of everything, printed only

Figures are medians of rounds in which everything compared is run once, so that a slow moment of the
machine hits all alike.
"""

import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path

import first_use
import logs
import planner
import pools
import scale
import single
from settings import S1_TEXT, S2_TEXT, WEEK_TEXT
from told import QUICK, WHOLE, Effort

REPORT = Path(__file__).parents[2] / "reports" / "bench.md"
LIBRARIES = ("simpy", "numpy", "scipy", "numba")


def processor() -> str:
    """The kind of processor, not the name of the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def report(effort: Effort) -> Iterator[str]:
    yield "# Speed"
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {cpu_count()} cores, {platform.system()};"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield f"Python {platform.python_version()}, {libraries}. Remade by `make bench`."
    yield ""
    yield "Medians of rounds in which everything compared is run once. Speeds and ratios are"
    yield "those of the time on the processor, on one core, where nothing else is said; on a shared"
    yield "machine the speeds move by a factor of two from day to day, the ratios much less."
    for title, text, rows in PARTS:
        yield from ("", f"## {title}", "", *text, "", "| what | |", "|---|---|")
        yield from rows(effort)


PARTS = (
    (
        "One job alone: S1",
        (
            f"S1: {S1_TEXT}.",
            "The minimal SimPy model (tests/bench/minimal.py) keeps no ledger, no trace and no",
            "phases, and draws its own chance with `random`. The C program (tests/twin/s1.c) keeps",
            "a ledger and makes the same draws: its totals equal the compiled driver's to the",
            "nanosecond.",
        ),
        single.rows,
    ),
    (
        "A pool: S2",
        (f"S2: {S2_TEXT}.", "The minimal SimPy model shares the link too, and keeps no ledger."),
        pools.rows,
    ),
    (
        "Large pools",
        (
            f"{WEEK_TEXT}. ![the time of an event over the number of slots](bench-scale.png)",
            "An event's time is that of the whole run, without setting up, over its events. Beside",
            "it is the time of one read from memory that has to wait for the one before, at random",
            "in as many bytes as the pool's state has (tests/twin/latency.c): an event takes at",
            "least one.",
        ),
        scale.rows,
    ),
    (
        "First use",
        (
            "Loading Numba, compiling, and one replication (of S1; of S2 with 10 slots), in a",
            "process of its own with an empty cache; then the same with what that has left in it.",
        ),
        first_use.rows,
    ),
    (
        "Logs",
        (
            "A log of a real HTCondor's pool and one of a job that was evicted (tests/data), over",
            "and over, each time with job numbers of their own: 82,000 leases of 66,000 jobs.",
        ),
        logs.rows,
    ),
    ("Exact answers, plans, and the start", ("By the clock on the wall.",), planner.rows),
)


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    lines = []
    for line in report(QUICK if quick else WHOLE):
        print(line, flush=True)
        lines.append(line)
    if not quick:
        REPORT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
