"""The commands of a pool as a user meets them: against a fake access point, then a real one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("htcondor2", reason="needs HTCondor's Python bindings")

CKPTSIM = [sys.executable, "-m", "ckptsim"]
SECOND = 10**9


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CKPTSIM_STATE", raising=False)


def ckptsim(*words, **settings):
    return subprocess.run(
        [*CKPTSIM, *words], capture_output=True, text=True, timeout=120, check=False, **settings
    )


def good(*words, **settings):
    """What a command prints that ends well."""
    done = ckptsim(*words, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def mistake(*words, **settings):
    """The one line that a mistake is told in."""
    done = ckptsim(*words, **settings)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ckptsim: ")
    return line.removeprefix("ckptsim: ")


# --- a fake access point --------------------------------------------------------------------------


class FakePool:
    """Answers each kind of request as it was told to, and remembers what it was asked."""

    def __init__(self, state):
        state.mkdir(mode=0o700)
        self.answers, self.asked = {}, []
        self.server = socket.socket(socket.AF_UNIX)
        here = Path.cwd()
        os.chdir(state)  # the name of a socket may not be long
        self.server.bind("control")
        os.chdir(here)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                link, _ = self.server.accept()
            except OSError:
                return
            with link:
                line = link.makefile("rb").readline()
                if not line:
                    continue
                request = json.loads(line)
                self.asked.append(request)
                answer = self.answers.get(request["do"], {})
                answer = answer.pop(0) if isinstance(answer, list) else answer
                link.sendall(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def pool(tmp_path):
    fake = FakePool(tmp_path / ".ckptsim")
    yield fake
    fake.server.close()


def job(number="7.0", **changes):
    cluster, proc = map(int, number.split("."))
    return {
        "id": number,
        "cluster": cluster,
        "proc": proc,
        "cmd": "/home/me/example.py",
        "args": "one two",
        "iwd": "/home/me",
        "log": None,
        "user": "me",
        "status": "idle",
        "stage": "IDLE",
        "since": time.time_ns() - 90 * SECOND,
        "submitted": time.time_ns() - 90 * SECOND,
        "slot": None,
        "machine": None,
        "sandbox": None,
        "spool": "/nowhere",
        "checkpoints": 0,
        "leases": 0,
        "held": None,
        "exit": None,
        "ledger": {},
        **changes,
    }


def running(number="7.0", **changes):
    where = {"slot": "slot1_3@ep1@host", "machine": "ep1", "status": "running", "leases": 1}
    return job(number, **where, **changes)


def held(number="7.1"):
    return job(number, status="held", held={"code": 1, "subcode": 0, "reason": "via condor_hold"})


def done(number="7.2", status=0):
    return job(number, status="completed", exit=status, checkpoints=3)


HEAD = ["ID", "state", "since", "slot", "checkpoints", "run", "time", "command"]


def test_the_queue_shows_what_has_not_ended(pool):
    pool.answers["jobs"] = {"jobs": [running(ledger={"USEFUL": 60 * SECOND}), held(), done()]}
    head, first, second, _, reason, total = good("q").splitlines()
    assert head.split() == HEAD
    assert re.fullmatch(
        r"7\.0 +running +1 min 3\d s +slot1_3@ep1 +0 +2 min 3\d s +example\.py one two", first
    )
    assert re.fullmatch(r"7\.1 +held +1 min 3\d s +– +0 +0 s +example\.py one two", second)
    assert reason == "7.1 is held: via condor_hold"
    assert total == "3 jobs: 1 running, 1 held, 1 completed"
    assert pool.asked == [{"do": "jobs", "jobs": None}]


def test_the_queue_shows_ended_jobs_when_asked_to(pool):
    pool.answers["jobs"] = {"jobs": [done()]}
    assert "7.2" not in good("q").replace("7.2 ", "")
    assert re.search(r"^7\.2 +completed", good("q", "--all"), re.MULTILINE)
    assert re.search(r"^7\.2 +completed", good("q", "7"), re.MULTILINE)
    assert pool.asked[-1] == {"do": "jobs", "jobs": ["7"]}
    assert json.loads(good("q", "--json")) == {"jobs": pool.answers["jobs"]["jobs"]}


def test_the_queue_of_nobody(pool):
    pool.answers["jobs"] = {"jobs": []}
    assert good("q") == "No job was ever submitted in .ckptsim.\n"


def test_submit_hands_over_the_ads(pool, tmp_path):
    import classad2

    (tmp_path / "job.sub").write_text("executable = /bin/true\narguments = $(Cluster)\nqueue 2\n")
    pool.answers["cluster"] = {"cluster": 7}
    assert good("submit", "job.sub") == "2 job(s) submitted to cluster 7.\n"
    request = pool.asked[1]
    ads = [classad2.ClassAd(text) for text in request["ads"]]
    assert (request["do"], request["cluster"]) == ("submit", 7)
    assert [(ad["ClusterId"], ad["ProcId"], ad["Args"], ad["Iwd"]) for ad in ads] == [
        (7, 0, "7", str(tmp_path)),
        (7, 1, "7", str(tmp_path)),
    ]


def test_a_wrong_submit_file_is_one_line_and_no_job(pool, tmp_path):
    (tmp_path / "job.sub").write_text("executable = /bin/true\nuniverse = docker\nqueue\n")
    pool.answers["cluster"] = {"cluster": 7}
    told = mistake("submit", "job.sub")
    assert told.startswith("job.sub:2: `universe = docker` is not supported")
    assert [request["do"] for request in pool.asked] == ["cluster"]


@pytest.mark.parametrize(
    ("words", "asked", "told"),
    [
        (["vacate", "7"], {"do": "vacate", "fast": False}, "Job 7.0 vacated"),
        (["vacate", "--fast", "7"], {"do": "vacate", "fast": True}, "Job 7.0 fast-vacated"),
        (["hold", "7"], {"do": "hold"}, "Job 7.0 held"),
        (["release", "7"], {"do": "release"}, "Job 7.0 released"),
        (["rm", "7"], {"do": "rm"}, "Job 7.0 marked for removal"),
    ],
)
def test_what_is_done_to_jobs(pool, words, asked, told):
    pool.answers[asked["do"]] = {"jobs": ["7.0"]}
    assert good(*words) == f"{told}\n"
    assert pool.asked == [{**asked, "job": "7"}]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["drain", "ep1"], {"do": "drain", "machine": "ep1"}),
        (["power-off", "ep1"], {"do": "power_off", "machine": "ep1", "silent": False}),
        (["power-off", "--silent", "ep1"], {"do": "power_off", "machine": "ep1", "silent": True}),
        (["power-on", "ep1"], {"do": "power_on", "machine": "ep1"}),
    ],
)
def test_what_is_done_to_machines(pool, words, asked):
    assert "Machine ep1 is" in good(*words)
    assert pool.asked == [asked]


@pytest.mark.parametrize("word", ["x", "7.", "7.0.0", "-1", "7;rm", ""])
def test_a_word_that_is_no_id_is_told_before_anything_is_done(pool, word):
    told = mistake("rm", "7.0", "--", word)
    assert "no job's id; expected for example 7.0" in told
    assert pool.asked == []


def test_what_the_pool_refuses_is_one_line(pool):
    pool.answers["release"] = {"error": "7.0: not held"}
    assert mistake("release", "7.0") == "7.0: not held"


def test_waiting_tells_how_each_job_ended(pool):
    pool.answers["wait"] = {"jobs": [done("7.0"), done("7.1", 9), done("7.2", 3 << 8)]}
    assert good("wait", "7", "--timeout", "1min").splitlines() == [
        "7.0 completed with exit status 0",
        "7.1 completed by SIGKILL",
        "7.2 completed with exit status 3",
    ]
    assert pool.asked == [{"do": "wait", "jobs": ["7"], "timeout_s": 60.0, "held": False}]


def test_waiting_in_vain(pool):
    pool.answers["wait"] = {"timeout": True, "jobs": [running()]}
    done = ckptsim("wait", "--timeout", "1s")
    assert (done.returncode, done.stdout) == (1, "7.0 is still running\n")
    assert "--timeout: soon" not in done.stderr
    assert mistake("wait", "--timeout", "soon").startswith("--timeout: 'soon': not a duration")


def test_the_spool_is_a_folder_that_is_there(pool, tmp_path):
    pool.answers["jobs"] = {"jobs": [running(spool=str(tmp_path))]}
    assert good("spool", "7.0") == f"{tmp_path}\n"
    pool.answers["jobs"] = {"jobs": [running()]}
    told = mistake("spool", "7.0")
    assert told == "job 7.0 has no checkpoint in the spool: none was committed yet"
    pool.answers["jobs"] = {"jobs": [running("7.0"), running("7.1")]}
    assert mistake("spool", "7") == "cluster 7 has 2 jobs; name one, for example 7.0"


def test_entering_a_sandbox_gives_the_jobs_variables(pool, tmp_path):
    sandbox = tmp_path / "scratch"
    sandbox.mkdir()
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\necho "$_CONDOR_SCRATCH_DIR $_CONDOR_SLOT $PWD"\nexit 3\n')
    shell.chmod(0o755)
    pool.answers["jobs"] = {"jobs": [running(sandbox=str(sandbox))]}
    entered = ckptsim("enter", "7.0", env={**os.environ, "SHELL": str(shell)})
    assert (entered.returncode, entered.stdout) == (3, f"{sandbox} slot1_3 {sandbox}\n")
    assert "What you change here is the job's" in entered.stderr
    pool.answers["jobs"] = {"jobs": [job()]}
    assert mistake("enter", "7.0") == "job 7.0 has no sandbox: it is idle"


def event(number, name="007.000.000", text="words"):
    return f"{number} ({name}) 2026-11-22 15:27:26 {text}\n\tmore\n...\n"


def test_a_log_gives_the_jobs_own_events_since_it_was_submitted(pool, tmp_path):
    log = tmp_path / "job.log"
    earlier = event("000") + event("009")  # of another pool with the same numbers
    log.write_text(
        earlier + event("000") + event("000", "007.001.000") + event("001") + "005 (007.00"
    )
    pool.answers["jobs"] = {"jobs": [running(log=str(log))]}
    assert good("log", "7.0") == event("000") + event("001")
    pool.answers["jobs"] = {"jobs": [running()]}
    assert mistake("log", "7.0").startswith("job 7.0 has no log; its submit file names none")
    pool.answers["jobs"] = {"jobs": [running(log=str(tmp_path / "gone"))]}
    assert mistake("log", "7.0").endswith("cannot read the log: no such file or directory")


def test_a_log_is_followed_until_the_job_ends(pool, tmp_path):
    log = tmp_path / "job.log"
    log.write_text(event("000"))
    pool.answers["jobs"] = {"jobs": [running(log=str(log))]}
    follower = subprocess.Popen(
        [*CKPTSIM, "log", "7.0", "--follow"], stdout=subprocess.PIPE, text=True
    )
    assert [follower.stdout.readline() for _ in range(3)] == event("000").splitlines(True)
    with log.open("a") as more:
        more.write(event("001") + event("005")[:20])
        more.flush()
        assert [follower.stdout.readline() for _ in range(3)] == event("001").splitlines(True)
        more.write(event("005")[20:])
    out, _ = follower.communicate(timeout=20)
    assert (out, follower.returncode) == (event("005"), 0)


def test_the_status_of_a_pool(pool):
    slots = [{"name": "slot1_1@ep1@host", "job": "7.0"}, {"name": "slot1_2@ep1@host", "job": None}]
    machine = {"name": "ep1", "pid": 9, "on": True, "draining": False, "cpus": 16, "slots": slots}
    off = {"name": "ep2", "pid": None, "on": False, "draining": False, "cpus": 4, "slots": []}
    pool.answers["status"] = {"pid": 8, "machines": [machine, off], "jobs": {"running": 1}}
    first, *_, ep1, ep2 = good("pool", "status").splitlines()
    assert first == "A pool is running in .ckptsim (pid 8); jobs: 1 running."
    assert ep1.split() == ["ep1", "on", "16", "1", "7.0"]
    assert ep2.split() == ["ep2", "off", "4", "0", "–"]
    assert json.loads(good("pool", "status", "--json")) == {
        "running": True,
        **pool.answers["status"],
    }


@pytest.mark.parametrize(
    "words",
    [
        "q",
        "submit job.sub",
        "wait",
        "rm 7",
        "drain ep1",
        "spool 7",
        "enter 7",
        "log 7",
        "pool stop",
    ],
)
def test_without_a_pool_each_command_says_so(words, tmp_path):
    (tmp_path / "job.sub").write_text("executable = /bin/true\nqueue\n")
    told = mistake(*words.split())
    assert told == "no pool is running in .ckptsim; start one with `ckptsim pool start`"
    assert not (tmp_path / ".ckptsim").exists()


def test_no_pool_is_a_status_of_its_own():
    found = ckptsim("pool", "status", "--json")
    assert (found.returncode, json.loads(found.stdout)) == (1, {"running": False, "machines": []})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pool", "start", "none.toml"], "none.toml: no such file or directory"),
        (["run", "job.sub", "--seed", "3"], "--seed: fates are only drawn with a scenario"),
        (["run", "job.sub", "--scenario", "none.toml"], "none.toml"),
        (["run", "job.sub", "--pool-config", "wrong.toml"], "wrong.toml: slot: no such key"),
        (["run", "none.sub"], "none.sub: No such file or directory"),
        (["pool", "start", "--state", "/proc/nothing"], "/proc/nothing: cannot keep a pool there"),
    ],
)
def test_a_pool_that_cannot_be_started_is_one_line(words, told, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "wrong.toml").write_text("slot = 1\n")
    assert told in mistake(*words)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("words", ["q", "submit job.sub", "pool status", "rm 7"])
def test_the_pools_commands_load_nothing_heavy(words, pool, tmp_path):
    (tmp_path / "job.sub").write_text("executable = /bin/true\nqueue\n")
    pool.answers = {
        "jobs": {"jobs": []},
        "cluster": {"cluster": 1},
        "rm": {"jobs": []},
        "status": {"pid": 1, "machines": [], "jobs": {}},
    }
    timed = [sys.executable, "-X", "importtime", *CKPTSIM[1:], *words.split()]
    told = subprocess.run(timed, capture_output=True, text=True, check=True).stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines()}
    assert "click" in loaded  # which shows that this test can see
    assert not loaded & {"numpy", "pandas", "scipy", "pydantic", "simpy", "matplotlib"}


# --- a real one -----------------------------------------------------------------------------------


@pytest.fixture
def example(tmp_path, shared):
    """The manual's example as it is printed, but for its steps, of a tenth of a second."""
    text = (shared / "golden" / "a_exit_code" / "example.py").read_text()
    (tmp_path / "example.py").write_text(text.replace("time.sleep(2)", "time.sleep(0.1)"))
    (tmp_path / "example.py").chmod(0o755)
    (tmp_path / "job.sub").write_text(
        "executable = example.py\noutput = example.out\nerror = example.err\nlog = job.log\n"
        "should_transfer_files = yes\ncheckpoint_exit_code = 85\n"
        "transfer_output_files = example.checkpoint\nqueue 1\n"
    )
    (tmp_path / "pool.toml").write_text(
        '[intervals]\nnegotiation = "50ms"\nperiodic = "100ms"\n'
        '[[machines]]\nname = "ep1"\nslots = 2\n'
    )
    return tmp_path


OUTPUT = (
    "".join(
        f"Starting from {start}\n"
        + "".join(f"Computing timestamp {step}\n" for step in range(start, min(start + 3, 10)))
        for start in (0, 3, 6, 9)
    )
    + "Computation complete\n"
)


@pytest.fixture
def started(example):
    assert "A pool is running in .ckptsim" in good("pool", "start", "pool.toml")
    yield example
    ckptsim("pool", "stop")


def test_the_manuals_example_in_a_pool(started):
    assert good("submit", "job.sub") == "1 job(s) submitted to cluster 1.\n"
    follower = subprocess.Popen([*CKPTSIM, "log", "1", "-f"], stdout=subprocess.PIPE, text=True)
    assert good("wait", "--timeout", "1min") == "1.0 completed with exit status 0\n"
    assert (started / "example.out").read_text() == OUTPUT
    (found,) = json.loads(good("q", "--json"))["jobs"]
    assert (found["status"], found["exit"], found["checkpoints"]) == ("completed", 0, 3)
    out, _ = follower.communicate(timeout=30)
    assert out == (started / "job.log").read_text()
    told = "job 1.0 has no checkpoint in the spool: it has completed"
    assert mistake("spool", "1") == told


def test_a_pool_is_started_once(started):
    status = json.loads(good("pool", "status", "--json"))
    (machine,) = status["machines"]
    assert (machine["name"], machine["cpus"], machine["on"]) == ("ep1", 2, True)
    assert (started / ".ckptsim").stat().st_mode & 0o777 == 0o700
    told = mistake("pool", "start")
    assert told.startswith(f"a pool is already running in .ckptsim (pid {status['pid']}); stop it")
    assert "`ckptsim pool stop`" in told
    assert good("pool", "stop").startswith("The pool in .ckptsim is stopped")
    assert mistake("pool", "stop").startswith("no pool is running")


def test_a_pool_that_was_killed_is_just_started_again(started):
    text = (started / "example.py").read_text()
    (started / "example.py").write_text(text.replace("sleep(0.1)", "sleep(0.3)"))
    good("submit", "job.sub")
    patiently(lambda: json.loads(good("q", "--json"))["jobs"][0]["checkpoints"] >= 1)
    os.kill(json.loads(good("pool", "status", "--json"))["pid"], signal.SIGKILL)
    assert mistake("q").startswith("no pool is running")
    assert "In its queue: 1 idle; see `ckptsim q`." in good("pool", "start", "pool.toml")
    assert good("wait", "--timeout", "1min") == "1.0 completed with exit status 0\n"
    assert (started / "example.out").read_text() == OUTPUT


def patiently(found, patience_s=30):
    until = time.monotonic() + patience_s
    while not found():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_shell_in_the_sandbox_of_a_running_job(started):
    (started / "job.sub").write_text(
        "executable = sleep.sh\nenvironment = COLOUR=blue\nlog = job.log\nqueue\n"
    )
    (started / "sleep.sh").write_text("#!/bin/sh\ntouch here\nsleep 60\n")
    (started / "shell").write_text('#!/bin/sh\nls; echo "$COLOUR $_CONDOR_SCRATCH_DIR $PWD"\n')
    for name in ("sleep.sh", "shell"):
        (started / name).chmod(0o755)
    good("submit", "job.sub")
    patiently(lambda: json.loads(good("q", "--json"))["jobs"][0]["status"] == "running")
    (found,) = json.loads(good("q", "--json"))["jobs"]
    patiently((Path(found["sandbox"]) / "here").exists)
    entered = ckptsim("enter", "1", env={**os.environ, "SHELL": str(started / "shell")})
    *listed, last = entered.stdout.splitlines()
    assert {"here", "sleep.sh"} <= set(listed)
    assert last == f"blue {found['sandbox']} {found['sandbox']}"
    assert good("hold", "1.0") == "Job 1.0 held\n"
    patiently(lambda: "1.0 is held: " in good("q"))
    assert good("release", "1") == "Job 1.0 released\n"
    assert good("rm", "1") == "Job 1.0 marked for removal\n"
    assert good("wait", "1", "--timeout", "1min") == "1.0 removed\n"


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    """A folder for temporary ones, in which nothing may be left, nor a process that knows it."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    yield place
    assert list(place.iterdir()) == []
    assert processes_in(place) == []


def processes_in(place):
    """The processes whose command line or working folder is there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = f"{(process / 'cmdline').read_bytes().decode()} {(process / 'cwd').readlink()}"
        except OSError:
            continue
        if str(place) in words:
            found.append(words)
    return found


@pytest.mark.usefixtures("nothing_left")
def test_a_run_accounts_for_its_time(example):
    ran = ckptsim("run", "job.sub", "--pool-config", "pool.toml", "--json", "--out", "report")
    assert (ran.returncode, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    books = document["ledger"]
    whole = books.pop("slot_time_s")
    assert sum(books.values()) == pytest.approx(whole, rel=1e-9)
    assert books["useful_s"] > 1.0  # ten steps of 0.1 s
    assert document["jobs"]["completed"] == 1
    assert whole <= document["jobs"]["makespans_s"][0]
    assert (document["engine"], document["checkpoints"], document["exit_status"]) == ("real", 3, 0)
    assert (example / "example.out").read_text() == OUTPUT
    files = {path.name for path in (example / "report").iterdir()}
    assert files == {
        "run.md",
        "run.html",
        "run.json",
        "run-ledger.png",
        "run-ledger.csv",
        "run-jobs.csv",
    }


@pytest.mark.usefixtures("nothing_left", "example")
def test_a_run_tells_what_happens_line_by_line():
    told = good("run", "job.sub", "--pool-config", "pool.toml")
    happened = [line[10:] for line in told.splitlines() if re.match(r"\d\d:\d\d:\d\d  ", line)]
    assert "1.0 running on slot1_1@ep1" in happened
    assert "1.0 checkpoint 3 committed" in happened
    assert happened[-1] == "1.0 completed with exit status 0"
    assert re.search(r"^useful .* s +\d\d\.\d %$", told, re.MULTILINE)
    assert re.search(r"^all .* s +100\.0 %$", told, re.MULTILINE)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("body", "queue", "status"),
    [
        ("exit $1", "queue code in (0 7 5)", 7),
        ("kill -$1 $$", "queue code in (0 9)", 137),
    ],
)
def test_a_run_ends_with_the_first_status_that_is_not_0(example, body, queue, status):
    (example / "end.sh").write_text(f"#!/bin/sh\n{body}\n")
    (example / "end.sh").chmod(0o755)
    (example / "end.sub").write_text(f"executable = end.sh\narguments = $(code)\n{queue}\n")
    ran = ckptsim("run", "end.sub", "--pool-config", "pool.toml")
    assert (ran.returncode, ran.stderr) == (status, "")


def test_a_run_ends_with_a_hold_and_says_where_to_look(example, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with (example / "job.sub").open() as file:
        text = file.read().replace("queue", "on_exit_hold = true\nqueue")
    (example / "job.sub").write_text(text)
    ran = ckptsim("run", "job.sub", "--pool-config", "pool.toml")
    assert ran.returncode == 1
    why, where = ran.stderr.splitlines()
    assert why.startswith("ckptsim: job 1.0 is held: The job attribute OnExitHold expression")
    folder, again, release = re.fullmatch(
        r"ckptsim: its checkpoint is in (.*); to go on: `ckptsim (.*)`, then `ckptsim (.*)`", where
    ).groups()
    assert (Path(folder) / "example.checkpoint").read_text() == "9"
    good(*again.split())
    assert good(*release.split()) == "Job 1.0 released\n"
    assert good("pool", "stop", *release.split()[-2:]).startswith("The pool in")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_run_leaves_nothing_behind(example, nothing_left, number):
    text = (example / "example.py").read_text()
    (example / "example.py").write_text(text.replace("sleep(0.1)", "sleep(20)"))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored, and so inherited
    run = subprocess.Popen(
        [*CKPTSIM, "run", "job.sub", "--pool-config", "pool.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "running" not in run.stdout.readline():
        pass
    assert processes_in(nothing_left)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (130, "ckptsim: stopping: the jobs are being removed\n")
    log = (example / "job.log").read_text()
    assert log.count("\n009 (001.000.000)") == 1


@pytest.mark.usefixtures("nothing_left")
def test_a_run_meets_a_scenarios_fates(example):
    (example / "fates.toml").write_text(
        '[slots]\ncount = 1\nlimit = "0.75s"\ngap = "0.1s"\n[job]\ninterval = "0.3s"\nwork = "1s"\n'
    )
    ran = ckptsim("run", "job.sub", "--scenario", "fates.toml", "--seed", "3", "--json")
    document = json.loads(ran.stdout)
    assert (ran.returncode, document["seed"]) == (0, 3)
    assert document["leases"]["count"] >= 2
    assert document["lost_by_cause"]["limit_s"] > 0
    assert (example / "example.out").read_text() == OUTPUT
