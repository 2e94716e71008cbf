"""`ckptsim plan --apply`: a new submit file with the answer in it, the old one as it was."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest

PLAN = ("--limit", "6h", "--evictions", "12h", "--write", "4min", "--transfer", "1min")
QUIETLY = ("--confirm", "0", "--no-report")

pytest.importorskip("htcondor2")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "prog").write_text("#!/bin/sh\n")
    (tmp_path / "prog").chmod(0o755)
    return tmp_path


def ckptsim(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "ckptsim", *words],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def applied(folder, *more):
    done = ckptsim(folder, "plan", *PLAN, *QUIETLY, "--apply", "job.sub", *more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def settings_of(path):
    spec = spec_from_file_location("wrapped", path)
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.SETTINGS


@pytest.mark.parametrize(
    ("given", "planned"),
    [
        ("interval_min = 60", "interval_min = 85"),
        ("Interval_s = 3600", "Interval_s = 5100"),
        ("my_interval = 1h", "my_interval = 1h25min"),
    ],
)
def test_a_program_that_is_told_its_interval_is_told_the_best(folder, given, planned):
    name = given.split()[0]
    text = f"executable = prog\n{given}\narguments = --every $({name})\nqueue\n"
    (folder / "job.sub").write_text(text)
    told = applied(folder)
    assert (folder / "job.sub").read_text() == text
    assert (folder / "job.planned.sub").read_text() == text.replace(given, planned)
    assert f"-{given}\n+{planned}\n" in told
    assert "1 h 25 min of computing" in told


def test_a_wrapper_gets_the_plan_and_keeps_its_other_settings(folder):
    (folder / "prog").touch()
    words = ("--checkpoint", "state*", "--newest", "3", "--name", "job", "--", "./prog", "x")
    assert ckptsim(folder, "wrap", *words).returncode == 0
    (folder / "job.wrapped.sub").rename(folder / "job.sub")
    before = (folder / "job.wrapped.py").read_bytes()
    told = applied(folder)
    assert "-executable                = job.wrapped.py" in told
    assert "+executable                = job.planned.py" in told
    assert (folder / "job.wrapped.py").read_bytes() == before
    made = settings_of(folder / "job.planned.py")
    assert (made["newest"], made["checkpoint"], made["kept"]) == (3, ["state*"], "job.kept")
    assert made["answers"][2]["interval_s"] == 5100.0
    assert settings_of(folder / "job.wrapped.py")["answers"] == []


def test_a_job_that_checkpoints_on_a_signal_of_the_pools_gets_a_wrapper(folder):
    (folder / "job.sub").write_text(
        "executable = prog\narguments = a b\n+WantCheckpointSignal = true\n+CheckpointSig = 10\n"
        '+CheckpointSig = "SIGUSR1"\ncheckpoint_exit_code = 85\n'
        "transfer_checkpoint_files = state\nqueue\n"
    )
    applied(folder)
    text = (folder / "job.planned.sub").read_text()
    assert "arguments = ./prog a b\n" in text
    assert "WantCheckpointSignal" not in text
    made = settings_of(folder / "job.planned.py")
    assert (made["way"], made["signal"], made["checkpoint"]) == ("told", "USR1", ["state"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("queue\n", "no `executable`"),
        ("executable = prog\nqueue\n", "nothing tells how its program learns when to checkpoint"),
        (
            "executable = prog\ninterval = 60\narguments = $(interval)\nqueue\n",
            "job.sub:2: `interval = 60`: in what unit?",
        ),
    ],
)
def test_a_job_that_cannot_be_told_is_one_clear_line(folder, text, told):
    (folder / "job.sub").write_text(text)
    done = ckptsim(folder, "plan", *PLAN, *QUIETLY, "--apply", "job.sub")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["job.sub", "prog"]


def test_nothing_is_written_over(folder):
    text = "executable = prog\ninterval_min = 60\narguments = $(interval_min)\nqueue\n"
    (folder / "job.sub").write_text(text)
    (folder / "job.planned.sub").write_text("mine")
    done = ckptsim(folder, "plan", *PLAN, *QUIETLY, "--apply", "job.sub")
    assert done.returncode == 2
    assert "job.planned.sub: is there already" in done.stderr
    assert (folder / "job.planned.sub").read_text() == "mine"


def test_a_pool_has_no_one_answer(folder):
    words = ("--slots", "2", "--jobs", "4", "--work", "5h", "--apply", "job.sub")
    words += ("--set", "job.arrivals=exponential(mean=1h)")
    done = ckptsim(folder, "plan", *PLAN, *words)
    assert done.returncode == 2
    assert "--apply: has no effect here" in done.stderr
