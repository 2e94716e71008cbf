"""Partial results: what is there again after any end, and what is never mixed with it."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pytest

from ckptsim import identity, partial
from ckptsim.errors import OutputError
from ckptsim.identity import Maker, canonical, code
from ckptsim.partial import Partial
from ckptsim.scenario import load
from ckptsim.world import world_of

SEED = 20_250_612
ITEMS = {number: [number, "x" * (number % 50), [0.1 * number, inf]] for number in range(200)}


@pytest.fixture
def told():
    return []


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out" / "deep"


def left_by_a_run(folder, items=ITEMS):
    """The folder as a run leaves it that was not completed."""
    file = Partial(folder, print)
    file.add("one", items)
    file.close()
    return folder / partial.NAME


def found_in(folder, told, experiment="one"):
    file = Partial(folder, told.append)
    found = file.items(experiment)
    file.close()
    return found


# --- what is kept is there again ------------------------------------------------------------------


def test_what_was_added_is_there_again(folder, told):
    left_by_a_run(folder)
    assert found_in(folder, told) == ITEMS
    assert found_in(folder, told, "another") == {}
    assert told == []


def test_numbers_come_back_to_the_last_bit(folder, told):
    rows = np.array([[2**62, -1, 0], [1, 2, 3]], np.int64)
    row = {"a": 0.1 + 0.2, "b": inf, "c": -0.0, "d": np.float64(1 / 3), "e": np.bool_(True)}
    left_by_a_run(folder, {0: [2**80, rows, np.zeros((0, 8), np.int64)], 1: {**row, "f": nan}})
    back = found_in(folder, told)
    assert back[0][0] == 2**80
    assert (back[0][1].dtype, back[0][1].tolist()) == (np.int64, rows.tolist())
    assert back[0][2].shape == (0, 8)
    assert isnan(back[1].pop("f"))
    assert back[1] == row
    assert str(back[1]["c"]) == "-0.0"


def test_an_item_that_is_added_again_replaces_the_first(folder, told):
    left_by_a_run(folder, {3: "first"})
    left_by_a_run(folder, {3: "second"})
    assert found_in(folder, told) == {3: "second"}


def test_nothing_is_left_of_an_empty_file(folder, tmp_path):
    Partial(folder, print).close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_forgotten_is_removed_with_its_file(folder, tmp_path):
    left_by_a_run(folder)
    file = Partial(folder, print)
    file.add("two", {0: 1})
    file.forget("one")
    file.close()
    assert found_in(folder, [], "one") == {}
    assert found_in(folder, [], "two") == {0: 1}
    file = Partial(folder, print)
    file.forget("two")
    file.close()
    assert list(folder.iterdir()) == []
    assert tmp_path.exists()


def test_a_folder_that_was_there_stays(folder):
    folder.mkdir(parents=True)
    Partial(folder, print).close()
    assert folder.exists()


# --- what can go wrong ----------------------------------------------------------------------------


def killed(folder, elsewhere):
    """The files as they are on the disk while they are written to: as kill -9 leaves them."""
    file = Partial(folder, print)
    for number, item in ITEMS.items():
        file.add("one", {number: item})
    shutil.copytree(folder, elsewhere)
    file.close()
    return elsewhere


def test_what_was_added_outlives_the_process(folder, tmp_path, told):
    assert found_in(killed(folder, tmp_path / "killed"), told) == ITEMS
    assert told == []


def test_a_torn_log_loses_the_last_items_and_no_others(folder, tmp_path, told):
    torn = killed(folder, tmp_path / "torn")
    log = torn / f"{partial.NAME}-wal"
    content, chance = log.read_bytes(), random.Random(SEED)
    sizes = []
    for number in range(20):
        each = tmp_path / f"torn-{number}"
        shutil.copytree(torn, each)
        (each / log.name).write_bytes(content[: chance.randrange(len(content))])
        found = found_in(each, told)
        assert found == {number: ITEMS[number] for number in range(len(found))}
        sizes.append(len(found))
    assert told == []
    assert len(set(sizes)) > 10


def test_damage_is_told_in_a_line_and_no_item_is_wrong(folder, tmp_path):
    content, chance = left_by_a_run(folder).read_bytes(), random.Random(SEED)
    aside = 0
    for number in range(60):
        each, told = tmp_path / f"damaged-{number}", []
        each.mkdir()
        damaged = bytearray(content)
        if number % 2:
            del damaged[chance.randrange(1, len(damaged)) :]
        else:
            place = chance.randrange(len(damaged) - 16)
            damaged[place : place + 16] = chance.randbytes(16)
        (each / partial.NAME).write_bytes(damaged)
        found = found_in(each, told)
        assert all(item == ITEMS[place] for place, item in found.items())
        assert len(told) <= 1
        aside += (each / f"{partial.NAME}.aside-1").exists()
    assert aside > 30


@pytest.mark.parametrize("content", [b"a story, long enough to be one\n" * 50, b"x", None])
def test_a_foreign_file_is_set_aside(folder, told, content):
    folder.mkdir(parents=True)
    path = folder / partial.NAME
    if content is None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE items (a)")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    assert found_in(folder, told) == {}
    (line,) = told
    assert line == f"{path}: damaged, or not written by ckptsim; it is now {path.name}.aside-1"
    assert (folder / f"{path.name}.aside-1").read_bytes() == before
    path.write_bytes(b"another")
    found_in(folder, told)
    assert (folder / f"{path.name}.aside-2").read_bytes() == b"another"


def test_a_second_process_is_refused(folder):
    first = Partial(folder, print)
    with pytest.raises(OutputError) as refused:
        Partial(folder, print)
    assert str(refused.value) == (
        f"{folder / partial.NAME}: another ckptsim is at work in this folder; wait until it is "
        "done, or choose another place with --out"
    )
    first.add("one", ITEMS)
    first.close()
    assert found_in(folder, []) == ITEMS


def test_another_process_is_refused_too(folder):
    first = Partial(folder, print)
    words = ["simulate", "--work", "1h", "--interval", "1h", "--out", str(folder)]
    second = subprocess.run(
        [sys.executable, "-m", "ckptsim", *words], capture_output=True, text=True, check=False
    )
    first.close()
    assert second.returncode == 2
    (line,) = second.stderr.splitlines()
    assert "another ckptsim is at work in this folder" in line


def test_a_place_that_cannot_be_written_to_is_a_mistake(folder):
    (folder / partial.NAME).mkdir(parents=True)
    with pytest.raises(OutputError, match="cannot keep partial results"):
        Partial(folder, print)


def test_a_file_that_fails_later_does_not_stop_the_run(folder, told):
    file = Partial(folder, told.append)
    file.connection.execute("DROP TABLE items")
    file.add("one", ITEMS)
    file.add("one", ITEMS)
    file.close()
    (line,) = told
    assert "going on without keeping partial results" in line


def test_what_other_code_has_left_is_not_taken_up(folder, told, monkeypatch):
    path = left_by_a_run(folder)
    monkeypatch.setattr(partial, "maker", lambda: Maker("other", "same"))
    assert found_in(folder, told) == {}
    assert told == [f"Starting anew: {path} was left by another version of ckptsim"]


# --- identity -------------------------------------------------------------------------------------

KEYS = {"job.work": "6h", "job.write": "5min", "slots.evictions": "weibull(shape=0.7, mean=4h)"}
MINUTE = 60 * 10**9


def of(interval=40 * MINUTE, **changes):
    keys = {key.replace("__", "."): value for key, value in changes.items()}
    return identity.identity("jobs", world_of(load(None, {**KEYS, **keys}), interval))


def test_every_key_is_part_of_the_identity():
    others = [
        of(seed=2),
        of(job__write="6min"),
        of(slots__evictions="weibull(shape=0.7, mean=5h)"),
        of(slots__count=2),
        of(41 * MINUTE),
    ]
    assert of() not in others
    assert len(set(others)) == len(others)


def test_measured_times_count_and_not_their_files_name(tmp_path):
    made = []
    for name, last in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / f"{name}.csv").write_text(f"s\n1\n2\n{last}\n")
        made.append(of(slots__evictions=f"empirical({tmp_path}/{name}.csv:s)"))
    assert made[0] == made[1] != made[2]


def test_arrays_count_to_their_last_number():
    many = np.zeros(5000)
    other = many.copy()
    other[2500] = 1e-300
    assert canonical(many) == canonical(many.copy()) != canonical(other)


def test_the_identity_is_the_same_in_every_process():
    told = (
        "from ckptsim import identity, world\nfrom ckptsim.scenario import load\n"
        f"print(identity.identity('jobs', world.world_of(load(None, {KEYS}), "
        f"{40 * MINUTE})))"
    )
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", told],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(identity.PACKAGE.parent)},
        )
        assert run.stdout.strip() == of()


@pytest.mark.parametrize(
    ("name", "counts"),
    [("rules.py", True), ("drivers/virtual.py", True), ("commands/plan.py", False)],
)
def test_a_change_of_what_decides_numbers_changes_the_code(tmp_path, name, counts):
    copied = tmp_path / "ckptsim"
    shutil.copytree(identity.PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    assert code(copied) == code(identity.PACKAGE)
    with (copied / name).open("a") as file:
        file.write("# changed\n")
    assert (code(copied) != code(identity.PACKAGE)) == counts


def test_nothing_in_a_file_is_executed():
    """What is kept is JSON: no form of it is a command."""
    assert json.loads(partial.zlib.decompress(partial.encoded([1, "a"]))) == [1, "a"]
    with pytest.raises(AssertionError):
        partial.encoded([Path()])
