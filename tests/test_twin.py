"""A twin: one scenario simulated and run with real processes, seconds for minutes.

The slots meet the same fates in both, by the same keyed draws; the executable takes the times that
the scenario has for it. Bounds as in the issue that asked for this: each of useful, lost, transfer
and restart time within 3 % of the simulation with the same seed, or else among the central 99 % of
a thousand simulations of the scenario, since one commit that comes some milliseconds too late can
lose a whole block. The seed was chosen before the first run.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ckptsim.drivers.virtual import simulate
from ckptsim.ledger import LOST, Category
from ckptsim.scenario import load
from ckptsim.units import SECOND
from ckptsim.world import world_of

FOLDER = Path(__file__).parents[1] / "scenarios" / "real"
SCENARIO = FOLDER / "minutes-as-seconds.toml"
SEED = 20_250_611
RESTARTS = (Category.COLD_START, Category.RESTART_LEASE, Category.RESTART_IN_PLACE)
PARTS = {
    "useful": (Category.USEFUL,),
    "lost": LOST,
    "transfer": (Category.TRANSFER, Category.VACATING),
    "restart": RESTARTS,
}


def simulated(replications):
    """The ledger of each replication, in seconds, and the leases of the first."""
    scenario = load(SCENARIO, {"seed": str(SEED)})
    world = world_of(scenario, scenario.job.interval)
    outcomes = [simulate(world, replication) for replication in range(replications)]
    return np.array([outcome.ledger for outcome in outcomes]) / SECOND, len(outcomes[0].stays)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """What `ckptsim run` measured; its files are made in a copy of the folder."""
    folder = tmp_path_factory.mktemp("twin") / "real"
    shutil.copytree(FOLDER, folder)
    words = ["run", "steady.sub", "--scenario", SCENARIO.name, "--seed", str(SEED), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ckptsim", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)["jobs"]["each"]


@pytest.fixture(scope="module")
def virtual():
    return simulated(1000)


def test_all_jobs_complete_with_all_their_checkpoints(real):
    assert [job["status"] for job in real] == ["completed"] * 8
    assert [job["checkpoints"] for job in real] == [11] * 8


def test_there_were_leases_enough(real, virtual):
    assert virtual[1] >= 30
    assert sum(job["leases"] for job in real) >= 30


@pytest.mark.parametrize("part", PARTS)
def test_the_time_went_where_the_simulation_says(real, virtual, part):
    categories = PARTS[part]
    found = sum(job["ledger"][category.name] for job in real for category in categories) / SECOND
    expected = virtual[0][:, categories].sum(axis=1)
    low, high = np.quantile(expected, (0.005, 0.995))
    assert found == pytest.approx(expected[0], rel=0.03) or low <= found <= high
