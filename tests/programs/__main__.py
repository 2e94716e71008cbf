"""Carry real programs, wrapped but unchanged, through random evictions to the same result.

    python tests/programs [--htcondor ROOT] [NAME ...]

In ckptsim's pool, or in a real HTCondor in the folder ROOT. Prints a table; not 0 if one differs.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cases import PROGRAMS
from pools import CKPTSIM, ENDED, HTCondor, Ours, carried

EVICTIONS, SEED, TIMEOUT_S = 20, 1, 900
HEAD = ("program", "evictions", "checkpoints kept", "executions", "result", "took")


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("names", nargs="*")
    asked.add_argument("--htcondor", type=Path)
    asked = asked.parse_args()
    wanted = [program for program in PROGRAMS if program.name in (asked.names or program.name)]
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        pool = HTCondor(asked.htcondor, "programs") if asked.htcondor else Ours(where / "pool")
        with pool.running():
            rows = [tried(program, pool) for program in wanted]
    for row in (HEAD, ["---"] * len(HEAD), *rows):
        print(f"| {' | '.join(row)} |")
    return int(not all(row[4] in ("the same", "not there") for row in rows))


def tried(program, pool):
    """One program, without faults and then through evictions; a row of the table."""
    reference, folder = (pool.folder(f"{program.name}-{n}") for n in range(2))
    if not is_there([*pool.prefix(reference), *program.needs]):
        return [program.name, "", "", "", "not there", ""]
    program.prepare(reference)
    command = [*pool.prefix(reference), *program.command]
    with (reference / "out").open("wb") as out:
        while not is_finished(program, reference):
            subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, check=True)
    sub = wrapped(program, folder)
    began = time.monotonic()
    log, chance = folder / f"{program.name}.wrapped.log", random.Random(SEED)
    count, end = carried(pool, sub, log, chance, program.mean_s, EVICTIONS, TIMEOUT_S)
    took = time.monotonic() - began
    (folder / "out").write_bytes((folder / f"{program.name}.wrapped.out").read_bytes())
    pairs = [[result(place, name) for place in (reference, folder)] for name in program.results]
    same = end == ENDED and all(first and first == second for first, second in pairs)
    journal = (folder / f"{program.name}.journal").read_text()
    told = "the same" if same else f"DIFFERS ({end})"
    starts = len(re.findall("going on from|starting from", journal))
    kept = len(re.findall(" kept [0-9]", journal))
    return [program.name, str(count), str(kept), str(starts), told, f"{took:.0f} s"]


def is_finished(program, folder):
    """Has it left all of its results that are files?"""
    names = [name for name in program.results if not name.startswith("out:")]
    there = all((folder / name).exists() for name in names)
    return there if names else (folder / "out").stat().st_size > 0


def is_there(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def wrapped(program, folder):
    inputs = program.prepare(folder)
    words = ["wrap", *program.wrapping, "--name", program.name, "--input-files", ",".join(inputs)]
    if "--commands" not in words:
        words += ["--", *program.command]
    subprocess.run([*CKPTSIM, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / f"{program.name}.wrapped.sub"


def result(folder, name):
    """A file, or the lines of the output that match."""
    kind, _, pattern = name.rpartition("out:")
    if pattern == name:
        return (folder / name).read_bytes()
    assert not kind
    lines = (folder / "out").read_text().splitlines()
    return [line for line in lines if re.search(pattern, line)]


if __name__ == "__main__":
    sys.exit(main())
