"""The compiled driver against S1 as a C program: an outside judge of rules, draws and sums."""

import shutil
import subprocess
from pathlib import Path

import pytest
from test_theory import S1 as S1_BUT_FOR_ITS_INTERVAL

from ckptsim.drivers.compiled import chain, driver
from ckptsim.ledger import Category
from ckptsim.scenario import load
from ckptsim.world import world_of

SOURCE = Path(__file__).parent / "twin" / "s1.c"
SEED, FIRST, JOBS = 20_250_611, 17, 5_000
BUILD = ("-O3", "-std=c11", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
S1 = {**S1_BUT_FOR_ITS_INTERVAL, "job.interval": "84min", "seed": SEED}


def of_c(folder: Path) -> dict[str, int]:
    program = folder / "s1"
    subprocess.run(["gcc", *BUILD, "-o", program, SOURCE, "-lm"], check=True)
    command = [program, str(SEED), str(FIRST), str(JOBS)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = dict(line.split() for line in told.splitlines())
    return {name: int(value) for name, value in found.items() if name != "jobs_per_s"}


def of_the_compiled_driver() -> dict[str, int]:
    scenario = load(None, S1)
    books, told = driver.many_alone(world_of(scenario, scenario.job.interval or 0), FIRST, JOBS)
    sums = {each.name.lower(): total for each, total in zip(Category, books.sum(0), strict=True)}
    sums |= {
        "makespan": told[:, chain.MAKESPAN].sum(),
        "leases": told[:, chain.LEASES].sum(),
        "checkpoints": told[:, chain.CHECKPOINTS].sum(),
    }
    return {name: int(value) for name, value in sums.items() if value}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")
def test_the_c_program_and_the_compiled_driver_say_the_same_to_the_nanosecond(
    tmp_path: Path,
) -> None:
    assert of_c(tmp_path) == of_the_compiled_driver()
