"""Remakes reports/ from the scenarios, by the commands that a user would type.

Run by `make reports`. Every page is made by one command line, which stands at its foot; run again,
the same bytes come out.
"""

# ruff: noqa: INP001  (a script: nobody imports it)

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CKPTSIM = Path(sys.executable).with_name("ckptsim")
INTERVALS = "job.interval=30min:6h:5min"
LIFETIMES = "ckptsim/profiles/gcp-preemptible.csv"


def main() -> None:
    """Run all the commands, from the top of the repository."""
    for command in commands():
        print(f"$ ckptsim {' '.join(command)}", flush=True)
        subprocess.run([CKPTSIM, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    subprocess.run([sys.executable, "scenarios/apex_cielo.py"], cwd=ROOT, check=True)


def commands() -> Iterator[list[str]]:
    """What is typed; paths are relative, so that nothing of this machine is in the reports."""
    for scenario in sorted((ROOT / "scenarios").glob("*.toml")):
        path = scenario.relative_to(ROOT).as_posix()
        yield ["plan", path]
        yield ["simulate", path]
    yield from sweeps("scenarios/84-minutes-evictions.toml")
    yield from pool_sweeps("scenarios/shared-link.toml")
    yield ["fit", LIFETIMES, "--column", "lifetime_s", "--out", "reports/fit-gcp-preemptible"]
    yield ["lesson", "84-minutes", "--out", "reports/lesson-84-minutes"]


def sweeps(path: str) -> Iterator[list[str]]:
    """The saw-tooth, and how it moves with the limit."""
    yield ["sweep", path, "--over", INTERVALS, "--out", "reports/sweep-interval"]
    coarse, limits = "job.interval=30min:6h:15min", "slots.limit=4h,5h,6h,7h,8h"
    over = ["--over", coarse, "--over", limits, "--leases", "2000"]
    yield ["sweep", path, *over, "--out", "reports/sweep-interval-and-limit"]


def pool_sweeps(path: str) -> Iterator[list[str]]:
    """Where a link that all share is too narrow."""
    intervals = "classes.climate.interval=30min,1h,2h,4h"
    over = ["--over", intervals, "--over", "link.bandwidth=500Mb/s,1Gb/s,2Gb/s"]
    yield ["sweep", path, *over, "--out", "reports/sweep-interval-and-bandwidth"]


if __name__ == "__main__":
    main()
