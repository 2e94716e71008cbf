"""The fast driver: what the SimPy driver says of a world, said some hundred times sooner."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim import gauge, link, minima, pool
from ckptsim.draws import Purpose
from ckptsim.drivers.compiled import chain as chains
from ckptsim.drivers.compiled import crowd as crowds
from ckptsim.drivers.compiled.chain import Streams, chain_of
from ckptsim.drivers.compiled.crowd import Chances, Crowd
from ckptsim.drivers.compiled.given import (
    FATE_PURPOSES,
    UNSURE,
    Room,
    arrays_of,
    fate_laws,
    laws_of,
    packed,
    plan_records,
    record_of,
    record_type,
    records,
    room_of,
    sure_time,
)
from ckptsim.drivers.compiled.jit import announce, ready_for
from ckptsim.gauge import Gauge
from ckptsim.ledger import Category
from ckptsim.outcome import Books, Mark, Outcome, Row, Stay
from ckptsim.rules import NEVER, Costs, Event, Phase, submitted
from ckptsim.units import LONGEST
from ckptsim.world import COST_PURPOSES, World, cost_laws

if TYPE_CHECKING:
    from ckptsim.lifetimes import Law

EVENTS_AT_ONCE = 1_000_000  # then Python has a look, so that Ctrl-C is noticed
STAYS_FIRST = 1 << 10
ROWS_FIRST = 1 << 14

Record = Callable[[Row], object]


def integer_fields(names: str) -> list[tuple[str, type]]:
    return [(name, np.int64) for name in names.split()]


GUEST = record_type(
    (
        *integer_fields(
            "number kind account event since_event pending "
            "phase since until saved unsaved checkpoints fruitless written"
        ),
        ("lease", record_of(chains.OPEN).dtype),
        *integer_fields("start saved_before checkpoints_before eviction absence age fates_drawn"),
    )
)
WAITING = record_type(
    integer_fields("phase saved checkpoints fruitless rounds gaps arrived unused")
)
TURN = record_type(integer_fields("slot event"))


def simulate(
    world: World, replication: int, record: Record | None = None, *, stays: bool = True
) -> Outcome:
    """Run all the jobs of one replication to their ends, or until its duration is over.

    `record` gets each event, all after the run; without `stays` the leases are only counted.
    """
    if not world.is_crowded:
        return alone(world, replication, submitted(world.plan, 0), NEVER, record, stays=stays)
    return together(world, replication, record, stays=stays)


def simulate_leases(
    world: World, replication: int, leases: int, record: Record | None = None
) -> Outcome:
    """Run `leases` leases of one job without end that has a checkpoint to restart from."""
    endless = world.without_end()
    return alone(endless, replication, submitted(endless.plan, 0, checkpoints=1), leases, record)


# One job alone.


def alone(
    world: World,
    replication: int,
    job: Any,
    leases: int,
    record: Record | None,
    *,
    stays: bool = True,
) -> Outcome:
    announce(chains.live)
    chain, streams, live = given_alone(world)
    stay_room, row_room = min(leases, STAYS_FIRST) if stays else 0, ROWS_FIRST if record else 0
    while True:
        books, told = np.zeros(len(Category), np.int64), np.zeros(chains.TOLD, np.int64)
        lived, rows = np.zeros((stay_room, 8), np.int64), np.zeros((row_room, 7), np.int64)
        events = live(chain, streams, replication, job, leases, books, told, lived, rows)
        used = int(told[chains.LEASES])
        if (not stays or used <= stay_room) and (record is None or events <= row_room):
            break
        stay_room, row_room = used if stays else 0, events if record else 0
    replay(rows[:events], record)
    return outcome_alone(books.tolist(), told.tolist(), lived[:used])


class Alone(NamedTuple):
    """A world of one job as compiled code takes it, and the code that takes it."""

    chain: chains.Chain
    streams: Streams
    live: Callable[..., int]


def given_alone(world: World) -> Alone:
    """Made once for replications of one world after the other."""
    if not (LAST and LAST[0][0] is world):
        chain = chain_of(world)
        laws = len(chain.laws.at)
        streams = Streams(np.zeros((laws, 4), np.uint64), np.zeros(laws, np.int64))
        LAST[:] = [(world, Alone(chain, streams, live_in(chain, streams)))]
    return LAST[0][1]


def live_in(chain: chains.Chain, streams: Streams) -> Callable[..., int]:
    job, row = submitted(chain.plan[0], 0), np.zeros(0, np.int64)
    return ready_for(chains.live, chain, streams, 0, job, 0, row, row, *[row.reshape(0, 1)] * 2)


LAST: list[tuple[World, Alone]] = []


def many_alone(world: World, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """So many replications of a world with one job on one slot: their ledgers, and what is told.

    The columns of the latter are chain.MAKESPAN and so on; times in nanoseconds.
    """
    announce(chains.live_many)
    chain, streams, _ = given_alone(world)
    books = np.zeros((count, len(Category)), np.int64)
    told = np.zeros((count, chains.TOLD), np.int64)
    chains.live_many(chain, streams, first, 0, NEVER, books, told)
    return books, told


def outcome_alone(books: list[int], told: list[int], stays: NDArray[np.int64]) -> Outcome:
    makespan = told[chains.MAKESPAN]
    return Outcome(
        books=[Books(books, told[chains.LEASES], told[chains.CHECKPOINTS])],
        makespans_by_class=[[makespan] if makespan < NEVER else []],
        stranded_by_class=[told[chains.STRANDED]],
        stays=stays_of(stays),
        end=told[chains.END] if makespan < NEVER or told[chains.STRANDED] else 0,
    )


def stays_of(rows: NDArray[np.int64]) -> list[Stay]:
    return [Stay._make((*row[:-1], Event(row[-1]))) for row in rows.tolist()]


def replay(rows: NDArray[np.int64], record: Record | None) -> None:
    if record:
        for time, slot, job, event, phase, saved, unsaved in rows.tolist():
            record(Row(time, slot, job, Event(event), Phase(phase), saved, unsaved))


# A pool.


def together(world: World, replication: int, record: Record | None, *, stays: bool) -> Outcome:
    announce(crowds.run)
    stay_room, row_room = STAYS_FIRST if stays else 0, ROWS_FIRST if record else 0
    while True:
        crowd = crowd_of(world, replication, stay_room, row_room)
        run = run_in(crowd)
        while run(crowd, EVENTS_AT_ONCE):
            pass
        used_stays, used_rows = (int(crowd.numbers[n]) for n in (crowds.STAYS, crowds.ROWS))
        if (not stays or used_stays <= stay_room) and (not record or used_rows <= row_room):
            break
        stay_room, row_room = used_stays if stays else 0, used_rows if record else 0
    replay(crowd.rows[:used_rows], record)
    return outcome_together(world, crowd)


def run_in(crowd: Crowd) -> Callable[[Crowd, int], bool]:
    """What runs pools such as this: of all that a crowd has, only the form of its plans differs."""
    form = crowd.plans.dtype
    if form not in RUNS:
        RUNS[form] = ready_for(crowds.run, crowd, 0)
    return RUNS[form]


RUNS: dict[np.dtype[Any], Callable[[Crowd, int], bool]] = {}


def outcome_together(world: World, crowd: Crowd) -> Outcome:
    starts = world.class_starts
    spans = [crowd.makespans[first:last] for first, last in pairwise(starts)]
    ledgers, accounts = whole(crowd.ledgers, crowd.aside), len(crowd.ledgers)
    counts = zip(ledgers, crowd.leases_ended.tolist(), crowd.checkpoints.tolist(), strict=True)
    stranded = crowd.stranded.tolist()
    if not len(crowd.marks):  # who still waits when nothing more can happen will never finish
        completed = crowd.completed.tolist()
        stranded = [job.count - done for job, done in zip(world.classes, completed, strict=True)]
    assert accounts == len(world.classes) * len(world.kinds)
    return Outcome(
        books=[Books(*each) for each in counts],
        makespans_by_class=[span[span < NEVER].tolist() for span in spans],
        stranded_by_class=stranded,
        stays=stays_of(crowd.stays[: crowd.numbers[crowds.STAYS]]),
        marks=[
            Mark(at, books, completed)
            for at, books, completed in zip(
                crowd.marks.tolist(),
                whole(crowd.marked_ledgers, crowd.marked_aside),
                crowd.marked_completed.tolist(),
                strict=True,
            )
        ],
        gauge=lists_of(crowd.gauge),
        end=int(crowd.numbers[crowds.END]),
    )


def whole(ledgers: NDArray[np.int64], aside: NDArray[np.int64]) -> Any:
    """Ledgers in Python's numbers, which have no end, with what was set aside put back."""
    return (ledgers.astype(object) + aside.astype(object) * crowds.ASIDE).tolist()


def lists_of(gauged: Any) -> Gauge:
    return Gauge(*(each.tolist() for each in gauged))


def crowd_of(world: World, replication: int, stay_room: int, row_room: int) -> Crowd:
    """The pool before anything has happened."""
    scenario, slots = world.scenario, world.scenario.slots_count
    jobs, accounts = scenario.jobs_count, len(world.classes) * len(world.kinds)
    chances, codes = chances_of(world)
    marks, leaves = len(world.marks), slots + 4
    staggered = any(job.stagger for job in world.classes)
    numbers = np.zeros(8, np.int64)
    crowd = Crowd(
        seed=scenario.seed,
        replication=replication,
        codes=codes,
        plans=plan_records(world.plans),
        terms=records(record_of(terms) for terms in world.terms),
        limits=integers(LONGEST if kind.limit is None else kind.limit for kind in world.kinds),
        fate_laws=chances[0],
        cost_laws=chances[1],
        chancy=(chances[1].sure == UNSURE).reshape(len(world.classes), -1).any(1),
        gap_law=chances[2],
        domain_laws=chances[3],
        class_of=numbered(job.count for job in world.classes),
        kind_of=numbered(kind.count for kind in world.kinds),
        user_of=integers(world.user_of_class),
        priority_of=integers(job.priority for job in world.classes),
        first_blocks=integers(map(world.first_block, range(jobs)) if staggered else ()),
        arrivals=integers(world.arrivals(replication)),
        first_gap=scenario.slots.first_gap,
        linked=scenario.link is not None,
        marks=integers(world.marks),
        pool=arrays_of(world.pool()),
        link=arrays_of(world.link() or link.opened(NO_LINK, 1, 1)),
        outages=arrays_of(world.outages()),
        gauge=arrays_of(gauge.opened()),
        calendar=np.array(minima.planted(leaves, NEVER)),
        calendar_base=minima.base_of(leaves),
        joining=np.array(minima.planted(jobs, NEVER)),
        joining_base=minima.base_of(jobs),
        turns=np.zeros(2 * slots, TURN),  # a slot may get a job and its turn on the link
        guests=nobodies(slots),
        costs=np.zeros(slots, record_of(Costs(*[0] * len(Costs._fields))).dtype),
        outages_drawn=np.zeros(len(world.domain_slots), np.int64),
        jobs=np.zeros(jobs, WAITING),
        makespans=np.full(jobs, NEVER),
        ledgers=np.zeros((accounts, len(Category)), np.int64),
        leases_ended=np.zeros(accounts, np.int64),
        checkpoints=np.zeros(accounts, np.int64),
        completed=np.zeros(len(world.classes), np.int64),
        stranded=np.zeros(len(world.classes), np.int64),
        aside=np.zeros((accounts, len(Category)), np.int64),
        marked_ledgers=np.zeros((marks, accounts, len(Category)), np.int64),
        marked_aside=np.zeros((marks, accounts, len(Category)), np.int64),
        marked_completed=np.zeros((marks, len(world.classes)), np.int64),
        numbers=numbers,
        rows=np.zeros((row_room, 7), np.int64),
        stays=np.zeros((stay_room, 8), np.int64),
    )
    return packed(crowd, Room(room_of(crowd)))


NO_LINK = link.Terms(1.0, 0, 0)


def nobodies(slots: int) -> NDArray[Any]:
    guests = np.zeros(slots, GUEST)
    guests["number"] = pool.NOBODY
    return guests


def numbered(counts: Iterable[int]) -> NDArray[np.int32]:
    """The first number so often, then the second."""
    many = list(counts)
    return np.repeat(np.arange(len(many), dtype=np.int32), many)


def integers(found: Any) -> NDArray[np.int64]:
    return np.array(list(found), np.int64)


def chances_of(world: World) -> tuple[list[Chances], NDArray[np.float64]]:
    """The laws of fates, costs, gaps and domains, and the codes of all of them."""
    groups: list[tuple[list[Law], list[int]]] = [
        ([law for kind in world.kinds for law in fate_laws(kind)], list(FATE_PURPOSES)),
        ([law for job in world.classes for law in cost_laws(job)], list(COST_PURPOSES)),
        ([world.scenario.slots.gap], [Purpose.GAP]),
        ([law for pair in world.domain_laws for law in pair], DOMAIN_PURPOSES),
    ]
    laws = laws_of(law for group, _ in groups for law in group)
    found, first = [], 0
    for group, purposes in groups:
        at = laws.at[first : first + len(group)]
        sure = integers(map(sure_time, group))
        purpose = integers(purposes[n % len(purposes)] for n in range(len(group)))
        found.append(Chances(at, sure, purpose))
        first += len(group)
    return found, laws.codes


DOMAIN_PURPOSES: list[int] = [Purpose.DOMAIN_FAILURE, Purpose.REPAIR]
