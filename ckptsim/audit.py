"""Where the slot time of past jobs went, as job event logs tell it.

The items are the ledger's categories (design.md, section 3), as far as a log tells them apart, and
they add up exactly: integer nanoseconds. What a log does not tell is inside computing: the write of
a checkpoint, and the restart after it (it writes no event, A1). Computing is useful once its
checkpoint is committed or the job has finished; else it is lost, by the cause of the lease's end.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from statistics import quantiles
from typing import NamedTuple

from ckptsim.htcondor.stays import (
    Attempt,
    Doing,
    End,
    History,
    Lease,
    Stretch,
    cycles_s,
    transfers_s,
)


class Item(IntEnum):
    """What slot time was spent on: the categories of `ledger.Category`, and two more."""

    USEFUL = 0
    LOST_LIMIT = 1
    LOST_EVICTION = 2
    LOST_POWER_FAILURE = 3
    LOST_HOLD = 4  # or removal
    LOST_LEAVING = 5  # the job ended by itself, to run again
    LOST_FAILURE = 6  # of the shadow, the start or a transfer
    TRANSFER = 7
    TRANSFER_WAIT = 8
    COLD_START = 9  # from the end of the input's transfer to event 001,
    RESTART_LEASE = 10  # and the same where the job has a checkpoint
    INPUT = 11
    VACATING = 12
    DISCONNECTED = 13
    SUSPENDED = 14
    PENDING = 15  # computed, and what became of it is not in the log


LOST = (
    Item.LOST_LIMIT,
    Item.LOST_EVICTION,
    Item.LOST_POWER_FAILURE,
    Item.LOST_HOLD,
    Item.LOST_LEAVING,
    Item.LOST_FAILURE,
)
_OF_END = {
    End.FINISHED: Item.USEFUL,
    End.EVICTED: Item.LOST_EVICTION,
    End.POWER_FAILURE: Item.LOST_POWER_FAILURE,
    End.LIMIT: Item.LOST_LIMIT,
    End.REMOVED: Item.LOST_HOLD,
    End.HELD: Item.LOST_HOLD,
    End.POLICY: Item.LOST_HOLD,
    End.RESCHEDULED: Item.LOST_LEAVING,
    End.FAILED: Item.LOST_FAILURE,
    End.EXCEPTION: Item.LOST_FAILURE,
    End.UNTOLD: Item.LOST_FAILURE,
    End.SILENT: Item.PENDING,
    End.RUNNING: Item.PENDING,
}
_OF_DOING = {
    Doing.INPUT: Item.INPUT,
    Doing.CHECKPOINT: Item.TRANSFER,
    Doing.TRANSFER: Item.TRANSFER,
    Doing.TRANSFER_WAIT: Item.TRANSFER_WAIT,
    Doing.VACATING: Item.VACATING,
    Doing.SUSPENDED: Item.SUSPENDED,
    Doing.DISCONNECTED: Item.DISCONNECTED,
}


class Segment(NamedTuple):
    """A stretch of slot time and what it was spent on; nanoseconds."""

    item: Item
    start_ns: int
    end_ns: int


def segments(stay: Lease | Attempt, *, resumed: bool = False) -> Iterator[Segment]:
    """All the slot time of a stay; computing follows when it is known what became of it.

    `resumed`: the job had a checkpoint before.
    """
    if isinstance(stay, Attempt):
        return (_told(stretch, resumed=resumed) for stretch in stay.told)
    return _segments(stay, resumed=resumed)


def _segments(lease: Lease, *, resumed: bool) -> Iterator[Segment]:
    computed, since = list[tuple[int, int]](), lease.slot_start_ns
    for stretch in lease.told:
        if stretch.start_ns > since:
            computed.append((since, stretch.start_ns))
        since = stretch.end_ns
        if stretch.doing is Doing.CHECKPOINT:
            yield from (Segment(Item.USEFUL, *span) for span in computed)
            computed = []
        yield _told(stretch, resumed=resumed)
    if lease.end_ns > since:
        computed.append((since, lease.end_ns))
    yield from (Segment(_OF_END[lease.end], *span) for span in computed)


def _told(stretch: Stretch, *, resumed: bool) -> Segment:
    starting = Item.RESTART_LEASE if resumed else Item.COLD_START
    return Segment(_OF_DOING.get(stretch.doing, starting), stretch.start_ns, stretch.end_ns)


@dataclass(slots=True)
class Account:
    """Where the slot time of one job went, or of many: `spent`, nanoseconds by item.

    `waited_ns` was spent in the queue before each slot that it got; `userlog_ns` is what HTCondor's
    condor_userlog calls good: the leases that ended with the job or with a checkpoint of HTCondor's
    own. `attempts` are slots on which the job did not start.
    """

    log: str
    job: str
    spent: list[int] = field(default_factory=lambda: [0] * len(Item))
    leases: int = 0
    attempts: int = 0
    checkpoints: int = 0
    waited_ns: int = 0
    userlog_ns: int = 0

    @property
    def slot_ns(self) -> int:
        """All of it: the whole that every share is a share of."""
        return sum(self.spent)

    @property
    def lost_ns(self) -> int:
        """Computed, never committed."""
        return sum(self.spent[item] for item in LOST)

    def add(self, stay: Lease | Attempt) -> None:
        """Book one more stay of the job."""
        for item, start, end in segments(stay, resumed=self.checkpoints > 0):
            self.spent[item] += end - start
        self.waited_ns += stay.waited_ns or 0
        if isinstance(stay, Attempt):
            self.attempts += 1
            return
        self.leases += 1
        self.checkpoints += sum(stretch.doing is Doing.CHECKPOINT for stretch in stay.told)
        if stay.saved or stay.end is End.FINISHED:
            self.userlog_ns += stay.end_ns - stay.start_ns


def total(accounts: Iterable[Account]) -> Account:
    """The account of all of them together."""
    whole = Account("", "all")
    for each in accounts:
        whole.spent = [a + b for a, b in zip(whole.spent, each.spent, strict=True)]
        whole.leases += each.leases
        whole.attempts += each.attempts
        whole.checkpoints += each.checkpoints
        whole.waited_ns += each.waited_ns
        whole.userlog_ns += each.userlog_ns
    return whole


class Spread(NamedTuple):
    """How many there were of something, and its quartiles in seconds."""

    number: int
    low_s: float
    median_s: float
    high_s: float


def spread(values_s: Sequence[float]) -> Spread | None:
    """The quartiles; None of nothing."""
    if not values_s:
        return None
    if len(values_s) == 1:
        return Spread(1, *3 * [values_s[0]])
    return Spread(len(values_s), *quantiles(values_s, n=4, method="inclusive"))


@dataclass(frozen=True)
class Audit:
    """The accounts of all jobs in some logs, in the order in which they first had a slot.

    `stays` are leases and attempts in the order in which they took their slots; `copies` is how
    many leases were found more than once.
    """

    histories: tuple[History, ...]
    leases: tuple[Lease, ...]
    stays: list[Lease | Attempt]
    accounts: tuple[Account, ...]
    copies: int

    @cached_property
    def whole(self) -> Account:
        """All jobs together."""
        return total(self.accounts)

    @cached_property
    def reasons(self) -> dict[str, int]:
        """How many leases ended for which reason, the most frequent first."""
        return dict(Counter(lease.reason for lease in self.leases).most_common())

    @cached_property
    def cycles(self) -> Spread | None:
        """The intervals used: computing for each checkpoint, with its write and the restart."""
        return spread(cycles_s(self.leases))

    @cached_property
    def transfers(self) -> Spread | None:
        """The transfers of checkpoints."""
        return spread(transfers_s(self.leases))

    @cached_property
    def inputs(self) -> Spread | None:
        """The transfers of input."""
        return spread([s for history in self.histories for s in history.inputs_s])

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of the checkpoints that were the last transfer of their lease (I50)."""
        return [size for size in map(_size, self.leases) if size]

    @property
    def events(self) -> int:
        return sum(history.events for history in self.histories)

    def worst(self, most: int) -> list[Account]:
        """The jobs that lost most slot time, and of equals those with most of it."""
        return sorted(self.accounts, key=lambda each: (-each.lost_ns, -each.slot_ns))[:most]


def _size(lease: Lease) -> int | None:
    """What the event at the end says was sent last, if that was a checkpoint."""
    transfers = [s for s in lease.told if s.doing in {Doing.CHECKPOINT, Doing.TRANSFER}]
    last = transfers[-1].doing if transfers else None
    return lease.sent if last is Doing.CHECKPOINT and not lease.saved else None


def audit(histories: Iterable[History]) -> Audit:
    """Book what logs tell; a lease that is in two of them (DAGMan keeps its own) counts once."""
    told = tuple(histories)
    seen: dict[tuple[str, int, int], Lease] = {}
    copies = 0
    for history in told:
        for lease in history.leases:
            known = seen.setdefault((lease.job, lease.start_ns, lease.end_ns), lease)
            copies += known is not lease
    leases = tuple(seen.values())
    attempts = {(each.job, each.told): each for history in told for each in history.attempts}
    stays: list[Lease | Attempt] = [*leases, *attempts.values()]
    stays.sort(key=lambda each: each.slot_start_ns)
    return Audit(told, leases, stays, tuple(_accounts(stays)), copies)


def _accounts(stays: Iterable[Lease | Attempt]) -> Iterable[Account]:
    accounts: dict[tuple[str, str], Account] = {}
    for stay in stays:
        account = accounts.get((stay.log, stay.job))
        if account is None:
            account = accounts[stay.log, stay.job] = Account(stay.log, stay.job)
        account.add(stay)
    return accounts.values()
