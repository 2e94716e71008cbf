"""The wrapper that carries a plan's answer, really run; and its submit description."""

import ast
import os
import signal
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from ckptsim.htcondor.snippet import files
from ckptsim.policy import Policy
from ckptsim.rules import NEVER, Row, interval_at
from ckptsim.units import HOUR, MINUTE, SECOND

SOON = SECOND // 2  # long enough for a Python to start on a busy machine
PROGRAM = """
import os, signal, sys, time
count = int(open("count").read()) if os.path.exists("count") else 0
def save(*_):
    with open("count", "w") as checkpoint:
        checkpoint.write(str(count))
    sys.exit(int(sys.argv[2]))
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while count < int(sys.argv[1]):
    time.sleep(0.01)
    count += 1
"""


def policy(*rows, leave_after=None):
    return Policy(rows, leave_after, work_s=1, lease_s=1, gap_s=0, error_s=0, best=1)


EVEN = policy(Row(0, HOUR, HOUR))
SOON_THEN_NONE = policy(Row(0, SOON, SOON), Row(HOUR, NEVER, NEVER))


class Sandbox:
    """A directory with the two files and a program that counts, as on an execute node."""

    def __init__(self, place):
        self.place = place
        (place / "program.py").write_text(PROGRAM)

    def carry(self, interval=HOUR, table=EVEN, *, by_age=False, patience=600, **told):
        """Put the wrapper there, with its constants changed as a user would."""
        made = files(interval, table, "a test", **told)
        text = made["checkpointed.py"].decode()
        text = text.replace("BY_AGE = False", f"BY_AGE = {by_age}")
        text = text.replace("PATIENCE = 600", f"PATIENCE = {patience}")
        (self.place / "checkpointed.py").write_text(text)
        (self.place / "job.sub").write_bytes(made["job.sub"])

    def begin_lease(self, ago=0):
        """As HTCondor does when it puts a job on a slot."""
        ad = self.place / ".job.ad"
        ad.touch()
        os.utime(ad, (time.time() - ago,) * 2)

    def start(self, *command, checkpoint="count", **environment):
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "checkpointed.py", checkpoint, *command],
            cwd=self.place,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command, **how):
        """The exit code, and what it said on standard error."""
        with self.start(*command, **how) as wrapper:
            told = wrapper.communicate(timeout=60)[1]
        return wrapper.returncode, told

    def count_to(self, goal, code=85, **how):
        return self.run(*counting(goal, code), **how)

    @property
    def counted(self):
        return int((self.place / "count").read_text())


def counting(goal, code=85):
    return sys.executable, "-I", "-S", "program.py", str(goal), str(code)


@pytest.fixture
def sandbox(tmp_path):
    return Sandbox(tmp_path)


def module(sandbox):
    """The wrapper's functions, not run."""
    loader = SourceFileLoader("checkpointed", str(sandbox.place / "checkpointed.py"))
    found = module_from_spec(spec_from_loader("checkpointed", loader))
    loader.exec_module(found)
    return found


# --- the wrapper, run -----------------------------------------------------------------------------


def test_a_program_checkpoints_after_its_interval_and_goes_on_from_there(sandbox):
    sandbox.carry(SOON)
    began = time.monotonic()
    assert sandbox.count_to(80) == (85, "")
    assert time.monotonic() - began >= 0.5
    first = sandbox.counted
    assert 0 < first < 80
    code = 85
    while code == 85:
        code, told = sandbox.count_to(80)
    assert (code, told) == (0, "")
    assert sandbox.counted >= first


@pytest.mark.parametrize("code", [0, 143])
def test_other_ways_to_end_after_saving_count_too(sandbox, code):
    sandbox.carry(SOON)
    assert sandbox.count_to(10_000, code) == (85, "")


def test_the_table_is_read_by_the_age_of_the_lease(sandbox):
    sandbox.carry(HOUR, SOON_THEN_NONE, by_age=True)
    sandbox.begin_lease()
    assert sandbox.count_to(80)[0] == 85
    sandbox.begin_lease(ago=2 * 3600)
    assert sandbox.count_to(sandbox.counted + 60)[0] == 0


@pytest.mark.parametrize("code", [0, 3])
def test_the_programs_own_end_is_passed_on(sandbox, code):
    sandbox.carry(HOUR)
    assert sandbox.run("sh", "-c", f"date > count; exit {code}") == (code, "")


def test_a_death_by_signal_is_passed_on_as_a_shell_does(sandbox):
    sandbox.carry(HOUR)
    assert sandbox.run("sh", "-c", "kill -9 $$") == (137, "")


def test_a_soft_kill_reaches_the_program(sandbox):
    sandbox.carry(HOUR)
    with sandbox.start(*counting(100_000)) as wrapper:
        assert wrapper.stdout.readline() == "ready\n"
        wrapper.send_signal(signal.SIGTERM)
        assert wrapper.wait(timeout=60) == 85


def test_no_new_checkpoint_is_no_checkpoint(sandbox):
    sandbox.carry(SOON)
    (sandbox.place / "count").write_text("7")
    code, told = sandbox.run("sleep", "60")
    assert code == 143
    assert "ended with -15 when asked to save; new checkpoint: no" in told


def test_all_that_is_to_be_transferred_must_be_there(sandbox):
    sandbox.carry(SOON)
    code, told = sandbox.count_to(10_000, 0, checkpoint="count,other")
    assert code == 0
    assert "new checkpoint: no" in told


def test_a_program_that_fails_while_it_saves_has_failed(sandbox):
    sandbox.carry(SOON)
    code, told = sandbox.count_to(10_000, 3)
    assert code == 3
    assert "ended with 3 when asked to save; new checkpoint: yes" in told


def test_a_checkpoint_may_be_a_directory(sandbox):
    sandbox.carry(SOON)
    place = sandbox.place / "saved" / "deep"
    place.mkdir(parents=True)
    (place / "state").write_text("old")
    saving = "trap 'echo new > saved/deep/state; exit 0' TERM; while :; do sleep 0.02; done"
    assert sandbox.run("sh", "-c", saving, checkpoint="saved") == (85, "")


def test_a_program_that_does_not_end_is_told_of_and_waited_for(sandbox):
    sandbox.carry(SECOND // 5, patience=1)
    stubborn = "trap '' TERM; sleep 1.6; exit 5"
    code, told = sandbox.run("sh", "-c", stubborn)
    assert code == 5
    assert told.count("has not ended in the 1 s since it got signal 15; waiting on") == 1


def test_a_program_that_counts_by_itself_is_given_the_seconds(sandbox):
    sandbox.carry(80 * SECOND, restart=5 * SECOND)
    assert sandbox.run("sh", "-c", "exit {seconds}") == (85, "")


def test_a_lease_is_left_only_after_a_checkpoint_on_it(sandbox):
    leaving = policy(Row(0, HOUR, HOUR), leave_after=HOUR)
    sandbox.carry(HOUR, leaving, by_age=True)
    sandbox.begin_lease(ago=3601)
    assert sandbox.run("true", _CONDOR_JOB_PIDS="4711") == (77, "")
    assert sandbox.run("true", _CONDOR_JOB_PIDS="") == (0, "")
    sandbox.begin_lease(ago=1800)
    assert sandbox.run("true", _CONDOR_JOB_PIDS="4711") == (0, "")


def test_without_a_command_it_says_how(sandbox):
    sandbox.carry()
    code, told = sandbox.run()
    assert code == 1
    assert "checkpointed.py CHECKPOINT PROGRAM" in told


# --- the wrapper, read ----------------------------------------------------------------------------


def test_it_needs_but_an_old_python():
    text = files(HOUR, EVEN, "a test")["checkpointed.py"].decode()
    tree = ast.parse(text, feature_version=(3, 6))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    assert {alias.name for node in imports for alias in node.names} <= sys.stdlib_module_names
    assert max(map(len, text.splitlines())) <= 100


def test_it_reads_the_table_as_the_rules_do(sandbox):
    rows = Row(MINUTE, HOUR, 30 * MINUTE), Row(HOUR, 2 * HOUR, HOUR), Row(5 * HOUR, NEVER, NEVER)
    sandbox.carry(HOUR, policy(*rows))
    by_table = module(sandbox).by_table
    for minutes in (0, 1, 2, 30.5, 59, 60, 61, 150, 299):
        expected = interval_at(rows, round(minutes * MINUTE)) / SECOND
        assert by_table(minutes * 60) == pytest.approx(expected, abs=1e-6)
    assert by_table(5 * 3600) is by_table(9 * 3600) is None


def test_the_restart_comes_before_the_computing(sandbox):
    table = policy(Row(0, HOUR, HOUR), Row(MINUTE, 2 * HOUR, 2 * HOUR))
    sandbox.carry(90 * MINUTE, table, restart=MINUTE)
    wrapper = module(sandbox)
    assert wrapper.seconds_to_run() == 91 * 60
    wrapper.BY_AGE = True
    assert wrapper.seconds_to_run() == 121 * 60


def test_it_says_whence_it_came_on_one_line_each():
    made = files(84 * MINUTE, EVEN, "two\nlines", command="ckptsim plan --name 'two\nlines'")
    for text in (content.decode() for content in made.values()):
        assert '\n# The answer for "two lines"\n' in text
        assert "\n# Made by: ckptsim plan --name 'two lines'\n" in text
        assert "1 h 24 min" in text


# --- the submit description -----------------------------------------------------------------------


def expanded(table, *names):
    submit = pytest.importorskip("htcondor2").Submit(
        files(HOUR, table, "a test")["job.sub"].decode()
    )
    return {name: submit.expand(name) for name in names}


def test_htcondor_reads_the_submit_description():
    assert expanded(EVEN, "executable", "arguments", "transfer_checkpoint_files") == {
        "executable": "checkpointed.py",
        "arguments": "my-program.checkpoint ./my-program --your --options",
        "transfer_checkpoint_files": "my-program.checkpoint",
    }
    assert expanded(EVEN, "checkpoint_exit_code") == {"checkpoint_exit_code": "85"}


def test_a_job_that_leaves_is_queued_again():
    leaving = EVEN._replace(leave_after=HOUR)
    assert "on_exit_remove = ExitCode =!= 77\n" in files(HOUR, leaving, "")["job.sub"].decode()
    assert "on_exit_remove" not in files(HOUR, EVEN, "")["job.sub"].decode()
