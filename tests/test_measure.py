"""`ckptsim measure`: figures from what was seen, and real runs of jobs whose times are planted."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("htcondor2", reason="needs HTCondor's Python bindings")

from ckptsim.cli import main
from ckptsim.commands import measure_job
from ckptsim.commands.measure_told import brief, write_new
from ckptsim.drivers.real.sandbox_watch import Log, SandboxWatch, Seen, files
from ckptsim.errors import OutputError
from ckptsim.htcondor.jobad import argv
from ckptsim.measure import Begin, Burst, Execution, Figure, Method, costs, executions, writes
from ckptsim.scenario import load
from ckptsim.units import SECOND

TOP = Path(__file__).parents[1]
MS = SECOND // 1000
LATE_S = 0.1
"""How much later than planted a thing may be seen: the interpreter, the pool, a busy machine."""


# --- from notes to executions ---------------------------------------------------------------------


def note(at, did, lease=1, job="1.0", **values):
    return {"job": job, "lease": lease, "at": at, "did": did, **values}


def ordered(at, order, purpose="", **values):
    return note(at, "ordered", order=order, purpose=purpose, sandbox=None, **values)


FIRST = [
    ordered(10, "stage"),
    note(12, "staged", bytes=500),
    note(13, "started", pid=7),
    note(40, "exited", status=85 << 8, marks=[["computing", 20], ["writing", 35]]),
    ordered(41, "send", "checkpoint"),
    note(45, "sent", bytes=77),
    note(46, "started", pid=8),
    note(60, "exited", status=9, marks=[]),
]
SECOND_LEASE = [
    ordered(70, "stage", lease=2),
    note(73, "staged", lease=2, bytes=577),
    note(74, "started", lease=2, pid=9),
]
AGAIN = [
    ordered(80, "stage", lease=3, job="2.0"),
    note(81, "staged", lease=3, job="2.0", bytes=500),
    note(82, "started", lease=3, job="2.0", pid=10),
]


def test_notes_become_executions():
    cold, in_place, lease, again = executions([*FIRST, *SECOND_LEASE, *AGAIN])
    marks = (("computing", 20), ("writing", 35))
    assert cold == Execution(1, Begin.COLD, 10, 12, 500, 13, 40, 85 << 8, marks, 45, 77)
    assert in_place == Execution(1, Begin.IN_PLACE, 0, 45, 0, 46, 60, 9)
    assert lease == Execution(2, Begin.LEASE, 70, 73, 577, 74)
    assert again == Execution(3, Begin.COLD, 80, 81, 500, 82)  # a new job has no checkpoint yet


def test_a_final_transfer_is_no_checkpoint():
    notes = [*FIRST[:4], ordered(41, "send", "final"), note(45, "sent", bytes=77)]
    (run,) = executions(notes)
    assert (run.sent, run.bytes) == (0, 0)


def test_a_failed_checkpoint_says_why():
    failed = note(45, "send_failed", path="ckpt", error="No such file or directory")
    (run,) = executions([*FIRST[:5], failed])
    assert (run.sent, run.failed) == (0, "ckpt: No such file or directory")


# --- from executions to figures -------------------------------------------------------------------


def execution(begin=Begin.IN_PLACE, at=0, **values):
    """Ready at 0 s, started at 1 s, exited at 100 s and transferred at 103 s, all from `at` on."""
    times = {"ready": 0, "started": 1, "exited": 100, "sent": 103}
    shifted = {name: (at + time) * SECOND for name, time in times.items()}
    return Execution(
        lease=1, begin=begin, asked=0, input=0, status=85 << 8, bytes=1000, **(shifted | values)
    )


def marks(*said):
    return tuple((word, at * SECOND) for word, at in said)


def bursts(*pairs):
    return [Burst(round(first * SECOND), round(last * SECOND)) for first, last in pairs]


def seconds_of(found, name):
    return [time / SECOND for time in found.figure(name).times]


def test_marks_tell_all_apart():
    run = execution(
        at=1000,
        marks=marks(("starting", 1002), ("computing", 1010), ("writing", 1090)),
        touched={"ckpt": bursts((1020, 1099))},  # not looked at where there are marks
    )
    found = costs([run], ["ckpt"])
    assert seconds_of(found, "restart in place") == [10]
    assert seconds_of(found, "interval") == [80]
    assert seconds_of(found, "write") == [10]
    assert seconds_of(found, "transfer") == [3]
    assert found.figure("write").method is Method.MARKS


def test_a_job_that_writes_more_often_than_it_exits_shows_its_step():
    said = [(word, at) for at in (10, 40, 70) for word in ("computing", "writing")]
    times = (10, 30, 40, 60, 70, 90)
    run = execution(at=0, marks=marks(*((w, t) for (w, _), t in zip(said, times, strict=True))))
    found = costs([run], ["ckpt"])
    assert seconds_of(found, "step") == [30, 30]
    assert seconds_of(found, "interval") == [60]  # three times 20 s of computing
    assert seconds_of(found, "write") == [10]


def test_without_marks_signs_of_life_and_changed_files_tell():
    touched = {"_condor_stdout": bursts((1009, 1080)), "ckpt": bursts((1090, 1099.5))}
    found = costs([execution(at=1000, touched=touched)], ["ckpt"])
    assert seconds_of(found, "restart in place") == [9]
    assert seconds_of(found, "write") == [10]
    assert seconds_of(found, "interval") == [81]
    assert found.figure("restart in place").method is Method.SIGNS
    assert found.figure("interval").method is Method.FILES


def test_output_that_comes_with_the_checkpoint_is_no_sign_of_life():
    touched = {"_condor_stdout": bursts((1099, 1099)), "ckpt": bursts((1090, 1099))}
    found = costs([execution(at=1000, touched=touched)], ["ckpt"])
    assert found.figure("restart in place") is None
    assert seconds_of(found, "interval") == [90]  # from the end of the transfer on
    assert found.figure("interval").method is Method.UNTOLD


def test_the_manuals_job_writes_at_each_step_and_exits_at_each_third():
    touched = {"ckpt": bursts((1030, 1030), (1060, 1060), (1099, 1099.4))}
    found = costs([execution(at=1000, touched=touched)], ["ckpt"])
    assert seconds_of(found, "write") == [1]  # the last of them
    assert seconds_of(found, "step") == [30, 39]


def test_files_of_a_checkpoint_written_one_after_another_are_one_write():
    touched = {"a": bursts((80, 90)), "d/b": bursts((90.5, 99)), "log": bursts((2, 99))}
    run = execution(touched=touched)
    assert writes(run, ["a", "d/"]) == bursts((80, 99))
    assert writes(run, None) == bursts((2, 99))  # with no list, all new files are the checkpoint


def test_a_checkpoint_that_was_never_committed_does_not_count():
    assert costs([execution(sent=0)], ["ckpt"]).sizes == ()


def test_exits_are_counted_within_a_lease_alone():
    runs = [execution(at=at) for at in (0, 110, 300)]
    runs[2] = runs[2]._replace(lease=2, begin=Begin.LEASE)
    assert seconds_of(costs(runs, ["ckpt"]), "from exit to exit") == [110]


def test_a_figure_in_numbers():
    figure = Figure("write", "job.write", (1, 2, 3, 4, 10), Method.POOL)
    assert (figure.median, figure.mean, figure.quartiles) == (3, 4, (2, 4))
    assert figure.is_spread
    assert not Figure("write", "job.write", (100, 105, 109), Method.POOL).is_spread


# --- looking at a sandbox -------------------------------------------------------------------------


def taken(*seen):
    """What is known after these looks, each a list of (path, inode, second of change)."""
    log = Log()
    for look in seen:
        for path, inode, at in look:
            present = {name for name, _, _ in look}
            log.take(Seen(path, inode, round(at * SECOND)), present=present)
    return log.touched


def test_a_file_that_is_renamed_was_being_written_all_along():
    found = taken([("ckpt.new", 5, 10)], [("ckpt", 5, 300)])
    assert found["ckpt"] == bursts((10, 300))


def test_a_file_rewritten_after_a_pause_is_written_anew():
    looks = [[("ckpt", 5, at)] for at in (10, 10.4, 10.8, 40, 40.9)]
    assert taken(*looks)["ckpt"] == bursts((10, 10.8), (40, 40.9))


def test_an_inode_in_use_again_is_another_file():
    found = taken([("ckpt", 5, 10), ("new", 6, 39)], [("ckpt", 6, 40), ("new", 5, 70)])
    assert found["new"][-1] == Burst(70 * SECOND, 70 * SECOND)


def test_a_change_just_before_the_start_came_just_after_it(tmp_path):
    """The clock of files lags: the job's first output may bear a time before its start."""
    (tmp_path / "_condor_stdout").write_text("hello")
    (tmp_path / "_condor_stderr").touch()  # made by the machine: no sign of the job
    changed = (tmp_path / "_condor_stdout").stat().st_ctime_ns
    run = execution(ready=changed - 2 * MS, started=changed + 3 * MS, exited=0, sent=0)
    watch = SandboxWatch()
    watch.look(str(tmp_path), [run])
    assert watch.of(run).touched == {"_condor_stdout": [Burst(run.started, run.started)]}
    staged = run._replace(lease=2, ready=changed + 1)  # what was there before is none of its own
    watch.look(str(tmp_path), [staged])
    assert watch.of(staged).touched == {}


def test_only_the_jobs_own_files_are_looked_at(tmp_path):
    for name in (".job.ad", ".ckptsim.marks", "ckpt", "d/part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("ckpt")
    assert {seen.path for seen in files(str(tmp_path))} == {"ckpt", "d/part"}
    assert list(files(str(tmp_path / "gone"))) == []


# --- the job of a bare command --------------------------------------------------------------------


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=8)))
@settings(max_examples=50, deadline=None)
def test_a_commands_words_come_back_from_its_submit_description(words):
    found = measure_job.from_command(["/bin/echo", *words], 85, ["ckpt"], [])
    assert argv(found.ad) == words
    assert (found.wanted, found.status) == (["ckpt"], 85 << 8)


def test_nothing_of_a_private_job_comes_home(tmp_path):
    (tmp_path / "job.sub").write_text(
        "executable = /bin/true\ncheckpoint_exit_code = 85\noutput = out\nmax_retries = 3\n"
        'requirements = Name == "elsewhere"\nhold = true\nrequest_cpus = 64\nqueue\n'
    )
    ad = measure_job.from_file(tmp_path / "job.sub").ad
    assert "slots = 64" in measure_job.pool_file(ad)
    private = measure_job.made_private(ad, tmp_path / "home")
    assert private["Out"] == str(tmp_path / "home" / "out")
    assert (str(private.lookup("Requirements")), private["JobStatus"]) == ("true", 1)
    assert "OnExitRemove" not in private


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0s"), (123_456_789, "123ms"), (4_294, "4290ns"), (90_040 * MS, "1min30s")],
)
def test_times_for_a_scenario_have_three_digits(ns, text):
    assert brief(ns) == text


def test_a_scenario_file_is_never_written_over(tmp_path):
    write_new(tmp_path / "s.toml", "first")
    with pytest.raises(OutputError, match="exists already"):
        write_new(tmp_path / "s.toml", "second")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["first"]


# --- mistakes, told before anything runs ----------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, and one for temporary ones in which nothing may be left."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "here"
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_in(tmp_path) == []


def processes_in(place):
    """The processes whose command line or working folder is there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = f"{(process / 'cmdline').read_bytes().decode()} {(process / 'cwd').readlink()}"
        except OSError:
            continue
        if str(place) in words and int(process.name) != os.getpid():
            found.append(words)
    return found


def program(name, text, *, interpreter=""):
    """An executable; a Python that starts at once, for that is part of every restart."""
    path = Path(name)
    path.write_text(f"#!{interpreter or sys.executable + ' -IS'}\n{text}")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("gone.sub", "gone.sub: No such file or directory; expected a submit file"),
        ("plain.sub", "no `checkpoint_exit_code`, so no exit means a checkpoint"),
        ("signal.sub", "checkpoints when it is told to, which is not measured"),
        ("plain.sub --scenario here.toml", "here.toml: exists already; choose another file"),
        ("plain.sub --scenario gone/s.toml", "gone: cannot be written to"),
        ("plain.sub --at-most 0", "0: must be longer than 0"),
        ("plain.sub --bandwidth fast", "not a number and a unit"),
        ("plain.sub --checkpoint-files a", "--checkpoint-files: plain.sub says that itself"),
        ("plain.sub more", "more: a second word"),
        ("-- script.sh", "script.sh: no such program; for the one in this folder write ./script"),
        ("--checkpoint-files a -- ./here.toml", "cannot be executed; `chmod +x ./here.toml`"),
        ("--input-files gone -- ./script.sh", "gone: no such file"),
    ],
)
def test_a_mistake_is_told_in_one_line(folder, monkeypatch, capsys, words, told):
    program("script.sh", "", interpreter="/bin/sh")
    (folder / "plain.sub").write_text("executable = /bin/true\nqueue\n")
    (folder / "signal.sub").write_text(
        "executable = /bin/true\ncheckpoint_exit_code = 85\n+WantCheckpointSignal = true\nqueue\n"
    )
    (folder / "here.toml").touch()
    monkeypatch.setattr(sys, "argv", ["ckptsim", "measure", *shlex.split(words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert told in err


# --- real runs ------------------------------------------------------------------------------------


def ckptsim(*words):
    return subprocess.run(
        [sys.executable, "-m", "ckptsim", "measure", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def about(figure, planted_s):
    """Is the median what was planted, and not much later?"""
    return planted_s - 0.005 <= figure["median_s"] <= planted_s + LATE_S


MARKED = """
import os, sys, time

def mark(word):
    with open(os.environ["CKPTSIM_MARKS"], "a") as file:
        file.write(f"{word} {time.time_ns()}\\n")

interval, write, restart, cold_start = map(float, sys.argv[1:])
time.sleep(restart if os.path.exists("state") else cold_start)
mark("computing")
time.sleep(interval)
mark("writing")
time.sleep(write)
open("state", "w").write("x" * 1000)
sys.exit(85)
"""


def test_planted_times_of_a_job_with_marks_are_found(folder):
    """Write 0.2 s, restart 0.15 s, cold start 0.25 s, interval 0.3 s."""
    program("telling.py", MARKED)
    words = "--checkpoint-files state -- ./telling.py 0.3 0.2 0.15 0.25"
    options = "--checkpoints 3 --restarts 2 --json --out report --scenario job.toml"
    ran = ckptsim(*shlex.split(f"{options} {words}"))
    assert (ran.returncode, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    figures = document["figures"]
    planted = {
        "write": 0.2,
        "restart_in_place": 0.15,
        "restart_lease": 0.15,
        "cold_start": 0.25,
        "interval": 0.3,
    }
    assert {name: about(figures[name], at) for name, at in planted.items()} == dict.fromkeys(
        planted, True
    )
    assert {name: figures[name]["method"] for name in planted} == dict.fromkeys(
        planted, "the job's own marks"
    )
    counts = {name: figure["count"] for name, figure in figures.items()}
    # On a busy machine the job goes on a little before its slot is taken away.
    assert counts["write"] == counts["transfer"] == document["checkpoints"] >= 3
    assert counts["cold_start"] == 1
    assert counts["restart_lease"] >= 2
    assert (document["complete"], document["marked"]) == (True, True)
    named = {*document, *figures, *figures["write"]}
    assert named <= set(re.findall(r"`([a-z_]+)`", PAGE))
    assert "checkpoint_exit_code      = 85" in document["submit_description"]
    scenario = load(folder / "job.toml", {})
    assert abs(scenario.job.write.mean - figures["write"]["median_s"]) < 0.05
    assert scenario.job.interval == pytest.approx(0.3 * SECOND, abs=LATE_S * SECOND)
    names = {path.name for path in (folder / "report").iterdir()}
    assert {"measure.md", "measure.html", "measure-times.png", "measure-write.csv"} <= names
    rows = (folder / "report" / "measure-executions.csv").read_text().splitlines()
    assert rows[1].startswith("cold start,")
    assert len(rows) >= 1 + 1 + 3 + 2  # a head, a cold start, restarts in place, in new leases


UNMARKED = """
import os, sys, time
time.sleep(0.15)
print("computing", flush=True)
time.sleep(0.3)
with open("state.new", "w") as file:
    file.write("x" * 1000)
    file.flush()
    time.sleep(0.2)
os.replace("state.new", "state")
sys.exit(85)
"""


def test_planted_times_of_a_job_that_says_nothing_are_found(folder):
    program("silent.py", UNMARKED)
    (folder / "silent.sub").write_text(
        "executable = silent.py\noutput = out.txt\nlog = log.txt\ncheckpoint_exit_code = 85\n"
        "transfer_checkpoint_files = state\nqueue 3\n"
    )
    ran = ckptsim("silent.sub", "--checkpoints", "3", "--restarts", "1", "--bandwidth", "1 MB/s")
    assert (ran.returncode, ran.stderr) == (0, "")
    # In a new lease also the input is copied before; that is no part of the restart.
    for name, planted_s in (("write", 0.2), ("restart in place", 0.15), ("interval", 0.3)):
        (line,) = re.findall(rf"^{name} +\d +([0-9.]+) s ", ran.stdout, re.MULTILINE)
        assert planted_s - 0.005 <= float(line) <= planted_s + LATE_S
    assert re.search(
        r"^silent\.sub: [3-5] checkpoints of 1\.\d+ kB, each", ran.stdout, re.MULTILINE
    )
    for told in (
        "Only the first of the 3 jobs was run.",
        "By changes of the checkpoint's files: write, interval.",
        "The job does not say what it does, so restart and computing are told apart by its first",
        "checkpoint 3 of 3\n",
        "restart 1 of 1 in a new lease\n",
    ):
        assert told in ran.stdout
    job = tomllib.loads(ran.stdout.partition("For a scenario:\n")[2])["job"]
    assert job["bandwidth"] == "1 MB/s"
    assert re.search(r"at 1 MB/s a checkpoint of 1\.\d+ kB takes 1\.\d+ ms and an", ran.stdout)
    assert {"write", "size", "cold_start", "restart_in_place", "restart_lease"} <= set(job)
    assert "transfer" not in job
    assert {path.name for path in folder.iterdir()} == {"silent.py", "silent.sub"}


def test_the_manuals_job_ends_early_and_is_run_again_for_its_restarts(folder):
    """Its three checkpoints are fewer than the five that are asked for."""
    golden = TOP / "tests" / "golden" / "a_exit_code"
    text = (golden / "example.py").read_text()
    program("example.py", text.replace("sleep(2)", "sleep(0.05)"))
    shutil.copy(golden / "job.sub", folder)
    ran = ckptsim("job.sub", "--json", "--restarts", "1")
    assert (ran.returncode, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    counts = {name: figure["count"] for name, figure in document["figures"].items()}
    assert document["checkpoints"] >= 4
    assert document["complete"] is True
    assert counts["input"] >= 1  # of a new lease, with the checkpoint; cold starts do not count
    assert document["figures"]["from_exit_to_exit"]["median_s"] >= 3 * 0.05
    told = " ".join(document["sentences"])
    assert "The job ended with exit code 0 after 3 of 5 checkpoints." in told
    # It writes before it says anything, for its output is buffered.
    assert "Not known, since no output or file showed it: cold start" in told


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("exit 0", "it ended with exit code 0, not with exit code 85; expected it to exit with"),
        (
            "echo oh >&2; exit 3",
            "it ended with exit code 3, not with exit code 85 (its last words: oh);",
        ),
        ("exec sleep 60", "it kept running for 0.5 s and did not exit with exit code 85; give it"),
        (
            "exit 85",
            "it could not be transferred: state: No such file or directory; its checkpoint is",
        ),
    ],
)
def test_without_any_checkpoint_it_is_told_what_was_seen(body, told):
    program("odd.sh", body, interpreter="/bin/sh")
    ran = ckptsim("--checkpoint-files", "state", "--at-most", "0.5s", "--json", "--", "./odd.sh")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith("ckptsim: odd.sh: no checkpoint: ")
    assert told in ran.stderr


def test_an_interrupted_measurement_tells_what_it_has(folder):
    program("silent.py", UNMARKED)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored, and so inherited
    words = "--checkpoint-files state --scenario job.toml -- ./silent.py"
    run = subprocess.Popen(
        [sys.executable, "-m", "ckptsim", "measure", *shlex.split(words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "checkpoint 1 of 5" not in run.stdout.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (130, "")
    told = r"Incomplete: it was interrupted after [1-4] of 5 checkpoints and 0 of 2 restarts\."
    assert re.search(f"^{told}$", out, re.MULTILINE)
    assert re.search(f"^# {told}$", (folder / "job.toml").read_text(), re.MULTILINE)
    assert re.search(r"^write +[1-4] +0\.[23]", out, re.MULTILINE)


# --- what is documented ---------------------------------------------------------------------------

PAGE = (TOP / "docs" / "measure.md").read_text()
((COMMAND, SAID),) = re.findall(r"```console\n\$ ckptsim measure (.*)\n((?:.*\n)*?)```", PAGE)


def without_numbers(text):
    """The text with # for each number and its unit, as one measurement differs from the next."""
    numbers = re.sub(r"\d[\d.]*(?: ?(?:ms|us|s|B|kB)\b)?", "#", text)
    return [" ".join(line.split()) for line in numbers.replace("uniform(#, #)", "#").split("\n")]


def test_the_page_says_what_its_command_prints(folder):
    program("steady.py", (TOP / "scenarios" / "real" / "steady.py").read_text())
    ran = ckptsim(*shlex.split(COMMAND))
    assert (ran.returncode, ran.stderr) == (0, "")
    printed = "\n".join(without_numbers(ran.stdout))
    for part in SAID.split("…\n"):  # an ellipsis alone on a line stands for lines left out
        assert "\n".join(without_numbers(part)).strip() in printed
    assert {path.name for path in folder.iterdir()} == {"steady.py"}
