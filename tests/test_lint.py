"""What a submit file says that will surprise; judged by what a real HTCondor did with such."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.findings import Verdict
from ckptsim.htcondor.lint import RULES, Conditions, lint
from ckptsim.htcondor.submitfile import SubmitError
from ckptsim.units import MINUTE, SECOND

pytest.importorskip("htcondor2")

GOLDEN = Path(__file__).parent / "golden"
CODE = "checkpoint_exit_code = 85\n"
FILES = "transfer_checkpoint_files = state\n"
EVICT = "when_to_transfer_output = ON_EXIT_OR_EVICT\n"
BY_SIGNAL = "+SuccessCheckpointExitBySignal = true\n"
SIGNAL = "+SuccessCheckpointExitSignal = 12\n"
FT = "+WantFTOnCheckpoint = true\n"
ASKED = "+WantCheckpointSignal = true\n"
EARLY = "on_exit_remove = ExitCode =!= 77\n"


def found(text, conditions=None, verdict=Verdict.BROKEN, queue="queue\n"):
    """The rules with this verdict, and where."""
    findings = lint(f"executable = prog\n{text}{queue}", conditions or Conditions())
    names = [each.rule for each in findings]
    assert len(names) == len(set(names))
    return {each.rule: each.where for each in findings if each.verdict is verdict}


# The text, what else is known, the rule that is broken, and its line.
BROKEN = [
    ("log = job.log\n", {}, "way-to-checkpoint", ""),
    ("checkpoint_exit_code = 0\n" + FILES, {}, "checkpoint-code", ":2"),
    (CODE + FILES + "success_exit_code = 85\n", {}, "checkpoint-code", ":2"),
    (
        BY_SIGNAL + FT + '+SuccessCheckpointExitSignal = "SIGUSR2"\n' + FILES,
        {},
        "signal-number",
        ":4",
    ),
    (SIGNAL + BY_SIGNAL + FILES, {}, "signal-complete", ":2"),
    (SIGNAL + FT + FILES, {}, "signal-complete", ":2"),
    (CODE + BY_SIGNAL + FT + FILES, {}, "signal-complete", ":3"),
    (CODE + SIGNAL + BY_SIGNAL + FT + FILES, {}, "one-exit", ":2"),
    (ASKED + FILES, {}, "told-to-checkpoint", ":2"),
    (CODE + '+CheckpointSig = "SIGUSR1"\n' + FILES, {}, "told-to-checkpoint", ":3"),
    (EARLY + "transfer_output_files = state\n", {}, "early-exit", ":2"),
    (
        EARLY + "transfer_output_files = state\ntransfer_input_files = state\n",
        {},
        "early-exit",
        ":4",
    ),
    (CODE + 'transfer_output_files = ""\n', {}, "listed", ":3"),
    (CODE + "transfer_checkpoint_files = a/b/state\n", {}, "relative-path", ":3"),
    (CODE + FILES + "kill_sig = SIGUSR1\n", {}, "saved-when-told", ":4"),
    (CODE + FILES + "job_max_vacate_time = 60\n", {}, "saved-when-told", ":4"),
    (
        CODE + FILES + "allowed_execute_duration = 300\n",
        {"interval": 5 * MINUTE},
        "execute-duration",
        ":4",
    ),
    (CODE + FILES + "allowed_job_duration = 3600\n", {}, "job-duration", ":4"),
    (
        CODE + FILES,
        {"limit": 60 * MINUTE, "interval": 58 * MINUTE, "write": 2 * MINUTE},
        "runtime-limit",
        "",
    ),
]


@pytest.mark.parametrize(("text", "known", "rule", "line"), BROKEN)
def test_a_broken_rule_is_found_alone_and_in_its_line(text, known, rule, line):
    where = {rule: f"submit description{line}"}
    assert found(text, Conditions(**known)) == where


def test_jobs_that_write_over_each_other_are_found():
    text = CODE + FILES + "output = out\n"
    assert found(text, queue="queue 2\n") == {"own-output": "submit description:4"}
    assert found(text + "output = out.$(Process)\n", queue="queue 2\n") == {}


COSTLY = [
    (EVICT + "should_transfer_files = YES\noutput = out\n", {}, "output-is-kept"),
    (CODE + FILES, {"interval": 84 * MINUTE}, "claim-worklife"),
    (CODE + FILES, {"checkpoint_bytes": 100 << 20}, "transfer-queue"),
    (CODE + EARLY + FILES, {}, "early-exit"),
]


@pytest.mark.parametrize(("text", "known", "rule"), COSTLY)
def test_what_costs_is_told_but_not_broken(text, known, rule):
    assert rule in found(text, Conditions(**known), Verdict.COSTS)
    assert found(text, Conditions(**known)) == {}


def test_what_only_shows_when_it_runs_is_not_seen():
    assert "all-new-files" in found(CODE, verdict=Verdict.NOT_SEEN)
    evict = EVICT + "should_transfer_files = YES\n"
    assert "torn-when-taken" in found(evict, verdict=Verdict.NOT_SEEN)


def test_what_claim_worklife_costs_is_counted():
    for minutes, often in ((84, "each one"), (9, "one in 3"), (20, "one in 2")):
        findings = lint(
            f"executable = prog\n{CODE}{FILES}queue\n", Conditions(interval=minutes * MINUTE)
        )
        (told,) = (each.told for each in findings if each.rule == "claim-worklife")
        assert f"{often} costs" in told


CORRECT = {
    "the manual's": CODE + "transfer_output_files = example.checkpoint\nlog = l\noutput = o\n",
    "its own list": CODE + FILES,
    "a folder": CODE + "transfer_checkpoint_files = saved/\n",
    "paths": CODE + "transfer_checkpoint_files = a/b\npreserve_relative_paths = true\n",
    "by signal": SIGNAL + BY_SIGNAL + FT + FILES,
    "asked for": CODE + ASKED + '+CheckpointSig = "SIGUSR1"\n' + FILES,
    "saves when told": EVICT + "should_transfer_files = YES\nkill_sig = SIGUSR1\n",
    "and exits": EVICT + "should_transfer_files = YES\n" + CODE + FILES,
    "chirp": "+WantIOProxy = true\nwant_io_proxy = true\n",
    "retries": CODE + FILES + "max_retries = 3\n",
    "time enough": CODE + FILES + "allowed_execute_duration = 7200\n",
    "macros": "what = state\n" + CODE + "transfer_checkpoint_files = $(what)\n",
}


@pytest.mark.parametrize("name", CORRECT)
def test_nothing_is_found_in_a_correct_file(name):
    assert found(CORRECT[name], Conditions(interval=60 * MINUTE)) == {}


def test_an_early_exit_is_right_when_its_file_goes_with_it(tmp_path, monkeypatch):
    (tmp_path / "state").touch()
    monkeypatch.chdir(tmp_path)
    lists = "transfer_output_files = state\ntransfer_input_files = state\n"
    assert found(EARLY + lists) == {}


def test_the_job_of_the_scenarios_is_right(monkeypatch):
    folder = Path(__file__).parents[1] / "scenarios" / "real"
    monkeypatch.chdir(folder)
    findings = lint(Path("steady.sub"), Conditions(interval=2 * SECOND))
    assert [each.rule for each in findings if each.verdict is Verdict.BROKEN] == []


# Of 47 runs of a real HTCondor, those whose trouble stands in the submit file; in all others there
# is none, or it is what the program or the pool does.
TROUBLED = {
    "f4_signal_and_code": {"one-exit"},
    "k1_on_exit_remove": {"early-exit"},
    "m1_85_without_setting": {"way-to-checkpoint"},
    "n1_allowed_job_duration": {"job-duration"},
    "z3_subdir_checkpoint": {"relative-path"},
    "z5_stdout_only": {"listed"},
}
RUNS = sorted(path.parent.name for path in GOLDEN.glob("*/job.sub"))


@pytest.mark.parametrize("run", RUNS)
def test_a_real_htcondor_had_trouble_with_what_is_broken(run, monkeypatch):
    monkeypatch.chdir(GOLDEN / run)
    findings = lint(Path("job.sub"), Conditions(interval=6 * SECOND))
    broken = {each.rule for each in findings if each.verdict is Verdict.BROKEN}
    assert broken == TROUBLED.get(run, set())


LINES = st.sampled_from(
    [line for text, *_ in (*BROKEN, *COSTLY) for line in text.splitlines(keepends=True)]
    + ["container_image = a.sif\n", "checkpoint_destination = x\n", "max_retries = two\n"]
    + ["allowed_execute_duration = $(x)\n", "output = $(Process)\n"]
)


@given(st.lists(LINES, max_size=12), st.sampled_from([None, SECOND, 100 * MINUTE]))
def test_any_file_is_judged_rule_by_rule_in_their_order(lines, interval):
    known = Conditions(interval=interval, limit=60 * MINUTE)
    names = [each.rule for each in lint(f"executable = p\n{''.join(lines)}queue 2\n", known)]
    order = [rule.name for rule in RULES]
    assert names == [name for name in order if name in names]


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(SubmitError, match=r"absent\.sub: No such"):
        lint(tmp_path / "absent.sub", Conditions())
