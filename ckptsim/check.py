"""Does a job survive the life it will have? The trials it is put to, and what was seen in each.

Pure: `schedule` makes the trials of what was seen in a run without faults. They are run by
commands/check_run.py, and `ckptsim.check_rules` judges what came of them. Times are nanoseconds.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from ckptsim.measure import Execution
from ckptsim.units import SECOND


class Way(StrEnum):
    """How a job's checkpoints get to where they are safe."""

    EXIT = "it exits with its checkpoint code"
    ASKED = "it is asked for one by a signal"
    EVICTION = "its files are transferred when it is evicted"
    EARLY = "it exits early and is queued again"
    MANUAL = "it transfers them itself"


class Terms(NamedTuple):
    """What the submit file says of the job's checkpoints."""

    way: Way
    on_evict: bool  # ON_EXIT_OR_EVICT: are the files transferred at an eviction as well?
    appends: bool  # does its standard output go on where it was?
    status: int  # the raw wait status of a checkpoint
    wanted: list[str] | None  # the checkpoint's files, None: all that is new
    grace: int  # from SIGTERM to SIGKILL


class Fault(StrEnum):
    """What is done to the job."""

    NONE = "no fault"
    EVICTED = "eviction"
    FAST = "eviction without SIGTERM"
    POWER = "power failure"
    HALF = "checkpoint cut to half"
    EMPTY = "checkpoint cut to nothing"
    GARBAGE = "checkpoint overwritten with garbage"
    GONE = "checkpoint deleted"
    OLDER = "older checkpoint put in place"


TORN = (Fault.HALF, Fault.EMPTY, Fault.GARBAGE)
EVICTIONS = (Fault.EVICTED, Fault.FAST, Fault.POWER)


class At(StrEnum):
    """The moment in an execution when a fault comes."""

    COMPUTING = "so long after its start"
    CHANGE = "after so many changes of the checkpoint's files"
    SENDING = "when its checkpoint is transferred"
    COMMITTED = "when its checkpoint is committed"


class Point(NamedTuple):
    """When a fault comes."""

    commits: int  # once so many checkpoints are committed
    at: At = At.COMPUTING
    number: int = 0  # nanoseconds, or changes


class Trial(NamedTuple):
    """One run of the job, with the fault and when it comes, each time it does."""

    name: str
    fault: Fault = Fault.NONE
    points: tuple[Point, ...] = ()


REFERENCES = (Trial("reference"), Trial("reference-again"))


class Hit(NamedTuple):
    """A fault as it came about."""

    at: int
    run: int  # the index of the execution that it met, or that was the last before it
    commits: int  # checkpoints that were committed then


class Outcome(NamedTuple):
    """What was seen of a trial."""

    trial: Trial
    runs: tuple[Execution, ...]
    end: str  # completed, held, or cut short
    why: str = ""  # it is held, or was cut short
    files: Mapping[str, str] = {}
    stdout: str = ""  # its digest
    hits: tuple[Hit, ...] = ()
    commits: tuple[Mapping[str, str], ...] = ()  # what each committed checkpoint held, as `files`
    changes: tuple[int, ...] = ()  # of the checkpoint's files, by execution
    signalled: int = 0  # when SIGTERM was sent last
    saved: bool = False  # did it change its checkpoint after that?
    stale: tuple[str, ...] = ()  # names in the store that no checkpoint of late has had
    left: tuple[str, ...] = ()  # processes that outlived their execution
    outside: tuple[str, ...] = ()  # files written elsewhere than in its sandbox
    unlisted: tuple[str, ...] = ()  # files it made that are in no list
    differing: tuple[str, ...] = ()  # output that is not as the reference's
    last_words: str = ""

    @property
    def checkpoints(self) -> int:
        return sum(bool(run.sent) for run in self.runs)

    @property
    def last_exit(self) -> int:
        """How its last execution ended, as waitpid gives it, whatever came of that."""
        return self.runs[-1].status if self.runs else 0

    @property
    def is_whole(self) -> bool:
        """Did it end by itself, and did every fault come about?"""
        return self.end == "completed" and len(self.hits) == len(self.trial.points)


def busy(runs: Sequence[Execution]) -> int:
    """How long the executions ran."""
    return sum(run.exited - run.started for run in runs if run.exited)


# --- the trials -----------------------------------------------------------------------------------


def schedule(
    terms: Terms, reference: Outcome, most_points: int, chances: Sequence[float] = ()
) -> list[Trial]:
    """The trials that a job is put to which behaved so without faults.

    `chances` are numbers from 0 to 1: each makes a trial with an eviction at that part of its time.
    """
    if not reference.runs or reference.end != "completed":
        return []
    moments = at_moments(reference, chances)
    if terms.way in (Way.EVICTION, Way.MANUAL):
        return [*by_time(terms, reference, most_points), *moments]
    if not reference.checkpoints:
        return []
    return [*by_checkpoint(terms, reference, most_points), *moments]


def by_checkpoint(terms: Terms, reference: Outcome, most_points: int) -> list[Trial]:
    """Of a job with checkpoints of its own: late enough that to start over makes a difference."""
    count = reference.checkpoints
    late = -(-2 * count // 3)
    half = (reference.runs[late].exited - reference.runs[late].started) // 2
    between = Point(late, At.COMPUTING, half)
    earlier = Point(max(1, late - 1), At.COMPUTING, half)
    found = [
        Trial("evicted", Fault.EVICTED, (between,)),
        Trial("evicted-fast", Fault.FAST, (between,)),
        Trial("power-failure", Fault.POWER, (between,)),
        Trial("evicted-twice", Fault.EVICTED, (between, Point(late, At.COMPUTING, half // 2))),
        Trial("in-transfer", Fault.FAST, (Point(late, At.SENDING),)),
        Trial("after-commit", Fault.FAST, (Point(late, At.COMMITTED),)),
        *torn(between),
        Trial("no-checkpoint", Fault.GONE, (between,)),
    ]
    if count > 1:
        found.append(
            Trial("older-checkpoint", Fault.OLDER, (earlier, Point(max(2, late), between.at, half)))
        )
    fault = Fault.EVICTED if terms.on_evict else Fault.FAST
    return found + at_changes(fault, late, changes_of(reference, late), most_points)


def by_time(terms: Terms, reference: Outcome, most_points: int) -> list[Trial]:
    """Of a job that is not seen to checkpoint before it is evicted."""
    whole = busy(reference.runs)
    late, half, third = (
        Point(0, At.COMPUTING, n) for n in (2 * whole // 3, whole // 2, whole // 3)
    )
    found = [
        Trial("evicted", Fault.EVICTED, (late,)),
        Trial("evicted-fast", Fault.FAST, (half,)),
        Trial("power-failure", Fault.POWER, (half,)),
        Trial("evicted-twice", Fault.EVICTED, (third, third)),
    ]
    if terms.way is Way.MANUAL:
        return found
    found += [
        *torn(half),
        Trial("no-checkpoint", Fault.GONE, (half,)),
        Trial("older-checkpoint", Fault.OLDER, (third, third)),
    ]
    return found + at_changes(Fault.EVICTED, 0, changes_of(reference, 0), most_points)


def torn(point: Point) -> list[Trial]:
    names = {Fault.HALF: "torn-half", Fault.EMPTY: "torn-empty", Fault.GARBAGE: "torn-garbage"}
    return [Trial(names[fault], fault, (point,)) for fault in TORN]


def changes_of(reference: Outcome, run: int) -> int:
    return reference.changes[run] if run < len(reference.changes) else 0


def at_changes(fault: Fault, commits: int, count: int, most: int) -> list[Trial]:
    """One for each change of the checkpoint's files in that execution, or an even choice."""
    return [
        Trial(f"change-{number}-of-{count}", fault, (Point(commits, At.CHANGE, number),))
        for number in evenly(count, most)
    ]


def at_moments(reference: Outcome, chances: Sequence[float]) -> list[Trial]:
    """Evictions at those parts of its time, of all executions taken together."""
    found = []
    for number, chance in enumerate(chances, start=1):
        left, commits = int(chance * busy(reference.runs)), 0
        for run in reference.runs:
            if left < run.exited - run.started:
                break
            left, commits = left - (run.exited - run.started), commits + bool(run.sent)
        point = Point(commits, At.COMPUTING, left)
        found.append(Trial(f"moment-{number}", Fault.EVICTED, (point,)))
    return found


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the numbers from 1 to `count`, the first and the last among them."""
    if count <= most:
        return list(range(1, count + 1))
    steps = max(1, most - 1)
    return sorted({1 + (count - 1) * place // steps for place in range(most)})


# --- did it go on? --------------------------------------------------------------------------------


def starts_over(terms: Terms, reference: Outcome, found: Outcome) -> bool:
    """After the last fault, did it do again what its checkpoint had?

    By the executions it took to its end, and by the time they took, which must both be more than
    halfway from what was left of the reference to all of it. A job that is not seen to checkpoint
    is judged by its time alone, and so only where the fault came late: early ones have saved it
    little, or nothing yet, and a start on a busy machine may take longer than that.
    """
    hit = found.hits[-1]
    later = [run for run in found.runs[hit.run + 1 :] if run.sent or not run.status & 127]
    whole = busy(reference.runs)
    if terms.way in (Way.EVICTION, Way.MANUAL):
        spared = min(whole, busy(found.runs[: hit.run + 1]))
        late = spared > max(SECOND, whole) // 2
        return late and busy(later) > whole - spared // 2
    spared = busy(reference.runs[: hit.commits])
    expected = len(reference.runs) - hit.commits / 2
    return hit.commits > 0 and len(later) > expected and busy(later) > whole - spared // 2
