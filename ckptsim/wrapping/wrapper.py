#!/usr/bin/env python3
"""Run a program that checkpoints in its own way as HTCondor wants a job to: an executable for it.

    wrapper PROGRAM [ARGUMENT ...]

Exits with 85 when a new, complete checkpoint of the program is in the folder `kept`, which HTCondor
then transfers before it starts this again in the same place; with 77 when it is time to leave the
slot; else as the program ended, a signal for a signal. At every start what was kept is put back, if
it is whole. Needs Python 3.6 and nothing else. What it did, and why, is told in its journal.
"""

import ctypes
import glob
import hashlib
import json
import math
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

# --- settings ---
SETTINGS = {
    # How the program checkpoints, see `watch`, `ends`, `told` and `steps` below:
    "way": "watch",
    # Patterns of the files that make up a checkpoint, and of those that belong to it (output that
    # grows, say); of the former only so many, the newest, are kept, or all.
    "checkpoint": ["checkpoint"],
    "carry": [],
    "newest": None,
    # What shows that a checkpoint is complete: {"quiet_s": 2}, {"marker": FILE}, {"says": PATTERN}
    # in the output, or {"command": COMMAND} that then succeeds. For `told` {}: that it has ended.
    "complete": {"quiet_s": 2},
    # For `ends`: what shows that not a checkpoint but the whole is done: {"file": FILE},
    # {"says": PATTERN} or {"command": COMMAND}.
    "done": {},
    # Exit codes that may mean a checkpoint: for `ends` these, for `told` these too.
    "codes": [0],
    # For `steps`: the commands, one after another.
    "steps": [],
    # What it is told to save by (`told`), and to end by; after so long it is killed.
    "signal": "TERM",
    "stop": "TERM",
    "patience_s": 600,
    # Its arguments where there is a checkpoint, in the place of those given, or after them.
    "continue_with": None,
    "continue_adding": [],
    # To exit at every so many checkpoints; if None, when it pays by the answer whose `cost_s` (to
    # write and transfer) is nearest to what was measured; where there is none, at each.
    "every": None,
    "answers": [],
    # Seconds a stay on a slot can last; if None, as HTCondor's or Slurm's own words say.
    "limit_s": None,
    # The folder that is transferred, whether the checkpoint before is kept there too, the journal.
    "kept": "kept",
    "previous": True,
    "journal": "journal",
}
# --- end of settings ---

CHECKPOINTED = 85  # checkpoint_exit_code in the submit file
LEAVING = 77  # on_exit_remove in the submit file
CANNOT_RUN = 127  # as a shell says it
OTHERWISE = 86  # in the place of the program's own 85 or 77, which would be taken for ours
POLL_S = 0.05
ASKING_S = 1.0  # between two questions to a command
LINGERING_S = 5.0  # what the program leaves running has so long to end
TO_THE_END = 1e8  # seconds: three years
MEASURED_LEAST = 3  # restarts; fewer say little
PLANNED_COUNTS = 5  # measurements of a checkpoint's cost: so many is the plan's word worth
ROOM = 3.0  # times the cost: with less of it before the slot's end only short ones come through
TRUST = 2.0  # a restart is taken to be at most so many times longer, or shorter, than planned
JOURNAL_MOST = 1 << 16  # bytes
NOT_THE_JOBS = re.compile(r"(_condor_|\.).*|condor_exec\.exe$")
FORWARDED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def main(command):
    """One execution of the job: its exit code, or minus the signal it ends by."""
    job = Job(command)
    job.listen()
    if job.leaves():
        job.say("leaving the slot, for nothing more would be saved on it")
        return LEAVING
    way = {"watch": watch, "ends": ends, "told": told, "steps": steps}[SETTINGS["way"]]
    try:
        return way(job)
    except OSError as error:
        job.say(f"cannot go on: {error}")
        print(f"wrapper: {error}", file=sys.stderr)
        return CANNOT_RUN


# --- the ways in which programs checkpoint --------------------------------------------------------


def watch(job):
    """It writes checkpoints and goes on: it is stopped when one is complete, and due."""
    program = Program(job)
    new = Completeness(program)
    while program.runs():
        time.sleep(POLL_S)
        if new.is_seen() and job.is_due(new.count) and program.keep(job, new):
            job.say(f"checkpoint {new.count} was due")
            return program.stopped_after_checkpoint(job)
    return program.ended(new.is_whole() and job.is_evicted and job.keep(new.took_s))


def ends(job):
    """It ends after each checkpoint: it is run again, here if none is due yet."""
    count = 0
    while True:
        program, before = Program(job), stamps()
        code = program.wait()
        if code not in SETTINGS["codes"] or stamps() == before or is_done(program):
            return program.ended()
        count += 1
        if job.is_evicted or job.is_due(count):
            return program.ended(job.keep(program.wrote_s(before)))
        job.say(f"checkpoint {count} is not due: going on")
        job.continues = True


def told(job):
    """It saves when told to, and ends; or goes on, and is stopped when that is complete."""
    program, before = Program(job), stamps()
    new, due = Completeness(program), job.seconds_to_run()
    while program.runs() and program.age() < due and not job.is_evicted:
        time.sleep(POLL_S)
    if not program.runs() and not job.is_evicted:
        return program.ended()
    if not job.is_evicted:
        job.say(f"told to save after {program.age():.1f} s")
        program.tell(SETTINGS["signal"])
    asked = time.time()
    while program.runs() and program.has_patience(asked):
        time.sleep(POLL_S)
        if SETTINGS["complete"] and new.is_seen() and program.keep(job, new):
            return program.stopped_after_checkpoint(job)
    code = program.stop(job)
    if stamps() == before or code not in codes_of_saving():
        job.say(f"no new checkpoint though it was told to save: it ended with {code}")
        return program.ended()
    return program.ended(job.keep(time.time() - asked))


def steps(job):
    """A sequence of commands, resumed at the first that is not done."""
    while job.steps_done < len(SETTINGS["steps"]):
        program = Program(job, shlex.split(SETTINGS["steps"][job.steps_done]))
        if program.wait() != 0:
            job.say(f"step {job.steps_done + 1} failed")
            return program.ended()
        job.steps_done += 1
        rest = len(SETTINGS["steps"]) - job.steps_done
        if rest and (job.is_evicted or job.is_due(job.steps_done)):
            return program.ended(job.keep(0))
    return 0


def codes_of_saving():
    number = signal_named(SETTINGS["signal"])
    return (0, CHECKPOINTED, -number, 128 + number, *SETTINGS["codes"])


def is_done(program):
    """In the way `ends`: was that the end of all?"""
    done = SETTINGS["done"]
    if "file" in done:
        return os.path.exists(done["file"])
    if "says" in done:
        return program.said > 0
    return subprocess.call(done["command"], shell=True) == 0


# --- the program ----------------------------------------------------------------------------------


class Program:
    """The program, running."""

    def __init__(self, job, command=None):
        pattern = SETTINGS["complete"].get("says") or SETTINGS["done"].get("says")
        self.pattern = pattern and re.compile(pattern.encode())
        self.said, self.shows_life, self.job = 0, False, job
        self.began = time.time()
        pipe = subprocess.PIPE if pattern else None
        self.process = subprocess.Popen(
            command or job.command(), stdout=pipe, stderr=pipe, preexec_fn=dying_with(os.getpid())
        )
        self.readers = [
            threading.Thread(target=self.pass_on, args=pair, daemon=True)
            for pair in ((self.process.stdout, 1), (self.process.stderr, 2))
            if pattern
        ]
        for reader in self.readers:
            reader.start()
        job.program = self
        while job.pending:
            self.process.send_signal(job.pending.pop(0))

    def pass_on(self, pipe, to):
        """Hand on what it writes, byte for byte and at once, and look out for the pattern."""
        line = b""
        while True:
            part = os.read(pipe.fileno(), 1 << 16)
            if not part or not is_written(to, part):
                return pipe.close()  # which ends who writes where nobody reads
            *lines, line = (line + part).split(b"\n")
            self.said += sum(bool(self.pattern.search(each)) for each in lines)
            line = line[-(1 << 16) :]

    def age(self):
        return time.time() - self.began

    def runs(self):
        if not self.shows_life and any(at > self.began for at in signs_of_life()):
            self.shows_life = True
            if self.job.continues:
                add_to(self.job.measured["restart"], self.age())
        return self.process.poll() is None

    def wait(self):
        return self.process.wait()

    def tell(self, name):
        self.process.send_signal(signal_named(name))

    def has_patience(self, asked):
        return time.time() < asked + SETTINGS["patience_s"]

    def wrote_s(self, before):
        """From the first change of its checkpoint's files that is left to be seen to its end."""
        changed = [stamp[0] / 1e9 for path, stamp in stamps().items() if before.get(path) != stamp]
        return max(0.0, time.time() - max(self.began, min(changed)))

    def keep(self, job, new):
        """Keep a checkpoint that is complete; for so long all of the program stands still."""
        family = [self.process.pid, *descendants(self.process.pid)]
        send(family, signal.SIGSTOP)
        try:
            return new.is_whole() and job.keep(new.took_s)
        finally:
            send(family, signal.SIGCONT)

    def stop(self, job):
        """End it, if need be by force: its exit code."""
        asked = time.time()
        while self.runs() and self.has_patience(asked):
            time.sleep(POLL_S)
        if self.runs():
            job.say(f"killed, for it had not ended after {SETTINGS['patience_s']:g} s")
            self.process.kill()
        return self.wait()

    def stopped_after_checkpoint(self, job):
        """The checkpoint is kept; one that it writes as it ends in good order is newer still."""
        before = stamps()
        self.tell(SETTINGS["stop"])
        if self.stop(job) == 0 and stamps() != before:
            job.keep(None)
        return self.ended(True)

    def ended(self, kept=False):
        """The exit code of this execution, once nothing of the program is left."""
        code = self.wait()
        for reader in self.readers:
            reader.join(LINGERING_S)
        end_all(descendants(os.getpid()), self.job)
        if kept:
            return CHECKPOINTED
        if code in (CHECKPOINTED, LEAVING):
            self.job.say(f"the program's own exit code {code} is none of ours: told as 86")
            return OTHERWISE
        self.job.say(f"the program ended with {code}")
        return code


class Completeness:
    """Watches for new checkpoints that are complete."""

    def __init__(self, program):
        self.program, self.count, self.took_s = program, 0, 0.0
        self.seen = self.whole = stamps()
        self.changed, self.first, self.asked, self.said = 0.0, None, 0.0, 0
        self.marker = stamp_of(SETTINGS["complete"].get("marker", ""))

    def is_seen(self):
        """Is there a new one since this was last asked?"""
        now, found = time.time(), stamps()
        if found != self.seen:
            self.seen, self.changed, self.first = found, now, self.first or now
        if not found or found == self.whole or not self.is_complete(now):
            return False
        self.count, self.whole = self.count + 1, found
        self.took_s, self.first = self.changed - self.first, None
        return True

    def is_complete(self, now):
        complete = SETTINGS["complete"]
        if "quiet_s" in complete:
            return now - self.changed >= complete["quiet_s"]
        if "marker" in complete:
            before, self.marker = self.marker, stamp_of(complete["marker"])
            return self.marker is not None and self.marker != before
        if "says" in complete:
            before, self.said = self.said, self.program.said
            return self.said > before
        if now < self.asked + ASKING_S:
            return False
        self.asked = now
        return subprocess.call(complete["command"], shell=True) == 0

    def is_whole(self):
        """Are the files those of the last complete one still?"""
        return self.count > 0 and stamps() == self.whole


# --- the job --------------------------------------------------------------------------------------


class Job:
    """What is known of the job from one execution to the next."""

    def __init__(self, command):
        self.given, self.began = command, time.time()
        self.steps_done, self.measured = 0, {"cost": [0, 0.0], "restart": [0, 0.0]}
        self.continues = self.put_back() or bool(stamps())
        self.due = self.seconds_to_run()
        self.program, self.is_evicted, self.pending = None, False, []

    def listen(self):
        """Signals are for the program, the one that runs or the next."""
        signal.signal(signal.SIGTERM, self.evict)
        for number in FORWARDED:
            signal.signal(number, lambda number, _: self.pass_on(number))

    def evict(self, *_):
        """The slot is taken back (SIGTERM): the program is told in the way it knows."""
        if not self.is_evicted:
            self.is_evicted = True
            name = SETTINGS["signal"] if SETTINGS["way"] == "told" else "TERM"
            self.pass_on(signal_named(name))

    def pass_on(self, number):
        if self.program and self.program.runs():
            self.program.process.send_signal(number)
        else:
            self.pending.append(number)

    def command(self):
        """What to run: in its arguments {seconds} is the time until its next checkpoint is due."""
        program, *arguments = self.given
        if self.continues:
            if SETTINGS["continue_with"] is not None:
                arguments = SETTINGS["continue_with"]
            arguments = arguments + SETTINGS["continue_adding"]
        return [program] + [each.replace("{seconds}", str(int(self.due))) for each in arguments]

    # When it pays to checkpoint

    def answer(self):
        """The one for the cost nearest to what was measured; None where there is none."""
        count, total = self.measured["cost"]
        answers = SETTINGS["answers"]
        if not answers:
            return None
        planned = PLANNED_COUNTS * answers[len(answers) // 2]["cost_s"]
        cost = (total + planned) / (count + PLANNED_COUNTS)
        return min(answers, key=lambda each: abs(math.log((each["cost_s"] + 1e-9) / (cost + 1e-9))))

    def had_room(self, took_s):
        """Could a checkpoint that took long have been kept too, before the slot's end?

        Those that were kept only because they took short would make the mean too short.
        """
        answer, left = self.answer(), seconds_left()
        return answer is None or left is None or left + took_s >= ROOM * answer["cost_s"]

    def restart_s(self, planned):
        """From the start of the program until it computes on."""
        count, total = self.measured["restart"]
        found = total / count if count >= MEASURED_LEAST else planned
        return min(max(found, planned / TRUST), planned * TRUST)

    def seconds_to_run(self):
        """From the program's start until a checkpoint is due."""
        answer = self.answer()
        if answer is None or SETTINGS["every"]:
            return 0.0 if SETTINGS["way"] != "told" else TO_THE_END
        restart = self.restart_s(answer["restart_s"])
        compute = answer["interval_s"]
        if answer["table"]:
            compute = by_table(answer["table"], age_by_plan(answer) + restart)
        return TO_THE_END if compute is None else restart + compute

    def is_due(self, count):
        """Is this checkpoint, the count-th of this execution, one to exit with?"""
        every = SETTINGS["every"]
        return count % every == 0 if every else time.time() - self.began >= self.due

    def leaves(self):
        """Is it time to leave the slot? Only after a checkpoint, so that each stay has one."""
        answer = self.answer()
        if not answer or answer["leave_after_s"] is None or not os.environ.get("_CONDOR_JOB_PIDS"):
            return False
        return age_by_plan(answer) > answer["leave_after_s"]

    # What is kept

    def keep(self, took_s):
        """Keep the checkpoint that is there now: all of it, or it is as if nothing had been."""
        folder, number = SETTINGS["kept"], max(generations(), default=0) + 1
        new = os.path.join(folder, "new")
        shutil.rmtree(new, ignore_errors=True)
        timed = took_s is not None and self.had_room(took_s)
        if timed:
            add_to(self.measured["cost"], took_s)
        try:
            os.makedirs(new)
            files = {path: copied(path, os.path.join(new, "files", path)) for path in kept_files()}
            if None in files.values():
                self.say("not kept, for it was changed while it was copied")
                return False
            state = {"steps_done": self.steps_done, "measured": self.measured}
            state.update(made=time.time(), timed=timed)
            with open(os.path.join(new, "manifest.json"), "w") as manifest:
                json.dump(dict(state, files=files), manifest, indent=1, sort_keys=True)
            os.rename(new, os.path.join(folder, f"{number:06}"))
        except OSError as error:
            self.say(f"not kept: {error}")
            return False
        for old in sorted(generations())[: -2 if SETTINGS["previous"] else -1]:
            shutil.rmtree(os.path.join(folder, f"{old:06}"), ignore_errors=True)
        size = sum(each["size"] for each in files.values())
        self.say(f"kept {number:06}: {len(files)} files, {size} bytes")
        return True

    def put_back(self):
        """Put back the newest checkpoint that is whole; was there one?"""
        for number in sorted(generations(), reverse=True):
            place = os.path.join(SETTINGS["kept"], f"{number:06}")
            manifest = manifest_of(place)
            if manifest is None:
                self.say(f"{number:06} is not whole: trying the one before")
                continue
            remove_newer(manifest)
            for path, wanted in manifest["files"].items():
                if stamp_of(path) is None or stamp_of(path)[:2] != wanted["stamp"]:
                    copied(os.path.join(place, "files", path), path)
            self.steps_done, self.measured = manifest["steps_done"], manifest["measured"]
            if os.environ.get("_CONDOR_JOB_PIDS") and manifest.get("timed"):
                self.measured["cost"][1] += time.time() - manifest["made"]  # it was transferred
            self.say(f"going on from {number:06}")
            return True
        self.say("starting from nothing")
        return False

    def say(self, what):
        """A line in the journal, the older half of which goes when it is too long."""
        name = SETTINGS["journal"]
        try:
            with open(name, "a") as journal:
                journal.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {what}\n")
            if os.path.getsize(name) > JOURNAL_MOST:
                with open(name) as journal:
                    lines = journal.readlines()
                with open(name + ".new", "w") as journal:
                    journal.writelines(lines[len(lines) // 2 :])
                os.replace(name + ".new", name)
        except OSError as error:
            print(f"wrapper: {what}; {error}", file=sys.stderr)


def add_to(measured, value):
    measured[0] += 1
    measured[1] += value


# --- how old the lease is -------------------------------------------------------------------------


def by_table(table, age):
    """How long to compute if that begins at this age of the lease; None: to the end.

    Each row has the age from which it counts, what to compute there, and what at the next row's
    age; between the two it changes evenly.
    """
    place = max(sum(row[0] <= age for row in table) - 1, 0)
    begins, first, last = table[place]
    if first is None or age <= begins or place + 1 == len(table):
        return first
    return first + (last - first) * (age - begins) / (table[place + 1][0] - begins)


def age_by_plan(answer):
    """The lease's age as the plan counts it: where its end is known, by how far off that is."""
    age, left = age_of_lease(), seconds_left()
    return age if left is None or answer["limit_s"] is None else answer["limit_s"] - left


def age_of_lease():
    """Seconds since this stay on a slot began.

    HTCondor writes .job.ad then, and not again when it restarts a job after a checkpoint.
    """
    begun = os.path.getmtime(".job.ad") if os.path.exists(".job.ad") else STARTED
    return max(0.0, time.time() - begun)


def seconds_left():
    """Until the slot's runtime limit; None where no word of one is found."""
    now, age = time.time(), age_of_lease()
    ends = [
        None if SETTINGS["limit_s"] is None else now - age + SETTINGS["limit_s"],
        added(now - age, attribute(".job.ad", "AllowedJobDuration")),
        attribute(".machine.ad", "GLIDEIN_ToDie"),
        number(os.environ.get("SLURM_JOB_END_TIME")),
    ]
    return min((end - now for end in ends if end is not None), default=None)


def added(begun, length):
    return None if length is None else begun + length


def attribute(ad, name):
    """A number that HTCondor has left in the sandbox."""
    try:
        with open(ad, errors="replace") as file:
            found = re.search(
                rf"^{name} *= *([0-9.]+) *$", file.read(), re.MULTILINE | re.IGNORECASE
            )
    except OSError:
        return None
    return number(found and found.group(1))


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


# --- files ----------------------------------------------------------------------------------------


def matching(patterns):
    """The job's files that match, or are in a folder that does."""
    for pattern in patterns:
        for found in sorted(glob.glob(pattern, recursive=True)):
            inside = [os.path.join(at, name) for at, _, names in os.walk(found) for name in names]
            for path in map(os.path.normpath, inside or [found]):
                if os.path.isfile(path) and is_the_jobs(path):
                    yield path


def is_the_jobs(path):
    """Not HTCondor's, nor the wrapper's own."""
    first = path.split(os.sep)[0]
    own = (SETTINGS["kept"], SETTINGS["journal"], os.path.basename(sys.argv[0]))
    return first not in own and not NOT_THE_JOBS.match(first)


def stamp_of(path):
    """What changes with a file: its time, size and inode; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def stamps():
    """Of the checkpoint's files, of which only the newest count if so set."""
    found = {path: stamp_of(path) for path in matching(SETTINGS["checkpoint"])}
    there = sorted((path for path in found if found[path]), key=lambda path: found[path])
    return {path: found[path] for path in there[-(SETTINGS["newest"] or len(there)) :]}


def signs_of_life():
    """When its output, and other files here that are no checkpoint, were last changed."""
    checkpoints = {path.split(os.sep)[0] for path in matching(SETTINGS["checkpoint"])}
    with os.scandir(".") as entries:
        found = [each for each in entries if each.name not in checkpoints and each.is_file()]
        return [each.stat().st_mtime for each in found if is_a_sign(each.name)]


def is_a_sign(name):
    return name in ("_condor_stdout", "_condor_stderr") or is_the_jobs(name)


def kept_files():
    return list(dict.fromkeys([*stamps(), *matching(SETTINGS["carry"])]))


def copied(path, target):
    """Copy a file so that there is all of it or nothing: what to know it by.

    None if it was changed meanwhile.
    """
    before, told = stamp_of(path), hashlib.sha256()
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with open(path, "rb") as source, open(target + ".new", "wb") as copy:
        for part in iter(lambda: source.read(1 << 20), b""):
            told.update(part)
            copy.write(part)
    shutil.copystat(path, target + ".new")
    os.replace(target + ".new", target)
    if stamp_of(path) != before:
        return None
    return {"sha256": told.hexdigest(), "size": before[1], "stamp": list(before[:2])}


def generations():
    """The numbers of the checkpoints that are kept."""
    try:
        return [int(name) for name in os.listdir(SETTINGS["kept"]) if re.match(r"\d{6}$", name)]
    except OSError:
        return []


def manifest_of(place):
    """What is kept there; None unless each of its files has the size and the hash it should."""
    try:
        with open(os.path.join(place, "manifest.json")) as file:
            manifest = json.load(file)
        for path, wanted in manifest["files"].items():
            if hash_of(os.path.join(place, "files", path)) != (wanted["size"], wanted["sha256"]):
                return None
    except (OSError, ValueError, KeyError):
        return None
    return manifest


def hash_of(path):
    told = hashlib.sha256()
    with open(path, "rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            told.update(part)
    return os.path.getsize(path), told.hexdigest()


def remove_newer(manifest):
    """What the program wrote after the checkpoint may be torn; it goes on without."""
    for path in matching(SETTINGS["checkpoint"]):
        if path not in manifest["files"] and os.stat(path).st_mtime > manifest["made"]:
            os.remove(path)


def is_written(to, part):
    """Write all of it; False where nobody reads it any more."""
    try:
        while part:
            part = part[os.write(to, part) :]
    except OSError:
        return False
    return True


# --- processes ------------------------------------------------------------------------------------

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(*arguments):
    """Linux alone has it; elsewhere the program's own children may outlive it."""
    try:
        ctypes.CDLL(None).prctl(*arguments)
    except (OSError, AttributeError):
        pass


def dying_with(parent):
    """What a child does first, so that it dies with its parent, however that dies."""

    def prepare():
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def signal_named(name):
    return getattr(signal, "SIG" + name)


def send(processes, what):
    for process in processes:
        try:
            os.kill(process, what)
        except OSError:
            pass


def descendants(process):
    """The processes that it has started, and those have, and so on."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(name))
    found = list(children.get(process, []))
    for each in found:
        found.extend(children.get(each, []))
    return found


def end_all(processes, job):
    """Nothing that the program has left behind goes on."""
    if not processes:
        return
    job.say(f"left running: {len(processes)} processes, which are ended")
    send(processes, signal.SIGTERM)
    ends = time.time() + LINGERING_S
    while reaped() and time.time() < ends:
        time.sleep(POLL_S)
    send(descendants(os.getpid()), signal.SIGKILL)
    while reaped():
        time.sleep(POLL_S)


def reaped():
    """Take leave of the children that have ended; are there others?"""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def end_by(number):
    """Die of the signal that the program died of, leaving no core of our own."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


STARTED = time.time()

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    code = main(sys.argv[1:])
    if code < 0:
        end_by(-code)
    sys.exit(code)
