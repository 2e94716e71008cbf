"""What an executable's own runs tell of its costs: from what was seen of it to figures.

Pure: what was seen comes as values. `executions` makes them of a pool's notes (each order to a
machine and each report of it), the files that an execution wrote are seen by looking at its sandbox
(drivers/real/sandbox_watch.py). Times are whole nanoseconds since 1970, durations nanoseconds.

An executable that says what it does (CKPTSIM_MARKS, docs/pool.md) has writing, restarting and
computing told apart. Of one that says nothing only signs are seen: the first file or output it
writes after its start, and the last run of changes of the checkpoint's files before its exit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median, quantiles
from typing import Any, NamedTuple

from ckptsim.units import SECOND

STDIO = ("_condor_stdout", "_condor_stderr")
"""The standard files in a sandbox: part of a checkpoint, but a sign of life at any time."""

PAUSE = SECOND
"""Changes of the checkpoint's files with longer pauses between them are writes of their own."""

SPREAD = 0.1
"""What varies by less than this part of its median is told as a constant."""

Marks = tuple[tuple[str, int], ...]


class Begin(StrEnum):
    """From what an execution started."""

    COLD = "cold start"
    IN_PLACE = "restart in place"
    LEASE = "restart in a new lease"


class Burst(NamedTuple):
    """A run of changes of one file: its first and its last."""

    first: int
    last: int


Touched = Mapping[str, Sequence[Burst]]
"""By path in the sandbox, the changes of the files that an execution wrote."""


class Execution(NamedTuple):
    """One process of the job, from its start to its exit; 0 for what has not come about."""

    lease: int
    begin: Begin
    asked: int  # when the input transfer began; 0 in place
    ready: int  # when its files were there: from here on it starts
    input: int  # bytes
    started: int
    exited: int = 0
    status: int = 0  # as waitpid gives it
    marks: Marks = ()
    sent: int = 0  # when its checkpoint was committed
    bytes: int = 0  # of that
    failed: str = ""  # why its checkpoint could not be
    touched: Touched = {}  # noqa: RUF012 (never changed)


class Method(StrEnum):
    """How a figure came about."""

    MARKS = "the job's own marks"
    POOL = "the pool's clock"
    FILES = "changes of the checkpoint's files"
    SIGNS = "the first output or file written"
    UNTOLD = "changes of the checkpoint's files; restarts included"


class Figure(NamedTuple):
    """One cost: how often it was seen, and what it came to each time (nanoseconds)."""

    name: str
    key: str  # of the scenario, "" for what has none
    times: tuple[int, ...]
    method: Method

    @property
    def word(self) -> str:
        """The name for programs: in JSON, of files and of columns."""
        return self.key.removeprefix("job.") or self.name.replace(" ", "_")

    @property
    def median(self) -> int:
        return round(median(self.times))

    @property
    def mean(self) -> int:
        return round(fmean(self.times))

    @property
    def quartiles(self) -> tuple[int, int]:
        """The lower and the upper one; of a single value, that."""
        if len(self.times) == 1:
            return self.times[0], self.times[0]
        low, _, high = quantiles(self.times, n=4, method="inclusive")
        return round(low), round(high)

    @property
    def is_spread(self) -> bool:
        """Do they differ by more than a constant would let one expect?"""
        return max(self.times) - min(self.times) > SPREAD * self.median


class Costs(NamedTuple):
    """All that was measured; figures that were never seen are left out."""

    figures: tuple[Figure, ...]
    sizes: tuple[int, ...]  # bytes of each checkpoint
    inputs: tuple[int, ...]  # bytes of each input transfer, with a checkpoint if there was one
    marked: bool  # did the job say what it does?

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)


# --- from notes to executions ---------------------------------------------------------------------


def executions(notes: Iterable[Mapping[str, Any]]) -> list[Execution]:
    """The executions of jobs that ran one after another, in their order: see `Telling`."""
    telling = Telling()
    for note in notes:
        telling.take(note)
    return telling.found


class Telling:
    """Executions, as one note after another tells of them.

    A note has `job`, `lease`, `at` and `did`: ordered (with `order` and `purpose`), staged,
    started, exited, sent or send_failed, as drivers/real/machine.py reports them.
    """

    def __init__(self) -> None:
        self.found: list[Execution] = []
        self.saved: set[str] = set()  # jobs that have a checkpoint
        self.asked = self.ready = self.brought = 0
        self.purpose = ""

    def take(self, note: Mapping[str, Any]) -> None:
        """The next note."""
        at, found = int(note["at"]), self.found
        match note["did"]:
            case "ordered" if note["order"] == "stage":
                self.asked = at
            case "ordered" if note["order"] == "send":
                self.purpose = note["purpose"]
            case "staged":
                self.ready, self.brought = at, note["bytes"]
            case "started":
                found.append(self.started(note, at))
            case "exited":
                marks = tuple((word, when) for word, when in note["marks"])
                found[-1] = found[-1]._replace(exited=at, status=note["status"], marks=marks)
            case "sent" if self.purpose == "checkpoint":
                self.saved.add(note["job"])
                found[-1] = found[-1]._replace(sent=at, bytes=note["bytes"])
            case "send_failed" if self.purpose == "checkpoint":
                found[-1] = found[-1]._replace(failed=f"{note['path']}: {note['error']}")

    def started(self, note: Mapping[str, Any], at: int) -> Execution:
        begin = begun_from(note, self.found, self.saved)
        staged = (self.asked, self.ready, self.brought)
        if begin is Begin.IN_PLACE:
            staged = (0, self.found[-1].sent or at, 0)
        return Execution(note["lease"], begin, *staged, started=at)


def begun_from(note: Mapping[str, Any], found: Sequence[Execution], saved: set[str]) -> Begin:
    if found and found[-1].lease == note["lease"]:
        return Begin.IN_PLACE
    return Begin.LEASE if note["job"] in saved else Begin.COLD


# --- one execution --------------------------------------------------------------------------------


def is_checkpoint(name: str, wanted: Sequence[str] | None) -> bool:
    """Does a file in the sandbox belong to the checkpoint? Without a list, all new ones do."""
    if name in STDIO:
        return False
    listed = [each.rstrip("/") for each in wanted or ()]
    return wanted is None or any(name == each or name.startswith(f"{each}/") for each in listed)


def writes(run: Execution, wanted: Sequence[str] | None) -> list[Burst]:
    """The checkpoint's files taken together: their runs of changes, in order of time."""
    bursts = sorted(
        burst for name, each in run.touched.items() if is_checkpoint(name, wanted) for burst in each
    )
    merged: list[Burst] = []
    for burst in bursts:
        if merged and burst.first - merged[-1].last <= PAUSE:
            merged[-1] = Burst(merged[-1].first, max(merged[-1].last, burst.last))
        else:
            merged.append(burst)
    return merged


def said(run: Execution, word: str) -> list[int]:
    """When the job said that, of the times that can be so."""
    return [at for said, at in run.marks if said == word and run.started <= at <= run.exited]


def writing(run: Execution, wanted: Sequence[str] | None, *, marked: bool) -> int:
    """When the write began with which this execution ended; 0 where that was not seen."""
    if marked:
        return max(said(run, "writing"), default=0)
    seen = writes(run, wanted)
    return seen[-1].first if seen else 0


def computing(run: Execution, wanted: Sequence[str] | None, *, marked: bool) -> int:
    """When it had started and was computing; without marks its first sign of life, 0 if none.

    What comes only with the checkpoint's files is no sign: it had computed all along.
    """
    if marked:
        return min(said(run, "computing"), default=0)
    signs = [bursts[0].first for bursts in run.touched.values() if bursts]
    first = min(signs, default=0)
    written = [burst.first for burst in writes(run, wanted)]
    return first if first and first < min(written, default=first + 1) else 0


def computed(run: Execution, begun: int, written: int, *, marked: bool) -> int:
    """How long it computed before the write that it ended with."""
    if not marked:
        return written - begun
    total, since = 0, 0
    for word, at in run.marks:
        if word == "computing" and not since:
            since = at
        elif word == "writing" and since:
            total, since = total + at - since, 0
    return total


# --- the figures ----------------------------------------------------------------------------------


def costs(runs: Sequence[Execution], wanted: Sequence[str] | None) -> Costs:
    """All figures that the executions allow.

    `wanted` are the checkpoint's files as the submit file lists them, None if it lists none.
    """
    marked = any(said(run, "computing") for run in runs)
    kept = [run for run in runs if run.sent]
    fetched = [run for run in runs if run.begin is Begin.LEASE] or [r for r in runs if r.asked]
    inputs = waits((run.asked, run.ready) for run in fetched)
    figures = (
        written(kept, wanted, marked=marked),
        Figure("transfer", "job.transfer", waits((r.exited, r.sent) for r in kept), Method.POOL),
        *(started(runs, begin, wanted, marked=marked) for begin in Begin),
        Figure("input transfer", "job.input", inputs, Method.POOL),
        interval(kept, wanted, marked=marked),
        step(kept, wanted, marked=marked),
        Figure("from exit to exit", "", tuple(cycles(kept)), Method.POOL),
    )
    sizes = tuple(run.bytes for run in kept)
    brought = tuple(run.input for run in fetched)
    return Costs(tuple(each for each in figures if each.times), sizes, brought, marked)


def waits(pairs: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """From the first to the second, where both were seen."""
    return tuple(end - begin for begin, end in pairs if begin and end >= begin)


def written(kept: Sequence[Execution], wanted: Sequence[str] | None, *, marked: bool) -> Figure:
    pairs = ((writing(run, wanted, marked=marked), run.exited) for run in kept)
    method = Method.MARKS if marked else Method.FILES
    return Figure("write", "job.write", waits(pairs), method)


def started(
    runs: Sequence[Execution], begin: Begin, wanted: Sequence[str] | None, *, marked: bool
) -> Figure:
    pairs = (
        (run.ready, computing(run, wanted, marked=marked)) for run in runs if run.begin == begin
    )
    values = tuple(end - ready for ready, end in pairs if end)
    key = {
        Begin.COLD: "job.cold_start",
        Begin.IN_PLACE: "job.restart_in_place",
        Begin.LEASE: "job.restart_lease",
    }[begin]
    return Figure(str(begin), key, values, Method.MARKS if marked else Method.SIGNS)


def interval(kept: Sequence[Execution], wanted: Sequence[str] | None, *, marked: bool) -> Figure:
    """Computing between two checkpoints; with the restart in it where no sign tells them apart."""
    starts = [computing(run, wanted, marked=marked) for run in kept]
    untold = not marked and not all(starts)
    begins = [run.ready if untold else at for run, at in zip(kept, starts, strict=True)]
    ends = [writing(run, wanted, marked=marked) for run in kept]
    values = tuple(
        computed(run, begin, end, marked=marked)
        for run, begin, end in zip(kept, begins, ends, strict=True)
        if begin and end >= begin
    )
    method = Method.MARKS if marked else Method.UNTOLD if untold else Method.FILES
    return Figure("interval", "job.interval", values, method)


def step(kept: Sequence[Execution], wanted: Sequence[str] | None, *, marked: bool) -> Figure:
    """From one write to the next within an execution: it could have exited after each of them."""
    values: list[int] = []
    for run in kept:
        begins = said(run, "writing") if marked else [each.first for each in writes(run, wanted)]
        values += [later - earlier for earlier, later in pairwise(begins)]
    return Figure("step", "job.step", tuple(values), Method.MARKS if marked else Method.FILES)


def cycles(kept: Sequence[Execution]) -> Iterator[int]:
    """From one exit with a checkpoint to the next in the same lease."""
    for earlier, later in pairwise(kept):
        if earlier.lease == later.lease:
            yield later.exited - earlier.exited
