"""Hypothesis plays the driver: any legal events in any order, at any times."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ckptsim import ledger
from ckptsim.ledger import LOST, Category
from ckptsim.rules import (
    NEVER,
    Costs,
    Event,
    Lease,
    Mode,
    Phase,
    Plan,
    on_slot,
    step,
    submitted,
)

# Small numbers, where ties and phases without length abound, and some that need all 64 bits.
TIMES = st.integers(0, 6) | st.integers(0, 10**16)
COSTS = st.builds(Costs, *[TIMES] * 6)
FREE = Costs(0, 0, 0, 0, 0, 0)


class Life(RuleBasedStateMachine):
    @initialize(
        work=st.integers(1, 20) | st.integers(1, 10**16),
        interval=st.integers(1, 6) | st.integers(1, 10**16),
        last=st.booleans(),
        early=st.booleans(),
        worklife=TIMES | st.just(NEVER),
        usual=COSTS,
        longest=TIMES | st.just(NEVER),
        mode=st.sampled_from(Mode),
    )
    def submit(self, work, interval, last, early, worklife, usual, longest, mode):
        self.plan = Plan(work, interval, last, early, worklife, FREE, usual, longest, 5, mode=mode)
        self.now = self.slot_time = 0
        self.books = ledger.opened()
        self.job = submitted(self.plan, 0)
        self.lease = Lease(0, NEVER, NEVER, NEVER, NEVER, NEVER)
        self.costs = FREE
        self.highest = 0

    def tell(self, event):
        before, was_on_slot = self.job, on_slot(self.job.phase)
        self.slot_time += self.now - before.since if was_on_slot else 0
        self.job = step(self.plan, self.costs, self.lease, before, event, self.now)
        ledger.charge(self.books, before, event, self.job)

    @precondition(lambda self: self.job.phase == Phase.QUEUED)
    @rule(wait=TIMES, contact=TIMES, limit=TIMES | st.just(NEVER), costs=COSTS, claim_age=TIMES)
    def place(self, wait, contact, limit, costs, claim_age):
        self.now += wait
        claimed = self.now - claim_age
        self.lease = Lease(claimed, self.now + limit, NEVER, NEVER, NEVER, self.now + contact)
        self.costs = costs
        self.tell(Event.PLACED)

    @precondition(lambda self: on_slot(self.job.phase))
    @rule(costs=COSTS)
    def elapse(self, costs):
        self.now = self.job.until
        self.costs = costs
        self.tell(Event.ELAPSED)

    @precondition(lambda self: on_slot(self.job.phase) and self.job.phase != Phase.DISCONNECTED)
    @rule(
        event=st.sampled_from(
            [Event.EXPIRED, Event.WARNED, Event.EVICTED, Event.POWERED_OFF, Event.WITHDRAWN]
        ),
        after=TIMES,
        contact=TIMES,
    )
    def interrupt(self, event, after, contact):
        self.now = min(self.now + after, self.job.until)
        self.lease = self.lease._replace(noticed=self.now + contact)
        self.tell(event)

    @precondition(lambda self: self.job.phase == Phase.TRANSFERRING)
    @rule(after=TIMES)
    def fail(self, after):
        self.now = min(self.now + after, self.job.until)
        self.tell(Event.FAILED)

    @precondition(lambda self: self.job.phase == Phase.COMPUTING)
    @rule(after=TIMES, event=st.sampled_from([Event.REQUEUED, Event.WITHDRAWN, Event.POWERED_OFF]))
    def exit_and_run_again(self, after, event):
        self.now = min(self.now + after, self.job.until)
        self.tell(Event.EXITED)
        assert self.job.phase == Phase.DELIVERING
        self.now += after
        self.lease = self.lease._replace(noticed=self.now + after)
        self.tell(event)

    @precondition(lambda self: self.job.phase == Phase.QUEUED)
    @rule(after=TIMES)
    def hold_and_release(self, after):
        for event in (Event.HELD, Event.RELEASED):
            self.now += after
            self.tell(event)
        assert self.job.phase == Phase.QUEUED

    @precondition(lambda self: self.job.phase in (Phase.COMPLETED, Phase.STRANDED))
    @rule(work=st.integers(1, 20), interval=st.integers(1, 6))
    def submit_another(self, work, interval):
        self.plan = self.plan._replace(work=work, interval=interval, lease_longest=NEVER)
        self.job = submitted(self.plan, self.now)
        self.books, self.slot_time, self.highest = ledger.opened(), 0, 0

    @invariant()
    def time_adds_up(self):
        pending = self.job.unsaved
        assert ledger.slot_time(self.books) + pending == self.slot_time
        assert all(time >= 0 for time in self.books)

    @invariant()
    def useful_is_what_is_saved(self):
        assert self.books[Category.USEFUL] == self.job.saved

    @invariant()
    def committed_work_only_grows(self):
        assert self.highest <= self.job.saved <= self.plan.work
        self.highest = self.job.saved

    @invariant()
    def unsaved_work_is_work_that_was_left(self):
        assert 0 <= self.job.unsaved <= self.plan.work - self.job.saved

    @invariant()
    def completed_means_all_is_saved(self):
        assert (self.job.phase == Phase.COMPLETED) == (self.job.saved == self.plan.work)

    @invariant()
    def no_phase_without_length_is_shown(self):
        assert self.job.until > self.job.since

    @invariant()
    def only_a_computed_block_can_be_lost(self):
        lost = sum(self.books[category] for category in LOST)
        assert lost <= self.slot_time - self.job.saved


TestLife = Life.TestCase
