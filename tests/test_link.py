"""The transfer path by hand, and beside a simulation that divides the bandwidth in fractions."""

import random
from fractions import Fraction

import pytest

from ckptsim import link
from ckptsim.link import FETCHING, NOBODY, SENDING, Terms, line_of
from ckptsim.rules import NEVER, Cargo, Costs, Job, Phase, Plan

NO_COSTS = Costs(0, 0, 0, 0, 0, 0)
PLAN = Plan(1000, 100, False, False, NEVER, NO_COSTS, NO_COSTS, NEVER, 9, cargo=Cargo(70, 20, 90))


def opened(slots=4, users=2, bandwidth=1.0, at_most=NEVER, bypass=0):
    """A link of one byte a nanosecond, if not told otherwise."""
    return link.opened(Terms(bandwidth, at_most, bypass), slots, users)


def ask(path, slot, size, now, user=0, direction=SENDING):
    """A request, and who may go now."""
    link.request(path, slot, size, line_of(direction, user))
    return turns(path, slot, now)


def turns(path, slot, now):
    return list(iter(lambda: link.granted(path, slot, now), NOBODY))


def end(path, now):
    """The transfer that is over: whose it is, and who may go now."""
    assert link.next_end(path) == now
    slot = link.slot_of_next_end(path)
    link.quit_by(path, slot, now)
    return slot, turns(path, slot, now)


# Sharing.


def test_one_alone_has_all_the_bandwidth():
    path = opened(bandwidth=4.0)
    assert (link.next_end(path), link.in_flight(path)) == (NEVER, 0)
    assert ask(path, 2, 100, now=10) == [2]
    assert (link.next_end(path), link.in_flight(path)) == (35, 1)
    assert end(path, 35) == (2, [])
    assert (link.next_end(path), link.in_flight(path)) == (NEVER, 0)


def test_two_share_it():
    """100 bytes from 0, 100 from 50: the first has 50 left, at half the rate; then the second."""
    path = opened()
    ask(path, 0, 100, now=0)
    ask(path, 1, 100, now=50)
    assert end(path, 150) == (0, [])
    assert end(path, 200) == (1, [])


def test_a_short_one_passes_a_long_one():
    path = opened()
    ask(path, 0, 100, now=0)
    ask(path, 1, 10, now=20)
    assert end(path, 40) == (1, [])
    assert end(path, 110) == (0, [])


def test_three_from_the_start_end_in_the_order_of_their_sizes():
    """30 bytes each take 90; 30 more each of two take 60; 30 more alone 30."""
    path = opened()
    for slot, size in enumerate((90, 30, 60)):
        ask(path, slot, size, now=0)
    assert end(path, 90) == (1, [])
    assert end(path, 150) == (2, [])
    assert end(path, 180) == (0, [])


def test_of_two_that_end_at_once_the_lower_slot_comes_first():
    path = opened()
    ask(path, 3, 50, now=0)
    ask(path, 1, 50, now=0)
    assert end(path, 100) == (1, [])
    assert end(path, 100) == (3, [])


def test_an_end_is_a_whole_nanosecond_and_never_too_early():
    path = opened(bandwidth=3.0)
    ask(path, 0, 100, now=0)
    assert end(path, 34) == (0, [])


def test_after_a_pause_it_begins_anew():
    path = opened()
    ask(path, 0, 10, now=0)
    end(path, 10)
    ask(path, 0, 10, now=1000)
    assert end(path, 1010) == (0, [])


def test_one_cut_off_in_flight_leaves_its_share_to_the_others():
    path = opened()
    ask(path, 0, 100, now=0)
    ask(path, 1, 100, now=0)
    link.quit_by(path, 0, 60)
    assert turns(path, 0, 60) == []
    assert end(path, 130) == (1, [])
    link.quit_by(path, 1, 130)  # it has none, and nothing happens


def test_a_transfer_beyond_all_time_never_ends():
    path = opened(bandwidth=1e-18)
    ask(path, 0, 10**15, now=0)
    assert link.next_end(path) == NEVER


# Turns.


def test_at_most_so_many_go_at_once_in_the_order_of_asking():
    path = opened(at_most=1)
    assert ask(path, 2, 10, now=0) == [2]
    assert ask(path, 3, 10, now=1) == []
    assert ask(path, 0, 10, now=2) == []
    assert (link.in_flight(path), path.numbers[link.WAITING]) == (1, 2)
    assert end(path, 10) == (2, [3])
    assert end(path, 20) == (3, [0])
    assert end(path, 30) == (0, [])


def test_the_directions_are_counted_apart_and_share_the_bandwidth():
    path = opened(at_most=1)
    assert ask(path, 0, 10, now=0) == [0]
    assert ask(path, 1, 10, now=0, direction=FETCHING) == [1]
    assert ask(path, 2, 10, now=0, direction=FETCHING) == []
    assert end(path, 20) == (0, [])
    assert end(path, 20) == (1, [2])


def test_small_ones_go_past_the_line_and_count_for_nobody():
    path = opened(at_most=1, bypass=10)
    assert ask(path, 0, 11, now=0) == [0]
    assert ask(path, 1, 11, now=0) == []
    assert ask(path, 2, 10, now=0) == [2]
    assert path.active == [1, 0, 0, 0]
    assert end(path, 20) == (2, [])  # as it does not count, its end is nobody's turn
    assert end(path, 21) == (0, [1])


def test_the_user_with_the_fewest_in_flight_goes_first():
    path = opened(slots=6, at_most=2)
    for slot, user in ((0, 0), (1, 0), (2, 0), (3, 0), (4, 1)):
        ask(path, slot, 10, now=slot, user=user)
    assert end(path, 19) == (0, [4])  # user 0 has one in flight, user 1 none
    assert end(path, 21)[1] == [2]  # now each has one, and slot 2 is user 0's oldest


def test_of_users_with_as_many_the_one_goes_whose_last_turn_is_longest_ago():
    path = opened(slots=6, users=3, at_most=1)
    ask(path, 0, 10, now=0, user=0)
    for slot, user in ((1, 0), (2, 1), (3, 0), (4, 2)):
        ask(path, slot, 10, now=1, user=user)
    order = [end(path, 10 * n)[1] for n in range(1, 6)]
    # Users 1 and 2 have never had a turn, and the lower comes first; then user 0's two.
    assert order == [[2], [4], [1], [3], []]


def test_active_transfers_are_counted_by_direction():
    """User 0 fetches twice, which does not hold back what he sends."""
    path = opened(slots=6, at_most=2)
    ask(path, 0, 100, now=0, direction=FETCHING)
    ask(path, 1, 100, now=0, direction=FETCHING)
    ask(path, 2, 10, now=0, user=1)
    ask(path, 3, 10, now=0, user=1)
    ask(path, 4, 10, now=0, user=1)
    ask(path, 5, 10, now=0, user=0)
    assert end(path, 40) == (2, [5])


def test_checkpoints_go_before_what_is_fetched():
    """Two places come free at once only if both are asked for at once."""
    path = opened(at_most=1)
    link.request(path, 0, 10, line_of(FETCHING, 0))
    link.request(path, 1, 10, line_of(SENDING, 0))
    assert turns(path, NOBODY, 0) == [1, 0]


@pytest.mark.parametrize(("gone", "rest"), [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])])
def test_one_that_is_no_longer_wanted_leaves_the_line(gone, rest):
    path = opened(at_most=1)
    for slot in range(4):
        ask(path, slot, 10, now=0)
    link.quit_by(path, gone, 5)
    assert turns(path, gone, 5) == []
    assert path.numbers[link.WAITING] == 2
    found, now = [], 10
    while link.in_flight(path):
        found += end(path, now)[1]
        now += 10
    assert found == rest


# What becomes of the job is told to the link.


def job(phase, unsaved=0, checkpoints=0):
    return Job(phase, 0, NEVER, 0, unsaved, checkpoints, 0)


@pytest.mark.parametrize(
    ("asking", "size", "line"),
    [
        (job(Phase.AWAITING, unsaved=5), 70, SENDING),
        (job(Phase.AWAITING), 20, FETCHING),
        (job(Phase.AWAITING, checkpoints=1), 90, FETCHING),
    ],
)
def test_a_job_that_awaits_its_turn_asks_for_what_it_has_to_move(asking, size, line):
    path = opened()
    link.carry(path, PLAN, 1, 1, Phase.WRITING, asking, 0)
    assert (path.bytes[1], path.line[1]) == (size, line_of(line, 1))
    link.carry(path, PLAN, 1, 1, Phase.AWAITING, asking, 0)  # it still does, and asks but once
    assert path.numbers[link.WAITING] == 1


@pytest.mark.parametrize(
    ("phase", "goes_on"),
    [
        (Phase.TRANSFERRING, True),
        (Phase.FETCHING, True),
        (Phase.VACATING, True),
        (Phase.RESUMING, False),
        (Phase.QUEUED, False),
        (Phase.DISCONNECTED, False),
        (Phase.COMPLETED, False),
    ],
)
def test_a_transfer_lasts_as_long_as_its_job_is_at_it(phase, goes_on):
    path = opened()
    ask(path, 1, 70, now=0)
    link.carry(path, PLAN, 1, 1, Phase.TRANSFERRING, job(phase), 10)
    assert link.in_flight(path) == goes_on


# An outside judge.


class Judge:
    """Lists and fractions, looked through from end to end each time."""

    def __init__(self, terms):
        self.rate, self.terms = Fraction(terms.bandwidth), terms
        self.flying, self.lines, self.now = {}, {SENDING: [], FETCHING: []}, 0
        self.turns, self.last_turn = 0, {}

    def until(self, now):
        """Everyone in flight has got the same share."""
        for slot in self.flying:
            self.flying[slot][0] -= self.rate * (now - self.now) / len(self.flying)
        self.now = now

    def ask(self, slot, size, user, direction):
        counted = size > self.terms.bypass
        if counted:
            self.lines[direction].append((slot, size, user))
        else:
            self.flying[slot] = [Fraction(size), None, None]
        return ([] if counted else [slot]) + self.give_turns()

    def quit(self, slot):
        self.flying.pop(slot, None)
        for direction, line in self.lines.items():
            self.lines[direction] = [each for each in line if each[0] != slot]
        return self.give_turns()

    def give_turns(self):
        found = []
        for direction, line in self.lines.items():
            while line and self.active(direction) < self.terms.at_most:
                slot, size, user = min(line, key=lambda each: self.claim(each[2], direction))
                line.remove((slot, size, user))
                self.turns += 1
                self.last_turn[user, direction] = self.turns
                self.flying[slot] = [Fraction(size), user, direction]
                found.append(slot)
        return found

    def active(self, direction, user=None):
        return sum(
            each[2] == direction and user in (None, each[1]) for each in self.flying.values()
        )

    def claim(self, user, direction):
        return self.active(direction, user), self.last_turn.get((user, direction), 0), user


@pytest.mark.parametrize("seed", range(40))
def test_it_is_as_lists_and_fractions_say(seed):
    chance = random.Random(seed)
    terms = Terms(
        bandwidth=chance.choice([1.0, 0.125, 0.3, 7.77]),
        at_most=chance.choice([1, 2, 3, NEVER]),
        bypass=chance.choice([0, 50]),
    )
    path, judge = link.opened(terms, 12, 3), Judge(terms)
    now, busy, moved, asked, size_of = 0, 0, Fraction(0), set(), {}
    slack = judge.rate * (1 + Fraction(1, 10**6)) + Fraction(1, 10**6)  # a nanosecond's worth
    for _ in range(300):
        coming, ends = now + chance.choice([0, 1, 7, 60, 400]), link.next_end(path)
        then = min(coming, ends)
        busy += (then - now) if judge.flying else 0
        now = then
        judge.until(now)
        assert all(left > -slack for left, _, _ in judge.flying.values())
        if ends == now:
            slot = link.slot_of_next_end(path)
            left = judge.flying[slot][0]
            assert left < Fraction(1, 10**6)
            assert left > -slack
            moved += size_of[slot]
            link.quit_by(path, slot, now)
            asked.discard(slot)
            assert turns(path, slot, now) == judge.quit(slot)
        elif asked and chance.random() < 0.3:
            slot = chance.choice(sorted(asked))
            if slot in judge.flying:
                moved += size_of[slot] - judge.flying[slot][0]
            asked.discard(slot)
            link.quit_by(path, slot, now)
            assert turns(path, slot, now) == judge.quit(slot)
        elif len(asked) < 12:
            slot = chance.choice(sorted(set(range(12)) - asked))
            size, user = chance.choice([1, 50, 51, 300, 1000]), chance.randrange(3)
            direction = chance.choice([SENDING, FETCHING])
            size_of[slot] = size
            asked.add(slot)
            assert ask(path, slot, size, now, user, direction) == judge.ask(
                slot, size, user, direction
            )
        assert link.in_flight(path) == len(judge.flying)
    under_way = sum(size_of[slot] - left for slot, (left, _, _) in judge.flying.items())
    assert abs(moved + under_way - busy * judge.rate) <= 300 * slack  # bytes are conserved
