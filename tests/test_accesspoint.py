"""The access point under odd jobs and odd policies: one job's trouble is never the pool's."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from ckptsim.drivers.real.control import ask
from ckptsim.htcondor.submit import read

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="real-process mode is for Linux")

QUICK = '[intervals]\nnegotiation = "100ms"\nperiodic = "200ms"\npolicy = "200ms"\n'
DEADLINE_S = 20.0


class Pool:
    def __init__(self, folder, text, scenario=None, seed=None):
        self.folder, self.state = folder, folder / "state"
        (folder / "pool.toml").write_text(text)
        script = folder / "job.sh"
        script.write_text("#!/bin/sh\nsleep ${1:-0.1}\n")
        script.chmod(0o755)
        how = ["--scenario", scenario, "--seed", str(seed)] if scenario else [folder / "pool.toml"]
        words = ["pool", "start", *how, "--state", self.state]
        subprocess.run([sys.executable, "-m", "ckptsim", *words], check=True, capture_output=True)

    def submit(self, extra="", arguments="", queue="queue"):
        text = f"executable = job.sh\narguments = {arguments}\n{extra}\n{queue}\n"
        cluster = ask(self.state, {"do": "cluster"})["cluster"]
        ads = read(text, self.folder, cluster, int(time.time()))
        ask(self.state, {"do": "submit", "cluster": cluster, "ads": [repr(ad) for ad in ads]})
        return str(cluster)

    def job(self, name):
        return ask(self.state, {"do": "jobs", "jobs": [name]})["jobs"][0]

    def until(self, name, status):
        end = time.monotonic() + DEADLINE_S
        while (found := self.job(name))["status"] != status:
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    def machines(self):
        return ask(self.state, {"do": "status"})["machines"]


@pytest.fixture
def started(tmp_path):
    pools = []

    def start(text=QUICK, scenario=None, seed=None):
        pools.append(Pool(tmp_path, text, scenario, seed))
        return pools[-1]

    yield start
    for pool in pools:
        ask(pool.state, {"do": "stop"})
        while (pool.state / "control").exists():
            time.sleep(0.02)


@pytest.mark.parametrize(
    "odd",
    [
        '+Environment = "FOO"',
        'periodic_hold = true\nperiodic_hold_subcode = real("INF")\n+Arguments = "0.5"',
    ],
)
def test_an_ad_that_makes_no_sense_holds_its_job_and_no_other(started, odd):
    pool = started()
    strange, other = pool.submit(odd), pool.submit()
    held = pool.until(strange, "held")["held"]
    assert held["code"] == 5
    assert held["reason"].startswith("The job's ad cannot be made sense of: ")
    pool.until(other, "completed")


def test_a_job_that_no_machine_lets_start_keeps_none_of_another_kind_waiting(started):
    pool = started(QUICK + '[policy]\nSTART = "TARGET.IsShort =?= true"\n')
    waiting, short = pool.submit(), pool.submit("+IsShort = true")
    pool.until(short, "completed")
    assert pool.job(waiting)["status"] == "idle"


def test_an_expression_that_looks_at_the_clock_is_looked_at_again(started):
    pool = started(QUICK + f'[policy]\nSTART = "time() >= {int(time.time()) + 3}"\n')
    pool.until(pool.submit(), "completed")


def test_power_on_ends_a_drain(started):
    pool = started()
    ask(pool.state, {"do": "drain", "machine": "local"})
    assert pool.machines()[0]["draining"]
    ask(pool.state, {"do": "power_on", "machine": "local"})
    pool.until(pool.submit(), "completed")


def test_a_chirp_job_whose_folder_is_gone_is_held(started, tmp_path):
    pool = started()
    (tmp_path / "there").mkdir()
    job = pool.submit("want_io_proxy = true\ninitialdir = there\nhold = true")
    (tmp_path / "there").rmdir()
    ask(pool.state, {"do": "release", "job": job})
    end = time.monotonic() + DEADLINE_S
    while (held := pool.job(job)["held"]) is None or held["code"] == 15:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "there" in held["reason"]


def test_a_pool_ends_when_its_state_folder_is_gone(tmp_path):
    pool = Pool(tmp_path, QUICK)
    pid = ask(pool.state, {"do": "status"})["pid"]
    (pool.state / "control").unlink()
    end = time.monotonic() + DEADLINE_S
    while os.path.exists(f"/proc/{pid}/exe"):  # noqa: PTH110 (a link that leads nowhere)
        assert time.monotonic() < end
        time.sleep(0.1)


def test_folder_and_socket_are_for_their_user_alone(started):
    pool = started()
    assert stat.S_IMODE(pool.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((pool.state / "control").stat().st_mode) == 0o600


RETIRING = """
[job]
interval = "1h"
[slots]
evictions = "uniform(1s, 1.001s)"
grace = "500ms"
retirement = "3s"
absence = "1h"
"""


def test_a_scenarios_eviction_comes_when_retirement_ends(started, tmp_path):
    """Wanted back after 1 s, soft kill at 3 - 0.5 s: as `world.lease_of` has it."""
    (tmp_path / "s.toml").write_text(RETIRING)
    pool = started(scenario=tmp_path / "s.toml", seed=1)
    job = pool.until(pool.submit(arguments="60"), "running")
    gone = pool.until(job["id"], "idle")
    assert (gone["since"] - job["since"]) / 1e9 == pytest.approx(2.5, abs=0.3)
    time.sleep(1)  # the slot is away for an hour
    assert pool.job(job["id"])["status"] == "idle"


FAILING = """
[job]
interval = "1h"
[slots]
power_failures = "empirical(lifetimes.csv:s)"
contact_lease = "500ms"
"""


def test_a_machine_that_dies_after_a_scenarios_power_failure_comes_back(started, tmp_path):
    (tmp_path / "lifetimes.csv").write_text("s\n1\n3600\n")
    (tmp_path / "s.toml").write_text(FAILING)
    seed = next(seed for seed in range(50) if fails_first(tmp_path / "s.toml", seed))
    pool = started(scenario=tmp_path / "s.toml", seed=seed)
    job = pool.submit(arguments="60")
    pool.until(job, "running")
    first = pool.machines()[0]["pid"]
    end = time.monotonic() + DEADLINE_S
    while pool.machines()[0]["pid"] in (None, first) or pool.job(job)["status"] != "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    second = pool.machines()[0]["pid"]
    os.kill(second, signal.SIGKILL)
    while pool.machines()[0]["pid"] in (None, second) or pool.job(job)["status"] != "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    ask(pool.state, {"do": "rm", "job": job})


def fails_first(path, seed):
    """Does the slot's power fail in its first lease, and then not for an hour?"""
    from ckptsim.drivers.real.fates import Fates

    fates = Fates(path, seed)
    return [fates.of_slot(0).power_failure // 10**9 for _ in range(3)] == [1, 3600, 3600]
