"""Keyed streams: the n-th draw is what NumPy's own Philox says, whoever asks, however often.

Compiled code computes any of them at once; it must be the same, to the nanosecond.
"""

import os
import shutil
import subprocess
import sys
import time
from itertools import islice
from math import log
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from test_chance import LAWS
from test_shape import imports

from ckptsim import draws
from ckptsim.chance import coded
from ckptsim.draws import Purpose, times
from ckptsim.drivers.compiled import jit, words
from ckptsim.lifetimes import Constant, Empirical, Exponential, Never, Uniform, Weibull
from ckptsim.rules import NEVER
from ckptsim.units import HOUR, SECOND

SEED = 20_250_611
HOURLY = Exponential(3600.0)
PACKAGE = Path(draws.__file__).parent


def some(count, law=HOURLY, seed=SEED, replication=0, who=0, purpose=Purpose.EVICTION):
    return list(islice(times(law, seed, replication, who, purpose), count))


def numpys(count, seed, who, replication, purpose):
    """The words of a stream as its definition says; NumPy counts up before its first block."""
    key, counter = [seed, 0], [0, who, replication, purpose]
    return np.random.Philox(key=key, counter=counter).random_raw(count).tolist()


def test_the_numbers_of_the_purposes_are_part_of_the_keys():
    """A changed number would change every run that anyone has reported."""
    assert {purpose.name: purpose.value for purpose in Purpose} == {
        "EVICTION": 0,
        "POWER_FAILURE": 1,
        "ABSENCE": 2,
        "GAP": 3,
        "INPUT": 4,
        "COLD_START": 5,
        "RESTART_LEASE": 6,
        "RESTART_IN_PLACE": 7,
        "WRITE": 8,
        "TRANSFER": 9,
        "ARRIVAL": 10,
        "DOMAIN_FAILURE": 11,
        "REPAIR": 12,
    }


def test_a_draw_is_the_quantile_of_numpys_philox():
    found = some(100, replication=3, who=5, purpose=Purpose.WRITE)
    for drawn, word in zip(found, numpys(100, SEED, 5, 3, Purpose.WRITE), strict=True):
        u = (word >> 11) / 2**53
        assert abs(drawn + HOUR * log(1 - u)) <= 1 + 1e-12 * drawn


def test_the_first_draws_are_literally_these():
    """On any machine; the quantile of a uniform law has no transcendental function in it."""
    drawn = some(3, law=Uniform(0.0, 1e9), seed=0)
    assert drawn == [11546754286331562, 241549196562718112, 111425855514938224]


def test_a_uniform_is_what_numpys_generator_makes_of_a_word():
    philox = np.random.Philox(key=[SEED, 0], counter=[0, 5, 3, 8])
    uniforms = np.random.Generator(philox).random(100)
    drawn = some(100, Uniform(0.0, 1e9), replication=3, who=5, purpose=Purpose.WRITE)
    assert drawn == [round(float(u) * 1e9 * SECOND) for u in uniforms]


@pytest.mark.parametrize("law", [HOURLY, Weibull(0.7, 3600.0), Empirical((1.0, 5.0, 9.0))])
def test_how_many_are_asked_for_does_not_change_them(law):
    thousand = some(1000, law)
    for count in (1, 15, 16, 17, 333):
        assert some(count, law) == thousand[:count]


def test_words_fetched_in_other_numbers_give_the_same_stream(monkeypatch):
    before = some(200, Uniform(0.0, 3600.0))
    monkeypatch.setattr(draws, "WORDS", 7)
    assert some(200, Uniform(0.0, 3600.0)) == before


def test_streams_do_not_disturb_each_other():
    one, two = times(HOURLY, SEED, 0, 0, Purpose.GAP), times(HOURLY, SEED, 0, 1, Purpose.GAP)
    woven = [(next(one), next(two)) for _ in range(40)]
    alone = some(40, who=0, purpose=Purpose.GAP), some(40, who=1, purpose=Purpose.GAP)
    assert woven == list(zip(*alone, strict=True))


def test_every_part_of_the_key_makes_another_stream():
    keys = [(SEED, 0, 0, 0), (SEED + 1, 0, 0, 0), (SEED, 1, 0, 0), (SEED, 0, 1, 0), (SEED, 0, 0, 1)]
    keys += [(SEED, 256, 0, 0), (SEED, 0, 256, 0), (SEED + 2**32, 0, 0, 0), (SEED, 1, 1, 0)]
    keys += [(SEED, 2**31, 0, 0), (SEED, 0, 2**31, 0), (2**63 - 1, 0, 0, 0)]
    heads = {tuple(some(4, HOURLY, *key[:3], Purpose(key[3]))) for key in keys}
    assert len(heads) == len(keys)


def test_streams_are_independent_and_follow_their_law():
    """Kolmogorov-Smirnov over the first draws of 4,000 streams, and neighbours uncorrelated."""
    table = np.array([some(2, replication=n) for n in range(4000)]) / SECOND
    for column in table.T:
        assert stats.kstest(column, "expon", args=(0, 3600)).pvalue > 0.001
    assert stats.spearmanr(table[:, 0], table[:, 1]).pvalue > 0.001
    assert stats.spearmanr(table[:-1, 0], table[1:, 0]).pvalue > 0.001


def test_a_longer_mean_makes_every_draw_longer():
    """Draws are quantiles, so a change of scale keeps the pairing."""
    assert some(50, Exponential(7200.0)) == pytest.approx([2 * t for t in some(50)], abs=1)


def test_what_never_happens_and_what_always_takes_the_same_time():
    assert some(3, Never()) == [NEVER] * 3
    assert some(3, Constant(2.5)) == [2_500_000_000] * 3


@pytest.mark.skipif(jit.config.DISABLE_JIT, reason="NumPy makes the blocks")
def test_a_block_is_that_of_those_who_made_philox():
    """The first of the vectors for philox4x64-10 that Random123 is tested by (kat_vectors)."""
    assert [int(word) for word in words.block(0, 0, 0, 0, 0)] == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


def test_compiled_words_are_numpys():
    generator = np.random.default_rng(SEED)
    for _ in range(2000):
        seed = int(generator.integers(2**63))
        who, replication = generator.integers(2**31 + 1, size=2).tolist()
        purpose, block = generator.integers([13, 25]).tolist()
        expected = numpys(4 * block + 4, seed, who, replication, purpose)[-4:]
        found = words.block(seed, block + 1, who, replication, purpose)
        assert [int(word) for word in found] == expected


@pytest.mark.parametrize("name", LAWS)
def test_compiled_draws_are_those_of_the_stream(name):
    law, who, replication = LAWS[name], 2**31, 2**31 - 1
    codes = np.array([7.0, 7.0, *coded(law)])
    found = [words.drawn(codes, 2, SEED, replication, who, Purpose.REPAIR, n) for n in range(500)]
    assert found == some(500, law, SEED, replication, who, Purpose.REPAIR)


def run(script, *arguments, **environment):
    """A fresh Python, in which warnings are errors; what it printed, and told."""
    command = [sys.executable, "-W", "error", str(script), *arguments]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


DRAWING = """
import numpy as np
from numba import config
from test_chance import ALL, LAWS
from ckptsim.chance import coded
from ckptsim.drivers.compiled.words import drawn

assert config.DISABLE_JIT
for law in [*LAWS.values(), ALL]:
    print(*(int(drawn(np.array(coded(law)), 0, 3, 1, 4, 1, n)) for n in range(40)))
"""


def test_without_the_compiler_the_draws_are_the_same(tmp_path):
    script = tmp_path / "drawing.py"
    script.write_text(DRAWING)
    path = f"{PACKAGE.parent}{os.pathsep}{Path(__file__).parent}"
    done = run(script, NUMBA_DISABLE_JIT="1", PYTHONPATH=path)
    for law, line in zip(LAWS.values(), done.stdout.splitlines(), strict=False):
        assert line == " ".join(map(str, some(40, law, 3, 1, 4, Purpose(1))))


ASKING = """
from ckptsim import rules
from ckptsim.drivers.compiled.jit import announce, compiled, register

register(rules)

@compiled
def asked(wanted):
    return rules.warned_at(wanted, 0, 0, 0)

announce(asked)
announce(asked)
print(asked(100), len(asked.stats.cache_hits))
"""


def test_an_edit_of_the_rules_is_never_served_stale(tmp_path):
    """Numba's own check of its cache would not see it: it looks at the file of `asked` alone."""
    copy = tmp_path / "ckptsim"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    script = tmp_path / "asking.py"
    script.write_text(ASKING)
    asks = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    asks["NUMBA_DISABLE_JIT"] = "0"

    first, again = run(script, **asks), run(script, **asks)
    assert (first.stdout, first.stderr) == ("100 0\n", f"{jit.SAYING}\n")
    assert (again.stdout, again.stderr) == ("100 1\n", "")

    rules = copy / "rules.py"
    old = "max(wanted, began + retirement - grace)"
    assert old in rules.read_text()
    rules.write_text(rules.read_text().replace(old, f"1 + {old}"))
    assert run(script, **asks).stdout == "101 0\n"


def test_the_name_of_a_cache_changes_with_each_text_that_is_compiled(tmp_path):
    copy = tmp_path / "ckptsim"
    shutil.copytree(PACKAGE, copy)
    names = {jit.text_hash(copy)}
    compiled_from = list(jit.sources(copy))
    for path in compiled_from:
        path.write_text(path.read_text() + "\n")
        names.add(jit.text_hash(copy))
    assert len(names) == len(compiled_from) + 1
    (copy / "report.py").write_text("")
    assert jit.text_hash(copy) in names


def test_no_module_is_compiled_that_its_cache_is_not_named_after():
    pure = [path for name in jit.PURE if (path := PACKAGE / f"{name}.py").exists()]
    named = {f"ckptsim.{path.stem}" for path in jit.sources(PACKAGE)}
    for path in pure:
        ours = {name for name in imports(path) if name.startswith("ckptsim.")}
        assert {".".join(name.split(".")[:2]) for name in ours} <= named


def test_caches_are_kept_where_numba_or_xdg_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(jit.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jit.folder_for("name") == tmp_path / "xdg" / "ckptsim" / "numba" / "name"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert jit.folder_for("name") == tmp_path / "home" / ".cache" / "ckptsim" / "numba" / "name"
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path / "told"))
    assert jit.folder_for("name") == tmp_path / "told" / "ckptsim" / "name"


def test_where_no_cache_can_be_kept_one_is_made_for_the_process(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(jit.tempfile, "tempdir", str(tmp_path))
    folder = jit.folder_for("name")
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("ages", "kept"),
    [
        ({"a": 4_000, "b": 5_000, "c": 6_000}, {"a", "b"}),  # the three latest, its own included
        ({"a": 60, "b": 600, "c": 3_000, "d": 4_000}, {"a", "b", "c"}),  # c may be in use
    ],
)
def test_old_caches_are_removed_but_for_the_latest(tmp_path, ages, kept):
    now = time.time()
    for name, age in {"own": 0, **ages}.items():
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (now - age, now - age))
    (tmp_path / "file").touch()
    jit.prune(tmp_path / "own")
    assert {path.name for path in tmp_path.iterdir()} == {"own", "file", *kept}


READING = """
import sys
import numpy as np
from ckptsim.drivers.compiled.jit import borrowing

@borrowing
def read(records):
    return records[0].second

kind = np.dtype([("first", np.int64, (int(sys.argv[1]),)), ("second", np.int64)])
read(np.zeros(1, kind))
print(*(found.fndesc.mangled_name for found in read.overloads.values()))
"""


def test_code_for_records_of_two_kinds_has_two_names_whatever_process_compiled_it(tmp_path):
    """Numba's own names hold the number of a kind in the process: here both kinds' was the same.

    Where code of one name from two processes met in a third, one was taken for both.
    """
    script = tmp_path / "reading.py"
    script.write_text(READING)
    given = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_DISABLE_JIT": "0"}
    names = [run(script, room, **given).stdout for room in ("1", "9", "1")]
    assert names[0] == names[2] != names[1]
