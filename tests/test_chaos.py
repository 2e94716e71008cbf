"""A pool under fire: SIGKILL to all of its processes at random moments, and what must hold then.

The jobs are shell scripts that check themselves: that nobody runs beside them, that the files they
start from are a whole set. What they start from, SPOOL, event logs and /proc are looked at from
here. Each sort of job runs until it is told that it is enough, so that fire is under load.
"""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import htcondor2
import pytest

from ckptsim.drivers.real.control import PoolError, ask

SEED = 20_261_122

JOB = r"""#!/bin/sh
# job SORT PAUSE MARK: counts, saves the counter at each step, ends when MARK.enough is there.
sort=$1 pause=$2 mark=$3
wrong() { echo "$*" >>"$mark.wrong"; }
exec 9>>"$mark.lock"
flock -n 9 || wrong twice at once

load() {
    n=0
    case $sort in
    several)
        [ -e sum ] || return 0
        read -r n <a; read -r n2 <b; read -r n3 <c
        [ "$n $n2 $n3" = "$n $n $n" ] || wrong "mixed: $n $n2 $n3"
        [ "$(cat a b c | cksum)" = "$(cat sum)" ] || wrong "torn: $n"
        ;;
    tree)
        [ -e ck ] || return 0
        read -r n <ck/one; read -r n2 <ck/deep/two
        [ "$n $n2 $(cd ck && echo *)" = "$n $n deep n-$n one" ] || wrong "mixed: $(ls -R ck)"
        ;;
    big)
        [ -e count ] || return 0
        read -r n <count; read -r n2 <big
        [ "$n $(wc -c <big)" = "$n2 100000000" ] || wrong "torn: $n $n2 $(wc -c <big)"
        ;;
    *)
        [ -e count ] || return 0
        read -r n <count
        ;;
    esac
    case $n in '' | *[!0-9]*) wrong "no number: $n" ;; esac
}

save() {
    case $sort in
    several)
        for name in a b c; do
            { echo $n; head -c $((n * 9973 % 50000)) /dev/zero | tr '\0' $name; } >$name
        done
        cat a b c | cksum >sum
        ;;
    tree)
        rm -rf ck; mkdir -p ck/deep
        echo $n >ck/one; echo $n >ck/deep/two; : >ck/n-$n
        ;;
    big)
        yes $n | head -c 100000000 >big
        echo $n >count
        ;;
    *)
        echo $n >count.new; mv count.new count
        ;;
    esac
}

load
echo "start $n" >>"$mark.marks"
case $sort in
forking)
    [ $((n % 5)) = 0 ] && (setsid sh -c 'sleep 1000; :' "$mark" 9>&- >/dev/null 2>&1 &)
    ;;
deaf)
    trap '' TERM
    ;;
evict)
    trap 'asked=yes' TERM
    save
    ;;
esac
while :; do
    sleep "$pause" & wait $!
    while [ $sort = deaf ] && kill -0 $! 2>/dev/null; do wait $!; done
    [ "$asked" ] && exit 0
    n=$((n + 1))
    echo "step $n"
    save
    [ -e "$mark.enough" ] && exit 0
    [ $sort = evict ] && [ $((n % 3)) != 0 ] && continue
    exit 85
done
"""

SORTS = {
    "one": "transfer_checkpoint_files = count",
    "several": "transfer_checkpoint_files = a, b, c, sum",
    "tree": "transfer_checkpoint_files = ck",
    "forking": "transfer_checkpoint_files = count",
    "deaf": "transfer_checkpoint_files = count",
    "evict": "transfer_output_files = count\nwhen_to_transfer_output = ON_EXIT_OR_EVICT",
}
BIG = {"big": "transfer_checkpoint_files = big, count"}
NO_OUTPUT = 'transfer_output_files = ""\n'

SUBMIT = """
executable = job
arguments = {sort} 0.{tenths} {marks}/{sort}.$(Process)
output = {sort}.$(Process).out
error = {sort}.$(Process).err
log = {sort}.log
checkpoint_exit_code = 85
job_lease_duration = 5
{transfer}
# One whose processes are killed is run again; one that is held for it is let go.
on_exit_remove = ExitBySignal =!= true
periodic_release = true
request_memory = 1
request_disk = 1
queue {count}
"""

POOL = """
[intervals]
negotiation = "100ms"
periodic = "500ms"
policy = "500ms"
update = "1s"
[policy]
MachineMaxVacateTime = 1
[[machines]]
name = "ep1"
slots = 12
[[machines]]
name = "ep2"
slots = 12
"""


class Fire:
    """A pool, its jobs, and what is known of their checkpoints."""

    def __init__(self, folder, jobs_each, sorts=SORTS):
        self.folder, self.state = folder, folder / "state"
        self.marks = folder / "marks"
        self.chance = random.Random(SEED)
        self.jobs = {}  # id: (sort, process)
        self.known = {}  # id: [(marks made so far, counter committed by then), ...]
        self.done = dict[str, int]()
        self.process = None
        self.marks.mkdir()
        (folder / "pool.toml").write_text(POOL)
        (folder / "job").write_text(JOB)
        (folder / "job").chmod(0o755)
        self.jobs_each, self.sorts = jobs_each, sorts

    # --- the pool

    def begin(self):
        """Start an access point and do not wait for anything."""
        module = ["-P", "-m", "ckptsim.drivers.real.accesspoint", "--state", str(self.state)]
        self.state.mkdir(exist_ok=True)
        with (self.state / "pool.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *module, "--config", str(self.folder / "pool.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self):
        self.begin()
        self.ready()

    def ready(self):
        """Wait until the pool answers, and is the one begun last."""
        end = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self.told()
            with suppress(PoolError):
                if self.ask("status")["pid"] == self.process.pid:
                    return
            assert time.monotonic() < end, self.told()
            time.sleep(0.01)

    def told(self):
        return (self.state / "pool.log").read_text()[-4000:]

    def ask(self, do, **values):
        return ask(self.state, {"do": do, **values}, 90)

    def machines(self):
        return self.ask("status")["machines"]

    def submit(self):
        for cluster, (sort, transfer) in enumerate(self.sorts.items(), 1):
            text = SUBMIT.format(
                sort=sort,
                tenths=1 + cluster % 3,
                marks=self.marks,
                transfer=transfer if sort == "evict" else NO_OUTPUT + transfer,
                count=self.jobs_each,
            )
            (self.folder / f"{sort}.sub").write_text(text)
            self.submit_file(self.folder / f"{sort}.sub")
            for proc in range(self.jobs_each):
                self.jobs[f"{cluster}.{proc}"] = sort, proc
                self.known[f"{cluster}.{proc}"] = []

    def submit_file(self, path):
        subprocess.run(
            [sys.executable, "-m", "ckptsim", "submit", path.name],
            cwd=path.parent,
            env=os.environ | {"CKPTSIM_STATE": str(self.state)},
            check=True,
            capture_output=True,
            timeout=60,
        )

    # --- what may be done to it

    def shoot(self, what):
        self.look()
        getattr(self, what)()
        self.done[what] = self.done.get(what, 0) + 1

    def some_while(self, most_s=0.5):
        time.sleep(self.chance.uniform(0, most_s))

    def kill_pool(self):
        self.process.kill()
        self.process.wait()
        self.look(still=True)
        self.begin()
        if self.chance.random() < 0.3:  # in the midst of its start, too
            self.some_while(0.8)
            self.process.kill()
            self.process.wait()
            self.begin()
        self.ready()

    def kill_tree(self):
        """SIGKILL to all processes of one job, as they happen to be found."""
        while not (trees := self.trees()):
            time.sleep(0.01)
        for pid in self.chance.choice(sorted(trees.values())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_machine(self):
        pids = [each["pid"] for each in self.machines() if each["pid"]]
        if pids:
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), signal.SIGKILL)

    def kill_both(self):
        """The pool and a machine at once: what runs there has nobody left to kill it."""
        self.kill_machine()
        self.kill_pool()

    def freeze_machine(self):
        for each in self.machines():
            if each["pid"]:
                self.freeze(each["pid"])
                return

    def freeze_pool(self):
        self.freeze(self.process.pid)

    def freeze(self, pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self.some_while()
            os.kill(pid, signal.SIGCONT)

    def power(self):
        """One machine off, or on again."""
        machine = self.chance.choice(self.machines())
        self.ask("power_off" if machine["on"] else "power_on", machine=machine["name"])

    def vacate(self):
        with suppress(PoolError):  # not running just now
            self.ask("vacate", job=self.any_job(), fast=self.chance.random() < 0.3)

    def hold_release(self):
        job = self.any_job()
        with suppress(PoolError):
            self.ask("hold", job=job)
        self.some_while()
        self.release(job)

    def release(self, job):
        end = time.monotonic() + 20
        while self.job(job)["status"] in {"held", "stopping", "transferring"}:
            with suppress(PoolError):
                self.ask("release", job=job)
            assert time.monotonic() < end, self.job(job)
            time.sleep(0.05)

    def stop_start(self):
        self.ask("stop")
        assert self.process.wait(40) == 0, self.told()
        self.start()

    def any_job(self):
        return self.chance.choice(sorted(self.jobs))

    def job(self, job):
        return self.ask("jobs", jobs=[job])["jobs"][0]

    def trees(self):
        """Pids of the jobs' processes, by sandbox."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    place = str((entry / "cwd").readlink())
                    if place.startswith(f"{self.state}/execute/"):
                        found.setdefault(place, []).append(int(entry.name))
        return found

    # --- what must hold

    def look(self, *, still=False):
        """Note what is committed: whoever starts after this must start from there at least."""
        for job in self.jobs:
            counter = self.committed(job, still=still)
            if counter is not None:
                self.known[job].append((len(self.starts(job)), counter))

    def committed(self, job, *, still):
        """The counter in SPOOL, where a whole set must be; None if none is, or it is in change."""
        folder = self.spool(job)
        if (self.spool(job, ".tmp") / ".ccommit.con").exists():
            return None  # half done; whoever looks next finishes it
        sort = self.jobs[job][0]
        try:
            return counter_in(sort, folder)
        except (AssertionError, OSError, ValueError) as error:
            if still:
                raise AssertionError(f"{job}: {error!r} in {folder}") from error
            return None  # looked at in the midst of a commit

    def spool(self, job, ending=""):
        cluster, proc = job.split(".")
        name = f"cluster{cluster}.proc{proc}.subproc0{ending}"
        return self.state / "spool" / cluster / proc / name

    def starts(self, job):
        """What each execution so far started from."""
        sort, proc = self.jobs[job]
        with suppress(FileNotFoundError):
            text = (self.marks / f"{sort}.{proc}.marks").read_text()
            return [int(line.removeprefix("start ")) for line in text.splitlines()]
        return []

    def finish(self):
        """Let all jobs end, and look whether all is as if nothing had happened."""
        self.look()
        for sort, proc in self.jobs.values():
            (self.marks / f"{sort}.{proc}.enough").touch()
        for each in self.machines():
            if not each["on"]:
                self.ask("power_on", machine=each["name"])
        answer = self.ask("wait", jobs=list(self.jobs), timeout_s=60)
        assert not answer.get("timeout"), [
            (job["id"], job["stage"], job["held"]) for job in answer["jobs"] if job["exit"] != 0
        ]
        assert [(job["id"], job["exit"]) for job in answer["jobs"]] == [
            (job, 0) for job in sorted(self.jobs, key=lambda job: tuple(map(int, job.split("."))))
        ]
        self.judge_jobs()
        self.judge_logs()
        self.judge_what_is_left()

    def judge_jobs(self):
        assert {path.name: path.read_text() for path in self.marks.glob("*.wrong")} == {}
        for job, (sort, proc) in self.jobs.items():
            starts = self.starts(job)
            for begun, counter in self.known[job]:
                assert min(starts[begun:], default=counter) >= counter, (job, starts, begun)
            lines = (self.folder / f"{sort}.{proc}.out").read_text().splitlines()
            assert lines == [f"step {n}" for n in range(1, len(lines) + 1)], (job, lines)
            assert len(lines) > max(starts)
            assert (self.folder / f"{sort}.{proc}.err").read_text() == ""

    def judge_logs(self):
        stories = dict.fromkeys(self.jobs, "")
        for sort in self.sorts:
            log = self.folder / f"{sort}.log"
            assert b"\0" not in log.read_bytes()
            count = 0
            for event in htcondor2.JobEventLog(str(log)).events(stop_after=0):
                stories[f"{event.cluster}.{event.proc}"] += letter(event)
                count += 1
            assert count == log.read_text().count("\n...\n")
        for job, story in stories.items():
            assert STORY.fullmatch(story), (job, story)

    def judge_what_is_left(self):
        end = time.monotonic() + 10
        while self.trees() and time.monotonic() < end:
            time.sleep(0.1)
        self.ask("stop")
        assert self.process.wait(40) == 0, self.told()
        assert strangers(self.folder) == []
        left = [path for path in (self.state / "execute").rglob("*") if path.name != "scratch"]
        assert [path for path in left if re.match("dir_", path.name)] == []
        assert [path for path in (self.state / "spool").rglob("*") if path.is_file()] == []
        assert "Traceback" not in (self.state / "pool.log").read_text()

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in strangers(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def counter_in(sort, folder):
    """The counter of a checkpoint, all of whose files must agree; None if there is none."""
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if not names:
        return None
    standard = {"_condor_stdout", "_condor_stderr"}
    if sort == "several":
        assert set(names) == {"a", "b", "c", "sum"} | standard, names
        parts = [(folder / name).read_bytes() for name in "abc"]
        counters = {part.partition(b"\n")[0] for part in parts}
        assert len(counters) == 1, counters
        done = subprocess.run(["cksum"], input=b"".join(parts), capture_output=True, check=True)
        assert done.stdout == (folder / "sum").read_bytes()
        counter = int(counters.pop())
    elif sort == "tree":
        assert set(names) == {"ck"} | standard, names
        counter = int((folder / "ck/one").read_text())
        assert int((folder / "ck/deep/two").read_text()) == counter
        assert sorted(path.name for path in (folder / "ck").iterdir()) == [
            "deep",
            f"n-{counter}",
            "one",
        ]
    elif sort == "big":
        assert set(names) == {"big", "count"} | standard, names
        counter = int((folder / "count").read_text())
        lines = (folder / "big").read_bytes()
        assert lines == (b"%d\n" % counter * 100_000_000)[:100_000_000]
    else:
        assert set(names) == {"count"} | standard, names
        counter = int((folder / "count").read_text())
    steps = (folder / "_condor_stdout").read_text()
    assert steps == "".join(f"step {n}\n" for n in range(1, counter + 1))
    return counter


def strangers(folder):
    """Pids of processes that have to do with this folder, by arguments, environment or place."""
    found = []
    needle = str(folder).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                place = os.fsencode((entry / "cwd").readlink())
                words = (entry / "cmdline").read_bytes()
                if place.startswith(needle + b"/state") or needle + b"/" in words:
                    found.append(int(entry.name))
    return found


def letter(event):
    """An event in one letter, for STORY."""
    if event.type == 40:
        return {2: "I", 3: "i", 5: "O", 6: "o"}.get(int(event["Type"]), "?")
    return LETTERS.get(int(event.type), "?")


LETTERS = {
    0: "S",  # submitted
    1: "X",  # executing
    4: "E",  # evicted
    5: "T",  # terminated
    6: "",  # image size
    7: "Q",
    12: "H",  # held
    13: "L",  # released
    21: "Q",  # error on the machine
    22: "D",  # disconnected
    24: "R",  # could not reconnect
    28: "",
}
STAY = r"I(?:i(?:X(?:Oo)*O?)?)?"
END = r"(?:o?Q*E(?:HL)?|o?Q?E?HL|D(?:RE?|E)?(?:HL)?|R(?:E?HL)?)"
STORY = re.compile(rf"S(?:{STAY}{END}|HL)*IiX(?:Oo)+T")


@pytest.fixture
def fire(tmp_path):
    made = []

    def make(jobs_each, sorts=SORTS):
        made.append(Fire(tmp_path, jobs_each, sorts))
        made[0].start()
        made[0].submit()
        return made[0]

    yield make
    for each in made:
        each.clean_up()


def bombard(fire, shots, pause_s):
    """All these shots in a random order, at random moments."""
    order = [what for what, count in shots.items() for _ in range(count)]
    fire.chance.shuffle(order)
    for what in order:
        fire.some_while(pause_s)
        fire.shoot(what)
    fire.finish()
    assert fire.done == shots


def test_nothing_is_lost_whoever_is_killed(fire):
    """22 kills, 10 of them of the pool itself, and all the rest now and then."""
    shots = {"kill_pool": 8, "kill_tree": 10, "kill_machine": 2, "kill_both": 2, "vacate": 4}
    bombard(fire(2), shots | {"freeze_machine": 1, "hold_release": 2, "stop_start": 1}, 0.3)


def until(true, what="in vain", limit_s=30):
    """Wait until it is true."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.001)


def only(*sorts):
    return {sort: SORTS[sort] for sort in sorts}


def runs(fire, job):
    """Wait until its executable runs."""
    before = len(fire.starts(job))
    until(lambda: len(fire.starts(job)) > before)
    return job


def test_a_large_checkpoint_killed_in_the_midst_of_its_copy_does_not_count(fire):
    under = fire(1, BIG)
    half_done = under.spool("1.0", ".tmp") / "big"
    for what in ("kill_pool", "kill_machine", "kill_both"):
        until(lambda: under.committed("1.0", still=False))
        until(lambda: size(half_done) > 0)
        under.shoot(what)
    until(lambda: under.committed("1.0", still=False))
    under.finish()


def size(path):
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


@pytest.mark.parametrize("do", ["vacate", "hold", "rm"])
def test_what_comes_while_a_large_checkpoint_is_committed_breaks_nothing(fire, do):
    under = fire(1, BIG)
    for _ in range(2):
        until(lambda: size(under.spool("1.0", ".tmp") / "big") > 9e7)
        under.some_while(0.02)
        with suppress(PoolError):
            under.ask(do, job="1.0", **({"fast": True} if do == "vacate" else {}))
        if do == "hold":
            under.release("1.0")
        if do == "rm":
            break
    if do == "rm":
        until(lambda: under.job("1.0")["status"] == "removed")
        until(lambda: not under.spool("1.0").exists() and not under.trees())
        assert under.process.poll() is None
    else:
        under.finish()


@pytest.mark.parametrize("what", ["kill_pool", "kill_machine"])
@pytest.mark.parametrize("do", ["hold", "rm"])
def test_a_hold_or_removal_under_way_is_not_forgotten_in_a_crash(fire, do, what):
    under = fire(1, only("deaf"))
    runs(under, "1.0")
    under.ask(do, job="1.0")
    assert under.job("1.0")["stage"] == "STOPPING"  # SIGTERM does not end it
    machine = under.job("1.0")["machine"]
    if what == "kill_pool":
        under.kill_pool()
    else:
        os.kill(next(each["pid"] for each in under.machines() if each["name"] == machine), 9)
    until(lambda: under.job("1.0")["status"] == {"hold": "held", "rm": "removed"}[do])
    begun = len(under.starts("1.0"))
    time.sleep(0.5)
    assert len(under.starts("1.0")) == begun
    assert under.trees() == {}


def test_a_machine_turned_off_and_on_by_several_at_once_is_one_machine(fire):
    under = fire(2, only("one", "forking"))
    runs(under, "1.0")
    with ThreadPoolExecutor(6) as people:
        for _ in range(3):
            words = [("power_off", "ep1"), ("power_on", "ep1"), ("power_off", "ep2")]
            for do, name in words * 2:
                people.submit(under.ask, do, machine=name)
        people.submit(under.kill_machine)
    for each in under.machines():
        under.ask("power_on", machine=each["name"])
    pids = {each["pid"] for each in under.machines()}
    until(lambda: machine_processes(under.folder) == pids, machine_processes(under.folder))
    under.stop_start()  # not to wait for contact leases
    under.finish()


def machine_processes(folder):
    """Pids of machines: they stand in no folder, but say into this pool's log."""
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            log = (entry / "fd" / "2").readlink()
            if b"ckptsim.drivers.real.machine" in words and log == folder / "state" / "pool.log":
                found.add(int(entry.name))
    return found


def test_a_submission_cut_off_in_the_middle_is_taken_back(fire):
    under = fire(3, only("one"))
    runs(under, "1.0")
    under.process.kill()
    under.process.wait()
    with closing(sqlite3.connect(under.state / "pool.db")) as base:  # as it is before the last job
        base.execute("update facts set value = 1 where name = 'submission'")
        base.commit()
    under.start()
    assert {job["status"] for job in under.ask("jobs", jobs=None)["jobs"]} == {"removed"}
    log = (under.folder / "one.log").read_text()
    assert len(re.findall(r"^009 \(001\.00\d\.000\)", log, re.MULTILINE)) == 3
    under.ask("stop")
    under.process.wait(30)
    under.start()
    assert (under.folder / "one.log").read_text() == log


def test_a_submit_folder_deleted_while_the_job_runs_harms_nobody_else(fire):
    under = fire(1, only("one", "several"))
    runs(under, "1.0")
    other = under.folder / "other"
    other.mkdir()
    (other / "job").write_text("#!/bin/sh\nsleep 0.1; exit 85\n")
    (other / "job").chmod(0o755)
    (other / "job.sub").write_text(
        "executable = job\nlog = job.log\noutput = out\ncheckpoint_exit_code = 85\n"
        'transfer_checkpoint_files = ""\nrequest_memory = 1\nqueue\n'
    )
    under.submit_file(other / "job.sub")
    until(lambda: under.job("3.0")["checkpoints"] > 2)
    shutil.rmtree(other)
    before = under.job("3.0")["checkpoints"]
    until(lambda: under.job("3.0")["checkpoints"] > before + 2)
    under.ask("vacate", job="3.0")
    until(lambda: under.job("3.0")["status"] == "held")
    assert f"{other}/job: No such file or directory" in under.job("3.0")["held"]["reason"]
    under.kill_pool()
    assert not other.exists()  # a log of its own is not made anew
    under.ask("rm", job="3.0")
    assert f"{other}/job.log: No such file or directory" in under.told()
    under.finish()


def test_an_attribute_that_a_job_has_set_is_not_lost(fire):
    under = fire(1, only("one"))
    (under.folder / "set").write_text(
        "#!/bin/sh\nunset PYTHONHOME\ncondor_chirp set_job_attr Answer 42\n: >$1\nsleep 1000\n"
    )
    (under.folder / "set").chmod(0o755)
    (under.folder / "set.sub").write_text(
        f"executable = set\narguments = {under.marks}/set.done\nwant_io_proxy = true\n"
        "request_memory = 1\nqueue\n"
    )
    under.submit_file(under.folder / "set.sub")
    until((under.marks / "set.done").exists)
    under.kill_pool()
    with closing(sqlite3.connect(under.state / "pool.db")) as base:
        (ad,) = base.execute("select ad from jobs where cluster = 2").fetchone()
    assert "Answer = 42" in ad
    under.ask("rm", job="2.0")
    under.finish()


DISK_FULL = """
mount -t tmpfs -o size=6m,mode=700 none {folder}/state &&
exec {python} -m pytest -q -p no:cacheprovider \\
    --basetemp={folder}/inner -k on_this_full_disk {file}
"""


def test_a_full_disk_is_told_of_and_tears_nothing(tmp_path):
    """In a mount namespace of its own, whose 6 MB are the pool's state folder."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces for this user")
    state = tmp_path / "state"
    state.mkdir()
    script = DISK_FULL.format(folder=tmp_path, python=sys.executable, file=__file__)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        env=os.environ | {"CKPTSIM_FULL_DISK": str(state)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.skipif("CKPTSIM_FULL_DISK" not in os.environ, reason="run by the test before")
def test_on_this_full_disk(tmp_path):
    fire = Fire(tmp_path, 2, only("one", "several"))
    fire.state = Path(os.environ["CKPTSIM_FULL_DISK"])
    try:
        fire.start()
        fire.submit()
        for job in fire.jobs:
            until(lambda job=job: len(fire.starts(job)) > 3)
        fire.look()
        fill(fire.state / "ballast")
        until(lambda: fire.process.poll() is not None, fire.told)
        assert fire.process.poll() == 2
        assert "Traceback" not in fire.told()
        last = fire.told().splitlines()[-1]
        assert re.search("ckptsim: the pool in .* stops: .*(full|No space left)", last), last
        fire.look(still=True)
        assert strangers(fire.folder) == []
        (fire.state / "ballast").unlink()
        fire.start()
        fire.finish()
    finally:
        fire.clean_up()


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.mark.slow
def test_nothing_is_lost_in_a_long_fire(fire):
    shots = {
        "kill_pool": 200,
        "kill_tree": 200,
        "kill_machine": 20,
        "kill_both": 20,
        "freeze_machine": 10,
        "freeze_pool": 10,
        "power": 20,
        "vacate": 40,
        "hold_release": 20,
        "stop_start": 10,
    }
    bombard(fire(4), shots, 1.0)
