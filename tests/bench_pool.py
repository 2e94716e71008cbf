"""What a pool of real processes costs, and how quick it is; writes reports/bench-pool.md.

Every job is a shell script, which costs next to nothing itself; what is counted is the processor
time of the pool's own processes: the access point's and its machine's.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from os import cpu_count
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import processor

from ckptsim.drivers.real import launch
from ckptsim.drivers.real.control import ask

REPORT = Path(__file__).parents[1] / "reports" / "bench-pool.md"
JOBS = 300
PERIOD_S = 10
WATCHED_S = 30
ROUNDS = 3
CYCLES = 200
BIG_MIB = 700
BIG_CYCLES = 5
CPU_BAR, CYCLE_BAR_MS, BIG_BAR_S = 0.20, 15, 1.5

POOL = '[intervals]\nnegotiation = "100ms"\n[[machines]]\nname = "ep1"\nslots = {slots}\n'

SUBMIT = """
executable = job
output = $(Cluster).$(Process).out
log = job.log
checkpoint_exit_code = 85
transfer_checkpoint_files = saved
request_memory = 1
request_disk = 1
queue {count}
"""

# Jobs begin at moments spread over a period, as they would be found after a while.
STEADY = """#!/bin/sh
[ -e saved ] || { echo 0 >saved; sleep $(($$ % PERIOD)); exit 85; }
sleep PERIOD
read -r n <saved
echo $((n + 1)) >saved
exit 85
""".replace("PERIOD", str(PERIOD_S))

SLEEPER = "#!/bin/sh\nexec sleep 600\n"

# Times are noted on both sides of the gap between two executions.
CYCLER = """#!/bin/sh
date +%s%N >>{marks}
n=0
[ -e saved ] && read -r n <saved
[ "$n" -ge {cycles} ] && exit 0
echo $((n + 1)) >saved
date +%s%N >>{marks}
exit 85
"""

BIG = """#!/bin/sh
date +%s%N >>{marks}
[ -e big ] || head -c {size} /dev/urandom >big
n=0
[ -e n ] && read -r n <n
[ "$n" -ge {cycles} ] && exit 0
echo $((n + 1)) >n
date +%s%N >>{marks}
exit 85
"""


class Pool:
    """A pool in a folder of its own."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.folder, self.state = folder, folder / "state"
        (folder / "pool.toml").write_text(POOL.format(slots=slots))
        status = launch.start(self.state, launch.Recipe(folder / "pool.toml"))
        self.pids = [status["pid"], *(machine["pid"] for machine in status["machines"])]

    def submit(self, script: str, count: int = 1, saved: str = "saved") -> None:
        job = self.folder / "job"
        job.write_text(script)
        job.chmod(0o755)
        text = SUBMIT.format(count=count).replace("= saved", f"= {saved}")
        (self.folder / "job.sub").write_text(text)
        command = [sys.executable, "-m", "ckptsim", "submit", "job.sub"]
        place = os.environ | {"CKPTSIM_STATE": str(self.state)}
        subprocess.run(command, cwd=self.folder, env=place, check=True, capture_output=True)

    def happened(self, words: str) -> int:
        """How often that is in the log of events."""
        return (self.folder / "job.log").read_text().count(words)

    def wait(self) -> None:
        ask(self.state, {"do": "wait"}, 600)

    def seen(self) -> list[float]:
        """So far: checkpoints, processor seconds of the access point and of its machine."""
        checkpoints = self.happened("Finished transferring output files")
        ticks = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] for pid in self.pids]
        tick = os.sysconf("SC_CLK_TCK")
        return [checkpoints, *(sum(map(int, row.split()[11:13])) / tick for row in ticks)]


@contextmanager
def pool(slots: int) -> Iterator[Pool]:
    with tempfile.TemporaryDirectory(prefix="ckptsim-bench-") as name:
        made = Pool(Path(name), slots)
        try:
            yield made
        finally:
            launch.stop(made.state)


class Load(NamedTuple):
    """Seconds from `submit` until all jobs run; then per second, of all, shares of a core."""

    started_s: float
    cycles: float
    access_point: float
    machine: float


def load() -> Load:
    with pool(JOBS) as one:
        begun = time.monotonic()
        one.submit(SLEEPER, JOBS)
        while one.happened("Job executing on host") < JOBS:
            time.sleep(0.05)
        started_s = time.monotonic() - begun
    with pool(JOBS) as one:
        one.submit(STEADY, JOBS)
        time.sleep(2 * PERIOD_S + 5)
        begun, *before = time.monotonic(), *one.seen()
        time.sleep(WATCHED_S)
        ended, *after = time.monotonic(), *one.seen()
        found = [(b - a) / (ended - begun) for a, b in zip(before, after, strict=True)]
    return Load(started_s, *found)


def gaps_s(script: str, saved: str = "saved", **values: object) -> list[float]:
    """Seconds from the end of one execution to the beginning of the next; the first one left out.

    The shell and `date` start and end in that time as well.
    """
    with pool(1) as one:
        marks = one.folder / "marks"
        one.submit(script.format(marks=marks, **values), saved=saved)
        one.wait()
        times = [int(line) for line in marks.read_text().split()]
        return [(b - a) / 1e9 for a, b in pairwise(times[1:])][2::2]


def floor_of_date_ms() -> float:
    """What the measurement itself costs: from one `date` in a shell to one in the next shell."""
    with tempfile.TemporaryDirectory() as name:
        job, marks = Path(name, "job"), Path(name, "marks")
        job.write_text(f"#!/bin/sh\ndate +%s%N >>{marks}\ndate +%s%N >>{marks}\nexit 85\n")
        job.chmod(0o755)
        for _ in range(CYCLES):
            subprocess.run([str(job)], check=False)
        times = [int(line) for line in marks.read_text().split()]
        return median((b - a) / 1e6 for a, b in pairwise(times[1:]))


def met(*, good: bool) -> str:
    return "met" if good else "MISSED"


def load_rows() -> Iterator[str]:
    found = [load() for _ in range(ROUNDS)]
    cpu = median(each.access_point + each.machine for each in found)
    mid = Load(*(median(values) for values in zip(*found, strict=True)))
    bar = f"the bar of {CPU_BAR:.0%} is {met(good=cpu <= CPU_BAR)}"
    yield f"| CPU, {JOBS} jobs, one checkpoint in {PERIOD_S} s each | {cpu:.1%} of a core ({bar}) |"
    yield f"| … of the access point, the machine | {mid.access_point:.1%}, {mid.machine:.1%} |"
    yield f"| … checkpoints of all jobs | {mid.cycles:.1f}/s |"
    yield f"| {JOBS} jobs, from `ckptsim submit` until all run | {mid.started_s:.2f} s |"


def cycle_rows() -> Iterator[str]:
    gaps = [1000 * gap for _ in range(ROUNDS) for gap in gaps_s(CYCLER, cycles=CYCLES)]
    gap = median(gaps)
    bar = f"the bar of {CYCLE_BAR_MS} is {met(good=gap <= CYCLE_BAR_MS)}; HTCondor: 37"
    yield f"| exit to restart, 1 small file, /bin/sh | {gap:.1f} ms ({bar}) |"
    yield f"| … slowest of {len(gaps)} | {max(gaps):.0f} ms |"
    yield f"| … of that the shell's own, by the same clock | {floor_of_date_ms():.1f} ms |"


def big_rows() -> Iterator[str]:
    size = BIG_MIB * 2**20
    gaps = [
        gap
        for _ in range(ROUNDS)
        for gap in gaps_s(BIG, saved="big, n", size=size, cycles=BIG_CYCLES)
    ]
    gap = median(gaps)
    bar = f"the bar of {BIG_BAR_S} is {met(good=gap <= BIG_BAR_S)}; HTCondor: 2.4–3.2"
    yield f"| exit to restart, {BIG_MIB} MiB, committed | {gap:.2f} s ({bar}) |"
    yield f"| … slowest of {len(gaps)} | {max(gaps):.2f} s |"


def report(tables: list[Callable[[], Iterator[str]]]) -> Iterator[str]:
    yield "# What a pool of real processes costs"
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {cpu_count()} cores, {platform.system()};"
    yield f"Python {platform.python_version()}. Remade by `make bench-pool`."
    yield ""
    yield f"Medians of {ROUNDS} runs; the machine is shared, the load of others is in the times."
    yield "CPU is user and system time of the pool's own processes over"
    yield f"{WATCHED_S} s, the jobs' not counted; a cycle is from the last word of one execution to"
    yield "the first of the next, with its checkpoint committed in between."
    yield ""
    yield "| what | |"
    yield "|---|---|"
    for rows in tables:
        yield from rows()


def main() -> None:
    tables = {"load": load_rows, "cycle": cycle_rows, "big": big_rows}
    asked = sys.argv[1:] or list(tables)
    text = "\n".join(report([tables[name] for name in asked])) + "\n"
    if not sys.argv[1:]:
        REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
