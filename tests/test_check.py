"""`ckptsim check`: judgements of what was seen, and real runs of jobs with planted faults."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("htcondor2", reason="needs HTCondor's Python bindings")

from ckptsim.check import (
    REFERENCES,
    At,
    Fault,
    Hit,
    Outcome,
    Point,
    Terms,
    Trial,
    Way,
    evenly,
    schedule,
    starts_over,
)
from ckptsim.check_rules import Observed, judged
from ckptsim.cli import main
from ckptsim.commands.check_job import COPIED, Home, prepared, terms_of
from ckptsim.commands.check_tamper import Store
from ckptsim.commands.measure_job import from_file
from ckptsim.drivers.real.inotify import Change, Did, Watch
from ckptsim.drivers.real.settings import PoolFileError, settings_of
from ckptsim.findings import Finding
from ckptsim.measure import Begin, Burst, Execution
from ckptsim.units import SECOND

JOBS = Path(__file__).parent / "check_jobs"
GOLDEN = Path(__file__).parent / "golden" / "a_exit_code"
USUAL = """checkpoint_exit_code = 85
transfer_checkpoint_files = state
transfer_output_files = result
"""
ON_EVICT = "when_to_transfer_output = ON_EXIT_OR_EVICT\n"
ASKED = '+WantCheckpointSignal = True\n+CheckpointSig = "SIGUSR1"\n'
STATE_ALONE = "transfer_output_files = state\n"
NO_LIST = "checkpoint_exit_code = 85\n"

CORRECT = {
    "atomic.py": USUAL,
    "talks.py": USUAL,
    "folder.py": USUAL.replace("state", "ckpt"),
    "generations.py": USUAL.replace("state", "even, odd"),
    "by_signal.py": "+WantFTOnCheckpoint = True\n+SuccessCheckpointExitBySignal = True\n"
    "+SuccessCheckpointExitSignal = 12\n" + USUAL.partition("\n")[2],
    "steps.sh": USUAL.replace("state", "done"),
    "no_exit.py": ON_EVICT + STATE_ALONE,
    "handler.py": ON_EVICT + STATE_ALONE,
    "early.py": "on_exit_remove = ExitCode =!= 77\ntransfer_input_files = state\n"
    "transfer_output_files = state\n",
    "asked.py": USUAL + ASKED,
    "atomic.py, saved at evictions too": USUAL + ON_EVICT,
    "example.py": NO_LIST,  # the manual's
    "chirps.py": "want_io_proxy = True\ntransfer_output_files = result\n",
}
"""Jobs without a fault, one for each way to checkpoint, and their submit files."""

PLANTED = {
    "starts_over.py": (USUAL, "ends"),
    "child_writes.py": (USUAL, "leaves-no-process"),
    "nothing_new.py": (USUAL, "checkpoint-exit"),
    "torn_taken.py": (USUAL, "torn-checkpoint"),
    "torn_appends.py": (USUAL.replace("= state", "= state, result"), "torn-checkpoint"),
    "crash_loop.py": (USUAL, "torn-checkpoint"),
    "shared_tmp.py": (USUAL.replace("= state", "= sign"), "outside-files"),
    "unlisted.py": (USUAL, "goes-on"),
    "deep.py": (USUAL.replace("= state", "= deep/er/state"), "goes-on"),
    "appends.py": (USUAL.replace("= result", "= state, result") + ON_EVICT, "same-output"),
    "random_state.py": (USUAL, "same-output"),
    "off_by_one.py": (ON_EVICT + STATE_ALONE, "same-output"),
    "in_memory.py": (ON_EVICT, "same-output"),
    "daemon.py": (USUAL, "leaves-no-process"),
    "deaf.py": (USUAL + "job_max_vacate_time = 1\n", "soft-kill"),
    "deaf_no_exit.py": (ON_EVICT + STATE_ALONE + "job_max_vacate_time = 1\n", "soft-kill"),
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


# --- the trials and their judgement ---------------------------------------------------------------

CHECKPOINT = 85 << 8
EXIT = Terms(Way.EXIT, False, True, CHECKPOINT, ["state"], 5 * SECOND)
EVICTION = EXIT._replace(way=Way.EVICTION, on_evict=True, appends=False, status=0)


def runs(*seconds, lease=1, begun=0, last=0):
    """Executions that take so long, one after another; all but the last end with a checkpoint."""
    found, at = [], begun
    for place, each in enumerate(seconds):
        final = place == len(seconds) - 1
        end = at + int(each * SECOND)
        found.append(
            Execution(
                lease,
                Begin.IN_PLACE if place else Begin.COLD,
                *(at, at, 0, at + 1, end + 1),
                status=last if final else CHECKPOINT,
                sent=0 if final else end + 2,
                bytes=0 if final else 10,
            )
        )
        at = end + 10
    return found


def killed(run):
    return run._replace(status=9, sent=0, bytes=0)


def steps(count):
    return tuple({"state": str(number)} for number in range(count))


REFERENCE = Outcome(
    REFERENCES[0],
    tuple(runs(1, 1, 1, 1)),
    "completed",
    files={"result": "a"},
    stdout="s",
    commits=steps(3),
    changes=(4, 4, 5, 4),
)
AGAIN = REFERENCE._replace(trial=REFERENCES[1])
LATE = Trial("evicted", Fault.EVICTED, (Point(2, At.COMPUTING, SECOND // 2),))


def evicted(later, trial=LATE, **changes):
    """A trial that is evicted in its third execution; what runs after that."""
    first = runs(1, 1, 0.5)
    hit = Hit(first[2].exited, 2, 2)
    kept = (*first[:2], killed(first[2]), *later)
    return REFERENCE._replace(trial=trial, runs=kept, hits=(hit,), **changes)


GOOD = evicted(runs(1, 1, lease=2, begun=4 * SECOND))
OVER = evicted(runs(1, 1, 1, 1, lease=2, begun=4 * SECOND))


def verdicts(*trials, terms=EXIT, references=(REFERENCE, AGAIN), **more):
    seen = Observed(terms, references, trials, **more)
    return {each.rule: str(each.verdict) for each in judged(seen)}


def found(*trials, **more):
    """The rules that do not hold."""
    told = verdicts(*trials, **more)
    return {rule: verdict for rule, verdict in told.items() if verdict in ("broken", "costs")}


def test_points_are_spread_evenly_with_the_first_and_the_last():
    assert evenly(3, 4) == [1, 2, 3]
    assert evenly(7, 4) == [1, 3, 5, 7]
    assert evenly(100, 2) == [1, 100]
    assert evenly(100, 1) == [1]
    assert evenly(5, 0) == evenly(0, 5) == []


def test_the_schedule_of_a_job_with_three_checkpoints():
    trials = schedule(EXIT, REFERENCE, 3)
    assert [trial.name for trial in trials] == [
        *("evicted", "evicted-fast", "power-failure", "evicted-twice", "in-transfer"),
        *("after-commit", "torn-half", "torn-empty", "torn-garbage", "no-checkpoint"),
        *("older-checkpoint", "change-1-of-5", "change-3-of-5", "change-5-of-5"),
    ]
    assert trials[0] == LATE
    older = trials[10].points
    assert [point.commits for point in older] == [1, 2]
    assert trials[-1].fault is Fault.FAST  # what is torn then is not transferred
    on_evict = schedule(EXIT._replace(on_evict=True), REFERENCE, 3)
    assert on_evict[-1].fault is Fault.EVICTED


def test_of_one_checkpoint_there_is_no_older_one():
    one = REFERENCE._replace(runs=tuple(runs(1, 1)), changes=(4, 4))
    assert "older-checkpoint" not in {trial.name for trial in schedule(EXIT, one, 2)}


def test_random_moments_are_spread_over_all_its_time():
    moments = schedule(EXIT, REFERENCE, 0, (0.0, 0.3, 0.5, 0.99))[-4:]
    points = [trial.points[0] for trial in moments]
    assert [point.commits for point in points] == [0, 1, 2, 3]
    in_seconds = [point.number / SECOND for point in points]
    assert in_seconds == pytest.approx([0, 0.2, 0, 0.96], abs=0.001)
    (one,) = schedule(EVICTION, REFERENCE._replace(runs=tuple(runs(4))), 0, (0.25,))[-1:]
    assert one == Trial("moment-1", Fault.EVICTED, (Point(0, At.COMPUTING, SECOND),))


def test_a_job_that_does_not_end_or_checkpoint_is_put_to_no_trial():
    assert schedule(EXIT, REFERENCE._replace(end="cut short"), 4) == []
    assert schedule(EXIT, REFERENCE._replace(runs=tuple(runs(4))), 4) == []
    assert schedule(EVICTION, REFERENCE._replace(runs=tuple(runs(4))), 0) != []


def test_a_job_that_behaves_breaks_no_rule():
    told = verdicts(GOOD)
    assert {told[rule] for rule in ("goes-on", "same-exit", "same-output", "same-stdout")} == {
        "holds"
    }
    assert found(GOOD) == {}


def test_to_start_over_takes_as_many_executions_as_all_of_it():
    assert not starts_over(EXIT, REFERENCE, GOOD)
    assert starts_over(EXIT, REFERENCE, OVER)
    # One more than were left is within what a checkpoint by the clock may do.
    assert not starts_over(EXIT, REFERENCE, evicted(runs(1, 1, 1, lease=2, begun=4 * SECOND)))
    # As many as all, but in the time of what was left: it had less to do in each.
    quick = evicted(runs(0.5, 0.5, 0.5, 0.5, lease=2, begun=4 * SECOND))
    assert not starts_over(EXIT, REFERENCE, quick)
    assert found(OVER) == {"goes-on": "broken"}


def test_a_job_that_never_exits_early_is_judged_by_its_time():
    whole = REFERENCE._replace(runs=tuple(runs(6)), commits=())
    first = killed(runs(4)[0])
    hit = Hit(first.exited, 0, 0)

    def later(seconds):
        after = runs(seconds, lease=2, begun=5 * SECOND)
        return whole._replace(trial=LATE, runs=(first, *after), hits=(hit,))

    assert not starts_over(EVICTION, whole, later(2.5))
    assert not starts_over(EVICTION, whole, later(3.9))
    assert starts_over(EVICTION, whole, later(4.1))
    assert starts_over(EVICTION, whole, later(6))


def test_a_fault_before_half_of_its_time_tells_nothing_by_time():
    """check_jobs/no_exit.py on a busy machine: 0.6 s to start, evicted at its first write."""
    whole = REFERENCE._replace(runs=tuple(runs(2.3)), commits=())

    def evicted_after(seconds):
        first, after = killed(runs(seconds)[0]), runs(2.6, lease=2, begun=5 * SECOND)
        hit = Hit(first.exited, 0, 0)
        return whole._replace(trial=LATE, runs=(first, *after), hits=(hit,))

    assert not starts_over(EVICTION, whole, evicted_after(0.9))
    assert starts_over(EVICTION, whole, evicted_after(1.5))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"differing": ("result",)}, "same-output"),
        ({"stdout": "other"}, "same-stdout"),
        ({"left": ("sleep 30",)}, "leaves-no-process"),
        ({"end": "held", "why": "no file"}, "listed-files"),
        ({"end": "cut short", "why": "given up"}, "same-exit"),
        ({"outside": ("/tmp/x",)}, "outside-files"),
    ],
)
def test_what_is_other_than_without_faults_is_found(changes, rule):
    assert found(GOOD._replace(**changes)) == {rule: "broken"}


def test_another_exit_is_found_also_where_its_output_is_missing_for_that():
    other = evicted(runs(1, 1, lease=2, begun=4 * SECOND, last=3 << 8))
    assert found(other) == {"same-exit": "broken"}
    assert found(other._replace(end="held", why="no result")) == {"same-exit": "broken"}


def test_output_that_differs_by_itself_is_not_called_wrong():
    assert verdicts(GOOD, unstable=["result"])["same-output"] == "not seen"
    assert verdicts(GOOD, unstable=[], compared=True)["same-output"] == "holds"


def torn(**changes):
    trial = Trial("torn-half", Fault.HALF, LATE.points)
    return evicted(runs(1, 1, lease=2, begun=4 * SECOND), trial)._replace(**changes)


def test_a_torn_checkpoint_may_be_redone_or_refused_but_not_taken():
    refused = runs(0.1, lease=2, begun=4 * SECOND, last=1 << 8)
    loud = torn(runs=(*torn().runs[:3], *refused), differing=("result",))
    assert verdicts(torn())["torn-checkpoint"] == "holds"
    assert verdicts(loud)["torn-checkpoint"] == "holds"
    assert verdicts(loud._replace(end="held", why="no result"))["torn-checkpoint"] == "holds"
    assert found(torn(differing=("result",))) == {"torn-checkpoint": "broken"}
    assert found(torn(end="cut short", why="given up"))["torn-checkpoint"] == "broken"
    assert "same-output" not in found(torn(differing=("result",)))  # a rule of its own


def test_without_its_checkpoint_it_may_not_fail():
    gone = torn(trial=Trial("no-checkpoint", Fault.GONE, LATE.points))
    failing = runs(0.1, lease=2, begun=4 * SECOND, last=1 << 8)
    assert verdicts(gone)["without-checkpoint"] == "holds"
    assert found(gone._replace(runs=(*gone.runs[:3], *failing))) == {"without-checkpoint": "broken"}


def test_the_checkpoint_code_means_a_new_checkpoint():
    same = REFERENCE._replace(commits=({"state": "0"}, {"state": "0"}, {"state": "1"}))
    assert found(references=(same, AGAIN)) == {"checkpoint-exit": "broken"}


def test_a_job_that_gets_nowhere_does_not_end():
    stuck = REFERENCE._replace(end="cut short", why="given up, without getting on")
    assert found(references=(stuck,)) == {"ends": "broken"}
    slow = REFERENCE._replace(end="cut short", why="given up after 1 h")
    assert found(references=(slow,)) == {}
    none = REFERENCE._replace(runs=tuple(runs(4)), commits=())
    assert found(references=(none,)) == {"makes-checkpoints": "broken"}


def test_growth_of_a_checkpoint_is_a_cost():
    sizes = (1e5, 2e5, 3e5)
    grown = [run._replace(bytes=int(n)) for run, n in zip(REFERENCE.runs, sizes, strict=False)]
    grows = REFERENCE._replace(runs=(*grown, REFERENCE.runs[3]))
    assert found(references=(grows,)) == {"checkpoint-size": "costs"}


def test_a_slow_start_is_a_cost():
    """Compared with a start from nothing, and with the time to the next checkpoint."""

    def begins(after, run):
        at = run.started + int(after * SECOND)
        return run._replace(touched={"_condor_stdout": (Burst(at, at),)})

    def reference(cold, warm):
        first, *others = REFERENCE.runs
        return REFERENCE._replace(
            runs=(begins(cold, first), *(begins(warm, run) for run in others))
        )

    assert found(references=(reference(0.05, 0.7),)) == {"starts-quickly": "costs"}
    assert found(references=(reference(0.6, 0.7),)) == {}
    assert found(references=(reference(0.05, 0.15),)) == {}


def test_who_does_not_hear_sigterm_loses_the_grace_and_maybe_all():
    trial = evicted(runs(1, 1, lease=2, begun=9 * SECOND))
    at = trial.runs[2].exited - 5 * SECOND
    deaf = trial._replace(signalled=at)
    quick = trial._replace(signalled=trial.runs[2].exited - SECOND // 100)
    assert found(deaf) == {"soft-kill": "costs"}
    assert found(deaf, terms=EXIT._replace(on_evict=True)) == {"soft-kill": "broken"}
    assert verdicts(quick)["soft-kill"] == "holds"


def test_a_save_on_sigterm_is_kept_or_lost_by_mode():
    saved = GOOD._replace(saved=True)
    assert found(saved) == {"kill-save": "costs"}
    assert verdicts(saved, terms=EXIT._replace(on_evict=True))["kill-save"] == "holds"


def test_a_write_in_place_matters_where_an_eviction_transfers_it():
    trial = Trial("change-1-of-5", Fault.EVICTED, (Point(2, At.CHANGE, 1),))
    wrong = GOOD._replace(trial=trial, differing=("result",))
    assert "atomic-write" not in found(wrong)
    assert found(wrong, terms=EXIT._replace(on_evict=True))["atomic-write"] == "broken"


def test_stale_files_cost_and_break_what_takes_them_for_new():
    assert found(GOOD._replace(stale=("part.2",))) == {"stale-files": "costs"}
    wrong = GOOD._replace(stale=("part.2",), differing=("result",))
    assert found(wrong) == {"stale-files": "broken", "same-output": "broken"}


# --- changes of files -----------------------------------------------------------------------------


def test_each_change_of_a_file_is_seen(tmp_path):
    (tmp_path / "old").touch()
    watch = Watch(str(tmp_path))
    assert watch.changes() == [Change("old", Did.CREATED, 0)]
    with (tmp_path / "new").open("w") as file:
        file.write("x")
        file.flush()
        (seen,) = {change.did for change in watch.changes() if change.did is not Did.CREATED}
        assert seen is Did.MODIFIED
    assert watch.changes() == [Change("new", Did.CLOSED, 0)]
    (tmp_path / "new").rename(tmp_path / "old")
    away, to = watch.changes()
    assert (away.path, away.did, to.path, to.did) == ("new", Did.MOVED_FROM, "old", Did.MOVED_TO)
    assert away.cookie == to.cookie > 0
    (tmp_path / "old").unlink()
    assert watch.changes() == [Change("old", Did.DELETED, 0)]
    watch.close()


def test_a_pool_can_do_without_the_delays_of_a_real_one():
    assert settings_of({}).delays is True
    assert settings_of({"delays": False}).delays is False
    with pytest.raises(PoolFileError, match="delays: 'no': expected true or false"):
        settings_of({"delays": "no"})


def test_folders_below_are_watched_too(tmp_path):
    watch = Watch(str(tmp_path))
    (tmp_path / "a" / "b").mkdir(parents=True)
    watch.changes()
    (tmp_path / "a" / "b" / "c").touch()
    assert Change("a/b/c", Did.CREATED, 0) in watch.changes()
    (tmp_path / "a").rename(tmp_path / "z")
    watch.changes()
    (tmp_path / "z" / "d").touch()
    assert Change("z/d", Did.CREATED, 0) in watch.changes()
    watch.close()
    with pytest.raises(OSError, match="No such file"):
        Watch(str(tmp_path / "gone"))


# --- the job of a trial ---------------------------------------------------------------------------


def test_a_trial_has_its_own_input_and_output(folder):
    (folder / "data").mkdir()
    (folder / "data" / "small").write_text("small")
    (folder / "data" / "other").write_text("not asked for")
    (folder / "large").write_bytes(bytes(COPIED + 1))
    (folder.parent / "above").write_text("above")
    (folder / "job.sub").write_text(
        "executable = /bin/true\ntransfer_input_files = data/small, large, ../above\n"
        "log = job.log\nperiodic_hold = true\nmax_retries = 2\nqueue\n"
    )
    subject = from_file(folder / "job.sub")
    place = prepared(subject, folder.parent / "trial")
    home = place.home
    assert {path.name for path in home.rglob("*")} == {"data", "small", "large"}
    assert (home / "large").readlink() == folder / "large"  # the pool replaces a link, if at all
    assert place.ad["Iwd"] == str(home)
    assert place.ad["TransferInput"] == f"data/small, large, {folder.parent / 'above'}"
    assert "PeriodicHold" not in place.ad
    assert "OnExitRemove" in place.ad  # a job that is tried again is told by that
    assert place.ad["UserLog"] == str(folder.parent / "trial" / "log")
    assert str(subject.ad["Iwd"]) == str(folder)  # it is a copy


@pytest.mark.parametrize(
    ("submit", "way"),
    [
        (NO_LIST, Way.EXIT),
        (CORRECT["by_signal.py"], Way.EXIT),
        (NO_LIST + ASKED, Way.ASKED),
        (NO_LIST + ON_EVICT, Way.EXIT),
        (ON_EVICT, Way.EVICTION),
        (CORRECT["early.py"], Way.EARLY),
        ("want_io_proxy = True\n", Way.MANUAL),
    ],
)
def test_how_a_job_checkpoints_is_read_off_its_submit_file(folder, submit, way):
    (folder / "state").touch()
    (folder / "job.sub").write_text(f"executable = /bin/true\n{submit}queue\n")
    terms = terms_of(from_file(folder / "job.sub"), 5 * SECOND)
    assert (terms.way, terms.on_evict) == (way, ON_EVICT in submit)
    own = f"{submit}job_max_vacate_time = 1\n"
    (folder / "job.sub").write_text(f"executable = /bin/true\n{own}queue\n")
    assert terms_of(from_file(folder / "job.sub"), 5 * SECOND).grace == SECOND


# --- what is done to a checkpoint -----------------------------------------------------------------


def store(tmp_path, latest="state"):
    spool = tmp_path / "spool"
    spool.mkdir()
    for name, text in {"state": "12345678", "other": "x", "_condor_stdout": "said"}.items():
        (spool / name).write_text(text)
    (tmp_path / "home").mkdir()
    found = Store(EXIT, Home(tmp_path, None), 1)
    found.latest = latest
    return found, spool


@pytest.mark.parametrize(("fault", "size"), [(Fault.HALF, 4), (Fault.EMPTY, 0), (Fault.GARBAGE, 8)])
def test_the_file_that_was_written_last_is_torn(tmp_path, fault, size):
    found, spool = store(tmp_path)
    found.tamper(fault, spool, last=True)
    assert (spool / "state").stat().st_size == size
    assert (spool / "state").read_bytes() != b"12345678"
    assert (spool / "other").read_text() == "x"
    assert (spool / "_condor_stdout").read_text() == "said"


def test_an_older_checkpoint_is_put_in_place_with_its_output(tmp_path):
    found, spool = store(tmp_path)
    found.tamper(Fault.OLDER, spool, last=False)
    (spool / "state").write_text("later")
    (spool / "newer").touch()
    found.tamper(Fault.OLDER, spool, last=True)
    assert found.contents(spool).keys() == {"state", "other"}
    assert (spool / "state").read_text() == "12345678"
    found.tamper(Fault.GONE, spool, last=True)
    assert list(spool.iterdir()) == []


# --- real runs ------------------------------------------------------------------------------------


def check(*words, timeout_s=300):
    return subprocess.run(
        [sys.executable, "-m", "ckptsim", "check", *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("gone.sub", "gone.sub: No such file or directory; expected a submit file"),
        ("plain.sub", "nothing in it means a checkpoint; write for example checkpoint_exit_code"),
        ("plain.sub more", "more: a second word"),
        ("plain.sub --checkpoint-files a", "--checkpoint-files: plain.sub says that itself"),
        ("good.sub --compare 'cmp {reference}'", "expected {reference} and {found} in it"),
        ("good.sub --compare 'no-such {reference} {found}'", "no-such: no such program"),
        ("good.sub --compare 'cmp \"{reference} {found}'", "No closing quotation"),
        ("plain.sub --grace 0", "0: must be longer than 0"),
        ("good.sub --out full", "full: exists and is not of an earlier check; choose another"),
        ("good.sub --out plain.sub", "plain.sub: exists and is not of an earlier check"),
    ],
)
def test_a_mistake_is_told_in_one_line(folder, monkeypatch, capsys, words, told):
    (folder / "plain.sub").write_text("executable = /bin/true\nqueue\n")
    (folder / "good.sub").write_text(f"executable = /bin/true\n{NO_LIST}queue\n")
    (folder / "full").mkdir()
    (folder / "full" / "precious").touch()
    monkeypatch.setattr(sys, "argv", ["ckptsim", "check", *shlex.split(words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert {path.name for path in folder.rglob("*")} == {
        *("plain.sub", "good.sub", "full", "precious")
    }


def manuals_example(folder):
    """Put it there, with shorter naps."""
    text = (GOLDEN / "example.py").read_text().replace("sleep(2)", "sleep(0.15)")
    (folder / "example.py").write_text(text)
    (folder / "example.py").chmod(0o755)


UNPRINTED = ("no_exit.py", "handler.py", "early.py")
"""In these ways HTCondor itself loses what was printed before (runs g1, k2)."""


def told_of(folder, name, submit, *words):
    """What is told of a job: its exit status, and the rules by their verdict."""
    name = name.partition(",")[0]
    if name == "example.py":
        manuals_example(folder)
    else:
        shutil.copy(JOBS / name, folder)
    if name == "early.py":
        (folder / "state").write_text("0 0")
    output = "" if name in UNPRINTED else "output = out.txt\nerror = err.txt\n"
    (folder / "job.sub").write_text(f"executable = {name}\n{submit}{output}queue\n")
    ran = check("job.sub", "--json", "--grace", "2s", "--points", "3", *words)
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


QUICK = {
    "atomic.py": ("evicted,evicted-fast", None),
    "unlisted.py": ("evicted,after-commit", "goes-on"),
    "daemon.py": ("evicted", "leaves-no-process"),
}
"""Some jobs with the trials that tell of them."""


@pytest.mark.parametrize("name", QUICK)
def test_a_few_trials_tell_of_a_fault(folder, name):
    trials, rule = QUICK[name]
    submit = CORRECT[name] if rule is None else PLANTED[name][0]
    status, rules, _ = told_of(folder, name, submit, "--trials", trials, "--parallel", "4")
    assert (status, rule in rules.get("broken", {rule: ""})) == (1 if rule else 0, True)


def test_the_proof_of_what_is_broken_is_kept_and_can_be_seen_again(folder):
    shutil.copy(JOBS / "torn_taken.py", folder)
    (folder / "job.sub").write_text(f"executable = torn_taken.py\n{USUAL}queue\n")
    words = ("check", "job.sub", "--trials", "torn-half")
    ran = check(*words[1:], "--quiet")
    assert (ran.returncode, ran.stderr) == (1, "")
    first, summed, proof = ran.stdout.splitlines()
    assert first.startswith("broken    torn-checkpoint  ")
    assert re.match(r"job\.sub: \d+ holds, 1 broken, \d+ not seen, in 3 runs and ", summed)
    assert proof.startswith("Proof: reports/check-job; ")
    kept = folder / "reports" / "check-job"
    assert {path.name for path in kept.iterdir()} == {"check.txt", "torn-checkpoint"}
    proven = kept / "torn-checkpoint"
    assert {path.name for path in proven.iterdir()} == {"again.txt", "reference", "torn-half"}
    assert (proven / "reference" / "output" / "result").read_text() == "204\n"
    assert (proven / "torn-half" / "output" / "result").read_text() != "204\n"
    log = (proven / "torn-half" / "log").read_text()
    assert log.count("\n012 ") == log.count("\n013 ") == 1  # held and released
    again = (proven / "again.txt").read_text()
    (command,) = re.findall(r"^    (ckptsim check .*)$", again, re.MULTILINE)
    assert shlex.split(command)[-2:] == ["--trials", "torn-half"]
    assert {path.name for path in folder.iterdir()} == {"job.sub", "torn_taken.py", "reports"}


DATED = """#!/bin/sh
test -e state && { cat state; date +%N; } >result && exit 0
echo 1 >state
exit 85
"""


@pytest.mark.slow  # a fault right after a commit may come too late on a busy machine
def test_output_that_is_never_the_same_is_compared_by_a_command_or_left_out(folder):
    (folder / "dated.sh").write_text(DATED)
    (folder / "dated.sh").chmod(0o755)
    (folder / "job.sub").write_text(f"executable = dated.sh\n{USUAL}queue\n")

    def told(*words):
        ran = check("job.sub", "--trials", "after-commit", "--json", *words)
        findings = {each["rule"]: each for each in json.loads(ran.stdout)["findings"]}
        return ran.returncode, findings["same-output"]["verdict"], findings["same-output"]["told"]

    status, verdict, sentence = told()
    assert (status, verdict) == (0, "not seen")
    assert sentence.startswith("result: differs from run to run without any fault")
    first_line = "sh -c 'test $(head -n1 $0) = $(head -n1 $1)' {reference} {found}"
    assert told("--compare", first_line)[:2] == (0, "holds")
    assert told("--ignore", "res*")[:2] == (0, "holds")


def test_an_interrupted_check_judges_what_was_finished(folder):
    shutil.copy(JOBS / "atomic.py", folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored, and so inherited
    run = subprocess.Popen(
        [sys.executable, "-m", "ckptsim", "check", "--checkpoint-files", "state", "./atomic.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "3 of " not in run.stdout.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (130, "")
    assert re.search(r"^Incomplete: it was interrupted after [3-9] runs\.$", out, re.MULTILINE)
    assert re.search(r"^holds +makes-checkpoints +3 checkpoints", out, re.MULTILINE)
    assert {path.name for path in folder.iterdir()} == {"atomic.py"}


# --- what is documented ---------------------------------------------------------------------------

PAGE = (Path(__file__).parents[1] / "docs" / "check.md").read_text()


def test_the_page_names_every_rule_trial_and_field():
    named = set(re.findall(r"`([a-z0-9_-]+)`", PAGE))
    assert set(verdicts()) <= named
    trials = {each.name for each in schedule(EXIT, REFERENCE, 0, (0.5,))}
    assert trials <= named
    for field in (*Finding._fields, "came_about", "wait_status", "ran_s", "took_s"):
        assert field in named


@pytest.mark.slow
def test_the_page_says_what_its_command_prints(folder):
    manuals_example(folder)
    shutil.copy(GOLDEN / "job.sub", folder)
    ((command, said),) = re.findall(r"```console\n\$ ckptsim (.*)\n((?:.*\n)*?)```", PAGE)
    ran = check(*command.split()[1:])
    assert (ran.returncode, ran.stderr) == (0, "")
    printed = without_numbers(ran.stdout)
    for part in said.split("…\n"):
        for line in part.splitlines():
            assert without_numbers(line) in printed


def without_numbers(text):
    """Times, and how many faults fell where they should, are another thing each time."""
    return re.sub(r"[\d.]+", "N", " ".join(text.split()))
