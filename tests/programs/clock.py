"""Does the clock-aware plan beat the best fixed interval, with real processes, as computed?

    python tests/programs/clock.py [MINUTES]

A program whose checkpoints take a random time is wrapped twice: to save at the best fixed interval,
and by the table that tells when to save at which age of a lease. Both run in ckptsim's pool, on
slots with a limit and nothing else. What is measured is the work committed in a lease, over all
leases that were over, against what `ckptsim.exact` says for the restart that was measured.
"""

import subprocess
import sys
import tempfile
import time
from itertools import groupby, pairwise
from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

from pools import CKPTSIM

from ckptsim.objective import Objective
from ckptsim.policy import best_policy
from ckptsim.scenario import load
from ckptsim.search import Search
from ckptsim.units import SECOND

LIMIT_S, WRITE_S, SLOTS, SEED = 24, 0.8, 30, 1
RESTART_S = 0.25  # planned with; what it really takes is measured
SCENARIO = f"""\
seed = {SEED}
[slots]
count = {SLOTS}
limit = "{LIMIT_S}s"
gap = "exponential(mean=6s)"  # so that not all leases begin at once
first_gap = true
[job]
count = {SLOTS}
write = "exponential(mean={WRITE_S}s)"
restart = "{RESTART_S}s"
"""
QUANTILE = NormalDist().inv_cdf(0.995)  # both ends of 99 %
HEAD = (
    *("wrapped by", "leases", "restart in place and in a lease, s", "work a lease, s (99 %)"),
    *("useful (99 %)", "exact"),
)


def main(minutes):
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        question = {"slots.limit": f"{LIMIT_S}s", "job.write": f"exponential(mean={WRITE_S}s)"}
        plan = Search(load(None, question | {"job.restart": f"{RESTART_S}s"}), Objective())
        every = plan.best.interval / SECOND
        runs = {
            "best fixed interval": start(where / "fixed", ["--interval", f"{every:.3f}s"]),
            "clock-aware": start(where / "clock", ["--scenario", "plan.toml"]),
        }
        time.sleep(60 * minutes)
        for run in runs.values():
            run.terminate()
            run.wait()
        print(f"| {' | '.join(HEAD)} |")
        print(f"|{' --- |' * len(HEAD)}")
        for (name, _), folder in zip(runs.items(), ("fixed", "clock"), strict=True):
            print(row(name, where / folder, question, every))


def start(folder, wrapping):
    """Jobs without end, in a pool of their own."""
    folder.mkdir()
    (folder / "counting.py").write_bytes(Path(__file__).with_name("counting.py").read_bytes())
    (folder / "pool.toml").write_text(SCENARIO)
    (folder / "plan.toml").write_text(SCENARIO.replace("count", "# count"))
    told = f"{folder}/told.$(Process)"
    (folder / "job.sub").write_text(
        f"executable = {sys.executable}\ntransfer_executable = false\n"
        f"arguments = counting.py {SEED} $(Process) {told} {WRITE_S}\n"
        f"transfer_input_files = counting.py\nlog = $(Process).log\nqueue {SLOTS}\n"
    )
    words = ["wrap", "--checkpoint", "work", "--save-on", "USR1", *wrapping, "job.sub"]
    subprocess.run([*CKPTSIM, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    words = ["run", "job.wrapped.sub", "--scenario", "pool.toml"]
    return subprocess.Popen(
        [*CKPTSIM, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


class Told(NamedTuple):
    """What the program said once."""

    what: str
    at: float
    lease: float  # when that began
    work: float


def row(name, folder, question, every):
    leases, in_place, at_start = [], [], []
    for job in range(SLOTS):
        told = [said(line) for line in (folder / f"told.{job}").read_text().splitlines()]
        for before, after in pairwise(told):
            if (before.what, after.what, before.lease) == ("saved", "started", after.lease):
                in_place.append(after.at - before.at)
        firsts = [next(runs) for _, runs in groupby(told, key=lambda each: each.lease)]
        at_start += [first.at - first.lease for first in firsts]
        leases += [later.work - earlier.work for earlier, later in pairwise(firsts[1:])]
    restarts = {"job.restart_in_place": fmean(in_place), "job.restart_lease": fmean(at_start)}
    found = load(None, question | {key: f"{mean:.4f}s" for key, mean in restarts.items()})
    search = Search(found, Objective())
    mean, half = fmean(leases), QUANTILE * stdev(leases) / sqrt(len(leases))
    if name == "clock-aware":
        exact = best_policy(found, 0.0, search.best.interval).useful_fraction
    else:
        exact = search.value(round(every * SECOND)).useful_fraction
    took = " and ".join(f"{each:.3f}" for each in restarts.values())
    return (
        f"| {name} | {len(leases)} | {took} | {mean:.2f} ± {half:.2f} "
        f"| {mean / LIMIT_S:.4f} ± {half / LIMIT_S:.4f} | {exact:.4f} |"
    )


def said(line):
    what, *numbers = line.split()
    return Told(what, *map(float, numbers))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20)
