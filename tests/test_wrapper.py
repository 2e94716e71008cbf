"""The wrapper, really run around small programs, as HTCondor runs an executable."""

import ast
import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from ckptsim.wrapping.written import WRAPPER, wrapper

PLAIN = (sys.executable, "-I", "-S")
LONG_S = 60
HOUR_S = 3600

# Counts up to a goal and writes the count every so many, in its own way.
COUNTING = """
import os, signal, sys, time
goal, every, way = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
count = int(open("count").read()) if os.path.exists("count") else 0
print("from", count, flush=True)
def save(*_):
    with open("count", "w") as file:
        file.write(str(count))
    if way == "says":
        print("saved", count, flush=True)
    if way == "marker":
        open("complete", "w").write(str(count))
def save_and_end(*_):
    save()
    sys.exit(int(sys.argv[4]))
if way == "told":
    signal.signal(signal.SIGUSR1, save_and_end)
    signal.signal(signal.SIGTERM, save_and_end)
if way == "told goes on":
    signal.signal(signal.SIGUSR1, save)
while count < goal:
    time.sleep(0.02)
    count += 1
    if way not in ("told", "told goes on") and count % every == 0:
        save()
        time.sleep(0.15)  # so that it is quiet for a while
        if way == "ends" and count < goal:
            sys.exit(int(sys.argv[4]))
open("result", "w").write("counted to %d" % count)
if way == "ends":
    sys.exit(0)
"""


class Sandbox:
    """A folder with the wrapper and a program, as on an execute node."""

    def __init__(self, place):
        self.place = place
        (place / "program.py").write_text(COUNTING)

    def carry(self, **settings):
        usual = {
            "checkpoint": ["count"],
            "complete": {"quiet_s": 0.08},
            "signal": "USR1",
            "patience_s": 20,
        }
        (self.place / "wrapped.py").write_bytes(wrapper({**usual, **settings}))

    def begin_lease(self, ago=0.0, **ad):
        """As HTCondor does when it puts a job on a slot."""
        file = self.place / ".job.ad"
        file.write_text("".join(f"{name} = {value}\n" for name, value in ad.items()))
        os.utime(file, (time.time() - ago,) * 2)

    def start(self, *command, **environment):
        return subprocess.Popen(
            [*PLAIN, "wrapped.py", *command],
            cwd=self.place,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command, **environment):
        """The exit code, standard output and standard error."""
        with self.start(*command, **environment) as started:
            out, err = started.communicate(timeout=LONG_S)
        return started.returncode, out, err

    def count(self, goal, way, every=10, code=0, **environment):
        return self.run(*counting(goal, way, every, code), **environment)

    def finish(self, goal, way, every=10, code=0):
        """Run it until it is done: the exit codes."""
        codes = [85]
        while codes[-1] == 85 and len(codes) < 100:
            codes.append(self.count(goal, way, every, code)[0])
        return codes[1:]

    def move(self, *names):
        """To a new sandbox, as after an eviction: only what was transferred is there."""
        place = self.place.with_name(f"{self.place.name}+")
        place.mkdir()
        for name in ("program.py", "wrapped.py", *names):
            if (self.place / name).exists():
                (self.place / name).rename(place / name)
        self.place = place

    @property
    def journal(self):
        return (self.place / "journal").read_text()

    @property
    def result(self):
        return (self.place / "result").read_text()


def counting(goal, way, every=10, code=0):
    return (*PLAIN, "program.py", str(goal), str(every), way, str(code))


@pytest.fixture
def sandbox(tmp_path):
    place = tmp_path / "sandbox"
    place.mkdir()
    return Sandbox(place)


# --- the ways to checkpoint -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "complete"),
    [
        ("quiet", {"quiet_s": 0.08}),
        ("marker", {"marker": "complete"}),
        ("says", {"says": "^saved [0-9]+"}),
        ("quiet", {"command": "test -s count"}),
    ],
)
def test_a_program_that_never_ends_at_a_checkpoint_is_stopped_at_a_complete_one(
    sandbox, way, complete
):
    sandbox.carry(complete=complete)
    codes = sandbox.finish(60, way)
    assert codes[-1] == 0
    assert 85 in codes
    assert set(codes) == {0, 85}
    assert sandbox.result == "counted to 60"


def test_only_every_third_checkpoint_is_one_to_exit_with(sandbox):
    sandbox.carry(every=3)
    assert sandbox.count(200, "quiet")[0] == 85
    assert "checkpoint 3 was due" in sandbox.journal


@pytest.mark.parametrize("code", [0, 3])
def test_a_program_that_ends_at_a_checkpoint_is_told_from_one_that_is_done(sandbox, code):
    sandbox.carry(way="ends", done={"file": "result"}, codes=[code])
    assert sandbox.finish(40, "ends", code=code) == [85, 85, 85, 0]
    assert sandbox.result == "counted to 40"


@pytest.mark.parametrize("done", [{"command": "test -e result"}, {"says": "from 30"}])
def test_what_tells_the_end_may_be_a_command_or_its_output(sandbox, done):
    sandbox.carry(way="ends", done=done)
    assert sandbox.finish(40, "ends") == [85, 85, 85, 0]


def test_a_checkpoint_that_is_not_due_is_gone_on_from_at_once(sandbox):
    sandbox.carry(way="ends", done={"file": "result"}, every=2)
    code, out, _ = sandbox.count(100, "ends")
    assert (code, out) == (85, "from 0\nfrom 10\n")


@pytest.mark.parametrize("code", [0, 85, 138])
def test_a_program_that_saves_when_told_is_told_when_it_pays(sandbox, code):
    sandbox.carry(way="told", complete={}, answers=[answer(interval_s=1.0)])
    began = time.monotonic()
    assert sandbox.count(100_000, "told", code=code)[0] == 85
    assert time.monotonic() - began >= 1.0
    first = int((sandbox.place / "count").read_text())
    assert sandbox.finish(first + 20, "told", code=code)[-1] == 0


def test_a_program_that_saves_and_goes_on_is_stopped_then(sandbox):
    sandbox.carry(way="told", answers=[answer(interval_s=1.0)])
    assert sandbox.count(100_000, "told goes on")[0] == 85
    assert int((sandbox.place / "count").read_text()) > 0


def test_a_sequence_of_steps_is_resumed_at_the_first_not_done(sandbox):
    commands = ["sh -c 'echo one >> log'", "sh -c 'echo two >> log'", "sh -c 'echo three >> log'"]
    sandbox.carry(way="steps", steps=commands, checkpoint=["log"])
    assert sandbox.run("unused")[0] == 85
    sandbox.move("kept")
    assert [sandbox.run("unused")[0] for _ in range(2)] == [85, 0]
    assert (sandbox.place / "log").read_text() == "one\ntwo\nthree\n"


def test_a_step_that_fails_is_the_end(sandbox):
    sandbox.carry(way="steps", steps=["true", "sh -c 'exit 7'", "true"], checkpoint=["log"])
    assert [sandbox.run("unused")[0] for _ in range(2)] == [85, 7]


def test_other_arguments_where_there_is_a_checkpoint(sandbox):
    sandbox.carry(
        way="ends", done={"file": "result"}, continue_with=["-c", "date > count; echo again"]
    )
    assert sandbox.run("sh", "-c", "date > count; echo first")[:2] == (85, "first\n")
    assert sandbox.run("sh", "-c", "date > count; echo first")[:2] == (85, "again\n")


# --- what is kept ---------------------------------------------------------------------------------


def test_what_was_kept_comes_back_in_a_new_sandbox(sandbox):
    sandbox.carry()
    assert sandbox.count(100, "quiet")[0] == 85
    counted = (sandbox.place / "count").read_text()
    sandbox.move("kept")
    assert sandbox.count(100, "quiet")[:2] == (85, f"from {counted}\n")


@pytest.mark.parametrize("damage", ["torn", "garbled", "gone", "no manifest", "torn manifest"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(sandbox, damage):
    sandbox.carry(way="ends", done={"file": "result"})
    assert [sandbox.count(100, "ends")[0] for _ in range(2)] == [85, 85]
    sandbox.move("kept")
    newest = sandbox.place / "kept" / "000002"
    count, manifest = newest / "files" / "count", newest / "manifest.json"
    {
        "torn": lambda: os.truncate(count, 1),
        "garbled": lambda: count.write_text("99"),
        "gone": count.unlink,
        "no manifest": manifest.unlink,
        "torn manifest": lambda: os.truncate(manifest, 20),
    }[damage]()
    assert sandbox.count(100, "ends")[:2] == (85, "from 10\n")
    assert "000002 is not whole" in sandbox.journal


def test_what_was_written_after_the_checkpoint_does_not_count(sandbox):
    sandbox.carry(way="ends", done={"file": "result"}, checkpoint=["count*"])
    assert sandbox.count(100, "ends")[0] == 85
    (sandbox.place / "count").write_text("5")
    (sandbox.place / "count.9").write_text("torn")
    assert sandbox.count(100, "ends")[:2] == (85, "from 10\n")
    assert not (sandbox.place / "count.9").exists()


def test_only_the_newest_of_many_are_kept_with_what_belongs_to_them(sandbox):
    sandbox.carry(way="ends", done={"file": "result"}, checkpoint=["ck/*"], carry=["out"], newest=2)
    making = "mkdir -p ck; for n in 1 2 3; do echo $n > ck/$n; sleep 0.02; done; echo x > out"
    assert sandbox.run("sh", "-c", making)[0] == 85
    kept = sandbox.place / "kept" / "000001" / "files"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == [
        "ck/2",
        "ck/3",
        "out",
    ]


def test_without_the_one_before_there_is_one(sandbox):
    sandbox.carry(way="ends", done={"file": "result"}, previous=False)
    assert [sandbox.count(100, "ends")[0] for _ in range(3)] == [85] * 3
    assert [path.name for path in (sandbox.place / "kept").iterdir()] == ["000003"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_killed_at_any_moment_it_goes_on_from_a_whole_checkpoint(sandbox, seed):
    """The program itself dies over a torn checkpoint: `int` of an empty text."""
    chance = random.Random(seed)
    sandbox.carry(way="ends", done={"file": "result"}, checkpoint=["count"])
    done = 0
    for _ in range(12):
        with sandbox.start(*counting(10_000, "ends", every=3)) as started:
            time.sleep(chance.uniform(0.05, 0.5))
            started.kill()
            out, _ = started.communicate(timeout=LONG_S)
        if out:
            begun = int(out.split()[1])
            assert begun >= done
            done = begun
        sandbox.move("kept")
    assert sandbox.count(done + 1, "ends", every=3)[0] in (0, 85)


# --- when it pays ---------------------------------------------------------------------------------


def answer(
    interval_s=None, table=None, cost_s=1.0, restart_s=0.0, leave_after_s=None, limit_s=None
):
    return {
        "cost_s": cost_s,
        "restart_s": restart_s,
        "interval_s": interval_s,
        "table": table,
        "leave_after_s": leave_after_s,
        "limit_s": limit_s,
    }


@pytest.fixture
def module(sandbox, monkeypatch):
    """The wrapper's functions with these settings, not run."""
    monkeypatch.chdir(sandbox.place)

    def made(**settings):
        sandbox.carry(**settings)
        spec = spec_from_file_location("wrapped", sandbox.place / "wrapped.py")
        found = module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    return made


TABLE = [[0, 100, 50], [60, 200, 100], [300, None, None]]


@pytest.mark.parametrize(
    ("age", "compute"),
    [(0, 100), (30, 75), (60, 200), (180, 150), (299, 100 + 100 / 240), (300, None)],
)
def test_the_table_is_read_by_the_age_of_the_lease(module, age, compute):
    assert module().by_table(TABLE, age) == (compute and pytest.approx(compute))


def test_the_slots_end_is_what_htcondor_or_slurm_say(module, sandbox, monkeypatch):
    wrapped = module(limit_s=1000.0)
    sandbox.begin_lease(ago=100, AllowedJobDuration=500)
    assert wrapped.seconds_left() == pytest.approx(400, abs=5)
    (sandbox.place / ".machine.ad").write_text(f"GLIDEIN_ToDie = {int(time.time()) + 300}\n")
    assert wrapped.seconds_left() == pytest.approx(300, abs=5)
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 200))
    assert wrapped.seconds_left() == pytest.approx(200, abs=5)


def test_where_the_end_is_known_the_table_is_read_from_there(module, sandbox):
    wrapped = module(limit_s=400.0)
    sandbox.begin_lease(ago=100)
    assert wrapped.age_by_plan(answer(table=TABLE, limit_s=600)) == pytest.approx(300, abs=5)
    assert wrapped.age_by_plan(answer(table=TABLE)) == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    ("count", "total_s", "interval_s"),
    [
        *((300, 630.0, 30), (300, 310.0, 20), (300, 60.0, 10), (300, 30_000.0, 40)),
        *((1, 4.0, 30), (3, 0.2, 20)),  # with the plan's 2 s counted as five of them
    ],
)
def test_the_answer_is_that_for_the_cost_that_was_measured(module, count, total_s, interval_s):
    answers = [answer(10 * n, cost_s=cost) for n, cost in enumerate((0.5, 1, 2, 4), 1)]
    wrapped = module(answers=answers)
    job = wrapped.Job(["true"])
    assert job.answer()["interval_s"] == 30  # the middle one, for nothing was measured yet
    job.measured["cost"] = [count, total_s]
    assert job.answer()["interval_s"] == interval_s


def test_what_came_through_shortly_before_the_end_is_not_measured(module, sandbox):
    """Long ones did not come through then: a mean of the others is too short."""
    job = module(limit_s=100.0, answers=[answer(cost_s=10)]).Job(["true"])
    sandbox.begin_lease(ago=80)
    assert not job.had_room(5.0)  # it began 25 s before the end
    sandbox.begin_lease(ago=60)
    assert job.had_room(5.0)
    assert module(answers=[answer(cost_s=10)]).Job(["true"]).had_room(5.0)  # no end is known


def test_a_restart_is_taken_as_measured_but_within_bounds(module):
    job = module().Job(["true"])
    assert job.restart_s(10.0) == 10.0
    job.measured["restart"] = [4, 60.0]
    assert job.restart_s(10.0) == 15.0
    job.measured["restart"] = [4, 4000.0]
    assert job.restart_s(10.0) == 20.0


def test_what_was_measured_survives_an_eviction(sandbox):
    sandbox.carry(way="told", complete={}, answers=[answer(interval_s=0.5)])
    assert sandbox.count(100_000, "told")[0] == 85
    sandbox.move("kept")
    assert sandbox.count(100_000, "told")[0] == 85
    manifest = json.loads((sandbox.place / "kept" / "000002" / "manifest.json").read_text())
    assert manifest["measured"]["cost"][0] == 2
    assert manifest["measured"]["restart"][0] == 0  # it shows no life before that


def test_the_slot_is_left_only_after_a_checkpoint_on_it(sandbox):
    sandbox.carry(answers=[answer(HOUR_S, leave_after_s=HOUR_S)])
    sandbox.begin_lease(ago=3700)
    assert sandbox.run("true", _CONDOR_JOB_PIDS="4711")[0] == 77
    assert sandbox.run("true", _CONDOR_JOB_PIDS="")[0] == 0
    sandbox.begin_lease(ago=1800)
    assert sandbox.run("true", _CONDOR_JOB_PIDS="4711")[0] == 0


def test_a_program_that_counts_by_itself_is_given_the_seconds(sandbox):
    sandbox.carry(answers=[answer(80, restart_s=5)])
    assert sandbox.run("sh", "-c", "exit {seconds}")[0] == 86  # 85, which is no checkpoint here
    assert sandbox.run("sh", "-c", "echo {seconds}")[1] == "85\n"


# --- as if it were not there ----------------------------------------------------------------------


def test_what_is_written_and_read_is_the_programs(sandbox):
    sandbox.carry(complete={"says": "never"})
    with sandbox.start("sh", "-c", "cat; echo err >&2; printf 'no end'") as started:
        out, err = started.communicate("to be read\n", timeout=LONG_S)
    assert (out, err, started.returncode) == ("to be read\nno end", "err\n", 0)


@pytest.mark.parametrize("code", [0, 1, 86, 255])
def test_an_exit_code_is_passed_on(sandbox, code):
    sandbox.carry()
    assert sandbox.run("sh", "-c", f"exit {code}") == (code, "", "")


@pytest.mark.parametrize("code", [85, 77])
def test_a_programs_own_85_is_not_taken_for_a_checkpoint_nor_77_for_leaving(sandbox, code):
    sandbox.carry()
    assert sandbox.run("sh", "-c", f"exit {code}")[0] == 86
    assert f"own exit code {code}" in sandbox.journal


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT])
def test_a_death_by_signal_is_one_by_the_same_signal(sandbox, number):
    sandbox.carry()
    assert sandbox.run("sh", "-c", f"kill -{int(number)} $$")[0] == -number
    assert not list(sandbox.place.glob("core*"))


@pytest.mark.parametrize("name", ["HUP", "INT", "USR1", "USR2", "QUIT"])
def test_a_signal_is_passed_on(sandbox, name):
    sandbox.carry()
    waiting = f"trap 'echo {name}; exit 9' {name}; echo ready; while :; do sleep 0.02; done"
    with sandbox.start("sh", "-c", waiting) as started:
        assert started.stdout.readline() == "ready\n"
        started.send_signal(getattr(signal, f"SIG{name}"))
        assert started.communicate(timeout=LONG_S)[0] == f"{name}\n"
    assert started.returncode == 9


def test_a_program_is_told_of_an_eviction_in_the_way_it_knows_and_what_it_saves_is_kept(sandbox):
    sandbox.carry(way="told", complete={}, answers=[answer(HOUR_S)])
    with sandbox.start(*counting(100_000, "told")) as started:
        assert started.stdout.readline() == "from 0\n"
        time.sleep(0.3)
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=LONG_S)
    assert started.returncode == 85
    assert (sandbox.place / "kept" / "000001" / "files" / "count").exists()


def test_who_does_not_end_is_killed_in_the_end(sandbox):
    sandbox.carry(way="told", complete={}, answers=[answer(0.3)], patience_s=0.5)
    assert sandbox.run("sh", "-c", "trap '' USR1; sleep 50")[0] == -signal.SIGKILL
    assert "killed, for it had not ended after 0.5 s" in sandbox.journal


def test_nothing_is_left_running(sandbox):
    sandbox.carry()
    leaving = "(setsid sleep 4711 &) ; sleep 4712 & exit 3"
    assert sandbox.run("sh", "-c", leaving)[0] == 3
    assert not running("sleep 471")
    assert "left running: 2 processes" in sandbox.journal


def test_who_kills_the_wrapper_kills_the_program(sandbox):
    sandbox.carry()
    with sandbox.start("sleep", "4713") as started:
        while not running("sleep 4713"):
            time.sleep(0.02)
        started.kill()
    ends = time.monotonic() + LONG_S
    while running("sleep 4713") and time.monotonic() < ends:
        time.sleep(0.02)
    assert not running("sleep 4713")


def running(command):
    return subprocess.call(["pgrep", "-f", f"^{command}"], stdout=subprocess.DEVNULL) == 0


def test_a_long_journal_loses_its_older_half(module, sandbox):
    job = module().Job(["true"])
    for number in range(3000):
        job.say(f"line {number} of many")
    lines = sandbox.journal.splitlines()
    assert lines[-1].endswith("line 2999 of many")
    assert len(sandbox.journal) <= 1 << 16


def test_without_a_command_it_says_how(sandbox):
    sandbox.carry()
    code, _, told = sandbox.run()
    assert code == 1
    assert "wrapper PROGRAM [ARGUMENT ...]" in told


def test_it_needs_but_an_old_python():
    text = WRAPPER.read_text()
    tree = ast.parse(text, feature_version=(3, 6))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    assert {alias.name for node in imports for alias in node.names} <= sys.stdlib_module_names
    assert max(map(len, text.splitlines())) <= 100


def test_it_needs_nothing_newer_than_python_3_6():
    vermin = pytest.importorskip("vermin")
    found = vermin.detect(WRAPPER.read_text())
    assert found[1] is not None
    assert found[1] <= (3, 6)


def test_a_signal_between_two_runs_of_the_program_is_for_the_next(sandbox):
    """It comes while a command asks whether all is done."""
    asking = "touch asked; while [ ! -e told ]; do sleep 0.02; done; false"
    sandbox.carry(way="ends", done={"command": asking}, every=100)
    writing = "if [ -e count ]; then trap 'exit 9' USR1; sleep 0.5 & wait; exit 1; fi; date > count"
    with sandbox.start("sh", "-c", writing) as started:
        while not (sandbox.place / "asked").exists():
            time.sleep(0.02)
        started.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        (sandbox.place / "told").touch()
        started.communicate(timeout=LONG_S)
    assert started.returncode in (9, -signal.SIGUSR1)


def test_output_that_nobody_reads_ends_the_program(sandbox):
    sandbox.carry(complete={"says": "never"})
    with sandbox.start("yes") as started:
        started.stdout.read(10)
        started.stdout.close()
        assert started.wait(timeout=LONG_S) == -signal.SIGPIPE


def test_a_program_that_is_not_there_is_told_of(sandbox):
    sandbox.carry()
    code, _, told = sandbox.run("./absent")
    assert code == 127
    assert "wrapper: [Errno 2] No such file or directory: './absent'" in told
