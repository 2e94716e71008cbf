"""Logs: how fast events are read, and a million of them audited."""

import re
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median

from told import MEMORY, Effort, at_least, at_most, elsewhere, took

from ckptsim.htcondor.eventlog import read

DATA = Path(__file__).parents[1] / "data"
SOURCES = (
    DATA / "condor-forms" / "json" / "text.log",
    DATA / "condor-logs" / "htcanalyze_job_evicted.log",
)
HEADER = re.compile(r"^(\d{3} \()(\d+)\.", re.MULTILINE)
AUDIT = """
import io, json, sys, time
from contextlib import redirect_stdout
from ckptsim.cli import main
wall, said = time.perf_counter(), io.StringIO()
sys.argv = ["ckptsim", "audit", {path!r}, "--no-report"]
with redirect_stdout(said):
    try:
        main()
    except SystemExit as end:
        assert not end.code
print(json.dumps([time.perf_counter() - wall, time.process_time(), memory() / 1e6]))
"""


def rows(effort: Effort) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.log"
        events = written(path, effort.log_events)
        rounds = range(effort.rounds_of_pools)
        speed = median(events / took(lambda: read_through(path)).cpu for _ in rounds)
        yield f"| events read | {speed:,.0f} a second {at_least(speed, 100_000)} |"
        wall, cpu, memory = elsewhere(MEMORY + AUDIT.format(path=str(path)))
        name = f"{events:,} events audited, the whole command"
        yield f"| {name} | {wall:.1f} s {at_most(wall, 15)}, {cpu:.1f} s of CPU |"
        yield f"| its memory at most | {memory:.0f} MB {at_most(memory, 300)} |"


def read_through(path: Path) -> int:
    return sum(1 for _ in read(path))


def written(path: Path, least: int) -> int:
    """The shipped logs over and over, each time with clusters of their own; how many events."""
    texts, events, cluster = [source.read_text() for source in SOURCES], 0, count(1)
    with path.open("w") as log:
        while events < least:
            for text in texts:
                numbers = {}

                def renamed(header: re.Match[str], numbers: dict[str, int] = numbers) -> str:
                    return f"{header[1]}{numbers.setdefault(header[2], next(cluster))}."

                log.write(HEADER.sub(renamed, text))
                events += text.count("\n...\n")
    return events
