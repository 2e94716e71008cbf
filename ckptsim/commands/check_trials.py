"""All trials of a job, some at a time, and how their output is compared."""

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from ckptsim.check import REFERENCES, Outcome, Terms, Trial, busy, schedule
from ckptsim.check_rules import Observed
from ckptsim.commands.check_job import HOME, pool_file
from ckptsim.commands.check_run import Bench, Stopped, TrialRun
from ckptsim.commands.measure_job import Subject
from ckptsim.commands.pool_options import ANSWER_S
from ckptsim.commands.private_pool import ended_told, folder, pool
from ckptsim.commands.run import interruptible
from ckptsim.commands.run_told import counted
from ckptsim.drivers.real.control import ask
from ckptsim.drivers.real.inotify import Watch
from ckptsim.errors import DataError
from ckptsim.measure import is_checkpoint
from ckptsim.units import SECOND, show

ROOM_S = 20.0
"""What a trial may take beyond four times the run without faults and the grace."""

ROOM_RUNS = 20
"""Executions that it may take beyond three times those of the run without faults."""

COMMAND_S = 600.0
SHORTEST_NAME = 4
"""Letters of a name that is looked for in a program: shorter ones are found in any."""

PROGRAM_MOST = 1 << 24
MISSING = " (did not come home)"
SHARED = ("/tmp", "/var/tmp", "/dev/shm", str(Path.home()))  # noqa: S108 (only watched)

Say = Callable[[str], None]
Keep = Callable[[Observed, Path], None]


class Asked(NamedTuple):
    """What the user wants; times in nanoseconds."""

    points: int
    moments: int
    at_most: int
    seed: int
    trials: Sequence[str]  # patterns of names; empty: all
    compare: Sequence[str]
    ignore: Sequence[str]
    lanes: int


@dataclass
class Checked:
    """What came of it."""

    observed: Observed | None = None
    planned: int = 0  # trials
    cut_short: str = ""
    interrupted: bool = False
    took: int = 0
    outcomes: list[Outcome] = field(default_factory=list)


def checked(subject: Subject, terms: Terms, asked: Asked, say: Say, keep: Keep) -> Checked:
    """Run the trials; of Ctrl-C and of the end of its time `Checked` tells.

    `keep` is given what was observed while the trials' folders are still there. Raises PoolError.
    """
    found, begun = Checked(), time.monotonic()
    with interruptible(), folder() as state:
        settings = pool_file(subject, terms, asked.lanes)
        with pool(state, settings) as notes:
            name = ask(state, {"do": "status"}, ANSWER_S)["pool"]
            stopping = threading.Event()
            bench = Bench(subject, terms, state, notes, name, asked.seed, stopping)
            Trials(bench, asked, say, found).run()
        if found.observed:
            keep(found.observed, state / "trials")
    found.took = int((time.monotonic() - begun) * SECOND)
    return found


class Trials:
    """The runs without faults, then those with."""

    def __init__(self, bench: Bench, asked: Asked, say: Say, found: Checked) -> None:
        self.bench, self.asked, self.say, self.found = bench, asked, say, found
        self.ends = time.monotonic() + asked.at_most / SECOND
        self.done = 0

    def run(self) -> None:
        """All trials, as long as there is time; fills `found`."""
        found, outside = self.found, list(watched(SHARED))
        try:
            references = self.all(REFERENCES, self.ends, 1 << 30)
            if references:
                self.try_faults(references)
        except KeyboardInterrupt:
            found.interrupted, found.cut_short = True, "it was interrupted"
        self.observe(written_outside(self.bench.subject, outside))

    def try_faults(self, references: list[Outcome]) -> None:
        reference, asked = references[0], self.asked
        chance = random.Random(asked.seed)  # noqa: S311 (no secret)
        moments = [chance.random() for _ in range(asked.moments)]
        planned = schedule(self.bench.terms, reference, asked.points, moments)
        wanted = [
            trial
            for trial in planned
            if not asked.trials or any(fnmatch(trial.name, each) for each in asked.trials)
        ]
        if asked.trials and planned and not wanted:
            names = ", ".join(trial.name for trial in planned)
            raise DataError(f"--trials {','.join(asked.trials)}: no such trial; there are {names}")
        self.found.planned = len(wanted)
        room_s = ROOM_S + (4 * busy(reference.runs) + 2 * self.bench.terms.grace) / SECOND
        self.all(wanted, room_s, 3 * len(reference.runs) + ROOM_RUNS)

    def all(self, trials: Sequence[Trial], ends_s: float, executions_most: int) -> list[Outcome]:
        """Run them, `lanes` at a time; those that were finished."""
        found: list[Outcome] = []
        with ThreadPoolExecutor(self.asked.lanes) as lanes:
            futures = [lanes.submit(self.one, trial, ends_s, executions_most) for trial in trials]
            try:
                for outcome in finished(futures):
                    found.append(outcome)
                    self.found.outcomes.append(outcome)
                    self.say(told(outcome, len(self.found.outcomes), self.found.planned))
            except BaseException:
                self.bench.stopping.set()
                lanes.shutdown(cancel_futures=True)
                raise
        if len(found) < len(trials) and not self.found.cut_short:
            self.found.cut_short = f"--at-most {show(self.asked.at_most)} passed"
        return sorted(found, key=lambda each: trials.index(each.trial))

    def one(self, trial: Trial, ends_s: float, executions_most: int) -> Outcome | None:
        """One trial; None where there is no time left for it."""
        now = time.monotonic()
        if now >= self.ends or self.bench.stopping.is_set():
            return None
        ends = min(self.ends, ends_s if trial in REFERENCES else now + ends_s)
        try:
            outcome = TrialRun(self.bench, trial, executions_most, ends).run()
        except Stopped:
            return None
        late = time.monotonic() >= self.ends and outcome.end == "cut short"
        return None if late and trial not in REFERENCES else outcome

    def observe(self, outside: Sequence[str]) -> None:
        """Compare their output, and put together what was seen."""
        found = self.found
        order = {trial: place for place, trial in enumerate(REFERENCES)}
        references = sorted(
            (each for each in found.outcomes if each.trial in order), key=lambda e: order[e.trial]
        )
        if not references:
            return
        first = references[0]._replace(outside=tuple(outside))
        others = [each for each in found.outcomes if each.trial not in order]
        unstable = sorted({name for each in references[1:] for name in self.different(first, each)})
        skipped = {name.removesuffix(MISSING) for name in unstable}
        compared = [
            each._replace(differing=tuple(self.different(first, each, skipped))) for each in others
        ]
        found.observed = Observed(
            self.bench.terms,
            [first, *references[1:]],
            compared,
            tuple(unstable),
            compared=bool(self.asked.compare),
        )

    def different(
        self, first: Outcome, other: Outcome, skipped: set[str] | None = None
    ) -> list[str]:
        """The output files that are not the same, by content or by the command given."""
        if first.end != "completed" or other.end != "completed":
            return []
        names = {*first.files, *other.files} - (skipped or set())
        return [
            name if name in other.files else f"{name}{MISSING}"
            for name in sorted(names)
            if first.files.get(name) != other.files.get(name)
            and not self.stays_away(name, other)
            and not any(fnmatch(name, each) for each in self.asked.ignore)
            and not (self.asked.compare and self.says_the_same(name, first.trial, other.trial))
        ]

    def stays_away(self, name: str, other: Outcome) -> bool:
        """A listed checkpoint that the last execution did not change need not come home."""
        wanted = self.bench.terms.wanted
        return name not in other.files and wanted is not None and is_checkpoint(name, wanted)

    def says_the_same(self, name: str, first: Trial, other: Trial) -> bool:
        """Does the user's command, given both files, end with 0? Raises DataError."""
        paths = {
            "reference": self.bench.state / "trials" / first.name / HOME / name,
            "found": self.bench.state / "trials" / other.name / HOME / name,
        }
        if not all(path.is_file() for path in paths.values()):
            return False
        words = [
            word.replace("{reference}", str(paths["reference"])).replace(
                "{found}", str(paths["found"])
            )
            for word in self.asked.compare
        ]
        try:
            ran = subprocess.run(words, capture_output=True, timeout=COMMAND_S, check=False)  # noqa: S603 (the user's)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"--compare: {words[0]}: cannot be run: {error}") from None
        return ran.returncode == 0


def finished(futures: Sequence["Future[Outcome | None]"]) -> Iterator[Outcome]:
    """What they come to, in the order in which they end."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for each in done:
            if outcome := each.result():
                yield outcome


def told(outcome: Outcome, number: int, planned: int) -> str:
    """A line of progress."""
    total = f" of {planned + len(REFERENCES)}" if planned else ""
    ran = f"{counted(len(outcome.runs), 'execution')}, {show(busy(outcome.runs))}"
    ended = outcome.end if outcome.end != "completed" else f"ended {ended_told(outcome.last_exit)}"
    why = f": {outcome.why}" if outcome.why else ""
    return f"{number}{total}  {outcome.trial.name}: {ended}{why} ({ran})"


# --- files outside the sandbox --------------------------------------------------------------------


def watched(folders: Sequence[str]) -> Iterator[Watch]:
    for each in dict.fromkeys(folders):
        with suppress(OSError):
            yield Watch(each, deep=False)


def written_outside(subject: Subject, watches: Sequence[Watch]) -> list[str]:
    """Files in places that all share which were changed meanwhile and which the program names."""
    text, found = program_text(subject), set()
    for watch in watches:
        for change in watch.changes():
            name = change.path.encode()
            if len(name) >= SHORTEST_NAME and name in text:
                found.add(f"{watch.top}/{change.path}")
        watch.close()
    return sorted(found)


def program_text(subject: Subject) -> bytes:
    """The program and its arguments."""
    path = Path(str(subject.ad["Cmd"]))
    words = str(subject.ad.get("Arguments", subject.ad.get("Args", ""))).encode()
    with suppress(OSError), path.open("rb") as file:
        return file.read(PROGRAM_MOST) + words
    return words
