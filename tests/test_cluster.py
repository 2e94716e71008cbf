"""A Dask cluster gives the numbers that this machine's cores give, wherever its workers are."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import pytest

from ckptsim import cluster, identity
from ckptsim.cluster import ClusterError, Unlike, connected, run_alike
from ckptsim.experiment import replicate, replicate_leases
from ckptsim.identity import Maker, maker
from ckptsim.partial import NAME, Partial
from ckptsim.running import Means, finished
from ckptsim.scenario import load
from ckptsim.units import MINUTE
from ckptsim.world import world_of

pytest.importorskip("distributed")
HERE, TESTS = identity.PACKAGE.parent, Path(__file__).parent
KEYS = {"job.work": "6h", "job.write": "5min", "slots.limit": "3h", "slots.evictions": "4h"}
CKPTSIM = [sys.executable, "-m", "ckptsim"]
RUN = ["simulate", "--work", "6h", "--write", "5min", "--limit", "3h", "--evictions", "4h"]
RUN += ["--interval", "40min", "--replications", "60", "--json"]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{HERE}{os.pathsep}{TESTS}",
    "DASK_JOBQUEUE__SLURM__CORES": "1",
    "DASK_JOBQUEUE__SLURM__MEMORY": "1GB",
    "DASK_JOBQUEUE__HTCONDOR__CORES": "1",
    "DASK_JOBQUEUE__HTCONDOR__MEMORY": "1GB",
    "DASK_JOBQUEUE__HTCONDOR__DISK": "1GB",
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Dask's own libraries


@pytest.fixture
def world():
    return world_of(load(None, KEYS), 40 * MINUTE)


def same(results, others):
    pairs = list(zip(results.replications, others.replications, strict=True))
    return all(
        one[:4] == other[:4] and (one.stays == other.stays).all() and one.end == other.end
        for one, other in pairs
    )


@contextmanager
def scheduler(folder, *workers):
    """The address of a scheduler; it and workers, each with its PYTHONPATH, are processes."""
    file = folder / "scheduler.json"
    host = ["--host", "127.0.0.1", "--no-dashboard"]
    module = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    started = [start([*module, *host, "--port", "0", "--scheduler-file", file], ENVIRONMENT)]
    try:
        until = monotonic() + 60
        while not (file.exists() and file.read_text().endswith("}")) and monotonic() < until:
            sleep(0.02)
        address = json.loads(file.read_text())["address"]
        module = [sys.executable, "-m", "distributed.cli.dask_worker", address]
        for path in workers:
            environment = {**ENVIRONMENT, "PYTHONPATH": str(path)}
            options = ["--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard"]
            started.append(start([*module, *options, "--local-directory", folder], environment))
        yield address
    finally:
        for process in started:  # and its children; it may be about to replace one
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def start(words, environment):
    return subprocess.Popen(
        [str(word) for word in words],
        cwd=environment["PYTHONPATH"].split(os.pathsep)[0],  # which Python looks into first
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = ENVIRONMENT["PYTHONPATH"]
    with scheduler(tmp_path_factory.mktemp("dask"), path, path) as found:
        yield found


@pytest.fixture
def means(address):
    with connected(address, None, print) as found:
        yield Means(spread=found)


@pytest.fixture(scope="module")
def plain():
    return ckptsim(*RUN).stdout


def ckptsim(*words, path=""):
    environment = {**ENVIRONMENT, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [*CKPTSIM, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )


def mistake(*words, path=""):
    done = ckptsim(*words, path=path)
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.splitlines()[-1]
    assert line.startswith("ckptsim: ")
    return line.removeprefix("ckptsim: ")


# --- the same numbers -----------------------------------------------------------------------------


def test_a_cluster_gives_what_one_core_gives(world, means):
    assert same(replicate(world, 300, None, means), replicate(world, 300))
    assert same(replicate_leases(world, 1100, None, means), replicate_leases(world, 1100))


def test_progress_is_told_to_the_end(world, means):
    told = []
    replicate(world, 100, lambda *counts: told.append(counts), means)
    assert told == sorted(told)
    assert told[-1] == (100, 100)


def test_what_a_cluster_did_not_finish_goes_on_here(world, address, tmp_path):
    def stop(done, _):
        if done:
            raise KeyboardInterrupt

    told = []
    with connected(address, None, print) as found:
        file = Partial(tmp_path, told.append)
        part = replicate(world, 900, stop, Means(file, found))
        file.close()
    assert part.interrupted
    file = Partial(tmp_path, told.append)
    whole = replicate(world, 900, None, Means(file))
    file.close()
    assert same(whole, replicate(world, 900))
    assert told[0].startswith(f"Going on from {len(part.replications)} of 900 replications")


def test_by_its_address_on_the_command_line(address, plain):
    done = ckptsim(*RUN, "--cluster", address)
    assert (done.returncode, done.stdout, done.stderr) == (0, plain, "")


def test_local_workers(plain):
    done = ckptsim(*RUN, "--cluster", "local", "--workers", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, plain, "")


def test_ctrl_c_ends_local_workers_in_silence_and_keeps_what_is_finished(tmp_path, plain):
    """As a terminal does it: all processes of the group have the signal."""
    ckptsim(*RUN, "--engine", "compiled")  # who compiles first says so
    words = [*CKPTSIM, *RUN, "--replications", "100000", "--cluster", "local", "--workers", "2"]
    with subprocess.Popen(
        [*words, "--out", str(tmp_path)],
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = monotonic() + 60
        while process.poll() is None and kept_bytes(tmp_path) < 50_000 and monotonic() < until:
            sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    part = json.loads(out)
    assert (process.returncode, errors, part["interrupted"]) == (0, "", True)
    assert 0 < part["replications"] < 100_000
    with closing(sqlite3.connect(tmp_path / NAME)) as file:
        assert file.execute("SELECT count(*) FROM items").fetchone() == (part["replications"],)
    assert ckptsim(*RUN, "--out", str(tmp_path)).stdout == plain


def kept_bytes(folder):
    total = 0
    for path in folder.glob(f"{NAME}*"):
        with suppress(FileNotFoundError):  # SQLite's own come and go
            total += path.stat().st_size
    return total


def test_a_sweep_on_a_cluster(address):
    words = ["sweep", *RUN[1:], "--replications", "5", "--over", "job.interval=20min,40min,1h"]
    assert ckptsim(*words, "--cluster", address).stdout == ckptsim(*words).stdout


SBATCH = """#!/bin/sh
sh "$1" > /dev/null 2>&1 < /dev/null &
echo "Submitted batch job $!"
"""
CONDOR_SUBMIT = f"""#!{sys.executable}
import re, subprocess, sys
text = open(sys.argv[-1]).read()
executable = re.search(r"^Executable = (.*)$", text, re.M)[1]
inner = re.search(r'^Arguments = "(.*)"$', text, re.M)[1].replace('""', '"')
words = re.findall(r"'(?:[^']|'')*'|\\S+", inner)
arguments = [word.strip("'").replace("''", "'") for word in words]
null = subprocess.DEVNULL
job = subprocess.Popen([executable, *arguments], stdin=null, stdout=null, stderr=null)
print(f"1 job(s) submitted to cluster {{job.pid}}.")
"""
KILL = """#!/bin/sh
kill "${1%.0}" 2> /dev/null
"""


@pytest.mark.parametrize(
    ("name", "submit", "cancel", "text"),
    [
        ("slurm", "sbatch", "scancel", SBATCH),
        ("htcondor", "condor_submit", "condor_rm", CONDOR_SUBMIT),
    ],
)
def test_workers_that_are_jobs_of_a_queue(tmp_path, plain, name, submit, cancel, text):
    """Stand-ins for the queue's commands run the jobs on this machine."""
    for command, content in ((submit, text), (cancel, KILL)):
        (tmp_path / command).write_text(content)
        (tmp_path / command).chmod(0o755)
    done = ckptsim(*RUN, "--cluster", name, "--workers", "2", path=tmp_path)
    assert (done.returncode, done.stdout) == (0, plain)
    assert done.stderr in ("", f"Waiting for workers of {name}\n")


# --- what can go wrong ----------------------------------------------------------------------------


def fragile(mark, item):
    """Ends its process the first time it is run."""
    if item == 3 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return 10 * item


def test_what_a_lost_worker_had_is_run_again(means, tmp_path):
    kept = means.kept("items", int, "fragile", count=40)
    run = partial(fragile, str(tmp_path / "mark"))
    done = finished(run, range(40), kept, serial=False, spread=means.spread)
    assert (tmp_path / "mark").exists()
    assert done == [10 * item for item in range(40)]


def test_a_mistake_in_an_item_is_raised(means):
    kept = means.kept("items", int, "mistake", count=2)
    with pytest.raises(ZeroDivisionError):
        finished(partial(divmod, 1), [1, 0], kept, serial=False, spread=means.spread)


def test_workers_of_another_version_are_refused(tmp_path):
    """A worker whose rules differ by a comment only is not trusted to give the same numbers."""
    copied = tmp_path / "other" / "ckptsim"
    shutil.copytree(identity.PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    with (copied / "rules.py").open("a") as file:
        file.write("# changed\n")
    with scheduler(tmp_path, tmp_path / "other") as found:
        line = mistake(*RUN, "--cluster", found)
    assert line.startswith(f"--cluster {found}: worker tcp://127.0.0.1:")
    assert line.endswith(
        "runs another version of ckptsim, Python or NumPy than this process; install the same there"
    )


def test_a_worker_that_joins_late_is_checked_too():
    alike = maker()
    assert run_alike(alike, [(0, "a")], str.upper) == {0: "A"}
    with pytest.raises(Unlike, match="another version"):
        run_alike(Maker("other", alike.arithmetic), [(0, "a")], str.upper)
    with pytest.raises(Unlike, match="another kind of processor"):
        run_alike(Maker(alike.code, "other"), [(0, "a")], str.upper)


def test_a_cluster_that_is_not_there(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_S", 0.2)
    with (
        pytest.raises(ClusterError, match=r"--cluster tcp://127.0.0.1:1: cannot be used"),
        connected("tcp://127.0.0.1:1", None, print),
    ):
        pass


def test_mistakes_are_one_line(tmp_path):
    assert mistake(*RUN, "--cluster", "pbs") == (
        "--cluster pbs: no such cluster; expected tcp://HOST:PORT, local, htcondor or slurm"
    )
    assert mistake(*RUN, "--cluster", "slurm") == (
        "--cluster slurm: how many workers? Give --workers N"
    )
    assert mistake(*RUN, "--cluster", "tcp://127.0.0.1:1", "--workers", "2") == (
        "--workers: has no effect on a cluster that is there already"
    )
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho no such partition >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    line = mistake(*RUN, "--cluster", "slurm", "--workers", "2", path=tmp_path)
    assert line.startswith("--cluster slurm: no workers: ")
    assert line.endswith("no such partition")


def test_a_library_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with (
        pytest.raises(ClusterError, match="needs distributed; install ckptsim"),
        connected("local", None, print),
    ):
        pass
