"""Job trees that do all they can not to be found, and what a started process gets.

The judge of whether any is left is not the mark by which they are killed: each has a word of its
own on its command line, which is looked for in all of /proc.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ckptsim.drivers.real import processes

# A parent of jobs as a machine is one: it starts a program, waits for "here", and kills the tree.
PARENT = """
import os, sys, time
from ckptsim.drivers.real.processes import *
pool, here, *argv = sys.argv[1:]
mark = Mark(pool, "ep1", 7)
adopt_orphans()
assert take_mark(mark._replace(lease=None))
start(argv, {}, "/tmp", stdout="/dev/null", stderr="/dev/null", mark=mark)
while not os.path.exists(here):
    time.sleep(0.001)
began = time.monotonic()
assert kill_all(Hunt([mark]), 10)
print(time.monotonic() - began)
"""

# What the jobs do: the first argument is the file to make, the second the word.
PRELUDE = """
import os, signal, sys, time
here = sys.argv[1]
end = time.monotonic() + 15  # should the test itself go wrong
def born():
    return os.fork() == 0
def leave():
    if not born():
        os._exit(0)
    os.setsid()
def ready():
    open(here, "w").close()
"""
DOUBLE_FORK = "leave(); leave(); ready(); time.sleep(15)"
ENV_I = (
    "leave()\nif not os.path.exists(here): ready(); os.execve(sys.executable, sys.orig_argv, {})"
)
STOPPED = "ready(); born(); os.kill(os.getpid(), signal.SIGSTOP); time.sleep(15)"
DEAF = """
for number in (1, 2, 3, 15, 18):
    signal.signal(number, signal.SIG_IGN)
born()
ready()
time.sleep(15)
"""
# Each generation in a new session, and gone as soon as the next one is there.
SPINNER = """
while time.monotonic() < end:
    leave()
    if not os.path.exists(here): ready()
"""
# Each has a child, again and again, and outlives it.
STORM = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
left = 200
ready()
while time.monotonic() < end:
    if left and born():
        left = 0
        os.setsid()
        time.sleep(0.05)
        os._exit(0)
    time.sleep(0.0005)
"""
# One that works and one that watches; when the worker dies the watcher works, with a new watcher.
PHOENIX = """
while time.monotonic() < end:
    down, up = os.pipe()
    if not born():
        os.close(down)
        time.sleep(0.05)
        os._exit(0)
    os.close(up)
    os.setsid()
    os.read(down, 1)
    os.close(down)
    if not os.path.exists(here): ready()
"""
# A crowd, more than are waited for at once.
CROWD = """
for _ in range(150):
    if born():
        time.sleep(15)
ready()
time.sleep(15)
"""


def with_word(word):
    """The processes that have a word on their command line, but for those that end just now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word in folder.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0"):
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def eventually(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def word():
    text = f"word-{os.getpid()}-{time.time_ns()}"
    yield text
    while left := with_word(text):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)


@pytest.mark.parametrize(
    "job",
    [DOUBLE_FORK, ENV_I, STOPPED, DEAF, SPINNER, STORM, PHOENIX, CROWD],
    ids=["double_fork", "env_i", "stopped", "deaf", "spinner", "storm", "phoenix", "crowd"],
)
def test_none_of_a_tree_is_left(tmp_path, word, job):
    here = str(tmp_path / "here")
    program = [sys.executable, "-S", "-c", PRELUDE + job, here, word]
    command = [sys.executable, "-c", PARENT, word + "-pool", here, *program]
    # The parent has the word too, so it is looked for when that has ended.
    ran = subprocess.run(command, stdout=subprocess.PIPE, timeout=30, check=True)
    assert Path(here).exists()
    assert with_word(word) == []
    time.sleep(0.05)
    assert with_word(word) == []
    assert float(ran.stdout) < 5


def test_the_judge_sees_what_is_left(tmp_path, word):
    here = str(tmp_path / "here")
    code = PRELUDE + DOUBLE_FORK
    subprocess.run([sys.executable, "-S", "-c", code, here, word], check=True)
    eventually(lambda: len(with_word(word)) == 1)


def test_sweep_by_the_environment_alone(word):
    mark = processes.Mark(word, "ep1", 3)
    command = [sys.executable, "-S", "-c", PRELUDE + "born(); time.sleep(15)", "-", word]
    with subprocess.Popen(command, env=mark.variables()) as process:
        eventually(lambda: len(with_word(word)) == 2)
        assert processes.members(mark) == []
        assert processes.sweep(word, "ep1", 4) == []
        assert processes.sweep(word, "ep") == []
        assert processes.sweep(word + "x") == []
        assert len(with_word(word)) == 2
        assert processes.sweep(word, "ep1") == []
        assert process.wait(10) == -signal.SIGKILL
    assert with_word(word) == []


START = """
import os, signal, socket, sys
from ckptsim.drivers.real.processes import *
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
os.umask(0o027)
open_ones = [os.open("/dev/zero", os.O_RDONLY), *socket.socketpair()]
folder, append, same, *argv = sys.argv[1:]
err = "out" if same == "same" else "err"
pid = start(argv, {"A": "1"}, folder, stdout="out", stderr=err, append=append == "append",
            mark=Mark("pool", "ep1", 9))
print(pid, os.waitpid(pid, 0)[1], os.getcwd())
"""


def started(folder, *argv, append="truncate", same="two"):
    command = [sys.executable, "-c", START, str(folder), append, same, *argv]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30, text=True)
    pid, status, cwd = ran.stdout.split()
    assert cwd == "/"
    return int(pid), int(status), (folder / "out").read_text()


def shell(script):
    return "/bin/sh", "-c", f"PATH=/bin:/usr/bin; {script}"


def test_a_process_gets_no_signal_ignored_or_blocked(tmp_path):
    _, status, out = started(tmp_path, "/bin/grep", "^Sig[BI]", "/proc/self/status")
    assert status == 0
    blocked, ignored = (int(line.split()[1], 16) for line in out.splitlines())
    assert blocked == 0
    # 32 and 33 are the C library's own: its posix_spawn ignores them.
    assert ignored & ~(0b11 << 31) == 0


def test_a_process_gets_three_files_and_no_more(tmp_path):
    _, _, out = started(
        tmp_path, *shell("for n in 0 1 2 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$n; done; pwd")
    )
    assert out.splitlines() == ["/dev/null", f"{tmp_path}/out", f"{tmp_path}/err", str(tmp_path)]


def test_a_process_leads_a_session_and_has_the_umask_and_its_environment(tmp_path):
    pid, _, out = started(tmp_path, *shell("umask; cut -d' ' -f5,6 /proc/$$/stat; env"))
    mask, ids, *env = out.splitlines()
    assert mask == "0027"
    assert ids == f"{pid} {pid}"
    assert {"A=1", "CKPTSIM_POOL=pool", "CKPTSIM_MACHINE=ep1", "CKPTSIM_LEASE=9"} <= set(env)
    assert {line.partition("=")[0] for line in env} <= {
        *("A", "CKPTSIM_POOL", "CKPTSIM_MACHINE", "CKPTSIM_LEASE", "PATH", "PWD", "SHLVL", "_"),
        "OLDPWD",
    }


@pytest.mark.parametrize(
    ("append", "same", "out"),
    [
        ("truncate", "two", "new\n"),
        ("append", "two", "old\nnew\n"),
        ("truncate", "same", "new\nalso\n"),
        ("append", "same", "old\nnew\nalso\n"),
    ],
)
def test_output_is_appended_or_begins_anew(tmp_path, append, same, out):
    (tmp_path / "out").write_text("old\n")
    script = shell("echo new; echo also >&2")
    assert started(tmp_path, *script, append=append, same=same)[2] == out


def test_a_closed_output_does_not_hurt(tmp_path):
    _, status, _ = started(tmp_path, *shell("exec >&- 2>&-; echo lost; exit 85"))
    assert status == 85 << 8


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text() != "core\n", reason="cores go elsewhere"
)
def test_a_core_dump_is_in_the_raw_status(tmp_path):
    _, status, _ = started(tmp_path, *shell("ulimit -c unlimited; kill -SEGV $$"))
    assert status == signal.SIGSEGV | 0x80
