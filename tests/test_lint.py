"""What submit files say that will surprise their authors, judged by what a real HTCondor did."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.findings import Verdict
from ckptsim.htcondor.lint import RULES, Conditions, SubmitError, lint
from ckptsim.units import SECOND

pytest.importorskip("classad2", reason="HTCondor's bindings are for Linux alone")

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
BROKEN, COSTS, HOLDS, NOT_SEEN = Verdict.BROKEN, Verdict.COSTS, Verdict.HOLDS, Verdict.NOT_SEEN
MINUTE = 60 * SECOND
CODE = "checkpoint_exit_code = 85"
EVICT = "when_to_transfer_output = ON_EXIT_OR_EVICT"
SAVED = "transfer_output_files = my.checkpoint"
OWN = "transfer_checkpoint_files = my.checkpoint"
NOTHING = Conditions()
CYCLE = Conditions(interval=10 * MINUTE, write=MINUTE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(lines, conditions=NOTHING):
    """The findings on a file that ends with `queue`, by rule."""
    queue = [] if lines[-1].startswith("queue") else ["queue"]
    Path("job.sub").write_text("\n".join([*lines, *queue, ""]))
    findings = lint(Path("job.sub"), conditions)
    assert len({each.rule for each in findings}) == len(findings)
    return {each.rule: each for each in findings}


# A rule, its verdict, the line (0: the file), what is known, and the file's lines.
CASES = [
    ("way-to-checkpoint", BROKEN, 0, NOTHING, ["executable = a", SAVED]),
    ("way-to-checkpoint", NOT_SEEN, 2, NOTHING, ["executable = a", "should_transfer_files = no"]),
    ("way-to-checkpoint", HOLDS, 0, NOTHING, [CODE]),
    ("checkpoint-code", BROKEN, 1, NOTHING, ["checkpoint_exit_code = 0"]),
    ("checkpoint-code", BROKEN, 1, NOTHING, ["+WantFTOnCheckpoint = True"]),
    ("checkpoint-code", BROKEN, 2, NOTHING, ["success_exit_code = 85", CODE]),
    ("checkpoint-code", BROKEN, 2, NOTHING, ["+JobSuccessExitCode = 85", CODE]),
    ("checkpoint-code", BROKEN, 1, NOTHING, [CODE, "retry_until = 85"]),
    ("checkpoint-code", BROKEN, 1, NOTHING, ["checkpoint_exit_code = 300"]),
    ("checkpoint-code", NOT_SEEN, 1, NOTHING, ["checkpoint_exit_code = 1"]),
    ("checkpoint-code", NOT_SEEN, 1, NOTHING, ["checkpoint_exit_code = 137"]),
    ("checkpoint-code", NOT_SEEN, 1, NOTHING, ["checkpoint_exit_code = MyCode"]),
    ("checkpoint-code", HOLDS, 1, NOTHING, [CODE, "retry_until = 3", "success_exit_code = 4"]),
    (
        *("exit-signal-number", BROKEN, 2, NOTHING),
        [
            "+SuccessCheckpointExitBySignal = True",
            '+SuccessCheckpointExitSignal = "SIGUSR2"',
            "+WantFTOnCheckpoint = True",
        ],
    ),
    ("exit-signal-number", BROKEN, 1, NOTHING, ["+SuccessCheckpointExitSignal = 99"]),
    ("exit-signal-number", HOLDS, 1, NOTHING, ["My.SuccessCheckpointExitSignal = 12"]),
    (
        *("exit-signal-partners", BROKEN, 1, NOTHING),
        ["+SuccessCheckpointExitSignal = 12", "+SuccessCheckpointExitBySignal = True"],
    ),
    (
        *("exit-signal-partners", BROKEN, 2, NOTHING),
        ["+WantFTOnCheckpoint = True", "+SuccessCheckpointExitSignal = 12"],
    ),
    (
        *("exit-signal-partners", BROKEN, 2, NOTHING),
        ["+WantFTOnCheckpoint = True", "+SuccessCheckpointExitBySignal = True"],
    ),
    (
        *("one-checkpoint-exit", BROKEN, 1, NOTHING),
        [CODE, "+SuccessCheckpointExitSignal = 12", "+SuccessCheckpointExitBySignal = True"],
    ),
    ("one-checkpoint-exit", HOLDS, 1, NOTHING, [CODE]),
    ("asked-checkpoint-exit", BROKEN, 1, NOTHING, ["+WantCheckpointSignal = True"]),
    ("asked-checkpoint-exit", HOLDS, 1, NOTHING, ["+WantCheckpointSignal = True", CODE]),
    ("checkpoint-signal", BROKEN, 1, NOTHING, ['+CheckpointSig = "SIGUSR1"', CODE]),
    (
        *("checkpoint-signal", BROKEN, 1, NOTHING),
        ["+CheckpointSig = SIGUSR1", "+WantCheckpointSignal = True", CODE],
    ),
    (
        *("checkpoint-signal", HOLDS, 2, NOTHING),
        ["+WantCheckpointSignal = True", "+CheckpointSig = 10", CODE],
    ),
    ("early-exit-input", BROKEN, 2, NOTHING, [SAVED, "on_exit_remove = ExitCode =!= 77"]),
    ("early-exit-input", BROKEN, 1, NOTHING, ["on_exit_remove = ExitCode =!= 77"]),
    (
        *("early-exit-input", BROKEN, 3, NOTHING),
        [SAVED, "transfer_input_files = data.txt", "on_exit_remove = ExitCode =!= 77"],
    ),
    (
        *("early-exit-input", NOT_SEEN, 2, NOTHING),
        ["transfer_input_files = data.txt", "on_exit_remove = ExitCode =!= 77"],
    ),
    (
        *("early-exit-input", BROKEN, 4, NOTHING),
        [
            *(SAVED, 'transfer_output_remaps = "my.checkpoint = old"'),
            *("transfer_input_files = my.checkpoint", "on_exit_remove = ExitCode =!= 77"),
        ],
    ),
    (
        *("early-exit-first-input", BROKEN, 2, NOTHING),
        [SAVED, "transfer_input_files = absent, my.checkpoint", "on_exit_remove = ExitCode =!= 77"],
    ),
    ("early-exit-with-code", NOT_SEEN, 2, NOTHING, [CODE, "on_exit_remove = ExitCode =!= 77"]),
    (
        *("early-exit-with-code", BROKEN, 4, NOTHING),
        [
            *(CODE, SAVED, "transfer_input_files = my.checkpoint"),
            "on_exit_remove = ExitCode =!= 77",
        ],
    ),
    ("files-listed", BROKEN, 2, NOTHING, [CODE, 'transfer_output_files = ""']),
    ("files-listed", BROKEN, 3, NOTHING, [CODE, SAVED, 'transfer_checkpoint_files = ""']),
    ("files-listed", BROKEN, 2, NOTHING, [EVICT, 'transfer_output_files = ""']),
    ("files-listed", HOLDS, 0, NOTHING, [CODE, "transfer_output_files ="]),
    ("paths-kept", BROKEN, 2, NOTHING, [CODE, "transfer_checkpoint_files = a/b/c"]),
    ("paths-kept", BROKEN, 2, NOTHING, [EVICT, "transfer_output_files = a, b/c"]),
    ("paths-kept", NOT_SEEN, 2, NOTHING, [CODE, "transfer_checkpoint_files = ck/"]),
    (
        *("paths-kept", HOLDS, 1, NOTHING),
        ["transfer_checkpoint_files = a/b", "preserve_relative_paths = True", CODE],
    ),
    ("stale-names", NOT_SEEN, 0, NOTHING, [CODE]),
    ("stale-names", NOT_SEEN, 1, NOTHING, ["transfer_checkpoint_files = ck.1, ck.2", CODE]),
    ("stale-names", HOLDS, 1, NOTHING, ["transfer_checkpoint_files = ck", CODE]),
    ("results-at-checkpoint", NOT_SEEN, 2, NOTHING, [CODE, f"{SAVED}, result.dat"]),
    ("results-at-checkpoint", HOLDS, 1, NOTHING, [OWN, f"{SAVED}, result.dat", CODE]),
    ("checkpoint-at-end", NOT_SEEN, 1, NOTHING, [SAVED, CODE]),
    ("checkpoint-at-end", NOT_SEEN, 1, NOTHING, [SAVED, EVICT]),
    ("checkpoint-at-end", HOLDS, 1, NOTHING, [OWN, 'transfer_output_files = ""', CODE]),
    (
        "input-named-alike",
        COSTS,
        3,
        NOTHING,
        [CODE, OWN, "transfer_input_files = in/my.checkpoint"],
    ),
    ("input-named-alike", HOLDS, 3, NOTHING, [CODE, OWN, "transfer_input_files = in"]),
    ("own-targets", BROKEN, 2, NOTHING, [CODE, "output = job.out", "queue 2"]),
    ("own-targets", BROKEN, 1, NOTHING, ["error = $(Cluster).err", CODE, "queue 2"]),
    ("own-targets", BROKEN, 2, NOTHING, [CODE, "output = $(Item).out", "queue in (a b a)"]),
    (
        *("own-targets", BROKEN, 4, NOTHING),
        [
            *(CODE, OWN, "transfer_output_files = result"),
            *('transfer_output_remaps = "result = all.dat"', "queue 2"),
        ],
    ),
    ("own-targets", BROKEN, 3, NOTHING, [CODE, OWN, "transfer_output_files = r.dat", "queue 2"]),
    ("own-targets", NOT_SEEN, 2, NOTHING, [CODE, SAVED, "queue 2"]),
    (
        *("own-targets", BROKEN, 1, NOTHING),
        [
            SAVED,
            "transfer_input_files = my.checkpoint",
            "on_exit_remove = ExitCode =!= 77",
            "queue 2",
        ],
    ),
    ("own-targets", HOLDS, 0, NOTHING, [CODE, "output = $(Process).out", "queue 2"]),
    ("own-targets", HOLDS, 0, NOTHING, [CODE, "output = o", "initialdir = $(Process)", "queue 2"]),
    ("output-kept", COSTS, 2, NOTHING, [EVICT, "output = job.out"]),
    ("output-kept", COSTS, 1, NOTHING, ["error = job.err", EVICT]),
    ("output-kept", HOLDS, 2, NOTHING, [EVICT, "output = job.out", CODE]),
    (
        *("output-kept", COSTS, 1, NOTHING),
        ["output = job.out", "on_exit_remove = ExitCode =!= 77"],
    ),
    ("saved-at-eviction", BROKEN, 1, NOTHING, ["kill_sig = SIGUSR1", SAVED]),
    ("saved-at-eviction", BROKEN, 2, NOTHING, [SAVED, "job_max_vacate_time = 600"]),
    ("saved-at-eviction", COSTS, 2, NOTHING, [CODE, "kill_sig = SIGUSR1"]),
    ("saved-at-eviction", HOLDS, 2, NOTHING, [EVICT, "kill_sig = SIGUSR1"]),
    ("whole-at-eviction", NOT_SEEN, 2, NOTHING, [SAVED, EVICT]),
    ("grace-enough", BROKEN, 1, Conditions(write=MINUTE, grace=9 * SECOND), [EVICT]),
    (
        *("grace-enough", BROKEN, 2, Conditions(write=MINUTE, grace=600 * SECOND)),
        [EVICT, "job_max_vacate_time = 30"],
    ),
    ("grace-enough", NOT_SEEN, 1, Conditions(write=MINUTE), [EVICT]),
    ("grace-enough", HOLDS, 1, Conditions(write=MINUTE, grace=MINUTE), [EVICT]),
    ("execute-duration", BROKEN, 2, CYCLE, [CODE, "allowed_execute_duration = 659"]),
    ("execute-duration", HOLDS, 2, CYCLE, [CODE, "allowed_execute_duration = 660"]),
    ("execute-duration", NOT_SEEN, 2, CYCLE, [CODE, "allowed_execute_duration = 60 * Mine"]),
    ("execute-duration", NOT_SEEN, 2, NOTHING, [CODE, "allowed_execute_duration = 60 * 60"]),
    ("job-duration", BROKEN, 2, CYCLE, [CODE, "allowed_job_duration = 600"]),
    ("job-duration", COSTS, 2, CYCLE, [CODE, "allowed_job_duration = 3600"]),
    ("job-duration", NOT_SEEN, 2, NOTHING, [CODE, "allowed_job_duration = 3600"]),
    ("pool-limit", BROKEN, 0, CYCLE._replace(limit=10 * MINUTE), [CODE]),
    ("pool-limit", HOLDS, 0, CYCLE._replace(limit=11 * MINUTE), [CODE]),
    ("pool-limit", HOLDS, 0, CYCLE._replace(limit=MINUTE), [EVICT]),
    ("pool-limit", NOT_SEEN, 0, Conditions(limit=MINUTE), [CODE]),
    (
        *("periodic-hold", BROKEN, 2, CYCLE),
        [CODE, "periodic_hold = JobStatus == 2 && time() - EnteredCurrentStatus > 300"],
    ),
    (
        *("periodic-remove", COSTS, 2, CYCLE),
        [CODE, "periodic_remove = time() - JobCurrentStartDate > 7200"],
    ),
    (
        *("periodic-vacate", NOT_SEEN, 2, NOTHING),
        [CODE, "periodic_vacate = (time() - JobCurrentStartExecutingDate) >= 300"],
    ),
    ("periodic-hold", BROKEN, 2, NOTHING, [CODE, "periodic_hold = True"]),
    ("periodic-remove", HOLDS, 2, CYCLE, [CODE, "periodic_remove = NumJobStarts > 10"]),
    ("periodic-remove", NOT_SEEN, 2, CYCLE, [CODE, "periodic_remove = RemoteWallClockTime > 300"]),
    ("claim-worklife", COSTS, 0, CYCLE, [CODE]),
    ("claim-worklife", HOLDS, 0, CYCLE._replace(reactivate_check=False), [CODE]),
    ("claim-worklife", HOLDS, 0, CYCLE._replace(claim_worklife=None), [CODE]),
    ("claim-worklife", NOT_SEEN, 0, NOTHING, [CODE]),
    ("transfer-queue", COSTS, 0, Conditions(checkpoint_bytes=100 << 20), [CODE]),
    ("transfer-queue", HOLDS, 0, Conditions(checkpoint_bytes=(100 << 20) - 1), [CODE]),
    ("transfer-queue", NOT_SEEN, 0, NOTHING, [EVICT]),
]


@pytest.mark.parametrize(("rule", "verdict", "line", "conditions", "lines"), CASES)
@pytest.mark.usefixtures("folder")
def test_a_verdict_and_its_line(rule, verdict, line, conditions, lines):
    seen = found(lines, conditions)[rule]
    assert (seen.verdict, seen.where) == (verdict, f"job.sub:{line}" if line else "job.sub")


def test_each_rule_is_tried():
    assert {case[0] for case in CASES} == {rule.name for rule in RULES}


# In these a line has to go, a program to change, or a pool to be asked.
NOT_BY_A_LINE = {"one-checkpoint-exit", "early-exit-with-code", "early-exit-first-input"}
NOT_BY_A_LINE |= {"pool-limit", "periodic-hold", "way-to-checkpoint"}
PASTED = re.compile(r"`(\+?\w+ = [^`]*)`")
LEFT_OUT = re.compile(r"leave out (\w+_\w+)")


def is_mended(case):
    """Does it say what to paste?"""
    rule, verdict, *_ = case
    return (verdict == BROKEN or (rule, verdict) == ("output-kept", COSTS)) and (
        rule not in NOT_BY_A_LINE
    )


@pytest.mark.parametrize(
    ("rule", "conditions", "lines"),
    [(case[0], *case[3:]) for case in CASES if is_mended(case)],
)
@pytest.mark.usefixtures("folder")
def test_what_it_says_to_paste_mends_it(rule, conditions, lines):
    told = found(lines, conditions)[rule].told
    pasted, dropped = PASTED.findall(told), LEFT_OUT.findall(told)
    if rule == "output-kept" and "on_exit_remove" in lines[-1]:
        assert not pasted  # the program has to write elsewhere
        return
    if rule == "grace-enough" and len(lines) == 1:
        assert not pasted  # the pool's time is what is too short
        return
    *kept, queue = lines if lines[-1].startswith("queue") else [*lines, "queue"]
    kept = [line for line in kept if not line.startswith(tuple(dropped))]
    mended = found([*kept, *pasted, queue], conditions)
    assert pasted
    assert rule not in mended or mended[rule].verdict != BROKEN


# --- good ones ------------------------------------------------------------------------------------

GOOD = {
    "the manual's example": [
        *(CODE, "transfer_output_files = example.checkpoint", "should_transfer_files = yes"),
        *("executable = example.py", "arguments =", "output = example.out", "error = example.err"),
        *("log = example.log", "queue 1"),
    ],
    "exit by signal": [
        *(SAVED, "+SuccessCheckpointExitBySignal = True", "+SuccessCheckpointExitSignal = 12"),
        "+WantFTOnCheckpoint = True",
    ],
    "early exit": [
        *("transfer_input_files = my.checkpoint", SAVED, "on_exit_remove = ExitCode =!= 77"),
    ],
    "saved at eviction": [CODE, SAVED, EVICT, "output = job.out", "kill_sig = SIGUSR1"],
    "by chirp": ["want_io_proxy = True", "transfer_output_files =", "output = job.out"],
    "a directory": [CODE, "transfer_checkpoint_files = ck", "transfer_output_files = result"],
    "a path kept": [CODE, "transfer_checkpoint_files = a/b/c", "preserve_relative_paths = True"],
    "asked by a signal": [
        CODE,
        SAVED,
        "+WantCheckpointSignal = True",
        '+CheckpointSig = "SIGUSR1"',
    ],
    "retried": [CODE, OWN, "max_retries = 3", "retry_until = ExitCode == 2"],
    "retried whatever fails": [
        CODE,
        OWN,
        "on_exit_remove = ExitBySignal == False && ExitCode == 0",
    ],
    "in a store": [
        *(
            CODE,
            OWN,
            "checkpoint_destination = local:///store",
            "transfer_plugins = local=plugin.py",
        )
    ],
    "in a container": [CODE, OWN, "universe = container", "container_image = lab.sif"],
    "many": [CODE, OWN, "output = $(name).out", "queue name in (a b c)"],
    "on a shared file system": ["should_transfer_files = no", "output = job.out"],
    "in many folders": [CODE, SAVED, "output = out", "initialdir = run$(Process)", "queue 3"],
}


@pytest.mark.parametrize("lines", GOOD.values(), ids=list(GOOD))
def test_nothing_is_broken_in_a_good_one(folder, lines):
    (folder / "my.checkpoint").touch()
    seen = found(lines, CYCLE._replace(limit=MINUTE * 60, grace=10 * MINUTE, checkpoint_bytes=1000))
    assert [each for each in seen.values() if each.verdict == BROKEN] == []


def test_nothing_is_broken_in_what_the_documentation_runs():
    seen = lint(HERE.parent / "scenarios" / "real" / "steady.sub", NOTHING)
    assert [each.rule for each in seen if each.verdict == BROKEN] == []


# --- judged by a real HTCondor --------------------------------------------------------------------

# The jobs of the recorded runs checkpoint every 6 s, where they do; their pool's claims lasted,
# but for two.
SIX = Conditions(interval=6 * SECOND, claim_worklife=None)
POOLS = {
    "e7_claim_worklife": SIX._replace(claim_worklife=8 * SECOND),
    "e10_claim_worklife_old_rule": SIX._replace(claim_worklife=8 * SECOND, reactivate_check=False),
    "n4_startd_preempt": SIX._replace(limit=9 * SECOND),
    "g2_on_evict_ignores_sigterm": SIX._replace(grace=10 * SECOND),
}
# What went wrong and can be told from the submit file; all other runs' files have nothing broken.
LOST = {"output-kept": COSTS}  # g1, h, i1, k2 really lost output; the others began anew
TROUBLED = {
    "e7_claim_worklife": {"claim-worklife": COSTS},
    "f4_signal_and_code": {"one-checkpoint-exit": BROKEN},
    "g1_on_evict": LOST,
    "g2_on_evict_ignores_sigterm": LOST,
    "g4_on_evict_fast": LOST,
    "g5_on_evict_handler_exit0": LOST,
    "h_half_written": LOST,
    "i1_kill_sig": LOST,
    "k1_on_exit_remove": {"early-exit-input": BROKEN} | LOST,
    "k2_on_exit_remove_input": LOST,
    "m1_85_without_setting": {"way-to-checkpoint": BROKEN},
    "n1_allowed_job_duration": {"job-duration": COSTS},
    "n7_periodic_hold": {"periodic-hold": COSTS},
    "z1_input_is_checkpoint": {"input-named-alike": COSTS},
    "z3_subdir_checkpoint": {"paths-kept": BROKEN},
    "z5_stdout_only": {"files-listed": BROKEN},
}
# What went wrong in the program, of which the file can but warn.
WARNED = {
    "g2_on_evict_ignores_sigterm": "grace-enough",
    "h_half_written": "whole-at-eviction",
    "l1_missing_at_checkpoint": "results-at-checkpoint",
    "l3_missing_at_end": "checkpoint-at-end",
}
RUNS = sorted(path.parent.name for path in GOLDEN.glob("*/job.sub"))


@pytest.mark.skipif(not RUNS, reason="the recorded runs are not here")
@pytest.mark.parametrize("run", RUNS)
def test_a_recorded_run(folder, run):
    for name in ("example.checkpoint", "input.txt"):
        (folder / name).touch()
    seen = lint(GOLDEN / run / "job.sub", POOLS.get(run, SIX))
    told = {each.rule: each.verdict for each in seen}
    wrong = {rule: verdict for rule, verdict in told.items() if verdict in (BROKEN, COSTS)}
    assert wrong == TROUBLED.get(run, {})
    if run in WARNED:
        assert told[WARNED[run]] == NOT_SEEN


@pytest.mark.skipif(not RUNS, reason="the recorded runs are not here")
def test_the_tables_name_recorded_runs():
    assert {*POOLS, *TROUBLED, *WARNED} <= set(RUNS)


# --- what is told ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_finding_in_full():
    (seen,) = (
        each
        for each in found([CODE, "transfer_output_files = a/b/c"]).values()
        if each[1] == BROKEN
    )
    assert seen == (
        "paths-kept",
        BROKEN,
        (
            "a/b/c comes back as c after an eviction, so the job does not find it and starts over; "
            "expected its path to be kept; add `preserve_relative_paths = True`."
        ),
        "job.sub:2",
        "observed B14, runs z3, z4",
        (),
    )


@pytest.mark.parametrize(
    ("cycle_s", "told"),
    [
        (300, "one every 5 min that is one checkpoint in 4, at least every 20 min of running"),
        (301, "one every 5 min 1 s that is one checkpoint in 4, at least every 20 min 4 s"),
        (299, "one every 4 min 59 s that is one checkpoint in 5, at least every 24 min 55 s"),
        (3600, "one every 1 h that is each checkpoint, at least every 1 h of running"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_a_claims_age_costs(cycle_s, told):
    assert told in found([CODE], Conditions(interval=cycle_s * SECOND))["claim-worklife"].told


@pytest.mark.usefixtures("folder")
def test_the_moment_a_policy_comes_true():
    line = "periodic_hold = (time() - JobCurrentStartDate) > 7200"
    assert "has run 2 h 1 s is held" in found([CODE, line], CYCLE)["periodic-hold"].told


@pytest.mark.usefixtures("folder")
def test_what_htcondor_would_not_take():
    for text, told in (
        ("executable = a\n", "job.sub: no `queue`"),
        ("output = $(output2)\noutput2 = $(output)\nqueue\n", "job.sub:"),
    ):
        Path("job.sub").write_text(text)
        with pytest.raises(SubmitError, match=told):
            lint(Path("job.sub"), NOTHING)
    with pytest.raises(SubmitError, match=r"none\.sub: No such file"):
        lint(Path("none.sub"), NOTHING)


COMMANDS = [line for case in CASES for line in case[4] if not line.startswith("queue")]
COMMANDS += ["checkpoint_exit_code = abc def", "on_exit_remove = ((", "periodic_hold = 1 +"]
COMMANDS += ["+TransferOutput = 3", "+SuccessCheckpointExitSignal =", "transfer_output_remaps = x"]
COMMANDS += ["transfer_output_files = $$(Name)", "kill_sig = 99", "periodic_remove = undefined"]
COMMANDS += ["on_exit_remove = False", "on_exit_remove = ExitCode", "+OnExitRemove = error"]
WORDS = st.text(string.ascii_letters + string.digits + " ./,;=\"'()+-", max_size=12)
TIMES = st.none() | st.integers(0, 10**15)


@given(
    lines=st.lists(st.sampled_from(COMMANDS), max_size=12),
    free=st.lists(st.tuples(st.sampled_from(COMMANDS), WORDS), max_size=2),
    queue=st.sampled_from(["queue", "queue 3", "queue output in (a b)"]),
    conditions=st.builds(
        *(Conditions, TIMES, TIMES, TIMES, TIMES, st.booleans(), TIMES, TIMES),
    ),
)
def test_any_lines_are_judged(tmp_path_factory, lines, free, queue, conditions):
    path = tmp_path_factory.getbasetemp() / "job.sub"
    given_freely = [f"{line.partition('=')[0]}= {word}" for line, word in free]
    path.write_text("\n".join([*lines, *given_freely, queue, ""]))
    seen = lint(path, conditions)
    order = [rule.name for rule in RULES]
    places = [order.index(each.rule) for each in seen]
    assert places == sorted(set(places))
    for each in seen:
        assert re.fullmatch(r"[^\n]+\.", each.told)
        assert re.fullmatch(re.escape(str(path)) + r"(:\d+)?", each.where)
