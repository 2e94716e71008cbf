"""The transfer path: who may transfer, in what order, and when each transfer is over.

The bandwidth is shared equally among the transfers in flight (processor sharing). Their ends are
kept in virtual time, the bytes that a transfer in flight since the beginning would have got by now:
all of them get the same share, so one is over when virtual time has gone on by its bytes, and
however often the share changes, the order of their ends does not (Parekh, Gallager, IEEE/ACM
Transactions on Networking 1(3), 1993). An event costs O(log n).

At most so many transfers in each direction are in flight at once; those up to `bypass` bytes do not
count and do not wait. Of those that wait, the user with the fewest in flight goes first, of several
such users the one whose last turn is longest ago, and of his requests the oldest; checkpoints go
before what is fetched (HTCondor's transfer queue: htcondor-rules.md 7). Requests wait in lines, one
for each direction and user; `line_of` numbers them.

A transfer is known by its slot, which has one at most. Times are integer nanoseconds; virtual time
is in float bytes, computed in one order only, so it is the same in every driver.
"""

from math import ceil, inf
from typing import NamedTuple

from ckptsim import minima
from ckptsim.rules import NEVER, Job, Phase, Plan, freight

NOBODY = -1
SENDING, FETCHING, UNCOUNTED, WAITING = range(4)
"""What transfers are counted by: in flight in a direction, in flight but too small, not yet."""

DIRECTIONS = (SENDING, FETCHING)


class Terms(NamedTuple):
    """What a link is."""

    bandwidth: float  # bytes a nanosecond
    at_most: int  # transfers in flight at once, in each direction
    bypass: int  # bytes up to which a transfer does not wait


class Link(NamedTuple):
    """A link's state: lists, or arrays in compiled code."""

    terms: Terms
    served: list[float]  # one number: virtual time
    since: list[int]  # one number: when that was brought up to date
    ends: list[float]  # a tree of minima: in virtual time, by slot
    base: int
    numbers: list[int]  # of transfers SENDING, FETCHING, UNCOUNTED and WAITING
    active: list[int]  # in flight and counted, by line
    oldest: list[int]  # the slot of each line's first request, or NOBODY
    newest: list[int]
    last_turn: list[int]  # by line: the number of its last turn
    after: list[int]  # by slot: whose request is next in the same line
    before: list[int]
    line: list[int]  # by slot
    bytes: list[int]  # by slot; 0 where it has none
    kind: list[int]  # by slot: which of `numbers` it is among
    turns: list[int]  # one number: turns so far


def opened(terms: Terms, slots: int, users: int) -> Link:
    """A link with nothing on it."""
    lines = len(DIRECTIONS) * users
    return Link(
        terms=terms,
        served=[0.0],
        since=[0],
        ends=minima.planted(slots, inf),
        base=minima.base_of(slots),
        numbers=[0] * 4,
        active=[0] * lines,
        oldest=[NOBODY] * lines,
        newest=[NOBODY] * lines,
        last_turn=[0] * lines,
        after=[NOBODY] * slots,
        before=[NOBODY] * slots,
        line=[0] * slots,
        bytes=[0] * slots,
        kind=[WAITING] * slots,
        turns=[0],
    )


def line_of(direction: int, user: int) -> int:
    """The line in which the user's requests of this direction wait."""
    return len(DIRECTIONS) * user + direction


def in_flight(link: Link) -> int:
    """How many transfers share the bandwidth now."""
    return link.numbers[SENDING] + link.numbers[FETCHING] + link.numbers[UNCOUNTED]


def request(link: Link, slot: int, size: int, line: int) -> None:
    """The slot has bytes to move, and waits in line until it is `granted` its turn."""
    assert link.bytes[slot] == 0
    assert size > 0
    link.bytes[slot], link.line[slot], link.kind[slot] = size, line, WAITING
    link.numbers[WAITING] += 1
    last = link.newest[line]
    link.before[slot], link.after[slot] = last, NOBODY
    if last == NOBODY:
        link.oldest[line] = slot
    else:
        link.after[last] = slot
    link.newest[line] = slot


def granted(link: Link, slot: int, now: int) -> int:
    """A slot whose turn it is, its transfer now in flight; NOBODY where there is none.

    `slot` is the one that has just made a request, which goes at once if it is small; or NOBODY.
    """
    if slot != NOBODY and waits(link, slot) and link.bytes[slot] <= link.terms.bypass:
        begin(link, slot, UNCOUNTED, now)
        return slot
    for direction in DIRECTIONS:
        if link.numbers[direction] < link.terms.at_most:
            chosen = first_in_line(link, direction)
            if chosen != NOBODY:
                begin(link, chosen, direction, now)
                return chosen
    return NOBODY


def waits(link: Link, slot: int) -> bool:
    """Has the slot a transfer that is not in flight yet?"""
    return link.bytes[slot] > 0 and link.kind[slot] == WAITING


def first_in_line(link: Link, direction: int) -> int:
    """The slot whose request of this direction is next; NOBODY where none waits."""
    best = NOBODY
    if link.numbers[WAITING] > 0:
        for line in range(direction, len(link.oldest), len(DIRECTIONS)):
            slot = link.oldest[line]
            if slot != NOBODY and (best == NOBODY or goes_before(link, line, link.line[best])):
                best = slot
    return best


def goes_before(link: Link, line: int, other: int) -> bool:
    """Is the first request of this line next, rather than the other line's?"""
    mine, theirs = link.active[line], link.active[other]
    return mine < theirs or (mine == theirs and link.last_turn[line] < link.last_turn[other])


def unlist(link: Link, slot: int) -> None:
    """Take a request out of its line, wherever in it it is."""
    line, earlier, later = link.line[slot], link.before[slot], link.after[slot]
    if earlier == NOBODY:
        link.oldest[line] = later
    else:
        link.after[earlier] = later
    if later == NOBODY:
        link.newest[line] = earlier
    else:
        link.before[later] = earlier
    link.numbers[WAITING] -= 1


def begin(link: Link, slot: int, kind: int, now: int) -> None:
    """The slot's transfer is in flight from now on."""
    unlist(link, slot)
    catch_up(link, now)
    link.kind[slot] = kind
    link.numbers[kind] += 1
    if kind != UNCOUNTED:
        line = link.line[slot]
        link.active[line] += 1
        link.turns[0] += 1
        link.last_turn[line] = link.turns[0]
    minima.change(link.ends, link.base, slot, link.served[0] + link.bytes[slot])


def catch_up(link: Link, now: int) -> None:
    """Bring virtual time up to date, before the number in flight changes."""
    number = in_flight(link)
    if number == 0:
        link.served[0] = 0.0
    else:
        link.served[0] += (now - link.since[0]) * link.terms.bandwidth / number
    link.since[0] = now


def next_end(link: Link) -> int:
    """When the next transfer is over if nothing changes; NEVER where there is none in flight."""
    number = in_flight(link)
    if number == 0:
        return NEVER
    # Ends are rounded up to whole nanoseconds, so what ends now may be passed by a little.
    left = max(0.0, minima.least(link.ends) - link.served[0])
    took = left * number / link.terms.bandwidth
    return link.since[0] + ceil(took) if took < NEVER else NEVER


def slot_of_next_end(link: Link) -> int:
    """Whose transfer that is."""
    return minima.leaf_of_least(link.ends, link.base)


def quit_by(link: Link, slot: int, now: int) -> None:
    """The slot's transfer is over, cut off, or no longer wanted; nothing happens if it has none."""
    if link.bytes[slot] == 0:
        return
    if link.kind[slot] == WAITING:
        unlist(link, slot)
    else:
        end(link, slot, now)
    link.bytes[slot] = 0


def end(link: Link, slot: int, now: int) -> None:
    """The slot's transfer is no longer in flight."""
    catch_up(link, now)
    minima.change(link.ends, link.base, slot, inf)
    kind = link.kind[slot]
    link.numbers[kind] -= 1
    if kind != UNCOUNTED:
        link.active[link.line[slot]] -= 1


def carry(link: Link, plan: Plan, slot: int, user: int, before: Phase, job: Job, now: int) -> None:
    """Tell the link what has become of the job on a slot, whose phase was `before`."""
    if job.phase == Phase.AWAITING:
        if before != Phase.AWAITING:
            direction = SENDING if job.unsaved > 0 else FETCHING
            request(link, slot, freight(plan, job), line_of(direction, user))
    elif not is_over_link(job.phase):
        quit_by(link, slot, now)


def is_over_link(phase: Phase) -> bool:
    """May a job in this phase have a transfer in flight?"""
    return phase in (Phase.TRANSFERRING, Phase.FETCHING, Phase.VACATING)
