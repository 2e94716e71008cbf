"""Who goes where, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from ckptsim import pool
from ckptsim.pool import UNCLAIMED
from ckptsim.rules import NEVER, Phase


def test_the_first_job_gets_the_first_slot_whoever_asked_first():
    free = pool.opened(2)
    for job in (3, 0, 2):
        pool.wait(free, job)
    assert pool.match(free, 10, NEVER) == (0, 0)
    assert pool.match(free, 10, NEVER) == (2, 1)
    assert not pool.can_match(free)  # job 3 waits, and there is no slot
    pool.give_back(free, 1)
    pool.give_back(free, 0)
    assert pool.match(free, 20, NEVER) == (3, 0)
    assert not pool.can_match(free)  # slot 1 is free, and there is no job


def test_an_evicted_job_keeps_its_place_in_the_queue():
    one = pool.opened(1)
    for job in (0, 1, 2):
        pool.wait(one, job)
    _, slot = pool.match(one, 0, NEVER)
    pool.wait(one, 0)
    pool.give_back(one, slot)
    assert pool.match(one, 5, NEVER) == (0, 0)


def claim_begun(now, worklife, begun):
    one = pool.opened(1)
    one.claimed[0] = begun
    pool.wait(one, 0)
    pool.match(one, now, worklife)
    return one.claimed[0]


def test_a_claim_is_kept_as_long_as_it_is_not_older_than_its_worklife():
    assert claim_begun(now=160, worklife=60, begun=100) == 100
    assert claim_begun(now=161, worklife=60, begun=100) == 161
    assert claim_begun(now=10**18, worklife=NEVER, begun=100) == 100
    assert claim_begun(now=161, worklife=60, begun=UNCLAIMED) == 161
    assert claim_begun(now=0, worklife=60, begun=UNCLAIMED) == 0


def test_a_lost_claim_is_gone():
    one = pool.opened(1)
    pool.wait(one, 0)
    pool.match(one, 100, 60)
    pool.leave(one, 0, Phase.COMPLETED)
    assert one.claimed == [100]
    pool.leave(one, 0, Phase.QUEUED)
    assert one.claimed == [UNCLAIMED]


@given(st.permutations(range(8)), st.permutations(range(5)))
def test_matches_are_in_order_whatever_the_order_of_coming(jobs, slots):
    some = pool.opened(0)
    some.claimed.extend([UNCLAIMED] * 5)
    for job in jobs:
        pool.wait(some, job)
    for slot in slots:
        pool.give_back(some, slot)
    assert [pool.match(some, 0, NEVER) for _ in range(5)] == [(n, n) for n in range(5)]
