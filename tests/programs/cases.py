"""Real programs with checkpoints of their own, unchanged, and how each is wrapped.

Each is run without faults first: what it leaves behind then it has to leave behind after twenty
evictions too, byte for byte.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MD = """\
integrator = md
dt = 0.002
nsteps = {steps}
nstenergy = 500
nstlog = 500
nstxout-compressed = 500
cutoff-scheme = Verlet
coulombtype = PME
rcoulomb = 0.8
rvdw = 0.8
rlist = 0.8
tcoupl = v-rescale
tc-grps = System
tau-t = 0.1
ref-t = 300
gen-vel = yes
gen-temp = 300
gen-seed = 1
ld-seed = 1
constraints = h-bonds
"""
WATER = """\
#include "oplsaa.ff/forcefield.itp"
#include "oplsaa.ff/spce.itp"
[ system ]
water
[ molecules ]
"""
PYTHON = os.environ.get("PROGRAMS_PYTHON", sys.executable)  # one that has xgboost
WAYS = Path(__file__).with_name("ways.py")
PLAIN = "/usr/bin/python3"  # where the job runs
BOOSTING = Path(__file__).with_name("boosting.py")


class Program(NamedTuple):
    """A program that checkpoints in its own way."""

    name: str
    needs: list[str]  # a command that then succeeds
    prepare: Callable[[Path], list[str]]  # makes its input files; their names
    command: list[str]
    wrapping: list[str]  # the options of `ckptsim wrap`
    results: list[str]  # files, or with `out:` lines of its output, that have to come out the same
    mean_s: float  # between evictions


def water(folder):
    """Molecular dynamics of a small box of water; GROMACS makes its own input."""
    (folder / "md.mdp").write_text(MD.format(steps=120_000))
    (folder / "topol.top").write_text(WATER)
    box = "gmx solvate -cs spc216.gro -box 2 2 2 -p topol.top -o conf.gro"
    run = "gmx grompp -f md.mdp -c conf.gro -p topol.top -o md.tpr -maxwarn 2"
    for command in (box, run):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return ["md.tpr"]


def passwords(folder):
    """One password, salted anew, for john would remember that it has found one already."""
    made = ["openssl", "passwd", "-1", "-salt", secrets.token_hex(4), "asakasy"]
    told = subprocess.run(made, check=True, capture_output=True, text=True).stdout
    (folder / "passwords").write_text(f"one:{told}")
    return ["passwords"]


def boosting(folder):
    shutil.copy(BOOSTING, folder / "boosting.py")
    return ["boosting.py"]


def ways(folder):
    shutil.copy(WAYS, folder / "ways.py")
    return ["ways.py"]


def steps(folder):
    """Each step adds its own line to what the one before has left."""
    ways(folder)
    lines = [f"{PLAIN} ways.py 8 none; tail -1 result >> lines" for _ in range(40)]
    (folder / "steps.txt").write_text("".join(f"sh -c '{line}'\n" for line in lines))
    return ["ways.py"]


GROMACS = "gmx mdrun -s md.tpr -deffnm md -reprod -nt 1 -cpt 0.02 -cpi md.cpt"

PROGRAMS = [
    Program(
        "gromacs",
        ["gmx"],
        water,
        GROMACS.split(),
        [
            *("--checkpoint", "md.cpt", "--checkpoint", "md_prev.cpt", "--complete", "quiet=300ms"),
            *(word for each in ("log", "edr", "xtc") for word in ("--carry", f"md.{each}")),
        ],
        ["md.gro", "md.xtc", "md.edr"],
        2.5,
    ),
    Program(
        "xgboost",
        [PYTHON, "-c", "import xgboost"],
        boosting,
        [PYTHON, "boosting.py", "4000"],
        ["--checkpoint", "model_*.ubj", "--newest", "1", "--complete", "quiet=100ms"],
        ["final.json"],
        2.0,
    ),
    Program(
        "john",
        ["sh", "-c", "test -x /usr/sbin/john"],
        passwords,
        ["/usr/sbin/john", "--session=work", "--incremental=Lower", "passwords"],
        [
            *("--checkpoint", "work.rec", "--save-on", "TERM", "--interval", "1.5s"),
            *("--code", "1", "--continue-with", "--restore=work"),
        ],
        [r"out:\(one\)"],
        1.5,
    ),
    Program(
        "watch",
        [PLAIN, "--version"],
        ways,
        [PLAIN, "ways.py", "200", "goes on"],
        ["--checkpoint", "count", "--complete", "says=^saved"],
        ["result"],
        1.5,
    ),
    Program(
        "ends",
        [PLAIN, "--version"],
        ways,
        [PLAIN, "ways.py", "200", "ends"],
        ["--checkpoint", "count", "--done", "file=result"],
        ["result"],
        1.5,
    ),
    Program(
        "told",
        [PLAIN, "--version"],
        ways,
        [PLAIN, "ways.py", "200", "told"],
        ["--checkpoint", "count", "--save-on", "USR1", "--interval", "1s"],
        ["result"],
        1.5,
    ),
    Program(
        "steps",
        [PLAIN, "--version"],
        steps,
        ["sh", "steps.txt"],
        ["--commands", "steps.txt"],
        ["lines"],
        1.5,
    ),
]
