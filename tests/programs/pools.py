"""Two pools that run submit files: ckptsim's own, and a real HTCondor in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

CKPTSIM = [sys.executable, "-m", "ckptsim"]
POLL_S = 0.1
ENVIRONMENT = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
ENVIRONMENT += ["CONDOR_CONFIG=/pool/etc/cm.conf", "HOME=/home/tester"]
STARTED, EVICTED, ENDED, ABORTED, HELD = "001", "004", "005", "009", "012"


def events(log):
    """The numbers of a job event log's events."""
    try:
        return re.findall(r"^(\d{3}) \(", log.read_text(errors="replace"), re.MULTILINE)
    except FileNotFoundError:
        return []


class Ours:
    """A pool of ckptsim's own."""

    def __init__(self, place):
        self.place, self.state = place, place / "state"

    @contextmanager
    def running(self):
        self.ask("pool", "start")
        try:
            yield self
        finally:
            self.ask("pool", "stop")

    def folder(self, name):
        """A new folder that jobs can be submitted from."""
        (self.place / name).mkdir(parents=True)
        return self.place / name

    def prefix(self, folder):
        """What to put before a command so that it runs there where jobs do, without the pool."""
        return ["env", f"--chdir={folder}"]

    def submit(self, submit_file):
        """Submit one job; its number."""
        told = self.ask("submit", submit_file.name, cwd=submit_file.parent)
        return re.search(r"cluster (\d+)", told)[1]

    def vacate(self, job):
        self.ask("vacate", job, check=False)  # it may have ended just now

    def remove(self, job):
        self.ask("rm", job, check=False)

    def ask(self, *words, cwd=None, check=True):
        plain = {**os.environ, "CKPTSIM_STATE": str(self.state)}
        done = subprocess.run(
            [*CKPTSIM, *words], cwd=cwd, env=plain, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout


class HTCondor:
    """A real one, in the folder that CKPTSIM_HTCONDOR names: the root of its own small system."""

    def __init__(self, root, name):
        self.root, self.home = root, Path("/home/tester") / name
        shutil.rmtree(root / self.home.relative_to("/"), ignore_errors=True)

    @contextmanager
    def running(self):
        yield self  # it runs already

    def folder(self, name):
        inside = self.home / name
        (self.root / inside.relative_to("/")).mkdir(parents=True)
        return self.root / inside.relative_to("/")

    def prefix(self, folder):
        inside = Path("/") / folder.relative_to(self.root)
        self.run("root", "chown", "-R", "tester:tester", str(inside))
        who = ["chroot", "--userspec=tester:tester", str(self.root), *ENVIRONMENT]
        return [*who, "env", f"--chdir={inside}"]

    def submit(self, submit_file):
        inside = Path("/") / submit_file.parent.relative_to(self.root)
        self.run("root", "chown", "-R", "tester:tester", str(inside))
        moved = ["sh", "-c", 'cd "$0" && exec condor_submit "$1"', str(inside), submit_file.name]
        return re.search(r"cluster (\d+)", self.run("tester", *moved))[1]

    def vacate(self, job):
        self.run("tester", "condor_vacate_job", job)

    def remove(self, job):
        self.run("tester", "condor_rm", job)

    def run(self, user, *words):
        who = [] if user == "root" else [f"--userspec={user}:{user}"]
        command = ["chroot", *who, str(self.root), *ENVIRONMENT, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def carried(pool, submit_file, log, rng, mean_s, evictions, timeout_s):
    """Run a job through so many evictions at random moments; how many there were, and its end.

    Each comes a time after the job's start on a slot that is exponential with this mean.
    """
    job, ends = pool.submit(submit_file), time.monotonic() + timeout_s
    try:
        while time.monotonic() < ends:
            seen = [
                each for each in events(log) if each in (STARTED, EVICTED, ENDED, ABORTED, HELD)
            ]
            if seen and seen[-1] in (ENDED, ABORTED, HELD):
                return seen.count(EVICTED), seen[-1]
            if seen and seen[-1] == STARTED and seen.count(EVICTED) < evictions:
                time.sleep(rng.expovariate(1 / mean_s))
                pool.vacate(job)
            time.sleep(POLL_S)
        return events(log).count(EVICTED), "timeout"
    finally:
        pool.remove(job)
