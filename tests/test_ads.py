"""What job ads and slot ads say, after HTCondor's manual and htcondor-observed.md."""

import signal

import pytest

from ckptsim.drivers.real.settings import POLICY
from ckptsim.htcondor import ads
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Hold, Vacate
from ckptsim.htcondor.joblog import Resource, Usage
from ckptsim.htcondor.life import SECOND, Stage, Stay, Terms, Why
from ckptsim.rules import NEVER, Event, Lease

classad2 = pytest.importorskip("classad2", reason="HTCondor's bindings are for Linux alone")

NONE = Resource()


def ad(text=""):
    """An ad of `A = 1; B = 2`."""
    return classad2.ClassAd(f"[{text}]")


def running(at=100, started=130, **terms):
    """A job that was matched and started at those seconds."""
    life, _ = lives.submitted(Terms(**terms), "<127.0.0.1:1>", 50 * SECOND)
    usage = Usage(NONE, NONE, NONE)
    stay = Stay("slot1_1@ep1@host", "<127.0.0.1:1>", at * SECOND, {}, usage, 0)
    lease = Lease(at * SECOND, NEVER, NEVER, NEVER, NEVER, NEVER)
    life, _ = lives.matched(life, stay, lease, NEVER, at * SECOND)
    life, _ = lives.staged(life, 1, started * SECOND)
    life, _ = lives.started(life, started * SECOND)
    return life


def ended(status, **terms):
    """A job that ended by itself and whose output is being transferred."""
    life, _ = lives.exited(running(**terms), status, (), 200 * SECOND)
    assert life.stage == Stage.DELIVERING
    return life


# ---- what an expression comes to


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Memory > 3", True),
        ("memory > 3", True),
        ("TARGET.Memory > 3", True),
        ("Cpus", 1),  # its own comes first
        ("TARGET.Cpus", 16),
        ("MY.Cpus < TARGET.Cpus", True),
        ("Twice", 8),  # an attribute of its own that needs the other's
        ("MY.Cpus + Memory", 5),
        ("Half", 2),  # of the other, from its own
        ("Nowhere > 3", None),
        ("Nowhere =?= undefined", True),
        ("1 / 0", None),
        ('regexp("^ep1@", Name)', True),
        ('"text"', "text"),
    ],
)
def test_a_name_without_scope_is_its_own_and_else_the_others(expression, found):
    # The library does so of itself once `htcondor2` is imported, and then for `MY.` too.
    job = ad("Cpus = 1; Twice = 2 * Memory")
    slot = ad('Memory = 4; Cpus = 16; Gpus = 2; Half = Memory / 2; Name = "ep1@host"')
    assert ads.value(classad2.ExprTree(expression), job, slot) == found


@pytest.mark.parametrize(
    ("expression", "true"),
    [
        ("true", True),
        ("1", True),
        ("0.5", True),
        ("0", False),
        ("false", False),
        ("undefined", False),
        ("error", False),
        ("Nowhere > 3", False),
        ("! Nowhere", False),
        ('"true"', False),  # a text is no truth
        ('"false"', False),
        ("{ 1 }", False),
    ],
)
def test_only_what_is_true_is_true(expression, true):
    assert ads.is_true(ad(f"X = {expression}"), "X") is true
    assert ads.holds(expression, ad(), ad()) is true


def test_what_is_not_there_is_not_true():
    assert ads.is_true(ad(), "PeriodicHold") is False


@pytest.mark.parametrize(
    ("expression", "number"),
    [("7", 7), ("3.5", 3.5), ("2 * 3", 6), ('"7"', None), ("undefined", None), ("1/0", None)],
)
def test_a_number_is_a_number(expression, number):
    assert ads.number(ad(f"X = {expression}"), "X") == number
    assert ads.seconds(expression, ad(), ad()) == (number or 0)
    assert ads.number(ad(), "X") is None


def test_a_machines_expression_sees_the_job_as_its_target():
    vacate = "IfThenElse(TARGET.TestMachineVacate isnt undefined, TARGET.TestMachineVacate, 10)"
    assert ads.seconds(vacate, ad(), ad("TestMachineVacate = 5")) == 5
    assert ads.seconds(vacate, ad(), ad()) == 10
    preempt = "TARGET.TestPreemptAfter =!= undefined && TotalJobRunTime > TARGET.TestPreemptAfter"
    slot = ad("TotalJobRunTime = 10")
    assert ads.holds(preempt, slot, ad("TestPreemptAfter = 9"))
    assert not ads.holds(preempt, slot, ad("TestPreemptAfter = 10"))
    assert not ads.holds(preempt, slot, ad())


def test_the_default_policy_means_what_it_says():
    slot = ad("LastPeriodicCheckpoint = time() - 10000")
    assert ads.holds(POLICY["START"], slot, ad())
    assert not ads.holds(POLICY["PREEMPT"], slot, ad())
    assert not ads.holds(POLICY["PERIODIC_CHECKPOINT"], slot, ad())
    assert ads.holds(POLICY["PERIODIC_CHECKPOINT"], ad("LastPeriodicCheckpoint = 0"), ad())
    assert ads.seconds(POLICY["CLAIM_WORKLIFE"], slot, ad()) == 1200


# ---- what a job asks for


def test_a_job_that_asks_for_nothing():
    asked = ads.terms(ad(), "me")
    assert asked == Terms(user="me")
    assert asked.contact_lease == 2400 * SECOND
    assert asked.checkpoint_status is None


def test_a_job_that_asks_for_all():
    asked = ads.terms(
        ad(
            "WantFTOnCheckpoint = true; SuccessCheckpointExitCode = 85; JobLeaseDuration = 30;"
            'WhenToTransferOutput = "ON_EXIT_OR_EVICT"; AllowedJobDuration = 9;'
            "AllowedExecuteDuration = 60 * 60"
        ),
        "me",
    )
    assert asked == Terms(
        checkpoint_status=85 << 8,
        promised_status=85 << 8,
        on_evict=True,
        contact_lease=30 * SECOND,
        job_duration=9 * SECOND,
        execute_duration=3600 * SECOND,
        user="me",
    )


WITH_SIGNAL = "SuccessCheckpointExitBySignal = true; WantFTOnCheckpoint = true"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"{WITH_SIGNAL}; SuccessCheckpointExitSignal = 12", 12),
        # H43: with both the signal's rule wins, and a signal given as a text is ignored.
        (f"{WITH_SIGNAL}; SuccessCheckpointExitSignal = 12; SuccessCheckpointExitCode = 85", 12),
        (f'{WITH_SIGNAL}; SuccessCheckpointExitSignal = "SIGUSR2"', 0),
        (
            f'{WITH_SIGNAL}; SuccessCheckpointExitSignal = "12"; SuccessCheckpointExitCode = 85',
            85 << 8,
        ),
        ("WantFTOnCheckpoint = true; SuccessCheckpointExitSignal = 12", 0),
        ("SuccessCheckpointExitCode = 85", None),
        (WITH_SIGNAL.partition(";")[0] + "; SuccessCheckpointExitSignal = 12", None),
    ],
)
def test_how_a_checkpoint_ends(text, status):
    assert ads.terms(ad(text), "me").checkpoint_status == status


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ('"SIGUSR1"', signal.SIGUSR1),
        ("10", signal.SIGUSR1),
        ('"10"', signal.SIGUSR1),
        ('"USR1"', None),
        ('"SIGNONE"', None),
        ("0", None),
        ("4096", None),
        ('""', None),
        ("undefined", None),
        ("2 * 5", signal.SIGUSR1),
    ],
)
def test_a_signal_by_number_or_name(value, number):
    assert ads.signal_of(ad(f"KillSig = {value}"), "KillSig") == number
    assert ads.soft_kill_signal(ad(f"KillSig = {value}")) == (number or signal.SIGTERM)


def test_which_signal_is_sent_for_what():
    assert ads.soft_kill_signal(ad()) == signal.SIGTERM
    assert ads.soft_kill_signal(ad('KillSig = "SIGINT"; RemoveKillSig = "SIGHUP"')) == signal.SIGHUP
    assert ads.checkpoint_signal(ad('CheckpointSig = "SIGUSR2"')) == signal.SIGUSR2
    assert ads.checkpoint_signal(ad('KillSig = "SIGINT"')) == signal.SIGINT
    assert ads.checkpoint_signal(ad()) == signal.SIGTERM


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("", None),
        ('TransferOutput = "a,b/c , d/"', ["a", "b/c", "d/"]),
        ('TransferOutput = "a"; TransferCheckpoint = "b, c"', ["b", "c"]),
        ('TransferOutput = ""', []),
        ('TransferOutput = "a"; TransferCheckpoint = ""', []),
    ],
)
def test_what_a_checkpoint_consists_of(text, files):
    assert ads.checkpoint_files(ad(text)) == files


@pytest.mark.parametrize(
    ("text", "appends"),
    [
        ("", False),
        ("WantFTOnCheckpoint = true", True),
        ("WantCheckpointSignal = true", True),
        ('WantFTOnCheckpoint = false; WhenToTransferOutput = "ON_EXIT_OR_EVICT"', False),
    ],
)
def test_whose_output_grows_from_execution_to_execution(text, appends):
    assert ads.appends(ad(text)) is appends


# ---- its own policy


ON_EXIT = "OnExitRemove = ExitCode =!= 77"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", False),
        ('TransferOutput = "ck"', False),
        ('TransferOutput = "ck"; TransferInput = "ck"', True),
        ('TransferOutput = "out, ck"; TransferInput = "data,ck"', True),
        ('TransferOutput = "ck"; TransferInput = "data"', False),
    ],
)
def test_an_early_exit_goes_on_where_its_file_is_input_too(text, kept):
    job = ad(f"{ON_EXIT}; {text}")
    why = ads.verdict(job, ended(77 << 8), 77 << 8)
    assert (why.then, why.code, why.event, why.kept) == (
        *(Stage.IDLE, Vacate.REQUEUED, Event.REQUEUED),
        kept,
    )
    expression = "The job attribute OnExitRemove expression 'ExitCode =!= 77' evaluated to FALSE"
    assert why.reason == expression  # as in golden/k1
    assert ads.verdict(job, ended(0), 0) is None


@pytest.mark.parametrize(
    ("expression", "status", "goes"),
    [
        ("ExitBySignal == false && ExitCode == 0", 0, True),
        ("ExitBySignal == false && ExitCode == 0", 1 << 8, False),
        ("ExitBySignal == false && ExitCode == 0", 11, False),
        ("ExitSignal =?= 11", 11, True),
        ("ExitCode =?= undefined", 11, True),
        ("NumJobCompletions > 2", 0, False),
        ("Nowhere", 0, True),  # undefined: it goes
        ("1 / 0", 0, True),
    ],
)
def test_whether_a_job_that_ended_goes(expression, status, goes):
    job = ad(f"OnExitRemove = {expression}; ExitCode = 3; ExitSignal = 4")
    assert (ads.verdict(job, ended(status), status) is None) is goes


def test_a_job_has_as_many_retries_as_it_asks_for():
    job = ad("OnExitRemove = NumJobCompletions > 2 || ExitCode == 0")
    life = ended(1 << 8)
    for completions, goes in ((0, False), (1, False), (2, True)):
        life = life._replace(counts=life.counts._replace(completions=completions))
        assert (ads.verdict(job, life, 1 << 8) is None) is goes


def test_on_exit_hold_comes_before_on_exit_remove_and_may_say_why():
    job = ad("OnExitHold = ExitCode == 1; OnExitRemove = false")
    why = ads.verdict(job, ended(1 << 8), 1 << 8)
    text = "The job attribute OnExitHold expression 'ExitCode == 1' evaluated to TRUE"
    assert why == Why(Stage.HELD, Hold.BY_POLICY, text, 0, False, Event.WITHDRAWN)
    job = ad(
        'OnExitHold = true; OnExitHoldReason = strcat("code ", ExitCode); OnExitHoldSubCode = 7'
    )
    why = ads.verdict(job, ended(3 << 8), 3 << 8)
    assert (why.code, why.subcode, why.reason) == (3, 7, "code 3")
    job = ad("OnExitHold = true; OnExitHoldReason = Nowhere; OnExitHoldSubCode = Nowhere")
    why = ads.verdict(job, ended(0), 0)
    text = "The job attribute OnExitHold expression 'true' evaluated to TRUE"
    assert (why.subcode, why.reason) == (0, text)


@pytest.mark.parametrize(
    ("text", "then", "code", "evicted"),
    [
        ("PeriodicVacate = true", Stage.IDLE, 1000, True),
        ("PeriodicHold = true", Stage.HELD, 3, False),
        ("PeriodicRemove = true", Stage.REMOVED, 1023, True),
        (
            "PeriodicVacate = false; PeriodicHold = true; PeriodicRemove = true",
            Stage.HELD,
            3,
            False,
        ),
    ],
)
def test_periodic_expressions_of_a_job_on_a_slot(text, then, code, evicted):
    why = ads.periodic(ad(text), running())
    assert (why.then, why.code, why.evicted) == (then, code, evicted)
    assert "evaluated to TRUE" in why.reason
    queued, _ = lives.submitted(Terms(), "<127.0.0.1:1>", 0)
    assert ads.periodic(ad(text), queued) is None


def test_no_periodic_expression_no_reason_to_leave():
    job = ad("PeriodicHold = Nowhere; PeriodicVacate = false; PeriodicRemove = 1/0")
    assert ads.periodic(job, running()) is None


@pytest.mark.parametrize(("code", "released"), [(1, False), (3, True), (36, True)])
def test_a_persons_hold_is_for_a_person_to_end(code, released):
    life, _ = lives.submitted(Terms(), "<127.0.0.1:1>", 0)
    assert not ads.may_be_released(ad("PeriodicRelease = true"), life)
    life, _ = lives.held(life, Why(Stage.HELD, code, "so"), SECOND, [])
    assert ads.may_be_released(ad("PeriodicRelease = true"), life) is released
    assert not ads.may_be_released(ad("PeriodicRelease = NumHolds > 99"), life)
    assert not ads.may_be_released(ad(), life)


def test_a_job_that_is_held_from_the_start():
    why = ads.held_at_submit(ad('HoldReason = "submitted on hold"; HoldReasonCode = 15'))
    assert (why.then, why.code, why.reason) == (Stage.HELD, 15, "submitted on hold")


# ---- what they say at a moment


def test_a_jobs_ad_before_its_first_start():
    life, _ = lives.submitted(Terms(), "<127.0.0.1:1>", 50 * SECOND)
    job = ads.refresh(ad(), life)
    assert {name: job[name] for name in sorted(job)} == {
        "CommittedTime": 0,
        "EnteredCurrentStatus": 50,
        "JobStatus": 1,
        "NumJobCompletions": 0,
        "NumJobStarts": 0,
        "NumShadowStarts": 0,
        "RemoteWallClockTime": 0,
    }
    # Expressions count on these being undefined before the first (golden/e1 and n7).
    assert (
        ads.value(classad2.ExprTree("(JobRunCount ?: 0) > 0 || NumHolds =!= undefined"), job)
        is False
    )


def test_a_running_jobs_ad():
    life = running(at=100, started=130)
    job = ads.refresh(ad(), life)
    expected = {
        "JobStatus": 2,
        "EnteredCurrentStatus": 100,
        "JobCurrentStartDate": 100,
        "JobCurrentStartExecutingDate": 130,
        "JobRunCount": 1,
        "NumJobStarts": 1,
    }
    assert {name: job[name] for name in expected} == expected
    assert "CheckpointNumber" not in job
    life = life._replace(terms=Terms(checkpoint_status=85 << 8))
    life, _ = lives.exited(life, 85 << 8, (), 140 * SECOND)
    life, _ = lives.sent(life, 1, 150 * SECOND)
    life, _ = lives.started(life, 151 * SECOND)
    job = ads.refresh(job, life)
    assert (job["CheckpointNumber"], job["CommittedTime"]) == (0, 10)  # I48
    assert job["JobCurrentStartExecutingDate"] == 130
    assert job["EnteredCurrentStatus"] == 100


def test_a_held_jobs_ad():
    life, _ = lives.submitted(Terms(), "<127.0.0.1:1>", 0)
    life, _ = lives.hold(life, 60 * SECOND)
    job = ads.refresh(ad(), life)
    assert (job["JobStatus"], job["NumHolds"], job["EnteredCurrentStatus"]) == (5, 1, 60)
    assert (job["HoldReasonCode"], job["HoldReasonSubCode"]) == (1, 0)
    assert job["HoldReason"] == "via condor_hold (by user user)"


def test_a_slots_ad():
    free = ads.slot_ad({"Name": "slot1@ep1@host", "Memory": 4096})
    assert (free["State"], free["Activity"], free["Memory"]) == ("Unclaimed", "Idle", 4096)
    assert "TotalJobRunTime" not in free
    life = running(at=100, started=130)
    busy = ads.slot_ad({"Name": "slot1@ep1@host"}, life, 160 * SECOND)
    assert (busy["State"], busy["Activity"]) == ("Claimed", "Busy")
    # Since the match, not since the start: golden/n4, where starts came 5 s late.
    assert (busy["JobStart"], busy["TotalJobRunTime"]) == (100, 60)
    assert busy["LastPeriodicCheckpoint"] == 130
    life, _ = lives.ask_for_checkpoint(life, 155 * SECOND)
    busy = ads.slot_ad({"Name": "slot1@ep1@host"}, life, 160 * SECOND)
    assert busy["LastPeriodicCheckpoint"] == 155
