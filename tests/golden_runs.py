"""The runs of a real HTCondor in golden/: read, driven again through ckptsim, compared.

`golden_events` gives a log's events; `golden_outcome` all that a real run left behind; `play_all`
makes ckptsim do the runs, all at once, by the table golden/runs.toml; `differences` compares.
"""

import ast
import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

GOLDEN = Path(__file__).parent / "golden"
TABLE = tomllib.loads((GOLDEN / "runs.toml").read_text())
LIMIT_S = 170
TRANSFERS = {
    "Started transferring input files": "in-start",
    "Finished transferring input files": "in-done",
    "Started transferring output files": "out-start",
    "Finished transferring output files": "out-done",
    "Entered queue to transfer input files": "in-queued",
    "Entered queue to transfer output files": "out-queued",
}
# What the harness that made the runs left beside the job's own files, and what went in.
NOT_THE_JOBS = {"WHY.md", "events.jsonl", "timeline.txt", "job.log", "job.sub", "example.py"}
BIG = 1 << 20
AT_ONCE = 3


class Happened(NamedTuple):
    """An event: its number, 040's kind, code and subcode, the value returned (-n: by signal n)."""

    number: int
    transfer: str | None = None
    code: int | None = None
    subcode: int | None = None
    returned: int | None = None

    def __str__(self):
        rest = [self.transfer, self.code, self.subcode, self.returned]
        return ":".join([f"{self.number:03}", *(str(one) for one in rest if one is not None)])


class Kept(NamedTuple):
    """A file: its size in bytes, its text (None if too big to keep), whether it may be executed."""

    size: int
    text: str | None
    executable: bool = False


@dataclass
class Outcome:
    """What a run left behind; a folder's listing is {path: Kept, or None for a folder}."""

    events: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    spool: dict = field(default_factory=dict)  # {name of the dump: listing}
    left: dict = field(default_factory=dict)  # in SPOOL at the end
    log: str = ""
    error: str = ""


@dataclass(frozen=True)
class Run:
    """A line of the table: golden/README.md explains the words."""

    name: str
    script: list = field(default_factory=list)
    policy: dict = field(default_factory=dict)
    intervals: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    replace: dict = field(default_factory=dict)
    large: dict = field(default_factory=dict)
    torn: list = field(default_factory=list)
    alone: bool = False
    first: int | None = None
    lag: float = 0
    slow_start: str = ""
    accident: str = ""
    refused: str = ""

    @property
    def folder(self):
        return GOLDEN / self.name


RUNS = {name: Run(name, **line) for name, line in TABLE["run"].items()}


# ---- reading


def golden_events(run):
    """The events of a real run, by name, without 006 and 028, in the order they were written."""
    return events_in((GOLDEN / run / "job.log").read_text())


def events_in(log):
    blocks = re.findall(r"^(\d{3}) (.*?)^\.\.\.$", log, re.MULTILINE | re.DOTALL)
    return [happened(int(number), text) for number, text in blocks if number not in {"006", "028"}]


def happened(number, text):
    kind = next((kind for words, kind in TRANSFERS.items() if number == 40 and words in text), None)
    code = re.search(r"(?:evicted\. |^\t)Code (-?\d+) Subcode (-?\d+)$", text, re.MULTILINE)
    status = re.search(r"^\t\(1\) Normal termination \(return value (\d+)\)", text, re.MULTILINE)
    deadly = re.search(r"^\t\(0\) Abnormal termination \(signal (\d+)\)", text, re.MULTILINE)
    returned = int(status[1]) if status else -int(deadly[1]) if deadly else None
    return Happened(number, kind, *(map(int, code.groups()) if code else (None, None)), returned)


def settled(events):
    """The same, with 001 after the end of the input transfer: the two race (observed A2)."""
    events = list(events)
    for at, (one, two) in enumerate(pairwise(events)):
        if one.number == 1 and two.transfer == "in-done":
            events[at : at + 2] = two, one
    return events


def start_delays(run):
    """Seconds between the end of the input transfer and 001, for each start of a real run."""
    delays, done = [], None
    log = (run.folder / "job.log").read_text()
    for number, stamp, words in re.findall(r"^(\d{3}) \(.*?\) (\S+ \S+) (.*)", log, re.MULTILINE):
        at = datetime.fromisoformat(stamp)
        if words.startswith("Finished transferring input"):
            done = at
        if number == "001":
            delays.append(int((at - done).total_seconds()))
    return delays


def duration_s(run):
    """How long a real run took."""
    log = (run.folder / "job.log").read_text()
    stamps = re.findall(r"^\d{3} \(.*?\) (\S+ \S+) ", log, re.MULTILINE)
    return (datetime.fromisoformat(stamps[-1]) - datetime.fromisoformat(stamps[0])).total_seconds()


def golden_outcome(name):
    """What a real run left behind."""
    run = RUNS[name]
    log = (run.folder / "job.log").read_text()
    files = files_in(run.folder) | {file: Kept(size, None) for file, size in run.large.items()}
    dumps = {path.stem: read_dump(path) for path in run.folder.glob("spool*.txt")}
    listings = re.findall(
        r"^\S+ \S+ (\{.*\})$", (run.folder / "timeline.txt").read_text(), re.MULTILINE
    )
    dumps |= {f"listing {n}": read_listing(text) for n, text in enumerate(listings, 1)}
    return Outcome(events_in(log), files, dumps, log=log)


def files_in(folder):
    """The job's own files in a submit directory."""
    return {
        name: entry
        for name, entry in listing(folder).items()
        if entry and name not in NOT_THE_JOBS and not re.match(r"spool.*\.txt$", name)
    }


def listing(folder):
    """Everything below a folder; what goes away meanwhile is left out."""
    found = {}
    for here, folders, files in os.walk(folder):
        place = Path(here).relative_to(folder)
        found |= {anyones(f"{place / name}"): None for name in folders}
        for name in files:
            with suppress(FileNotFoundError):
                found[anyones(f"{place / name}")] = kept(Path(here, name))
    return found


def kept(path):
    state = path.stat()
    text = path.read_bytes().decode(errors="replace") if state.st_size < BIG else None
    return Kept(state.st_size, text, bool(state.st_mode & 0o111))


def anyones(name):
    return re.sub(r"cluster\d+\.", "cluster*.", name)


def read_dump(path):
    """A spool_*.txt: a title, then of each path `== PATH size=N` and its text."""
    _, *parts = re.split(
        r"^== (.+) size=(\d*)\n", path.read_text().partition("\n")[2], flags=re.MULTILINE
    )
    entries = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {
        anyones(name.rstrip("/")): Kept(int(size), text) if size else None
        for name, size, text in entries
    }


def read_listing(text):
    return {
        anyones(name.rstrip("/")): None if size == "" else Kept(size, None)
        for name, size in ast.literal_eval(text).items()
    }


def actions(name):
    """What a real run's timeline says was done, in the words of the table."""
    words = {
        r"condor_vacate_job \d": "vacate",
        r"condor_vacate_job -fast": "vacate --fast",
        r"condor_(hold|release|rm) ": r"\1",
        r"condor_drain -graceful (\w+)": r"drain \1",
        r"kill -9 starter": "kill ep1",
        r"power-off (\w+)": r"power-off \1",
        r"spool dumped to (\w+)": r"\1",
        r"\{": "listing",
    }
    done = []
    for line in (GOLDEN / name / "timeline.txt").read_text().splitlines():
        for pattern, word in words.items():
            if found := re.match(r"\S+ \S+ " + pattern, line):
                done.append(found.expand(word))
    return done


# ---- comparing


def differences(name, real, ours):
    """What of a run is not as in the real pool, a line each; none: the same."""
    run = RUNS[name]
    return [
        *differing_events(run, real.events, ours.events),
        *differing_listings(run, "the submit directory", real.files, ours.files, modes=True),
        *(
            line
            for dump in sorted(real.spool.keys() | ours.spool.keys())
            for line in differing_dumps(run, dump, real, ours)
        ),
        *(f"SPOOL still holds {name} at the end" for name in ours.left),
    ]


def differing_events(run, real, ours):
    texts = [[f"{event}" for event in settled(events)[: run.first]] for events in (real, ours)]
    if texts[0] == texts[1]:
        return []
    return [f"event {line}" for line in difflib.ndiff(*texts) if line[0] != "?"]


def differing_dumps(run, dump, real, ours):
    if dump not in real.spool or dump not in ours.spool:
        return [f"{dump}: looked at {'here' if dump in ours.spool else 'in the real pool'} only"]
    return differing_listings(run, dump, real.spool[dump], ours.spool[dump])


def differing_listings(run, where, real, ours, *, modes=False):
    told = [f"{where}: no {name}" for name in real if name not in ours]
    told += [f"{where}: {name} too much" for name in ours if name not in real]
    plain = [without_accidents(run, entries) for entries in (real, ours)]
    for name in real.keys() & ours.keys():
        told += [
            f"{where}: {name}: {line}"
            for line in differing_files(real[name], ours[name], plain[0][name], plain[1][name])
            if name not in run.torn
        ]
        if modes and real[name].executable != ours[name].executable:
            told.append(f"{where}: {name} is executable in one of them")
    return told


def differing_files(real, ours, plain_real, plain_ours):
    """Two entries compared: their texts as `plain_…` where both are known, else their sizes."""
    if real is None or ours is None:
        return [] if real is ours else ["a folder in one, a file in the other"]
    if real.text is None or ours.text is None:
        return [] if real.size == ours.size else [f"{real.size} and {ours.size} bytes"]
    if plain_real == plain_ours:
        same = plain_real != real.text.rstrip("\n") or real.size == ours.size
        return [] if same else [f"{real.size} and {ours.size} bytes"]
    lines = difflib.ndiff(plain_real.split("\n"), plain_ours.split("\n"))
    return [line for line in lines if line[0] in "+-"]


def without_accidents(run, entries):
    """{path: text} of a listing, without what another run in the same pool would print anew."""
    texts = {
        path: entry.text.rstrip("\n") if entry and entry.text is not None else None
        for path, entry in entries.items()
    }
    if run.name == "j1_want_checkpoint_signal":
        return signalled(texts)
    patterns = PRINTED.get(run.name, [])
    return {path: None if text is None else plain(text, patterns) for path, text in texts.items()}


def plain(text, patterns):
    for pattern, instead in patterns:
        text = re.sub(pattern, instead, text)
    return text


# What these two print of pids, times and places. Three processes above the job (master, startd,
# starter) each left a mark in its environment in the real pool.
PRINTED = {
    "w_timing": [(r"(start|exit) \d+\.\d+", r"\1 T")],
    "r_probe": [
        (r"/[^'\" ]*/execute/(?:\w+/)?dir_\d+", "DIR"),
        (r"\b(pid|ppid|sid|uid) \d+", r"\1 N"),
        (r" time \d+\.\d+", " time T"),
        (r' "_CONDOR_ANCESTOR_\w+": "[^"]*",\n', ""),
        (r'("(?:CONDOR_STARTER_PID|_CONDOR_JOB_PIDS)": )"\d+"', r'\1"N"'),
        (r'("(?:HOME|_CONDOR_BIN|_CONDOR_CHIRP_CONFIG)": )"/[^"]*"', r'\1"PATH"'),
        (r'"slot1_\d+"', '"SLOT"'),
        (r" ino=\d+", ""),
        (r"(\./(?:\.job\.ad|\.machine\.ad|_condor_stdout|subdir)) size=\d+", r"\1"),
        (r"((?:JobCurrentStartDate|RemoteWallClockTime) =) [\d.]+", r"\1 T"),
    ],
}


def signalled(texts):
    """The texts of j1, where a checkpoint is known to be after 4 or 5 steps, but not after which.

    All numbers must fit: each start is from the last value saved, each step one more, and the
    checkpoint file holds the last value saved. Otherwise the texts are left as they are.
    """
    output = next((path for path in texts if path.endswith(("example.out", "_condor_stdout"))), "")
    checkpoint = next((path for path in texts if path.endswith("example.checkpoint")), "")
    value, lines, saves = 0, [], []
    for line in (texts.get(output) or "").split("\n"):
        if line == f"SIGUSR1: saved {value}" and value - (saves or [0])[-1] in {4, 5}:
            saves.append(value)
            lines.append("saved after 4 or 5 steps")
        elif line == f"step {value + 1}":
            value += 1
        elif line == f"Starting from {value}" and value == (saves or [0])[-1]:
            lines.append("started from there")
        else:
            lines.append(line)
    if not saves or texts.get(checkpoint) != str(saves[-1]):
        return texts
    if lines[-1] == "Computation complete" and value != 14:
        return texts
    return texts | {output: "\n".join(lines), checkpoint: "the last value saved"}


# ---- driving


class PlayError(Exception):
    """A run could not be driven to its end."""


class Pool:
    """A pool of ckptsim with its own state folder, two machines of 16 slots."""

    def __init__(self, folder, run):
        self.folder, self.error, self.pid = folder, "", None
        folder.mkdir()
        (folder / "pool.toml").write_text(pool_text(run))

    def start(self):
        # Not to pipes: what goes on in the background would hold them open.
        with (self.folder / "start.txt").open("w") as told:
            done = self.begin("pool", "start", "pool.toml", stdout=told, stderr=told).wait(60)
        if done:
            self.error = f"pool start: exit {done}: {(self.folder / 'start.txt').read_text()}"
        else:
            self.pid = self.status()["pid"]

    def begin(self, *words, cwd=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(
            [sys.executable, "-m", "ckptsim", *words],
            cwd=cwd or self.folder,
            env=os.environ | {"PATH": path, "CKPTSIM_STATE": str(self.folder / "state")},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def tell(self, *words, **place):
        """What a command prints; PlayError with what it complains of."""
        command = self.begin(*words, **place)
        out, err = command.communicate(timeout=60)
        if command.returncode:
            raise PlayError(f"ckptsim {' '.join(words)}: exit {command.returncode}: {err or out}")
        return out

    def status(self):
        return json.loads(self.tell("pool", "status", "--json"))

    def machine(self, name):
        return next(one["pid"] for one in self.status()["machines"] if one["name"] == name)

    def stop(self):
        with suppress(PlayError, subprocess.TimeoutExpired, ProcessLookupError):
            try:
                self.tell("pool", "stop")
            except (PlayError, subprocess.TimeoutExpired):
                if self.pid:
                    os.kill(self.pid, signal.SIGKILL)
        for path in (path for path in self.folder.rglob("*") if path.is_file()):
            if path.stat().st_size > BIG:
                path.unlink()


def pool_text(run):
    """A pool.toml; the values of its tables are strings, numbers and booleans."""
    text = "".join(f'[[machines]]\nname = "{name}"\nslots = 16\n' for name in ("ep1", "ep2"))
    for table, changed in ("intervals", run.intervals), ("policy", run.policy):
        values = TABLE[table] | changed
        text += f"[{table}]\n" + "".join(f"{key} = {json.dumps(values[key])}\n" for key in values)
    return text


def play_all(folder, names):
    """Outcomes {name: Outcome} of the runs named, driven all at once; the longest start first."""
    runs = sorted((RUNS[name] for name in names), key=lambda run: -duration_s(run))
    pools = {}
    for run in runs:
        if pool_key(run) not in pools:
            pools[pool_key(run)] = Pool(folder / f"pool{len(pools)}", run)
    outcomes = {run.name: Outcome() for run in runs}
    try:
        with ThreadPoolExecutor(AT_ONCE) as starters:
            list(starters.map(started, pools.values()))
        players = []
        gate = threading.Semaphore(AT_ONCE)
        for run in runs:
            words = run, pools[pool_key(run)], folder / run.name, outcomes[run.name], gate
            players.append(threading.Thread(target=played, args=words, daemon=True))
            players[-1].start()
            time.sleep(0.2)
        for player in players:
            player.join()
    finally:
        for pool in pools.values():
            pool.stop()
    return outcomes


def pool_key(run):
    return run.name if run.alone else json.dumps([run.policy, run.intervals])


def started(pool):
    try:
        pool.start()
    except (PlayError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        pool.error = f"pool start: {error!r}"


def played(run, pool, folder, outcome, gate):
    """Drive a run; what goes wrong is part of the outcome."""
    try:
        if pool.error:
            raise PlayError(pool.error)
        Play(run, pool, folder, outcome).all(gate)
    except Exception as error:  # noqa: BLE001 (in a thread: told by the run's own test)
        outcome.error = f"{type(error).__name__}: {error}"


class Play:
    """One job in a pool, from its submit directory to what it leaves behind."""

    def __init__(self, run, pool, folder, outcome):
        self.run, self.pool, self.folder, self.outcome = run, pool, folder, outcome
        self.end = time.monotonic() + run.lag + LIMIT_S
        self.job = ""

    def all(self, gate):
        time.sleep(self.run.lag)
        make_submit_directory(self.run, self.folder)
        with gate:  # so that 47 commands at once do not hold each other up
            said = self.pool.tell("submit", "job.sub", cwd=self.folder)
        submitted = re.fullmatch(r"1 job\(s\) submitted to cluster (\d+)\.\n", said)
        if not submitted:
            raise PlayError(f"ckptsim submit said {said!r}")
        self.job = submitted[1]
        try:
            for step in self.run.script:
                self.step(**step)
            self.wait("end")
            time.sleep(0.5)
        finally:
            self.collect()

    def step(self, do, after=None, plus=0, frozen=None):
        """Wait for a point of the run, then do something to it.

        A machine named in `frozen` stands still (SIGSTOP) from that point until what is to be done
        is under way.
        """
        machine = self.pool.machine(frozen) if frozen else None
        self.wait(after)
        time.sleep(plus)
        if machine:
            os.kill(machine, signal.SIGSTOP)
            threading.Timer(1.5, go_on, [machine]).start()
        self.do(do)

    def collect(self):
        out = self.outcome
        out.log, out.files, out.left = self.log(), files_in(self.folder), listing(self.spool())
        out.events = events_in(out.log)
        for name in self.run.large:
            (self.folder / name).unlink(missing_ok=True)

    def spool(self):
        return self.pool.folder / "state" / "spool" / str(int(self.job) % 10000)

    def log(self):
        with suppress(FileNotFoundError):
            return (self.folder / "job.log").read_text()
        return ""

    def wait(self, point):
        while point and not self.reached(point):
            if time.monotonic() > self.end:
                raise PlayError(f"waited in vain for {point!r}")
            if point != "end" and self.reached("end") and not self.reached(point):
                raise PlayError(f"ended before {point!r}")
            time.sleep(0.004 if point.startswith("arriving") else 0.03)

    def reached(self, point):
        """Whether the run is so far: see golden/README.md for the ways to say where."""
        log = self.log()
        what, _, rest = point.partition(" ")
        if what == "end":
            return re.search(r"^00[59] \(", log, re.MULTILINE) is not None
        if what == "stdout":
            return rest in self.stdout(log)
        if what == "arriving":
            return log.count("Started transferring output files") >= 2 and self.arriving(rest)
        if what == "checkpoint":
            return log.count("Finished transferring output files") >= int(rest)
        return len(re.findall(rf"^{what} \(", log, re.MULTILINE)) >= int(rest)

    def stdout(self, log):
        sandboxes = re.findall(r'CondorScratchDir = "(.*)"', log)
        with suppress(FileNotFoundError, IndexError):
            return (Path(sandboxes[-1]) / "_condor_stdout").read_text().split("\n")
        return []

    def arriving(self, name):
        folder = self.spool() / "0" / f"cluster{self.job}.proc0.subproc0.tmp"
        with suppress(FileNotFoundError):
            return (folder / name).stat().st_size > 0
        return False

    def do(self, what):
        word, _, rest = what.partition(" ")
        if word == "kill":
            os.kill(self.pool.machine(rest), signal.SIGKILL)
        elif word.startswith(("spool", "listing")):
            self.outcome.spool[what] = listing(self.spool())
        elif word in {"drain", "power-off"}:
            self.pool.tell(word, rest)
        else:
            self.pool.tell(word, *rest.split(), self.job)


def go_on(machine):
    with suppress(ProcessLookupError):
        os.kill(machine, signal.SIGCONT)


def make_submit_directory(run, folder):
    """The submit directory as it was before the run: inputs, job.sub, the executable (edited)."""
    folder.mkdir()
    for name, text in run.inputs.items():
        (folder / name).write_text(text)
    shutil.copy(run.folder / "job.sub", folder)
    code = (run.folder / "example.py").read_text()
    for old, new in run.replace.items():
        assert old in code
        code = code.replace(old, new)
    if run.slow_start:
        first, rest = code.split("\n", 1)
        starts = folder.parent / f"{run.name}.starts"
        code = f"{first}\n{SLOWLY.format(str(starts), start_delays(run))}{rest}"
    (folder / "example.py").write_text(code)
    (folder / "example.py").chmod(0o755)


# A start in the real pool sometimes came 5 s after the input transfer (observed J54). Where that
# decided what happened next, the job itself waits as long at the same starts (not at restarts).
SLOWLY = """\
import os, time
if not os.environ.get("_CONDOR_JOB_PIDS"):
    with open({!r}, "ab") as starts:
        start = starts.tell()
        starts.write(b".")
    time.sleep(dict(enumerate({})).get(start, 0))
"""
