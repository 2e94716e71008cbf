"""What `ckptsim check` does: run the job once for each trial, with its fault, and watch closely."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim.check import At, Fault, Hit, Outcome, Point, Terms, Trial, Way
from ckptsim.check_rules import STUCK
from ckptsim.commands.check_job import Home, prepared
from ckptsim.commands.check_tamper import Store, digests
from ckptsim.commands.measure_job import Subject
from ckptsim.commands.pool_options import ANSWER_S, ENDED
from ckptsim.commands.private_pool import Notes, last_line
from ckptsim.drivers.real.control import PoolError, ask
from ckptsim.drivers.real.inotify import Change, Did, Watch
from ckptsim.drivers.real.processes import Mark, members
from ckptsim.drivers.real.sandbox import OWN
from ckptsim.htcondor.jobad import names
from ckptsim.measure import STDIO, Burst, Execution, Telling, is_checkpoint
from ckptsim.units import SECOND, show

LOOK_S = 0.005
ASK_S = 0.3
LINGER_S = 0.15  # a process that dies with its parent is gone by then
SAME_MOST = 6  # checkpoints that are all the same before a trial is given up
BURSTS_MAX = 1_000  # of one file in one execution


class Cut(Exception):  # noqa: N818 (not an error: it is told as what was seen)
    """A trial is given up; says why."""


class Stopped(Exception):  # noqa: N818 (it was asked for)
    """The whole check ends here."""


class Bench(NamedTuple):
    """Where all trials of a job are run."""

    subject: Subject
    terms: Terms
    state: Path  # of the pool
    notes: Path
    pool: str  # its name in the marks of its processes
    seed: int
    stopping: threading.Event


class TrialRun:
    """One trial, from the job's submission to its end."""

    def __init__(self, bench: Bench, trial: Trial, executions_most: int, ends: float) -> None:
        self.bench, self.trial, self.terms = bench, trial, bench.terms
        self.executions_most, self.begun, self.ends = executions_most, time.monotonic(), ends
        self.place: Home = prepared(bench.subject, bench.state / "trials" / trial.name)
        self.input = digests(self.place.home)
        self.notes_file = Notes(bench.notes)
        self.telling = Telling()
        self.runs = self.telling.found
        self.pids: list[int] = []  # of the executions
        self.cluster = 0
        self.job: dict[str, Any] = {"status": "idle", "held": None}
        self.asked = 0.0
        self.store = Store(self.terms, self.place, bench.seed)
        self.watch: Watch | None = None
        self.sandbox = ""
        self.counts: dict[int, int] = {}
        self.touched: dict[int, dict[str, list[Burst]]] = {}
        self.renamed: dict[int, str] = {}
        self.made: set[str] = set()
        self.present: list[str] = []
        self.commits: list[Mapping[str, str]] = []
        self.stale: list[frozenset[str]] = []
        self.lingering: list[tuple[float, int, set[int]]] = []
        self.left: set[str] = set()
        self.hits: list[Hit] = []
        self.signalled = self.changed = 0
        self.saved = self.holding = self.fresh = False

    def run(self) -> Outcome:
        """All of it; raises Stopped and PoolError."""
        end, why = "completed", ""
        try:
            self.submit()
            for number, point in enumerate(self.trial.points):
                self.until(partial(self.is_at, point))
                if self.is_over():
                    break
                self.strike(point, last=number == len(self.trial.points) - 1)
            self.until(lambda: False)
            if self.job["status"] != "completed":
                held = self.job["held"]
                end, why = "held", str(held["reason"]) if held else self.job["status"]
        except Cut as cut:
            end, why = "cut short", str(cut)
        finally:
            self.take_notes()
            self.end()
        return self.outcome(end, why)

    # --- what is done -----------------------------------------------------------------------------

    def ask(self, **request: Any) -> dict[str, Any]:
        return ask(self.bench.state, request, ANSWER_S)

    def submit(self) -> None:
        self.cluster = self.ask(do="cluster")["cluster"]
        self.place.ad["ClusterId"] = self.cluster
        self.ask(do="submit", cluster=self.cluster, ads=[repr(self.place.ad)])

    def insist(self, **request: Any) -> None:
        """Ask for something to be done to the job until it can be, or the job is over."""
        while not self.is_over():
            with suppress(PoolError):
                self.ask(job=str(self.cluster), **request)
                return
            self.look()

    def strike(self, point: Point, *, last: bool) -> None:
        """Make the fault, and wait until it has come about."""
        at, lease, commits = time.time_ns(), self.runs[-1].lease, self.checkpoints()
        fault = self.trial.fault
        match fault:
            case Fault.EVICTED | Fault.FAST:
                stopped = self.frozen() if point.at is At.CHANGE else 0
                self.insist(do="vacate", fast=fault is Fault.FAST)
                if stopped and fault is Fault.EVICTED:
                    self.thaw(stopped)
            case Fault.POWER:
                self.power_failure()
            case _:
                self.tampered(last=last)
        self.until(lambda: self.runs[-1].lease != lease)
        if self.runs[-1].lease != lease:  # else it ended before
            met = [number for number, run in enumerate(self.runs) if run.lease == lease]
            self.hits.append(Hit(at, met[-1], commits))

    def frozen(self) -> int:
        """Stop the process where it is, lest it gets any further before the fault; its pid."""
        if self.runs[-1].exited:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self.pids[-1], signal.SIGSTOP)
            return self.pids[-1]
        return 0

    def thaw(self, pid: int) -> None:
        run = self.runs[-1]  # or it had ended just before
        self.until(lambda: self.signalled >= run.started or self.runs[-1] != run)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def power_failure(self) -> None:
        self.look_at_queue()
        machine = self.job.get("machine")
        if machine:
            self.ask(do="power_off", machine=machine)
            self.ask(do="power_on", machine=machine)

    def tampered(self, *, last: bool) -> None:
        """Hold the job, do something to its checkpoint, and release it."""
        self.holding = True
        self.insist(do="hold")
        self.until(self.is_held)
        self.store.tamper(self.trial.fault, Path(self.job["spool"]), last=last)
        self.insist(do="release")
        self.until(lambda: not self.is_held())
        self.holding = False

    def is_held(self) -> bool:
        self.look_at_queue()
        return bool(self.job["status"] == "held")

    def end(self) -> None:
        """Leave nothing of it in the pool."""
        with suppress(PoolError):
            if not self.is_over() or self.job["status"] == "held":
                with suppress(PoolError):
                    self.ask(do="vacate", job=str(self.cluster), fast=True)
                self.ask(do="rm", job=str(self.cluster))
        if self.watch:
            self.watch.close()
            self.watch = None

    # --- what is seen -----------------------------------------------------------------------------

    def until(self, reached: Callable[[], bool]) -> None:
        """Look at the job until that is so, or it is over; raises Cut and Stopped."""
        while not reached() and not self.is_over():
            self.look()

    def is_over(self) -> bool:
        return self.job["status"] in ENDED or (self.job["status"] == "held" and not self.holding)

    def checkpoints(self) -> int:
        return sum(bool(run.sent) for run in self.runs)

    def is_at(self, point: Point) -> bool:
        if not self.runs:
            return False
        run = self.runs[-1]
        running = not run.exited and self.checkpoints() >= point.commits
        match point.at:
            case At.COMPUTING:
                return running and time.time_ns() >= run.started + point.number
            case At.CHANGE:
                return running and self.counts.get(len(self.runs) - 1, 0) >= point.number
            case At.SENDING:
                return sum(map(self.is_checkpoint_exit, self.runs)) >= point.commits
            case At.COMMITTED:
                return self.checkpoints() >= point.commits

    def is_checkpoint_exit(self, run: Execution) -> bool:
        early = self.terms.way is Way.EARLY
        return bool(run.exited) and (early or run.status == self.terms.status)

    def look(self) -> None:
        """Take in what is new; raises Cut and Stopped."""
        if self.watch:
            self.watch.wait(LOOK_S)
            for change in self.watch.changes():
                self.take_change(change)
        else:
            time.sleep(LOOK_S)
        self.take_notes()
        self.look_at_lingering()
        if time.monotonic() >= self.asked + ASK_S:
            self.look_at_queue()
        self.give_up()

    def take_notes(self) -> None:
        for note in self.notes_file.new():
            if note["job"] == f"{self.cluster}.0":
                self.take_note(note)

    def give_up(self) -> None:
        if self.bench.stopping.is_set():
            raise Stopped
        if len(self.runs) > self.executions_most:
            raise Cut(f"given up after {len(self.runs)} executions {STUCK}")
        latest = self.commits[-SAME_MOST:]
        if len(latest) == SAME_MOST and latest[0] and all(each == latest[0] for each in latest):
            raise Cut(f"given up after {SAME_MOST} checkpoints that are the same, {STUCK}")
        if time.monotonic() > self.ends:
            raise Cut(f"given up after {show(int((time.monotonic() - self.begun) * SECOND))}")

    def look_at_queue(self) -> None:
        (self.job,) = self.ask(do="jobs", jobs=[str(self.cluster)])["jobs"]
        self.asked = time.monotonic()

    def take_note(self, note: dict[str, Any]) -> None:
        note = self.translated(note)
        self.telling.take(note)
        match note["did"]:
            case "ordered" if note["order"] == "stage":
                self.sandbox = note["sandbox"]
            case "ordered" if note["order"] == "signal" and note["purpose"] != "checkpoint":
                self.signalled = note["at"]
            case "started":
                self.pids.append(note["pid"])
                self.take_commit()
                self.watch_sandbox()
            case "exited":
                self.present = list(relative(self.sandbox))
                self.saved |= self.has_saved(self.runs[-1])
                self.look_for_lingering(note)
            case "sent" | "send_failed":
                self.fresh, self.asked = True, 0.0

    def translated(self, note: dict[str, Any]) -> dict[str, Any]:
        """What counts as a checkpoint's transfer depends on the way that the job goes."""
        early = self.terms.way is Way.EARLY and note.get("purpose") == "final"
        saved = self.terms.on_evict and note.get("purpose") == "evict"
        return {**note, "purpose": "checkpoint"} if early or saved else note

    def take_commit(self) -> None:
        """The store as the last commit left it: the next execution has just started."""
        if not self.fresh:
            return
        self.fresh = False
        self.look_at_queue()
        held = self.store.contents(Path(self.job["spool"]))
        self.commits.append(held)
        known = {part for path in self.present for part in (path.split("/")[0], Path(path).name)}
        tops = {path.split("/")[0] for path in held}
        self.stale.append(frozenset(tops - known if known else ()))

    def watch_sandbox(self) -> None:
        if self.watch and self.watch.top != self.sandbox:
            self.watch.close()
            self.watch = None
        if not self.watch:
            with suppress(OSError):
                self.watch = Watch(self.sandbox)
                self.watch.changes()  # what is there already

    def take_change(self, change: Change) -> None:
        run, now = len(self.runs) - 1, time.time_ns()
        if run < 0 or self.runs[run].exited or change.folder or change.path in OWN:
            return
        bursts = self.touched.setdefault(run, {}).setdefault(change.path, [])
        if len(bursts) < BURSTS_MAX:
            bursts.append(Burst(now, now))
        if change.path in STDIO:
            return
        self.made.add(change.path)
        if self.is_of_checkpoint(change):
            self.counts[run] = self.counts.get(run, 0) + 1
            self.changed = now
            if change.did & (Did.MODIFIED | Did.CLOSED | Did.MOVED_TO):
                self.store.latest = change.path

    def is_of_checkpoint(self, change: Change) -> bool:
        """Does it belong to the checkpoint, or to what will be renamed to that?"""
        wanted = self.terms.wanted
        if is_checkpoint(change.path, wanted):
            return True
        return any(Path(name).name in Path(change.path).name for name in wanted or ())

    def has_saved(self, run: Execution) -> bool:
        """Did it answer SIGTERM with a checkpoint? Whom the signal kills has not."""
        asked = self.signalled >= run.started and not run.status & 127
        return asked and self.changed > self.signalled

    def look_for_lingering(self, note: Mapping[str, Any]) -> None:
        machine = Path(self.sandbox).parents[1].name
        there = set(members(Mark(self.bench.pool, machine, note["lease"])))
        if there:
            self.lingering.append((time.monotonic(), note["lease"], there))

    def look_at_lingering(self) -> None:
        """Is a process still there that was there when its execution had ended?"""
        due = [each for each in self.lingering if time.monotonic() >= each[0] + LINGER_S]
        for each in due:
            self.lingering.remove(each)
            machine = Path(self.sandbox).parents[1].name
            alive = set(members(Mark(self.bench.pool, machine, each[1])))
            for pid in each[2] & alive:
                with suppress(OSError):
                    if os.getsid(pid) not in self.pids[-1:]:
                        self.left.add(process_name(pid))

    # --- what comes of it -------------------------------------------------------------------------

    def outcome(self, end: str, why: str) -> Outcome:
        runs = [
            run._replace(touched=self.touched.get(number, {}))
            for number, run in enumerate(self.runs)
        ]
        for hit in self.hits:  # of a power failure nobody hears
            if hit.run >= 0 and not runs[hit.run].exited:
                runs[hit.run] = runs[hit.run]._replace(exited=max(hit.at, runs[hit.run].started))
        if self.terms.way is Way.EARLY and end == "completed" and runs:
            runs[-1] = runs[-1]._replace(sent=0, bytes=0)  # that was the final output
        came = digests(self.place.home)
        return Outcome(
            self.trial,
            tuple(runs),
            end,
            why,
            {name: found for name, found in came.items() if self.input.get(name) != found},
            digests(self.place.folder).get("out", ""),
            tuple(self.hits),
            tuple(self.commits),
            tuple(self.counts.get(number, 0) for number in range(len(runs))),
            self.signalled,
            self.saved,
            self.stale_names(),
            tuple(sorted(self.left)),
            unlisted=self.unlisted(),
            last_words=last_line(text_of(self.place.folder / "err")),
        )

    def stale_names(self) -> tuple[str, ...]:
        """Seen in the last checkpoint and in one before, lest a late look tells a wrong tale."""
        before = frozenset[str]().union(*self.stale[:-1])
        return tuple(sorted(self.stale[-1] & before)) if self.stale else ()

    def unlisted(self) -> tuple[str, ...]:
        wanted = self.terms.wanted
        if wanted is None:
            return ()
        listed = [*wanted, *(names(self.place.ad, "TransferOutput") or ())]
        there = self.made & set(self.present)
        return tuple(sorted(path for path in there if not is_checkpoint(path, listed)))


def relative(folder: str) -> Iterator[str]:
    """The paths of the files below a folder."""
    for place, _, found in os.walk(folder):
        for name in found:
            yield os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118 (speed)


def process_name(pid: int) -> str:
    words = text_of(Path(f"/proc/{pid}/cmdline")).split("\0")
    return " ".join(Path(word).name for word in words[:2] if word) or str(pid)


def text_of(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""
