"""The spool's commit. The judge: the golden runs of a real HTCondor, and crashes at every step."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.htcondor.spool import MARKER, Spool

SHARED = Path(os.environ.get("CKPTSIM_SHARED", Path(__file__).parents[2] / "shared"))


def put(folder, tree):
    """Write {name: text or tree} into a folder."""
    for name, content in tree.items():
        if isinstance(content, dict):
            (folder / name).mkdir()
            put(folder / name, content)
        else:
            (folder / name).write_text(content)


def tree(folder):
    """What is in a folder, as `put` takes it."""
    return {
        path.name: tree(path) if path.is_dir() else path.read_text() for path in folder.iterdir()
    }


def checkpoint(spool, content, job=(7, 0)):
    put(spool.incoming(*job), content)
    spool.commit(*job)


class PowerCutError(BaseException):
    """No handler of the code may catch it: what is dead does nothing more."""


FILE_SYSTEM = re.compile(
    r"open|os\.(rename|remove|mkdir|rmdir|listdir|scandir|truncate|utime|chmod)"
)
countdown = []


def count_down(event, _):
    """Python's own audit hook: it comes before each call, whoever makes it."""
    if countdown and FILE_SYSTEM.fullmatch(event):
        countdown[0] -= 1
        if countdown[0] == 0:
            raise PowerCutError


sys.addaudithook(count_down)


@contextmanager
def crash_before(call):
    """Break off before the file-system call of that number; yields [] or, later, [True]."""
    crashed = []
    countdown[:] = [call]
    try:
        yield crashed
    except PowerCutError:
        crashed.append(True)
    finally:
        countdown.clear()


def test_the_folders_are_named_as_htcondor_names_them(tmp_path):
    spool = Spool(tmp_path)
    assert spool.folder(123456, 20007) == tmp_path / "3456/7/cluster123456.proc20007.subproc0"
    assert spool.incoming(102, 0) == tmp_path / "102/0/cluster102.proc0.subproc0.tmp"
    assert sorted(path.name for path in (tmp_path / "102/0").iterdir()) == [
        "cluster102.proc0.subproc0",
        "cluster102.proc0.subproc0.tmp",
    ]


def test_what_arrives_counts_only_when_it_is_committed(tmp_path):
    spool = Spool(tmp_path)
    put(spool.incoming(7, 0), {"example.checkpoint": "3"})
    assert tree(spool.folder(7, 0)) == {}
    spool.commit(7, 0)
    assert tree(spool.folder(7, 0)) == {"example.checkpoint": "3"}
    assert tree(spool.folder(7, 0).parent) == {
        "cluster7.proc0.subproc0": {"example.checkpoint": "3"},
        "cluster7.proc0.subproc0.tmp": {},
    }


def test_a_directory_is_replaced_whole_as_in_golden_t(tmp_path):
    spool = Spool(tmp_path)
    checkpoint(spool, {"ckpt": {"0002": "2"}, "_condor_stdout": "step 2\n"})
    checkpoint(spool, {"ckpt": {"0004": "4"}, "_condor_stdout": "step 2\nstep 4\n"})
    assert tree(spool.folder(7, 0)) == {
        "ckpt": {"0004": "4"},
        "_condor_stdout": "step 2\nstep 4\n",
    }


def test_plain_files_of_other_names_pile_up_as_in_run_t2(tmp_path):
    spool = Spool(tmp_path)
    checkpoint(spool, {"ck.0002": "2"})
    checkpoint(spool, {"ck.0004": "4"})
    assert tree(spool.folder(7, 0)) == {"ck.0002": "2", "ck.0004": "4"}


def test_a_file_may_become_a_directory_and_a_directory_a_file(tmp_path):
    spool = Spool(tmp_path)
    checkpoint(spool, {"a": "file", "b": {"c": "1"}})
    checkpoint(spool, {"a": {"c": "2"}, "b": "file"})
    assert tree(spool.folder(7, 0)) == {"a": {"c": "2"}, "b": "file"}


def test_a_failed_transfer_stays_to_be_looked_at_and_is_gone_at_the_next_run(tmp_path):
    """As in golden/l4: the first checkpoint is kept, what came of the second is beside it."""
    spool = Spool(tmp_path)
    checkpoint(spool, {"example.checkpoint": "3", "_condor_stdout": "step 3\n"})
    put(spool.incoming(7, 0), {"_condor_stdout": "step 3\nstep 6\n"})
    old = {"example.checkpoint": "3", "_condor_stdout": "step 3\n"}
    assert tree(spool.folder(7, 0).parent) == {
        "cluster7.proc0.subproc0": old,
        "cluster7.proc0.subproc0.tmp": {"_condor_stdout": "step 3\nstep 6\n"},
    }
    spool.recover(7, 0)
    assert tree(spool.folder(7, 0).parent) == {
        "cluster7.proc0.subproc0": old,
        "cluster7.proc0.subproc0.tmp": {},
    }


def test_no_checkpoint_holds_the_leavings_of_another(tmp_path):
    spool = Spool(tmp_path)
    put(spool.incoming(7, 0), {"big.dat": "half of"})
    put(spool.incoming(7, 0), {"example.checkpoint": "3"})
    spool.commit(7, 0)
    assert tree(spool.folder(7, 0)) == {"example.checkpoint": "3"}


def test_recovering_a_job_that_never_had_a_checkpoint_makes_nothing(tmp_path):
    Spool(tmp_path / "spool").recover(7, 0)
    assert not (tmp_path / "spool").exists()


def test_removal_leaves_nothing_of_the_job_and_all_of_others(tmp_path):
    spool = Spool(tmp_path)
    checkpoint(spool, {"a": "1", "d": {"e": "2"}}, (7, 0))
    checkpoint(spool, {"a": "9"}, (7, 1))
    put(spool.incoming(7, 0), {"half": "1"})
    spool.remove(7, 0)
    assert sorted(tree(tmp_path / "7")) == ["1"]
    assert tree(spool.folder(7, 1)) == {"a": "9"}
    spool.remove(7, 1)
    spool.remove(7, 1)
    assert list(tmp_path.iterdir()) == []


def dumped(text):
    """The listing of a golden spool as a tree, without the folders of cluster and process."""
    tree = {}
    for name, content in re.findall(
        r"^== 0/(\S+) size=\d*\n(.*?)(?=^== |\Z)", text, re.MULTILINE | re.DOTALL
    ):
        *above, last = name.rstrip("/").split("/")
        inner = tree
        for part in above:
            inner = inner[part]
        inner[last] = {} if name.endswith("/") else content
    return tree


@pytest.mark.skipif(not SHARED.exists(), reason="the golden runs are not at hand")
@pytest.mark.parametrize(
    ("listing", "checkpoints"),
    [
        (
            "t_rotating_dir/spool_after_two.txt",
            [
                {"ckpt": {"0002": "2\n"}, "_condor_stderr": "", "_condor_stdout": "…"},
                {
                    "ckpt": {"0004": "4"},
                    "_condor_stderr": "\n",
                    "_condor_stdout": "start: have []\nstep 1\nstep 2\n"
                    "start: have ['ckpt/0002']\nstep 3\nstep 4\n",
                },
            ],
        ),
        (
            "z1_input_is_checkpoint/spool_after_evict.txt",
            [
                {
                    "example.checkpoint": "3",
                    "_condor_stderr": "\n",
                    "_condor_stdout": "Starting from 1\nComputing timestamp 1\n"
                    "Computing timestamp 2\n",
                }
            ],
        ),
    ],
)
def test_the_spool_is_left_as_htcondor_left_it(tmp_path, listing, checkpoints):
    seen = dumped((SHARED / "golden" / listing).read_text())
    (cluster,) = {int(re.match(r"cluster(\d+)", name)[1]) for name in seen}
    spool = Spool(tmp_path)
    for content in checkpoints:
        checkpoint(spool, content, (cluster, 0))
    got = tree(tmp_path / str(cluster) / "0")
    assert {name: stripped(inner) for name, inner in got.items()} == {
        name: stripped(inner) for name, inner in seen.items()
    }


def stripped(tree):
    """The listing ends contents with a newline of its own where they have none."""
    return {
        name: stripped(inner) if isinstance(inner, dict) else inner.rstrip("\n")
        for name, inner in tree.items()
    }


names = st.sampled_from(["a", "b", "c", "_condor_stdout"])
trees = st.dictionaries(
    names, st.one_of(st.text("xyz", max_size=3), st.dictionaries(names, st.text("xyz", max_size=3)))
)


def crashes(old, new, recovering):
    """Let a commit of `new` over `old` crash at every call, and the recovery at one; all outcomes.

    Yields what the spool holds after each.
    """
    call, crashed = 0, [True]
    while crashed:
        call += 1
        with tempfile.TemporaryDirectory() as root:
            spool = Spool(Path(root))
            checkpoint(spool, old)
            put(spool.incoming(7, 0), new)
            with crash_before(call) as crashed:
                spool.commit(7, 0)
            for other in recovering:
                with crash_before(other):
                    Spool(Path(root)).recover(7, 0)
            Spool(Path(root)).recover(7, 0)
            beside = tree(spool.folder(7, 0).parent)
            yield call, beside.pop(spool.folder(7, 0).name)
            assert beside == {"cluster7.proc0.subproc0.tmp": {}}


@settings(max_examples=40, deadline=None)
@given(old=trees, new=trees, recovering=st.lists(st.integers(1, 30), max_size=2))
def test_a_crash_before_any_call_leaves_the_old_checkpoint_or_the_new(old, new, recovering):
    outcomes = [held for _, held in crashes(old, new, recovering)]
    turn = outcomes.index({**old, **new})
    assert all(held == old for held in outcomes[:turn])
    assert all(held == {**old, **new} for held in outcomes[turn:])


def test_the_marker_is_what_makes_a_checkpoint_count():
    outcomes = dict(crashes({"a": "old", "d": {"x": "old"}}, {"a": "new", "d": {"y": "new"}}, []))
    assert outcomes[1] == {"a": "old", "d": {"x": "old"}}
    assert outcomes[2] == {"a": "new", "d": {"y": "new"}}
    assert len(outcomes) > 10  # the crashes do come at many places


def test_a_recovery_may_crash_before_any_of_its_calls(tmp_path):
    call, crashed = 0, [True]
    while crashed:
        call += 1
        spool = Spool(tmp_path / str(call))
        checkpoint(spool, {"a": "old", "d": {"x": "old"}, "e": "old"})
        put(spool.incoming(7, 0), {"a": "new", "d": {"y": "new"}})
        with crash_before(7) as committing:
            spool.commit(7, 0)
        assert committing
        with crash_before(call) as crashed:
            spool.recover(7, 0)
        spool.recover(7, 0)
        assert tree(spool.folder(7, 0)) == {"a": "new", "d": {"y": "new"}, "e": "old"}
    assert call > 10


def test_after_a_crash_the_next_checkpoint_does_not_swallow_the_one_under_way(tmp_path):
    spool = Spool(tmp_path)
    put(spool.incoming(7, 0), {"first": "1"})
    with crash_before(2) as crashed:
        spool.commit(7, 0)
    assert crashed
    put(spool.incoming(7, 0), {"second": "2"})
    assert tree(spool.folder(7, 0)) == {"first": "1"}


KILLED = """
import os, signal, sys
from pathlib import Path
from ckptsim.htcondor.spool import Spool

left = int(sys.argv[2])

def kill(event, _):
    global left
    if event.startswith("os.") or event == "open":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
Spool(Path(sys.argv[1])).commit(7, 0)
"""


def test_a_commit_killed_for_good_at_any_call_leaves_the_old_or_the_new(tmp_path):
    old = {"kept": "1", "f": "old", "d": {"x": "old"}}
    new = {"f": "new", "d": {"y": "new"}}
    call, died, held = 0, True, []
    while died:
        call += 1
        spool = Spool(tmp_path / str(call))
        checkpoint(spool, old)
        put(spool.incoming(7, 0), new)
        run = subprocess.run([sys.executable, "-c", KILLED, spool.root, str(call)], check=False)
        died = run.returncode == -signal.SIGKILL
        assert died or run.returncode == 0
        spool.recover(7, 0)
        held.append(tree(spool.folder(7, 0)))
    turn = held.index({**old, **new})
    assert turn > 0
    assert held == [old] * turn + [{**old, **new}] * (len(held) - turn)
    assert len(held) > 10


GENERATIONS = """
import sys
from pathlib import Path
from ckptsim.htcondor.spool import Spool

spool = Spool(Path(sys.argv[1]))
for generation in range(10**9):
    arrived = spool.incoming(7, 0)
    for number in range(20):
        (arrived / f"file{number}").write_text(str(generation))
    (arrived / "directory").mkdir()
    (arrived / "directory" / str(generation)).touch()
    spool.commit(7, 0)
    print(generation, flush=True)
"""


@pytest.mark.parametrize("turn", range(6))
def test_an_access_point_killed_at_any_moment_loses_nothing_it_had_said_is_safe(tmp_path, turn):
    command = [sys.executable, "-c", GENERATIONS, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        told = [run.stdout.readline()]
        try:
            run.wait(0.05 + 0.0137 * turn)
        except subprocess.TimeoutExpired:
            run.kill()
        told += run.stdout.readlines()
    spool = Spool(tmp_path)
    spool.recover(7, 0)
    held = tree(spool.folder(7, 0))
    (generation,) = {content for name, content in held.items() if name != "directory"}
    assert len(held) == 21
    assert held["directory"] == {generation: ""}
    said = int([line for line in told if line.endswith("\n")][-1])
    assert said <= int(generation) <= said + 1


def test_the_marker_is_never_in_the_checkpoint(tmp_path):
    spool = Spool(tmp_path)
    checkpoint(spool, {"a": "1"})
    assert MARKER not in tree(spool.folder(7, 0))
