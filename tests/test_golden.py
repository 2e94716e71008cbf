"""Runs of a real HTCondor, driven again through the command line: the same happens.

The fixture does all runs asked for at once, in about 90 s; each test compares one. Under xdist one
worker does the runs and the others read what came of them.
"""

import dataclasses
import fcntl
import json
import os
import pickle
import re
import subprocess
import sys
from itertools import pairwise

import pytest
from golden_runs import (
    GOLDEN,
    RUNS,
    Happened,
    Kept,
    actions,
    differences,
    files_in,
    golden_events,
    golden_outcome,
    play_all,
    start_delays,
)

FOLDERS = sorted(path.parent.name for path in GOLDEN.glob("*/job.sub"))
DRIVEN = sorted(name for name, run in RUNS.items() if not run.refused)
REFUSED = sorted(RUNS.keys() - DRIVEN)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="HTCondor's wheel is for Linux")


@pytest.fixture(scope="session")
def outcomes(request, tmp_path_factory):
    """What the runs that tests ask for left behind, by name."""
    asked = {
        item.callspec.params["name"]
        for item in request.session.items
        if "outcomes" in item.fixturenames
    }
    place = tmp_path_factory.getbasetemp()
    place = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place
    with (place / "golden.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = place / "golden.pickle"
        if not answer.exists():
            folder = place / "golden"
            folder.mkdir()
            answer.write_bytes(pickle.dumps(played(folder, asked)))
        return pickle.loads(answer.read_bytes())


def played(folder, asked):
    """All runs side by side; those that differ once more, with less to do for the machine.

    They are in real time, and on a machine that is busy with others a clock of seconds may slip.
    """
    outcomes = play_all(folder, asked)
    differing = {name for name in asked if told_of(name, outcomes[name])}
    if differing:
        again = folder / "again"
        again.mkdir()
        outcomes |= play_all(again, differing)
    return outcomes


def told_of(name, ours):
    """What is wrong with a run, or differs from the real pool's."""
    return ([ours.error] if ours.error else []) + differences(name, golden_outcome(name), ours)


@pytest.mark.xdist_group("golden")
@pytest.mark.parametrize("name", DRIVEN)
def test_a_run_goes_as_in_the_real_pool(outcomes, name):
    ours = outcomes[name]
    told = told_of(name, ours)
    assert not told, "\n".join([*told, "", ours.log])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_by_name(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ckptsim", "submit", GOLDEN / name / "job.sub"],
        env=os.environ | {"CKPTSIM_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert RUNS[name].refused in done.stderr


# ---- the comparison, on the real runs themselves


@pytest.mark.parametrize("name", FOLDERS)
def test_a_real_run_is_as_itself_and_any_event_less_is_seen(name):
    real = golden_outcome(name)
    assert differences(name, real, golden_outcome(name)) == []
    for at in range(min(len(real.events), RUNS[name].first or 1000)):
        less = dataclasses.replace(real, events=real.events[:at] + real.events[at + 1 :])
        assert differences(name, real, less)


def test_no_two_runs_are_taken_for_each_other():
    c, d = golden_outcome("c_vacate_midstep"), golden_outcome("d_vacate_hold_release")
    assert differences("c_vacate_midstep", c, d)[0] == "event   000"
    assert "event + 012:1:0" in differences("c_vacate_midstep", c, d)


@pytest.mark.parametrize(
    ("number", "changed"),
    [
        (8, Happened(4, code=1022, subcode=1)),
        (8, Happened(4, code=1023, subcode=0)),
        (-1, Happened(5, returned=1)),
        (2, Happened(40, "in-start")),
    ],
)
def test_a_code_a_value_or_a_transfer_that_differs_is_seen(number, changed):
    real = golden_outcome("x2_handler_exit85_on_evict")
    events = list(real.events)
    events[number] = changed
    ours = dataclasses.replace(real, events=events)
    assert f"event + {changed}" in differences("x2_handler_exit85_on_evict", real, ours)


@pytest.mark.parametrize(("at", "seen"), [(1, False), (0, True), (2, True)])
def test_only_001_and_the_end_of_the_input_transfer_may_swap(at, seen):
    real = golden_outcome("a_exit_code")
    events = list(real.events)
    events[at + 1], events[at + 2] = events[at + 2], events[at + 1]
    ours = dataclasses.replace(real, events=events)
    assert bool(differences("a_exit_code", real, ours)) is (seen or at != 1)


@pytest.mark.parametrize(
    ("where", "path", "entry", "told"),
    [
        ("files", "example.checkpoint", Kept(2, "11"), "+ 11"),
        ("files", "example.out", Kept(331, None), "305 and 331 bytes"),
        ("files", "stray", Kept(0, ""), "stray too much"),
        (
            "files",
            "example.err",
            Kept(0, "", executable=True),
            "example.err is executable in one of them",
        ),
        ("spool", "0/cluster*.proc0.subproc0/example.checkpoint", Kept(1, "4"), "+ 4"),
        ("spool", "0/cluster*.proc0.subproc0/example.checkpoint", Kept(2, "3\n"), "1 and 2 bytes"),
        ("spool", "0/cluster*.proc0.subproc0.tmp", Kept(0, ""), "a folder in one"),
        ("spool", "0/cluster*.proc0.subproc0.swap", None, "too much"),
    ],
)
def test_a_file_that_differs_is_seen(where, path, entry, told):
    real, ours = golden_outcome("a_exit_code"), golden_outcome("a_exit_code")
    listing = ours.files if where == "files" else ours.spool["spool_after_first_checkpoint"]
    listing[path] = entry
    found = differences("a_exit_code", real, ours)
    assert len(found) in {1, 2}
    assert any(line.endswith(told) or told in line for line in found)
    del listing[path]
    missing = any(": no " in line for line in differences("a_exit_code", real, ours))
    assert missing is not told.endswith("too much")


def test_a_checkpoint_left_in_spool_or_a_dump_not_made_is_seen():
    real, ours = golden_outcome("a_exit_code"), golden_outcome("a_exit_code")
    ours.left = {"0": None}
    ours.spool = {}
    assert differences("a_exit_code", real, ours) == [
        "spool_after_first_checkpoint: looked at in the real pool only",
        "SPOOL still holds 0 at the end",
    ]


def printed_anew(name, changes):
    """What is told when a run's output is changed so."""
    real, ours = golden_outcome(name), golden_outcome(name)
    for listing in (ours.files, *ours.spool.values()):
        for path, entry in listing.items():
            if entry and entry.text:
                text = entry.text
                for pattern, instead in changes:
                    text = re.sub(pattern, instead, text)
                size = entry.size + len(text) - len(entry.text)
                listing[path] = entry._replace(text=text, size=size)
    assert [ours.files, ours.spool] != [real.files, real.spool]
    return differences(name, real, ours)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("w_timing", [(r"17953624\d\d\.\d+", "1.5")]),
        ("r_probe", [("/pool/ep2/execute/dir_", "/tmp/x/state/execute/ep2/dir_")]),
        ("r_probe", [("sid 7", "sid 8"), ("uid 1000", "uid 0"), ("ino=2", "ino=1")]),
        ("r_probe", [("size=3724", "size=9"), ("/home/tester", "/root"), ("slot1_1", "slot1_16")]),
        ("r_probe", [(r' "_CONDOR_ANCESTOR_3\d+": "[^"]*",\n', "")]),
    ],
)
def test_pids_times_and_paths_are_no_difference(name, changes):
    assert printed_anew(name, changes) == []


def printed_by_j1(*saves):
    """What j1 prints when its signals find it after so many steps; 14 is its end."""
    text = ""
    for start, end in pairwise([0, *saves, 14]):
        text += f"Starting from {start}\n"
        text += "".join(f"step {step}\n" for step in range(start + 1, end + 1))
        text += f"SIGUSR1: saved {end}\n" if end in saves else "Computation complete\n"
    return text


@pytest.mark.parametrize(
    ("saves", "same"),
    [
        ((4, 8, 12), True),
        ((5, 9, 13), True),
        ((4, 9, 13), True),
        ((3, 7, 11), False),
        ((4, 8, 14), False),
        ((4, 8), False),
        ((4, 8, 12, 13), False),
    ],
)
def test_a_signal_may_find_j1_after_4_or_5_steps(saves, same):
    name = "j1_want_checkpoint_signal"
    real, ours = golden_outcome(name), golden_outcome(name)
    text = printed_by_j1(*saves)
    last = f"{saves[-1]}"
    ours.files["example.out"] = Kept(len(text), text)
    ours.files["example.checkpoint"] = Kept(len(last), last)
    dump = {
        "_condor_stdout": "".join(text.partition("saved")[:2]) + f" {saves[0]}\n",
        "example.checkpoint": f"{saves[0]}\n",
    }
    for file, says in dump.items():
        size = len(says) if file == "_condor_stdout" else 1
        ours.spool["spool"][f"0/cluster*.proc0.subproc0/{file}"] = Kept(size, says)
    assert (differences(name, real, ours) == []) is same


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("w_timing", [("step 5", "step 6")]),
        ("r_probe", [("FOO", "BAR")]),
        ("r_probe", [('"_CONDOR_JOB_PIDS": ""', '"_CONDOR_JOB_PIDS": "7"')]),
        ("r_probe", [("NumJobStarts = 1", "NumJobStarts = 2")]),
        ("r_probe", [(r"\./scratch_only\.0.*\n", "")]),
        ("j1_want_checkpoint_signal", [("saved 8", "saved 7")]),
        ("j1_want_checkpoint_signal", [("from 8", "from 7")]),
        ("j1_want_checkpoint_signal", [("step 13\n", "")]),
        ("j1_want_checkpoint_signal", [(r"\A12\Z", "11")]),
    ],
)
def test_anything_else_printed_is_a_difference(name, changes):
    assert printed_anew(name, changes)


# ---- the table and the parser, against what the real pool and HTCondor's reader wrote


def test_the_table_has_each_run_and_no_other():
    assert sorted(RUNS) == FOLDERS
    assert len(FOLDERS) == 47


@pytest.mark.parametrize("name", DRIVEN)
def test_the_table_does_what_was_done_in_the_order_it_was_done(name):
    done = [re.sub(r" [12]$", "", step["do"]) for step in RUNS[name].script]
    assert [word for word in done if word != "listing"] == [
        word for word in actions(name) if word != "listing"
    ]
    assert done.count("listing") == actions(name).count("listing")


@pytest.mark.parametrize("name", DRIVEN)
def test_inputs_are_as_the_run_found_them(name):
    run = RUNS[name]
    listed = re.search(
        r"^transfer_input_files = (.*)$", (run.folder / "job.sub").read_text(), re.MULTILINE
    )
    assert " ".join(run.inputs) == (listed[1] if listed else "")


def test_starts_that_were_late():
    late = {name: start_delays(run) for name, run in RUNS.items() if run.slow_start}
    assert late == {
        "e7_claim_worklife": [0, 5, 0],
        "n1_allowed_job_duration": [5, 0, 0],
        "n4_startd_preempt": [0, 0, 5, 5, 5, 5, 0],
    }


@pytest.mark.parametrize("name", FOLDERS)
def test_events_are_read_as_htcondors_own_reader_did(name):
    kinds = [None, "in-queued", "in-start", "in-done", "out-queued", "out-start", "out-done"]
    lines = (GOLDEN / name / "events.jsonl").read_text().splitlines()
    theirs = [told for told in map(json.loads, lines) if told["n"] not in {6, 28}]
    ours = golden_events(name)
    assert [event.number for event in ours] == [told["n"] for told in theirs]
    for event, told in zip(ours, theirs, strict=True):
        assert event.transfer == kinds[told.get("Type", 0)]
        codes = told.get("ReasonCode", told.get("HoldReasonCode")), told.get("HoldReasonSubCode")
        assert event.code == codes[0]
        assert (event.subcode or 0) == (told.get("ReasonSubCode", codes[1]) or 0)
        assert event.returned == told.get("ReturnValue")


def test_what_the_job_left_is_told_from_what_the_harness_left():
    files = files_in(GOLDEN / "p_chirp")
    assert {name for name, entry in files.items() if entry.executable} == {
        "manual.ckpt",
        "manual.ckpt.tmp",
    }
    assert files["local.ckpt"] == Kept(1, "8")
    assert sorted(files_in(GOLDEN / "n1_allowed_job_duration")) == []


def test_the_docs_say_of_each_run_what_is_the_same():
    table = (GOLDEN.parents[1] / "docs" / "pool.md").read_text()
    told = dict(re.findall(r"^\| (\w+) \|.*\| (same|differs)\b[^|]*\|$", table, re.MULTILINE))
    assert sorted(told) == FOLDERS
    assert [name for name, how in told.items() if how == "differs"] == REFUSED
