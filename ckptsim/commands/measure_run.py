"""What `ckptsim measure` does: let the job run, watch it closely, and take its slot away."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim.commands.measure_job import Subject, made_private, pool_file
from ckptsim.commands.pool_options import ANSWER_S, ENDED
from ckptsim.commands.private_pool import Notes, ended_told, folder, last_line, pool
from ckptsim.commands.run import interruptible
from ckptsim.commands.run_told import counted
from ckptsim.drivers.real.control import PoolError, ask
from ckptsim.drivers.real.sandbox_watch import SandboxWatch, has_said
from ckptsim.measure import Execution, computing, executions
from ckptsim.units import show

LOOK_S = 0.005
LOOKING_MOST = 0.1  # of the time, however many files there are to be looked at
ASK_S = 0.2
HOME = "home"
"""The folder in the pool's state to which the job's standard files and its log come home."""

Say = Callable[[str], None]


class Goal(NamedTuple):
    """When enough has been seen; the time in nanoseconds."""

    checkpoints: int
    restarts: int
    at_most: int


@dataclass
class Seen:
    """What there was to be seen, and why there is not more of it."""

    runs: list[Execution] = field(default_factory=list)
    cut_short: str = ""  # why it is not all that was asked for
    early: str = ""  # how the job ended of its own accord before that
    interrupted: bool = False
    status: int | None = None  # how the job ended by itself the last time
    held: str = ""  # why the pool gave it up
    last_words: str = ""  # of the job's standard error

    @property
    def checkpoints(self) -> int:
        return sum(bool(run.sent) for run in self.runs)


class TimeUp(Exception):  # noqa: N818 (not an error: it was asked for)
    """The time that it may take at most is over."""


def measured(subject: Subject, goal: Goal, say: Say) -> Seen:
    """Run the job until the goal is met; of Ctrl-C and of the end of its time `Seen` tells.

    Raises PoolError.
    """
    seen = Seen()
    with interruptible():
        try:
            with folder() as state, pool(state, pool_file(subject.ad)) as notes:
                (state / HOME).mkdir()
                made_private(subject.ad, state / HOME)
                exercise = Exercise(subject, state, notes, goal, say)
                try:
                    exercise.run(seen)
                finally:
                    exercise.tell(seen)
        except KeyboardInterrupt:
            seen.interrupted, seen.cut_short = True, "it was interrupted"
    return seen


class Exercise:
    """One job in a pool of its own, from its first start to its last restart."""

    def __init__(self, subject: Subject, state: Path, notes: Path, goal: Goal, say: Say) -> None:
        self.subject, self.state, self.goal, self.say = subject, state, goal, say
        self.notes = Notes(notes)
        self.runs: list[Execution] = []
        self.watch = SandboxWatch()
        self.sandbox = ""
        self.clusters = 0
        self.job: dict[str, Any] | None = None  # as the pool tells it
        self.asked = 0.0
        self.ends = time.monotonic_ns() + goal.at_most

    def run(self, seen: Seen) -> None:
        """The whole exercise; what ends it early is told in `seen`."""
        try:
            self.submit()
            self.until(lambda: self.checkpoints() >= self.goal.checkpoints)
            if self.is_over():
                self.ended_early(seen)
            if not seen.held:
                self.provoke_restarts()
        except TimeUp:
            seen.cut_short = f"--at-most {show(self.goal.at_most)} passed"

    def ended_early(self, seen: Seen) -> None:
        """The job is over before it has made all the checkpoints that were asked for."""
        self.tell(seen)
        if not seen.checkpoints:
            return
        after = f"after {seen.checkpoints} of {counted(self.goal.checkpoints, 'checkpoint')}"
        if seen.held:
            seen.cut_short = f"no further checkpoint: {seen.held}"
            return
        seen.early = f"The job ended {ended_told(seen.status or 0)} {after}"
        self.say(seen.early)

    def provoke_restarts(self) -> None:
        """Take the slot away, and wait until the job is seen to go on, as often as wanted."""
        if not self.checkpoints() or not self.goal.restarts:
            return
        if self.is_over():  # once more from the start, up to its first checkpoint
            enough = self.checkpoints() + 1
            self.submit()
            self.until(lambda: self.checkpoints() >= enough)
        for number in range(self.goal.restarts):
            if self.is_over():
                return
            before = self.vacate()
            self.until(partial(self.has_gone_on, before))
            self.say(f"restart {number + 1} of {self.goal.restarts} in a new lease")
        if not self.is_over():  # the marks of an execution are told at its end
            self.vacate()

    # --- what is done -----------------------------------------------------------------------------

    def submit(self) -> None:
        """Queue the job, or queue it once more."""
        cluster: int = ask(self.state, {"do": "cluster"}, ANSWER_S)["cluster"]
        self.subject.ad["ClusterId"] = cluster
        request = {"do": "submit", "cluster": cluster, "ads": [repr(self.subject.ad)]}
        ask(self.state, request, ANSWER_S)
        self.clusters, self.job = cluster, None

    def vacate(self) -> set[int]:
        """Take the slot away without a word, and wait for the end of what ran there.

        Gives the leases there were until then.
        """
        leases = {run.lease for run in self.runs}
        with suppress(PoolError):  # it ended just now
            ask(self.state, {"do": "vacate", "job": str(self.clusters), "fast": True}, ANSWER_S)
        self.until(lambda: bool(self.runs[-1].exited or self.runs[-1].lease not in leases))
        return leases

    # --- what is seen -----------------------------------------------------------------------------

    def until(self, reached: Callable[[], bool]) -> None:
        """Look at the job until that is so, or it is over; raises TimeUp."""
        while not reached() and not self.is_over():
            if time.monotonic_ns() >= self.ends:
                raise TimeUp
            begun = time.monotonic()
            self.look()
            time.sleep(max(LOOK_S, (time.monotonic() - begun) / LOOKING_MOST))

    def look(self) -> None:
        """Take in what is new: in the notes, in the sandbox, and now and then in the queue."""
        before = self.checkpoints()
        self.read_notes()
        if self.sandbox:
            self.watch.look(self.sandbox, self.runs)
        if self.checkpoints() > before:
            beyond = self.checkpoints() > self.goal.checkpoints
            of = "" if beyond else f" of {self.goal.checkpoints}"
            self.say(f"checkpoint {self.checkpoints()}{of}")
        if time.monotonic() >= self.asked + ASK_S:
            request = {"do": "jobs", "jobs": [str(self.clusters)]}
            (self.job,) = ask(self.state, request, ANSWER_S)["jobs"]
            self.asked = time.monotonic()

    def read_notes(self) -> None:
        if self.notes.new():
            self.runs = executions(self.notes.all)
            self.sandbox = self.notes.sandbox

    def checkpoints(self) -> int:
        return sum(bool(run.sent) for run in self.runs)

    def is_over(self) -> bool:
        """Has the present job ended, or been given up?"""
        failed = bool(self.runs and self.runs[-1].failed)
        return failed or bool(self.job and self.job["status"] in (*ENDED, "held"))

    def has_gone_on(self, before: Collection[int]) -> bool:
        """Is the job, restarted in a new lease, seen to compute, or to have ended there?"""
        new = [run for run in self.runs if run.lease not in before]
        if not new:
            return False
        run = self.watch.of(new[0])
        if run.exited:
            return bool(run.sent) or run.status != self.subject.status
        if any(word == "computing" for each in self.runs for word, _ in each.marks):
            return has_said(self.sandbox, "computing")
        return bool(computing(run, self.subject.wanted, marked=False))

    def stderr(self) -> str:
        """What the job wrote there last, at home or in its sandbox."""
        for path in (self.state / HOME / "err", Path(self.sandbox) / "_condor_stderr"):
            with suppress(OSError):
                if text := path.read_text(errors="replace").strip():
                    return text
        return ""

    def tell(self, seen: Seen) -> None:
        """Hand over what has been seen so far."""
        self.read_notes()
        seen.runs = [self.watch.of(run) for run in self.runs]
        seen.last_words = last_line(self.stderr())
        if seen.runs and seen.runs[-1].failed:
            why = seen.runs[-1].failed.removeprefix(f"{self.sandbox}/")
            seen.held = f"it could not be transferred: {why}"
        elif self.job and self.job["held"]:
            seen.held = str(self.job["held"]["reason"])
        elif self.job and self.job["status"] == "completed":
            seen.status = self.job["exit"]
