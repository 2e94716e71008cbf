"""Each run of a real HTCondor, told to `life` as its log and timeline tell it, is the same run.

What happened (a match, an exit, a command, a lost machine) is read out of the log and the timeline
of the real run; what follows from it must come by itself, in the second it came in the real pool:
all events with their codes, the end of each vacate time, contact lease and limit. Looks at policy
expressions are made each second, as in that pool, with its own expressions.

Times in a log are whole seconds. A microsecond is added for each thing that happened before, so
that one comes after the other; sums are still right to the second.
"""

import re
from datetime import UTC, datetime

import pytest
from golden_runs import GOLDEN, RUNS, TABLE, Happened, events_in, golden_events, settled

pytest.importorskip("classad2", reason="HTCondor's bindings are for Linux alone")

from ckptsim import ledger, rules
from ckptsim.drivers.real.settings import POLICY
from ckptsim.htcondor import ads, jobcommands, joblog, submit
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Hold, Vacate
from ckptsim.htcondor.joblog import Resource, Usage
from ckptsim.htcondor.life import SECOND, Leave, Log, Stage, Stay, Tell, Why
from ckptsim.ledger import Category
from ckptsim.rules import NEVER, Lease

COMMAND = re.compile(
    r"(\S+ \S+)\.\d+ (condor_vacate_job -fast|condor_vacate_job|condor_hold|condor_release"
    r"|condor_rm|condor_drain|kill -9 starter|power-off)"
)
SLOT = "slot1_1@ep1@host"
USAGE = Usage(Resource(0, 1, 1), Resource(0, 1, 1), Resource(0, 1, 1))

# How the process ended for good, where no event says so.
ENDED_WITH = {"m7_on_exit_hold": 1, "l3_missing_at_end": 0}
# What a job that was told to stop by SIGTERM (or i1's SIGUSR1) did, where it did not die of it.
TOLD_TO_STOP = {"g5_on_evict_handler_exit0": 0, "x2_handler_exit85_on_evict": 85 << 8}


def seconds_of(stamp):
    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp())


def timed_events(name):
    """(second, event) of a real log, without what `life` has no part in: 006, 008 and 028."""
    log = (GOLDEN / name / "job.log").read_text()
    stamps = [
        seconds_of(stamp)
        for number, stamp in re.findall(r"^(\d{3}) \(.*?\) (\S+ \S+)", log, re.MULTILINE)
        if number not in {"006", "028"}
    ]
    events = settled(golden_events(name))
    pairs = zip(stamps, events, strict=True)
    return [(second, event) for second, event in pairs if event.number != 8]


def commands(name):
    timeline = (GOLDEN / name / "timeline.txt").read_text()
    found = re.findall(f"^{COMMAND.pattern}", timeline, re.MULTILINE)
    return [(seconds_of(stamp), word) for stamp, word in found]


def job_ad(name):
    """The job's ad; of the one run that ckptsim refuses, without what it is refused for."""
    text = (GOLDEN / name / "job.sub").read_text()
    text = re.sub(r"^(checkpoint_destination|transfer_plugins).*\n", "", text, flags=re.MULTILINE)
    (ad,) = submit.read(text, GOLDEN / name, 1, 0)
    return ad


class Replay:
    """One run, from its first event to its last."""

    def __init__(self, name):
        self.name, self.events, self.commands = name, timed_events(name), commands(name)
        self.ad = job_ad(name)
        self.policy = POLICY | TABLE["policy"] | RUNS[name].policy
        self.now = self.events[0][0] * SECOND
        self.polled = self.now // SECOND
        self.log, self.orders, self.steps, self.stays = [], [], [], []
        self.draining = False
        self.ticks = 0

    def all(self):
        terms = ads.terms(self.ad, "user")
        self.take(lives.submitted(terms, "<127.0.0.1:1>", self.now))
        for at, (second, event) in enumerate(self.events):
            while self.commands and self.is_due(self.commands[0], at):
                self.command(*self.commands.pop(0))
            self.reach(second)
            if len(self.log) <= at:
                self.cause(at, event)
        assert not self.commands
        return self

    def is_due(self, command, at):
        """Was this done before that event? In the same second: if it is what the event comes of."""
        done, word = command
        second, event = self.events[at]
        return done < second or (done == second and self.comes_of(event, word, at))

    def comes_of(self, event, word, at):
        following = [each for _, each in self.events[at : at + 3]]
        saves = [each.transfer for each in following[:2]] == ["out-start", "out-done"]
        match word:
            case "condor_vacate_job" if self.life.terms.on_evict and saves:
                return following[2].code == Vacate.BY_USER
            case "condor_vacate_job" | "condor_vacate_job -fast":
                return event.code == Vacate.BY_USER
            case "condor_hold":
                return event.code == Hold.BY_USER
            case "condor_release":
                return event.number == 13
            case "condor_rm":
                return event.number == 9 or event.code == Vacate.REMOVED
            case "kill -9 starter" | "power-off":
                return event.number == 22
        return False

    # --- time

    def tick(self, second=0):
        self.ticks += 1
        self.now = max(second, self.now // SECOND) * SECOND + self.ticks * 1000

    def reach(self, second):
        """Let the clock run: deadlines, and a look each second at limits and policy."""
        while self.polled < second:
            self.polled += 1
            self.meet_deadline(self.polled * SECOND)
            self.tick(self.polled)
            self.meet_deadline(self.now)
            self.look()

    def meet_deadline(self, until):
        while self.life.stay and self.life.stay.deadline <= until:
            self.now = max(self.now, self.life.stay.deadline)
            self.take(lives.overdue(self.life, self.now))

    def look(self):
        life = self.life
        if life.stage not in (Stage.RUNNING, Stage.CHECKPOINTING):
            return
        why = lives.limits(life, self.now) or ads.periodic(self.ad_now(), life)
        if why:
            self.take(lives.stopped(life, why, self.now))
        elif self.holds("PREEMPT") or self.draining:
            self.life = lives.retiring(life, self.now)
            self.retire(Why(Stage.IDLE, Vacate.PREEMPTED, "PREEMPT"))
        elif ads.is_true(self.ad, "WantCheckpointSignal") and self.holds("PERIODIC_CHECKPOINT"):
            self.take(lives.ask_for_checkpoint(life, self.now))

    def retire(self, why):
        retirement = ads.seconds(self.policy["MaxJobRetirementTime"], self.slot(), self.ad)
        if lives.is_retired(self.life, int(retirement * SECOND), self.now):
            self.take(lives.stopped(self.life, why, self.now))

    def ad_now(self):
        """The job's ad, with the clock of its expressions at the run's time."""
        ad = jobcommands.classads().ClassAd(str(ads.refresh(self.ad, self.life)))
        for name in [name for name in ad if "time()" in str(ad.lookup(name))]:
            ad[name] = jobcommands.expression(self.at_this_time(str(ad.lookup(name))))
        return ad

    def at_this_time(self, expression):
        return expression.replace("time()", str(self.now // SECOND))

    def holds(self, name):
        return ads.holds(self.at_this_time(self.policy[name]), self.slot(), self.ad)

    def slot(self):
        return ads.slot_ad({"Name": SLOT}, self.life, self.now)

    # --- what happened

    def take(self, then):
        before = getattr(self, "life", None)
        self.life, acts = then
        for act in acts:
            if isinstance(act, Log):
                text = joblog.text(act.event, 1, 0, self.now)
                self.log += [(self.now, event, text) for event in events_in(text)]
            elif isinstance(act, Tell):
                self.orders.append(f"{act.order} {act.purpose}".strip())
            elif isinstance(act, Leave):
                self.stays.append(self.now - before.stay.began)
        if Tell("start") in acts and self.life.stay.executions:
            self.tick()  # after a checkpoint: no event tells of it
            self.orders[-1] = "restart"
            self.take(lives.started(self.life, self.now))

    def command(self, second, word):
        self.reach(second)
        self.tick(second)
        life, now = self.life, self.now
        match word:
            case "condor_vacate_job" | "condor_vacate_job -fast":
                why = Why(Stage.IDLE, Vacate.BY_USER, "Job vacated by schedd")
                self.take(lives.stopped(life, why, now, fast=word.endswith("-fast")))
            case "condor_hold":
                self.take(lives.hold(life, now))
            case "condor_release":
                self.take(lives.release(life, "via condor_release", now))
            case "condor_rm":
                self.take(lives.remove(life, "via condor_rm", now))
            case "condor_drain":
                self.draining = True
                self.look()
            case _:
                life = lives.updated(life, now, 2)  # STARTER_UPDATE_INTERVAL of that pool
                found_out = word != "power-off"
                self.take(lives.contact_lost(life, "closed", (), now, now, found_out=found_out))

    def cause(self, at, event):
        """Let happen what the event tells of."""
        self.tick(self.events[at][0])
        life, now = self.life, self.now
        match event:
            case Happened(40, "in-start"):
                self.match()
            case Happened(40, "in-done"):
                self.take(lives.staged(life, 1000, now))
            case Happened(1):
                self.take(lives.started(life, now))
            case Happened(40, "out-start"):
                self.take(lives.exited(life, self.exit_status(at), (), now))
            case Happened(40, "out-done"):
                self.transferred(at)
            case Happened(21, code=Hold.CHECKPOINT_FAILED):  # j2: its subcode is how it ended
                self.take(lives.exited(life, event.subcode, (), now))
            case Happened(4 | 12) if life.stage in (Stage.STOPPING, Stage.KILLING):
                self.take(lives.exited(life, 15 if life.stage == Stage.STOPPING else 9, (), now))

    def match(self):
        slot = ads.slot_ad({"Name": SLOT})
        vacate_s = ads.seconds(self.policy["MachineMaxVacateTime"], slot, self.ad)
        worklife = int(self.policy["CLAIM_WORKLIFE"]) * SECOND
        checked = self.policy["CHECK_REACTIVATE_AFTER_CHECKPOINT"]
        stay = Stay(SLOT, "<127.0.0.1:1>", self.now, {}, USAGE, int(vacate_s * SECOND))
        lease = Lease(self.now, NEVER, NEVER, NEVER, NEVER, NEVER, self.now)
        self.draining = False
        worklife = worklife if checked in ("True", True) else NEVER
        self.take(lives.matched(self.life, stay, lease, worklife, self.now))

    def exit_status(self, at):
        """A checkpoint's, unless the log goes on as for one that ended for good."""
        if self.life.stage == Stage.STOPPING:
            return TOLD_TO_STOP.get(self.name, 15)
        end = self.events[at + 2][1]
        returned = end.returned if end.number in (4, 5) else None
        if end.number in (12, 21) and end.code != Vacate.AFTER_CHECKPOINT:
            returned = ENDED_WITH.get(self.name)
        if returned is None:
            return ads.checkpoint_status(self.ad)
        return returned << 8 if returned >= 0 else -returned

    def transferred(self, at):
        life, now = self.life, self.now
        after = self.events[at + 1][1]
        if after.number == 21 and after.code != Vacate.AFTER_CHECKPOINT:
            failed = lives.send_failed(life, "missing", 2, transient=False, now=now)
            self.take(failed)
            return
        verdict = None
        if life.stage == Stage.DELIVERING:
            verdict = ads.verdict(ads.refresh(self.ad, life), life, life.stay.status)
        self.take(lives.sent(life, 100, now, verdict))


@pytest.fixture
def replay(monkeypatch):
    """Replay a run by its name; what the rules make of each step is taken down."""
    steps, step = [], rules.step

    def noted(plan, costs, lease, job, event, now):
        after = step(plan, costs, lease, job, event, now)
        steps.append((after.since, after.phase))
        return after

    monkeypatch.setattr(rules, "step", noted)

    def play(name):
        steps.clear()
        done = Replay(name).all()
        done.steps = steps
        return done

    return play


def trace(done):
    """Events, and the phases entered between them; a phase without length is left out."""
    ends = [since for since, _ in done.steps[1:]] + [NEVER]
    lengthy = zip(done.steps, ends, strict=True)
    phases = [(since, phase.name) for (since, phase), end in lengthy if end > since]
    told = [(at, event.transfer or f"{event.number:03}") for at, event, _ in done.log]
    return " ".join(word for _, word in sorted([*told, *phases], key=lambda each: each[0]))


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_run_gives_its_own_events_back(replay, name):
    done = replay(name)
    real = done.events
    assert [event for _, event, _ in done.log] == [event for _, event in real]
    # What follows at once may fall into the next second in a pool where it takes some time.
    late = [second - at // SECOND for (at, _, _), (second, _) in zip(done.log, real, strict=True)]
    assert set(late) <= {0, 1}
    assert late.count(1) <= 1
    assert done.life.stage == (Stage.COMPLETED if real[-1][1].number == 5 else Stage.REMOVED)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_moment_on_a_slot_is_in_the_ledger(replay, name):
    done = replay(name)
    assert ledger.slot_time(done.life.books) == sum(done.stays)
    assert done.life.job.unsaved == 0
    assert done.life.counts.wall_s * SECOND == pytest.approx(sum(done.stays))


# The machine's last word, so that the execution is the one before, which ckptsim does not keep.
STALE = ["e1_starter_killed", "e2_power_off", "v_vacate_mid_transfer"]


@pytest.mark.parametrize(
    ("row", "name"),
    [("TimeSlotBusy", name) for name in sorted(RUNS)]
    + [("TimeExecute", name) for name in sorted(RUNS.keys() - STALE)],
)
def test_stays_and_executions_are_as_long_as_the_real_pool_says(replay, row, name):
    """HTCondor's own account in 004 and 005: of the stay, and of its last execution."""
    done = replay(name)
    row = re.compile(rf"{row} \(s\) +: +(\d+)")
    real = [int(found) for found in row.findall((GOLDEN / name / "job.log").read_text())]
    ours = [int(found) for _, _, text in done.log for found in row.findall(text)]
    if name == "g4_on_evict_fast":  # whose 004 leaves them out; here they are told all the same
        del ours[0]
    assert len(ours) == len(real)
    assert all(abs(one - other) <= 1 for one, other in zip(ours, real, strict=True))


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_machine_is_told_what_a_starter_does(replay, name):
    """Input, executions with transfers between them, perhaps a signal, and the sandbox goes."""
    done = replay(name)
    for stay in " ".join(done.orders).split("stage")[1:]:
        assert re.fullmatch(
            r" start( signal checkpoint)?"
            r"( send checkpoint restart( signal checkpoint)?)*"
            r"( send checkpoint)?( signal)?( kill)?( send evict| send final)? clear ?",
            stay,
        ), stay
    assert done.orders.count("clear") == done.orders.count("stage") == len(done.stays)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        *(("k1_on_exit_remove", 8), ("k2_on_exit_remove_input", 2)),
        *(("m4_max_retries", 2), ("m7_on_exit_hold", 2)),
    ],
)
def test_an_expression_is_named_in_the_words_of_the_real_pool(replay, name, times):
    words = re.compile("^\tThe job attribute .*$", re.MULTILINE)
    ours = words.findall("".join(text for _, _, text in replay(name).log))
    assert ours == words.findall((GOLDEN / name / "job.log").read_text())
    assert len(ours) == times


ROUND = "out-start TRANSFERRING out-done RESUMING COMPUTING"
FRESH = "in-start FETCHING in-done STARTING 001 COMPUTING"
AGAIN = "in-start FETCHING in-done RESTARTING 001 COMPUTING"
END = "out-start DELIVERING out-done 005 COMPLETED"
PHASES = {
    "a_exit_code": ["000", FRESH, ROUND, ROUND, ROUND, END],
    "c_vacate_midstep": ["000", FRESH, ROUND, "004 QUEUED", AGAIN, ROUND, ROUND, END],
    "d_vacate_hold_release": [
        *("000", FRESH, ROUND, "004 QUEUED 012 HELD 013 QUEUED"),
        *(AGAIN, ROUND, ROUND, END),
    ],
    "e1_starter_killed": [
        *("000", FRESH, ROUND, "022 DISCONNECTED 024 004 QUEUED"),
        *(AGAIN, ROUND, ROUND, END),
    ],
    "e4_power_off_mid_transfer": [
        *("000", FRESH, ROUND, "out-start TRANSFERRING 022 DISCONNECTED 024 004 QUEUED"),
        *(AGAIN, ROUND, ROUND, END),
    ],
    "e7_claim_worklife": [
        *("000", FRESH, ROUND, "out-start TRANSFERRING out-done 021 004 QUEUED"),
        *(AGAIN, "out-start TRANSFERRING out-done 021 004 QUEUED"),
        *(AGAIN, END),
    ],
    # The soft kill comes first; its files are sent then, and are there for the next start.
    "g1_on_evict": ["000", FRESH, "VACATING out-start out-done 004 QUEUED", AGAIN, END],
    "g2_on_evict_ignores_sigterm": ["000", FRESH, "004 QUEUED", FRESH, END],
    "g8_on_evict_plus_exit_code": [
        *("000", FRESH, ROUND, "VACATING out-start out-done 004 QUEUED"),
        *(AGAIN, ROUND, ROUND, END),
    ],
    "j2_signal_broken_promise": ["000", FRESH, "021 004 012 HELD 009 REMOVED"],
    # Its checkpoint comes back with the input, unlike k1's.
    "k2_on_exit_remove_input": [
        *("000", FRESH, "out-start DELIVERING out-done 004 QUEUED"),
        *(AGAIN, "out-start DELIVERING out-done 004 QUEUED"),
        *(AGAIN, END),
    ],
    "l1_missing_at_checkpoint": [
        *("000", FRESH),
        "out-start TRANSFERRING out-done 021 VACATING 004 012 HELD 009 REMOVED",
    ],
    "l3_missing_at_end": [
        *("000", FRESH, ROUND, ROUND, ROUND, "out-start DELIVERING out-done 021 004 012 HELD"),
        *("013 QUEUED", AGAIN, "out-start DELIVERING out-done 021 004 012 HELD 009 REMOVED"),
    ],
    "m7_on_exit_hold": [
        *("000", FRESH, ROUND, "out-start DELIVERING out-done 012 HELD 013 QUEUED"),
        *(AGAIN, "out-start DELIVERING out-done 012 HELD 009 REMOVED"),
    ],
    "n1_allowed_job_duration": [
        *("000", FRESH, "012 HELD 013 QUEUED"),
        *(FRESH, ROUND, "012 HELD 013 QUEUED"),
        *(AGAIN, ROUND, "012 HELD 009 REMOVED"),
    ],
    "s_rm_running": ["000", FRESH, ROUND, "004 009 REMOVED"],
    # The vacate comes when the second transfer is on the wire; it is completed.
    "v_vacate_mid_transfer": [
        *("000", FRESH, ROUND, "out-start TRANSFERRING VACATING out-done 004 QUEUED"),
        *(AGAIN, END),
    ],
}


@pytest.mark.parametrize("name", sorted(PHASES))
def test_between_two_events_a_job_is_in_the_phases_they_imply(replay, name):
    assert trace(replay(name)) == " ".join(PHASES[name])


# Counted by hand from the seconds of each log; what is not named is nothing.
HAND_COUNTS = {
    # 9 to the checkpoint, 5 lost with the vacate, 10 + 9 + 3.
    "c_vacate_midstep": {Category.USEFUL: 31, Category.LOST_EVICTION: 5},
    # 6, 3 lost until the starter dies, found out in 2; 001 comes 5 s late; 6 + 6 + 2.
    "e1_starter_killed": {
        Category.USEFUL: 20,
        Category.LOST_POWER_FAILURE: 3,
        Category.DISCONNECTED: 2,
        Category.RESTART_LEASE: 5,
    },
    # The same, but the lease of 30 s since the last word is waited for, and 10 s more.
    "e2_power_off": {
        Category.USEFUL: 20,
        Category.LOST_POWER_FAILURE: 3,
        Category.DISCONNECTED: 39,
        Category.RESTART_LEASE: 5,
    },
    # 9, 8 lost in the transfer, 10 + 8 + 2; transfers of 3, 0, 4, 5 and 4 s.
    "e4_power_off_mid_transfer": {
        Category.USEFUL: 29,
        Category.LOST_POWER_FAILURE: 8,
        Category.TRANSFER: 16,
        Category.DISCONNECTED: 30,
        Category.INPUT: 5,
    },
    # All is saved: 5 to the vacate, 9 after a late start.
    "g1_on_evict": {Category.USEFUL: 14, Category.RESTART_LEASE: 5},
    # 5 to the vacate, 10 until it is killed, then all over again.
    "g2_on_evict_ignores_sigterm": {Category.USEFUL: 19, Category.LOST_EVICTION: 15},
    # Eight rounds of 6, 7, 6, 7, 6, 6, 6, 6 s, which end with 77, come to nothing. It is removed in
    # the second of its ninth start, which is 5 s late like the fourth.
    "k1_on_exit_remove": {
        Category.LOST_LEAVING: 50,
        Category.COLD_START: 10,
        Category.INPUT: 1,
        Category.TRANSFER: 1,
    },
    "k2_on_exit_remove_input": {
        Category.USEFUL: 14,
        Category.COLD_START: 5,
        Category.RESTART_LEASE: 10,
        Category.INPUT: 1,
    },
    # 3 to the first checkpoint, 3 more that are lost, 10 s from 021 to 004.
    "l4_missing_then_there": {
        Category.USEFUL: 3,
        Category.LOST_HOLD: 3,
        Category.VACATING: 10,
    },
    # Limits after 4, 3 and 3 s without a checkpoint; 6 + 6 between; the first start is late.
    "n1_allowed_job_duration": {
        Category.USEFUL: 12,
        Category.LOST_LIMIT: 10,
        Category.COLD_START: 5,
    },
    # 6 useful, 4 lost; 6 and 4; four times 5 of which all is lost, each start late; 6 + 2.
    "n4_startd_preempt": {
        Category.USEFUL: 20,
        Category.LOST_EVICTION: 28,
        Category.RESTART_LEASE: 20,
    },
    # 11 + 5 + 2 of computing; transfers of 6 and 8 s, and one of 5 s that the vacate came upon.
    "v_vacate_mid_transfer": {
        Category.USEFUL: 18,
        Category.TRANSFER: 14,
        Category.VACATING: 5,
        Category.INPUT: 6,
    },
}


@pytest.mark.parametrize("name", sorted(HAND_COUNTS))
def test_the_ledger_is_what_a_hand_count_gives(replay, name):
    books = replay(name).life.books
    seconds = {Category(at): round(time / SECOND) for at, time in enumerate(books)}
    assert {each: time for each, time in seconds.items() if time} == HAND_COUNTS[name]


def test_a_limit_a_second_later_would_be_seen():
    late = Replay("n1_allowed_job_duration")
    late.ad["AllowedJobDuration"] = 10
    with pytest.raises(AssertionError):  # the next match finds it still on its slot
        late.all()


@pytest.mark.parametrize(
    ("name", "committed", "wall"),
    [
        ("c_vacate_midstep", 30, 36),
        ("g1_on_evict", 14, None),
        ("k2_on_exit_remove_input", 7, 30),
        ("e2_power_off", None, 68),
    ],
)
def test_what_htcondor_counts(replay, name, committed, wall):
    """CommittedTime and RemoteWallClockTime that were read in the real pool (I48, F39), +-1 s."""
    counts = replay(name).life.counts
    assert committed is None or counts.committed_s == pytest.approx(committed, abs=1)
    assert wall is None or counts.wall_s == pytest.approx(wall, abs=1)
