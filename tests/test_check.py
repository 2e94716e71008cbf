"""`ckptsim check`: judgements of what was seen, and real runs of jobs with planted faults."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("htcondor2", reason="needs HTCondor's Python bindings")

JOBS = Path(__file__).parent / "check_jobs"
USUAL = """checkpoint_exit_code = 85
transfer_checkpoint_files = state
transfer_output_files = result
"""
ON_EVICT = "when_to_transfer_output = ON_EXIT_OR_EVICT\n"
ASKED = '+WantCheckpointSignal = True\n+CheckpointSig = "SIGUSR1"\n'
NO_LIST = "checkpoint_exit_code = 85\n"

CORRECT = {
    "atomic.py": USUAL,
    "talks.py": USUAL,
    "folder.py": USUAL.replace("state", "ckpt"),
    "generations.py": USUAL.replace("state", "even, odd"),
    "by_signal.py": "+WantFTOnCheckpoint = True\n+SuccessCheckpointExitBySignal = True\n"
    "+SuccessCheckpointExitSignal = 12\n" + USUAL.partition("\n")[2],
    "steps.sh": USUAL.replace("state", "done"),
    "no_exit.py": ON_EVICT,
    "handler.py": ON_EVICT,
    "early.py": "on_exit_remove = ExitCode =!= 77\ntransfer_input_files = state\n"
    "transfer_output_files = state\n",
    "asked.py": USUAL + ASKED,
    "chirps.py": "want_io_proxy = True\ntransfer_output_files = result\n",
}
"""Jobs without a fault, one for each way to checkpoint, and their submit files."""

PLANTED = {
    "starts_over.py": (USUAL, "ends"),
    "child_writes.py": (USUAL, "leaves-no-process"),
    "nothing_new.py": (USUAL.replace("= state", "= state, starts"), "checkpoint-exit"),
    "torn_taken.py": (USUAL, "torn-checkpoint"),
    "torn_appends.py": (USUAL.replace("= state", "= state, result"), "torn-checkpoint"),
    "crash_loop.py": (USUAL, "torn-checkpoint"),
    "shared_tmp.py": (USUAL.replace("= state", "= sign"), "outside-files"),
    "unlisted.py": (USUAL, "goes-on"),
    "deep.py": (USUAL.replace("= state", "= deep/er/state"), "goes-on"),
    "appends.py": (USUAL.replace("= result", "= state, result") + ON_EVICT, "same-output"),
    "random_state.py": (USUAL, "same-output"),
    "off_by_one.py": (ON_EVICT, "same-output"),
    "in_memory.py": (ON_EVICT, "same-output"),
    "daemon.py": (USUAL, "leaves-no-process"),
    "deaf.py": (USUAL, "soft-kill"),
    "deaf_no_exit.py": (ON_EVICT, "soft-kill"),
    "stale_parts.py": (NO_LIST, "stale-files"),
    "lock.py": (USUAL.replace("= state", "= state, lock"), "same-exit"),
    "other_exit.py": (USUAL, "same-exit"),
    "always_85.py": (USUAL, "ends"),
    "deletes.py": (USUAL.replace("= result", "= result, state"), "listed-files"),
    "forgets_once.py": (USUAL, "listed-files"),
    "needs_one.py": (USUAL, "makes-checkpoints"),
    "no_checkpoint.py": (USUAL, "makes-checkpoints"),
    "slow_start.py": (USUAL, "starts-quickly"),
    "not_atomic.py": (ON_EVICT, "atomic-write"),
    "grows.py": (USUAL, "checkpoint-size"),
    "says_where.py": (USUAL, "same-stdout"),
    "saves_on_term.py": (USUAL, "kill-save"),
    "breaks_word.py": (USUAL + ASKED, "ends"),
}
"""Jobs with a fault: their submit files, and the rule that has to tell of it."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, and one for temporary ones in which nothing may be left."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "here"
    assert list((tmp_path / "tmp").iterdir()) == []


def check(*words, timeout_s=300):
    return subprocess.run(
        [sys.executable, "-m", "ckptsim", "check", *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def told_of(folder, name, submit, *words):
    """What is told of a job: its exit status, and the rules by their verdict."""
    shutil.copy(JOBS / name, folder)
    if name == "early.py":
        (folder / "state").write_text("0 0")
    (folder / "job.sub").write_text(
        f"executable = {name}\n{submit}output = out.txt\nerror = err.txt\nqueue\n"
    )
    ran = check("job.sub", "--json", "--grace", "2s", "--points", "3", "--out", "proof", *words)
    assert ran.stderr == ""
    document = json.loads(ran.stdout)
    rules = {}
    for finding in document["findings"]:
        rules.setdefault(finding["verdict"], {})[finding["rule"]] = finding["told"]
    return ran.returncode, rules, document


@pytest.mark.slow
@pytest.mark.parametrize("name", CORRECT)
def test_nothing_is_found_on_a_correct_job(folder, name):
    status, rules, document = told_of(folder, name, CORRECT[name])
    assert (rules.get("broken"), rules.get("costs"), status) == (None, None, 0)
    assert document["complete"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(folder, name):
    submit, rule = PLANTED[name]
    status, rules, _ = told_of(folder, name, submit)
    assert rule in {**rules.get("broken", {}), **rules.get("costs", {})}
    assert status == (1 if "broken" in rules else 0)
