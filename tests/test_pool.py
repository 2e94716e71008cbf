"""Who goes where, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim import pool
from ckptsim.pool import NOBODY, UNCLAIMED, Order, Rules, Terms
from ckptsim.rules import NEVER, Costs, Event, Mode, Phase, Plan

DAY = 86_400 * 10**9
NO_COSTS = Costs(0, 0, 0, 0, 0, 0)


def opened(slots=1, jobs=(9,), order=Order.SUBMISSION, cycle=0, half_life=DAY, worklife=NEVER):
    """A pool with room for so many jobs of each user."""
    return pool.opened(Rules(order, cycle, half_life, worklife), slots, list(jobs))


def match(some, now, user=0):
    """The next match, (job, slot); None where there is none. All jobs are of one user."""
    slot = pool.offered(some, now)
    if slot == NOBODY:
        return None
    job = pool.matched(some, slot, now)
    pool.settle(some, slot, user, now)
    return job, slot


def order_of(some, users, now=0):
    """The jobs in the order in which they go, onto as many slots as it takes."""
    found = []
    while (slot := pool.offered(some, now)) != NOBODY:
        job = pool.matched(some, slot, now)
        pool.settle(some, slot, users[job], now)
        found.append(job)
    return found


# By submission.


def test_the_first_job_gets_the_first_slot_whoever_asked_first():
    free = opened(2)
    for job in (3, 0, 2):
        pool.wait(free, job, 0, 0)
    assert match(free, 10) == (0, 0)
    assert match(free, 10) == (2, 1)
    assert match(free, 10) is None  # job 3 waits, and there is no slot
    assert pool.matching_at(free, 10) == NEVER
    pool.give_back(free, 1)
    pool.give_back(free, 0)
    assert pool.matching_at(free, 20) == 20
    assert match(free, 20) == (3, 0)
    assert match(free, 20) is None  # slot 1 is free, and there is no job
    assert pool.matching_at(free, 20) == NEVER


def test_an_evicted_job_keeps_its_place_in_the_queue():
    one = opened(1)
    for job in (0, 1, 2):
        pool.wait(one, job, 0, 0)
    _, slot = match(one, 0)
    pool.leave(one, slot, 0, Phase.QUEUED, 5)
    pool.wait(one, 0, 0, 0)
    pool.give_back(one, slot)
    assert match(one, 5) == (0, 0)


def test_by_submission_neither_user_nor_priority_matters():
    some = opened(4, jobs=(4, 4))
    users = {0: 1, 1: 0, 2: 1, 3: 0}
    for job, priority in ((3, 9), (2, 0), (1, 5), (0, -7)):
        pool.wait(some, job, users[job], priority)
    assert order_of(some, users) == [0, 1, 2, 3]


@given(st.permutations(range(8)), st.permutations(range(5)))
def test_matches_are_in_order_whatever_the_order_of_coming(jobs, slots):
    some = opened(5)
    for _ in range(5):  # the slots are taken, then come back in another order
        pool.wait(some, 0, 0, 0)
        match(some, 0)
    for job in jobs:
        pool.wait(some, job, 0, 0)
    for slot in slots:
        pool.leave(some, slot, 0, Phase.QUEUED, 0)
        pool.give_back(some, slot)
    assert [match(some, 0) for _ in range(5)] == [(n, n) for n in range(5)]


# By priority.


def test_the_higher_priority_goes_first_then_the_first_submitted():
    some = opened(6, jobs=(3, 3), order=Order.PRIORITY)
    users = {job: job % 2 for job in range(6)}
    for job, priority in enumerate((0, -5, 7, 0, 7, 10**9)):
        pool.wait(some, job, users[job], priority)
    assert order_of(some, users) == [5, 2, 4, 0, 3, 1]


# By fair share.


def test_users_take_turns_while_none_has_used_anything():
    some = opened(6, jobs=(3, 3), order=Order.FAIR_SHARE)
    users = [0, 0, 0, 1, 1, 1]
    for job, user in enumerate(users):
        pool.wait(some, job, user, 0)
    assert order_of(some, users) == [0, 3, 1, 4, 2, 5]


def test_within_a_user_the_higher_priority_goes_first():
    some = opened(4, jobs=(2, 2), order=Order.FAIR_SHARE)
    users = [0, 0, 1, 1]
    for job, priority in enumerate((0, 1, 0, 5)):
        pool.wait(some, job, users[job], priority)
    assert order_of(some, users) == [1, 3, 0, 2]


def test_usage_decays_by_half_every_half_life():
    """One slot for a half-life is a usage of 1/2; two more half-lives without leave 1/8."""
    some = opened(4, jobs=(4, 4), order=Order.FAIR_SHARE, half_life=1000)
    pool.settle(some, 0, 0, 0)
    pool.remember(some, 1000)
    assert some.usage == pytest.approx([0.5, 0.0], rel=1e-12)
    pool.leave(some, 0, 0, Phase.COMPLETED, 2000)
    assert some.usage == pytest.approx([0.75, 0.0], rel=1e-12)
    pool.remember(some, 4000)
    assert some.usage == pytest.approx([0.1875, 0.0], rel=1e-12)
    assert (some.busy, some.since) == ([0, 0], [4000])


def test_who_used_more_gets_fewer():
    """Usage 2 against 1/2, its least: user 1 gets four slots for each of user 0's."""
    some = opened(10, jobs=(10, 10), order=Order.FAIR_SHARE)
    some.usage[:] = [2.0, 0.0]
    users = [0] * 10 + [1] * 10
    for job, user in enumerate(users):
        pool.wait(some, job, user, 0)
    went = [users[job] for job in order_of(some, users)]
    # Loads of a next slot: 2, 4 for user 0; 0.5, 1, 1.5, 2, ... for user 1; of equals the lower.
    assert went == [1, 1, 1, 0, 1, 1, 1, 1, 0, 1]


def test_the_slots_one_has_count():
    some = opened(3, jobs=(3, 3), order=Order.FAIR_SHARE)
    pool.settle(some, 0, 0, 0)
    users = [0, 0, 1, 1]
    heap_order = [0, 1, 2, 3]
    for job in heap_order:
        pool.wait(some, job, users[job], 0)
    assert order_of(some, users) == [2, 0, 3]


# In negotiation cycles.


def test_matches_wait_for_the_next_cycle():
    some = opened(2, cycle=60)
    assert pool.matching_at(some, 10) == NEVER  # nobody waits
    pool.wait(some, 0, 0, 0)
    assert [pool.matching_at(some, now) for now in (0, 1, 59, 60, 61)] == [0, 60, 60, 60, 120]
    assert match(some, 59) is None
    assert match(some, 60) == (0, 0)


def test_a_kept_claim_goes_to_the_same_users_next_job_without_a_cycle():
    some = opened(1, jobs=(2, 2), cycle=60)
    pool.wait(some, 0, 0, 0)
    match(some, 0)
    pool.wait(some, 2, 1, 0)
    pool.wait(some, 3, 0, 0)
    pool.leave(some, 0, 0, Phase.COMPLETED, 7)
    pool.give_back(some, 0)
    assert pool.matching_at(some, 7) == 7
    assert match(some, 7) == (3, 0)  # not job 2, which is before it and another user's
    assert some.claimed == [0]


@pytest.mark.parametrize("order", list(Order))
def test_a_claim_nobody_of_its_user_waits_for_is_given_up(order):
    some = opened(1, jobs=(2, 2), order=order, cycle=60)
    pool.wait(some, 0, 0, 0)
    match(some, 0)
    pool.wait(some, 2, 1, 0)
    pool.leave(some, 0, 0, Phase.COMPLETED, 7)
    pool.give_back(some, 0)
    assert match(some, 7) is None
    assert some.claimed == [UNCLAIMED]
    assert pool.matching_at(some, 7) == 60
    assert match(some, 60, user=1) == (2, 0)
    assert (some.claimed, some.keeper) == ([60], [1])


def test_a_claim_past_its_worklife_waits_for_the_cycle_too():
    some = opened(1, cycle=60, worklife=50)
    pool.wait(some, 0, 0, 0)
    match(some, 0)
    pool.wait(some, 1, 0, 0)
    pool.leave(some, 0, 0, Phase.COMPLETED, 51)
    pool.give_back(some, 0)
    assert match(some, 51) is None
    assert match(some, 60) == (1, 0)
    assert some.claimed == [60]


def test_a_lost_slot_waits_for_the_cycle():
    some = opened(1, cycle=60)
    pool.wait(some, 0, 0, 0)
    match(some, 0)
    pool.leave(some, 0, 0, Phase.QUEUED, 7)
    pool.wait(some, 0, 0, 0)
    pool.give_back(some, 0)
    assert pool.matching_at(some, 7) == 60


# Claims, matched at once.


def claim_begun(now, worklife, begun, keeper=0, idle=0):
    one = opened(1, jobs=(1, 1), worklife=worklife)
    one.claimed[0], one.keeper[0], one.left[0] = begun, keeper, now - idle
    pool.wait(one, 0, 0, 0)
    match(one, now)
    return one.claimed[0]


def test_a_claim_is_kept_as_long_as_it_is_not_older_than_its_worklife():
    assert claim_begun(now=160, worklife=60, begun=100) == 100
    assert claim_begun(now=161, worklife=60, begun=100) == 161
    assert claim_begun(now=10**18, worklife=NEVER, begun=100) == 100
    assert claim_begun(now=161, worklife=60, begun=UNCLAIMED) == 161
    assert claim_begun(now=0, worklife=60, begun=UNCLAIMED) == 0


def test_with_another_users_job_a_claim_begins_anew():
    assert claim_begun(now=160, worklife=60, begun=100, keeper=1) == 160


def test_a_claim_without_a_job_is_given_up():
    """HTCondor's schedd releases a claim at once when none of the user's jobs can run on it."""
    assert claim_begun(now=160, worklife=60, begun=100, idle=1) == 160


def test_a_lost_claim_is_gone():
    one = opened(1, worklife=60)
    pool.wait(one, 0, 0, 0)
    match(one, 100)
    pool.leave(one, 0, 0, Phase.COMPLETED, 120)
    assert one.claimed == [100]
    pool.leave(one, 0, 0, Phase.QUEUED, 120)
    assert one.claimed == [UNCLAIMED]


# What a slot grants, and when it is back.


@pytest.mark.parametrize(
    ("event", "away"),
    [(Event.ELAPSED, 0), (Event.EXPIRED, 50), (Event.WARNED, 50), (Event.POWERED_OFF, 10)],
)
def test_a_slot_that_was_lost_is_away_for_its_absence(event, away):
    """Of that after a power failure 40 went by before anyone noticed."""
    assert pool.away(event, 50, 40) == away


def lease(wanted_back=NEVER, fails=NEVER, mode=Mode.EXIT_CODE, **terms):
    granted = Terms(**{"grace": 5, "retirement": 0, "contact_lease": 40, "speed": 2.0, **terms})
    plan = Plan(100, 10, False, False, NEVER, NO_COSTS, NO_COSTS, NEVER, 9, mode=mode)
    fate = pool.Fate(limit=300, eviction=200, power_failure=250, absence=7)
    return pool.lease_of(granted, plan, fate, 1000, 900, wanted_back, fails, 3)


def test_a_fate_as_instants():
    found = lease()
    assert (found.claimed, found.began, found.expires) == (900, 1000, 1300)
    assert (found.warned, found.evicted, found.retiring) == (1200, 1205, 1200)
    assert (found.powered_off, found.noticed) == (1250, 1290)
    assert (found.respite, found.speed, found.first_block) == (0, 2.0, 3)
    assert lease(mode=Mode.DELAYED).respite == 5


def test_the_end_of_a_window_is_an_eviction_and_an_outage_a_power_failure():
    found = lease(wanted_back=1100, fails=1060)
    assert (found.warned, found.evicted, found.retiring) == (1100, 1105, 1100)
    assert (found.powered_off, found.noticed) == (1060, 1100)
    assert lease(wanted_back=1201, fails=1251) == lease()


def test_a_slot_wanted_back_early_is_left_to_the_job_until_retirement_ends():
    """The hard kill comes 150 into the lease, the soft one the grace before it."""
    found = lease(wanted_back=1100, retirement=150)
    assert (found.retiring, found.warned, found.evicted) == (1100, 1145, 1150)
