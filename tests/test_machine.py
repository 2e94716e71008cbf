"""A machine of the pool, driven over its socket as the access point does, with real jobs."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ckptsim.drivers.real import processes
from ckptsim.drivers.real.machine import read_marks
from ckptsim.drivers.real.processes import Mark

SLEEP = "exec sleep 1000"


class Driven:
    """A machine process and the access point's end of its socket."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pool = f"test-{os.getpid()}-{time.time_ns()}"
        self.link, end = socket.socketpair()
        with end:
            command = [sys.executable, "-m", "ckptsim.drivers.real.machine"]
            arguments = ["--fd", str(end.fileno()), "--name", "ep1", "--pool", self.pool]
            self.process = subprocess.Popen([*command, *arguments], pass_fds=[end.fileno()])
        self.link.settimeout(10)
        self.lines = self.link.makefile("rb")

    def order(self, do, lease=1, **values):
        self.link.sendall(json.dumps({"do": do, "lease": lease, **values}).encode() + b"\n")

    def report(self, *expected):
        """The next report, which must be one of those expected."""
        said = json.loads(self.lines.readline())
        assert abs(said.pop("at") - time.time_ns()) < 30e9
        assert said["did"] in expected, said
        return said

    def sandbox(self, lease=1):
        return self.folder / f"dir_{lease}" / "scratch"

    def stage(self, script=None, lease=1, files=None, items=(), seconds=0):
        files = dict(files or {})
        values = {"items": items, "spool": None, "files": files, "seconds": seconds}
        self.order("stage", lease, sandbox=str(self.sandbox(lease)), **values)
        said = self.report("staged")
        if script is not None:
            (self.sandbox(lease) / "job").write_text(f"#!/bin/sh\n{script}\n")
            (self.sandbox(lease) / "job").chmod(0o755)
        return said

    def start(self, lease=1, **changed):
        box = self.sandbox(lease)
        values = {
            "argv": [f"{box}/job"],
            "env": {"PATH": "/usr/bin:/bin"},
            "cwd": str(box),
            "stdin": None,
            "stdout": f"{box}/_condor_stdout",
            "stderr": f"{box}/_condor_stderr",
            "append": True,
        }
        self.order("start", lease, **(values | changed))

    def send(self, to, wanted, lease=1, seconds=0.0):
        stdio = ["_condor_stdout", "_condor_stderr"]
        values = {"wanted": wanted, "preserve": False, "stdio": stdio, "rename": {}}
        self.order("send", lease, to=str(to), seconds=seconds, **values)

    def run(self, script, lease=1):
        self.stage(script, lease)
        self.start(lease)
        return self.report("started")["pid"]

    def alive(self, lease=None):
        return set(processes.members(Mark(self.pool, "ep1", lease))) - {self.process.pid}


@pytest.fixture
def machine(tmp_path):
    driven = Driven(tmp_path)
    try:
        yield driven
    finally:
        driven.link.close()
        driven.lines.close()
        assert driven.process.wait(10) in {0, -signal.SIGKILL}
        assert processes.sweep(driven.pool) == []


def appears(path):
    """Wait until a job has made a file."""
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.002)


def test_a_checkpointing_job_from_stage_to_clear(machine, tmp_path):
    (tmp_path / "in").write_text("12345")
    to = tmp_path / "to"
    to.mkdir()
    script = """
        echo "pids=$_CONDOR_JOB_PIDS"
        if [ -e ck ]; then exit 0; fi
        echo computing 5 >> "$CKPTSIM_MARKS"; echo writing 7 >> "$CKPTSIM_MARKS"
        echo half > ck; exit 85
    """
    staged = machine.stage(script, files={".job.ad": "A = 1\n"}, items=[[f"{tmp_path}/in", "in"]])
    assert staged["bytes"] == 5
    assert (machine.sandbox() / ".job.ad").read_text() == "A = 1\n"
    machine.start()
    pid = machine.report("started")["pid"]
    exited = machine.report("exited")
    assert (exited["pid"], exited["status"]) == (pid, 85 << 8)
    assert exited["marks"] == [["computing", 5], ["writing", 7]]
    machine.send(to, ["ck"])
    size = len("half\n") + len("pids=\n")
    assert machine.report("sent") == {"did": "sent", "lease": 1, "bytes": size}
    assert sorted(path.name for path in to.iterdir()) == ["_condor_stderr", "_condor_stdout", "ck"]
    machine.start()
    again = machine.report("started")["pid"]
    exited = machine.report("exited")
    assert (exited["pid"], exited["status"], exited["marks"]) == (again, 0, [])
    assert (machine.sandbox() / "_condor_stdout").read_text() == f"pids=\npids={pid}\n"
    machine.order("clear")
    assert machine.report("cleared") == {"did": "cleared", "lease": 1, "left": []}
    assert not machine.sandbox().parent.exists()
    assert (to / "ck").read_text() == "half\n"


def test_a_signal_goes_to_the_started_process_alone(machine):
    machine.run("""
        sh -c 'trap "" HUP; touch child; exec sleep 1000' &
        trap 'touch got; exit 3' TERM
        touch ready; while :; do sleep 0.01; done
    """)
    appears(machine.sandbox() / "child")
    appears(machine.sandbox() / "ready")
    machine.order("signal", signal=signal.SIGTERM)
    assert machine.report("exited")["status"] == 3 << 8
    assert (machine.sandbox() / "got").exists()
    assert machine.alive()  # what an execution leaves behind goes on (htcondor-rules.md 1.1)
    machine.order("clear")
    machine.report("cleared")
    assert not machine.alive()


def test_a_job_killed_by_a_signal_is_told_with_the_raw_status(machine):
    machine.run(SLEEP)
    machine.order("signal", signal=signal.SIGUSR2)
    assert machine.report("exited")["status"] & 0x7F == signal.SIGUSR2


def test_kill_takes_the_tree_and_nothing_of_other_leases(machine):
    machine.run("setsid env -i /bin/sh -c 'sleep 1000 & sleep 1000' & " + SLEEP)
    other = machine.run(SLEEP, lease=2)
    end = time.monotonic() + 10
    while len(machine.alive(1)) < 4:
        assert time.monotonic() < end
    machine.order("kill")
    assert machine.report("exited")["status"] == signal.SIGKILL
    machine.order("clear")
    machine.report("cleared")
    assert machine.alive(1) == set()
    assert machine.alive() == {other}


def test_what_has_got_rid_of_its_mark_goes_with_the_last_lease(machine):
    hide = """
import os, resource
resource.setrlimit(resource.RLIMIT_RTTIME, (9, 9))
os.setsid()
if os.fork():
    os._exit(0)
with open("pid", "w") as file:
    file.write(str(os.getpid()))
os.rename("pid", "hid")
os.execl("/bin/sleep", "sleep", "1000")
"""
    machine.stage(f"env -i {sys.executable} -S hide & wait", files={"hide": hide})
    machine.start()
    machine.report("started")
    assert machine.report("exited")["status"] == 0
    appears(machine.sandbox() / "hid")
    fd = os.pidfd_open(int((machine.sandbox() / "hid").read_text()))
    assert machine.alive() == set()
    machine.order("clear")
    machine.report("cleared")
    assert gone(fd)


def gone(fd, wait_s=5.0):
    try:
        return processes._died([fd], time.monotonic() + wait_s)
    finally:
        os.close(fd)


@pytest.mark.parametrize("how", ["close", "stop", "terminate"])
def test_the_machine_kills_all_when_it_ends(machine, how):
    machine.run("setsid sleep 1000 & exec sleep 1000")
    machine.run("kill -STOP $$", lease=2)
    assert machine.alive(1)
    assert machine.alive(2)
    if how == "close":
        machine.link.shutdown(socket.SHUT_RDWR)
    elif how == "stop":
        machine.order("stop")
    else:
        machine.process.terminate()
    assert machine.process.wait(10) == 0
    assert machine.alive() == set()


def test_sweep_ends_what_a_killed_machine_leaves(machine):
    machine.run("setsid env -i sleep 1000 & exec sleep 1000")
    end = time.monotonic() + 10
    while len(machine.alive(1)) < 2:
        assert time.monotonic() < end
    machine.process.kill()
    machine.process.wait()
    assert len(machine.alive()) == 2
    assert processes.sweep(machine.pool, "ep2") == []
    assert len(machine.alive()) == 2
    assert processes.sweep(machine.pool, "ep1") == []
    assert machine.alive() == set()


@pytest.mark.parametrize(
    ("content", "mode", "errno", "words"),
    [
        ("#!/bin/sh\n", 0o644, 13, "Permission denied"),
        ("#!/no/such/python -u\n", 0o755, 2, "interpreter '/no/such/python -u' is not there"),
        ("echo no first line\n", 0o755, 8, "Exec format error"),
        (None, 0, 2, "No such file or directory"),
    ],
)
def test_what_cannot_be_executed_is_told(machine, content, mode, errno, words):
    machine.stage()
    job = machine.sandbox() / "job"
    if content is not None:
        job.write_text(content)
        job.chmod(mode)
    machine.start()
    failed = machine.report("start_failed")
    assert failed["errno"] == errno
    assert words in failed["error"]
    assert str(job) in failed["error"]


def test_a_start_that_fails_can_be_tried_again(machine):
    machine.stage("exit 4")
    machine.start(stdin=f"{machine.sandbox()}/nothing")
    assert machine.report("start_failed")["error"].endswith("nothing: No such file or directory")
    machine.start()
    machine.report("started")
    assert machine.report("exited")["status"] == 4 << 8


def test_a_fifo_in_place_of_stdout_does_not_stop_the_machine(machine):
    machine.stage("exit 0")
    os.mkfifo(machine.sandbox() / "_condor_stdout")
    machine.start()
    assert machine.report("start_failed")["errno"] == 6


def test_inputs_that_are_not_there_are_told(machine, tmp_path):
    values = {"items": [[f"{tmp_path}/nothing", "x"]], "spool": None, "files": {}, "seconds": 0}
    machine.order("stage", sandbox=str(machine.sandbox()), **values)
    failed = machine.report("stage_failed")
    assert (failed["path"], failed["errno"]) == (f"{tmp_path}/nothing", 2)


def test_a_listed_file_that_is_missing_is_told(machine, tmp_path):
    machine.run("echo; exit 85")
    machine.report("exited")
    machine.send(tmp_path, ["ck"])
    failed = machine.report("send_failed")
    assert (failed["missing"], failed["errno"]) == (True, 2)
    assert failed["path"].endswith("ck")


def test_a_copy_takes_at_least_the_time_given_and_is_cut_at_once(machine, tmp_path):
    machine.run("echo; exit 85")
    machine.report("exited")
    began = time.monotonic()
    machine.send(tmp_path, [], seconds=0.2)
    machine.report("sent")
    assert 0.2 <= time.monotonic() - began < 1
    machine.send(tmp_path, [], seconds=100)
    time.sleep(0.05)
    began = time.monotonic()
    machine.order("clear")
    machine.report("cleared")  # and no `sent` before it
    assert time.monotonic() - began < 0.5


def test_a_large_copy_is_cut_in_its_middle(machine, tmp_path):
    machine.stage(f"exec {sys.executable} -S -c \"open('ck','wb').write(bytes(1<<29))\"")
    machine.start()
    machine.report("started")
    assert machine.report("exited")["status"] == 0
    machine.send(tmp_path, ["ck"])
    appears(tmp_path / "ck")
    machine.order("clear")
    machine.report("cleared")
    size = (tmp_path / "ck").stat().st_size
    assert size < 1 << 29
    time.sleep(0.05)
    assert (tmp_path / "ck").stat().st_size == size


def test_clear_in_the_middle_of_all_of_it(machine, tmp_path):
    machine.run("touch here; " + SLEEP)
    appears(machine.sandbox() / "here")
    machine.send(tmp_path, [], seconds=100)
    machine.order("clear")
    assert {machine.report("exited", "cleared")["did"] for _ in range(2)} == {"exited", "cleared"}
    assert machine.alive() == set()
    assert not machine.sandbox().exists()


def test_kills_and_clears_of_many_leases_at_once(machine):
    for lease in (1, 2, 3):
        machine.run("setsid sleep 1000 & " + SLEEP, lease)
    other = machine.run(SLEEP, lease=4)
    for lease in (1, 2, 3):
        machine.order("kill", lease)
        machine.order("kill", lease)
        machine.order("clear", lease)
    said = [machine.report("exited", "cleared") for _ in range(6)]
    for lease in (1, 2, 3):
        mine = [report["did"] for report in said if report["lease"] == lease]
        assert mine == ["exited", "cleared"]
    assert machine.alive() == {other}


def test_orphans_are_reaped(machine):
    machine.run("(sleep 0.02 &) ; sleep 0.2; " + SLEEP)
    time.sleep(0.1)
    states = [
        fields[0] for _, fields in processes._table() if fields[1] == str(machine.process.pid)
    ]
    assert "Z" not in states


def test_300_jobs_at_once_cost_nothing_while_they_compute(machine):
    machine.stage(SLEEP)
    box = machine.sandbox()
    for lease in range(2, 302):
        machine.start(
            lease, argv=["/bin/sleep", "1000"], cwd=str(box), stdout="/dev/null", stderr="/dev/null"
        )
        machine.report("started")
    assert len(machine.alive()) == 300
    before = spent(machine.process.pid)
    time.sleep(0.5)
    assert spent(machine.process.pid) == before
    machine.order("stop")
    assert machine.process.wait(10) == 0
    assert machine.alive() == set()


def spent(pid):
    """Switches of a process to and from waiting: none, if it did nothing."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return [line for line in lines if "ctxt_switches" in line]


def test_exit_to_restart_is_quick(machine, tmp_path):
    """The machine's part, from `exited` to `started`, with one small file and stdio sent."""
    machine.stage("echo x > ck; exit 85")
    took = []
    for _ in range(40):
        machine.start()
        machine.report("started")
        machine.report("exited")
        began = time.perf_counter()
        machine.send(tmp_path, ["ck"])
        machine.report("sent")
        machine.start(argv=["/bin/true"])
        machine.report("started")
        took.append(time.perf_counter() - began)
        machine.report("exited")
    print(f"{1e3 * statistics.median(took):.2f} ms")
    assert statistics.median(took) < 0.05


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("computing 12", [("computing", 12)]),
        ("writing 0", [("writing", 0)]),
        ("sleeping 12", []),
        ("computing", []),
        ("computing -1", []),
        ("computing 1.5", []),
        ("computing ²", []),
        ("computing 9999999999999999999", [("computing", 10**19 - 1)]),
        ("computing " + 20 * "1", []),
        ("computing " + 5000 * "1", []),
        ("", []),
    ],
)
def test_marks_are_read_leniently(line, expected):
    assert list(read_marks([line])) == expected
