"""How a pool's results are told: by class, user and kind; the queue, the link, steady state."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ckptsim import saturation
from ckptsim.estimate import Estimate
from ckptsim.gauge import Measure
from ckptsim.pieces import REPLICATIONS_ENOUGH, Method, Part, ledger_of
from ckptsim.pooled import Pooled, Steady, Traffic, jobs_counted
from ckptsim.rules import Mode, Plan
from ckptsim.terminal import percent, table
from ckptsim.units import DAY, HOUR, MINUTE, nanoseconds, show
from ckptsim.world import World

CLASSES_NAMED = 4  # in one sentence
SIZES = {"EB": 1e18, "PB": 1e15, "TB": 1e12, "GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0}
CLASSES, USERS, KINDS = "class of jobs", "user", "kind of slots"
WHOLES = {CLASSES: "the pool", USERS: "the pool", KINDS: "that kind"}
Rows = list[list[str]]


def named_intervals(world: World) -> str:
    """When its jobs checkpoint, in words."""
    told = [named_interval(plan) for plan in world.plans]
    if len(set(told)) == 1:
        return told[0]
    if len(told) > CLASSES_NAMED:
        return "at the interval of each class"
    names = world.scenario.job_classes
    return ", ".join(f"{each} ({name})" for each, name in zip(told, names, strict=True))


def named_interval(plan: Plan) -> str:
    match plan.mode:
        case Mode.NONE:
            return "never"
        case Mode.DELAYED_SIGNAL:
            return "when the slot is lost"
        case Mode.PERIODIC_SIGNAL:
            return f"at a signal every {show(plan.interval)}"
    return "by the clock" if plan.table else f"every {show(plan.interval)}"


def pool_told(pool: Pooled) -> Iterator[Any]:
    """The tables and sentences of a pool, in order; those with nothing to compare are left out."""
    for what, rows in part_tables(pool):
        yield ""
        yield table(rows, f"By {what}; committed: slot-hours per slot-hour of {WHOLES[what]}")
    yield ""
    yield table(use_rows(pool), "On average over time")
    yield from link_told(pool)
    yield from steady_told(pool)


def part_tables(pool: Pooled) -> Iterator[tuple[str, Rows]]:
    """A table of the classes, one of the users, one of the kinds, where there is more to tell."""
    classes, users = pool.classes, pool.users
    if len(classes) > 1:
        owners = [pool.results.world.classes[place].user for place in range(len(classes))]
        rows = job_rows(pool, "class", classes)
        yield CLASSES, with_second(rows, "user", owners) if len(users) > 1 else rows
    if 1 < len(users) < len(classes):
        yield USERS, job_rows(pool, "user", users)
    if len(pool.kinds) > 1:
        yield KINDS, kind_rows(pool)


def job_rows(pool: Pooled, what: str, parts: Sequence[Part]) -> Rows:
    """What jobs of each part came to; nothing of whole jobs where none completes."""
    head = [what, "slot time", "useful", "±", "committed", "completed", "a day", "makespan", "±"]
    rows = [job_row(pool, part) for part in parts]
    if any(pool.measures(part).done.any() for part in parts):
        return [head, *rows]
    return [head[:5], *(row[:5] for row in rows)]


def job_row(pool: Pooled, part: Part) -> list[str]:
    measures, makespan = pool.measures(part), pool.makespan(part)
    return [
        *shares(pool, part),
        f"{jobs_counted(pool.results, 'completed', part):,}",
        number(measures.jobs_per_day.mean),
        spoken(makespan),
        spread(makespan),
    ]


def kind_rows(pool: Pooled) -> Rows:
    head = ["kind", "slot time", "useful", "±", "committed"]
    rows = [head, *(shares(pool, part) for part in pool.kinds)]
    return with_second(rows, "slots", [f"{part.slots:,}" for part in pool.kinds])


def with_second(rows: Rows, name: str, values: Sequence[str]) -> Rows:
    """The table with one more column, the second."""
    cells = zip(rows, [name, *values], strict=True)
    return [[first, cell, *others] for (first, *others), cell in cells]


def shares(pool: Pooled, part: Part) -> list[str]:
    """A part's name, slot time, how much of it was useful, and committed per slot-hour."""
    measures = pool.measures(part)
    return [
        part.name,
        brief(sum(ledger_of(pool.results, part))),
        *share(measures.useful),
        number(measures.committed_per_slot.mean),
    ]


def brief(ns: int) -> str:
    """A time, no finer than it needs to be in a wide table."""
    finest = HOUR if ns >= DAY else MINUTE if ns >= HOUR else 1
    return show(round(ns / finest) * finest)


def share(estimate: Estimate) -> list[str]:
    known = math.isfinite(estimate.half_width)
    return [percent(estimate.mean), percent(estimate.half_width) if known else "unknown"]


def number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"


def spoken(estimate: Estimate) -> str:
    if math.isnan(estimate.mean):
        return "–"
    return brief(nanoseconds(estimate.mean)) if math.isfinite(estimate.mean) else "never"


def spread(estimate: Estimate) -> str:
    if not math.isfinite(estimate.mean):
        return ""
    finite = math.isfinite(estimate.half_width)
    return brief(nanoseconds(estimate.half_width)) if finite else "unknown"


def use_rows(pool: Pooled) -> Rows:
    """The queue, the slots and the link."""
    course, slots = pool.course, pool.results.world.scenario.slots_count
    rows = [
        ["", "mean", "of all"],
        ["jobs that wait for a slot", amount(course.mean(Measure.QUEUED)), ""],
        ["slots with a job", amount(course.mean(Measure.BUSY)), percent(pool.busy_share)],
        [
            "slots idle or away",
            amount(slots - course.mean(Measure.BUSY)),
            percent(1 - pool.busy_share),
        ],
    ]
    return rows + link_rows(pool, pool.link) if pool.link else rows


def link_rows(pool: Pooled, link: Traffic) -> Rows:
    time = float((pool.course.lengths * pool.course.measured).sum())
    a_day = link.bytes / len(pool.results.replications) / (time / DAY)
    return [
        ["transfers in flight", amount(link.in_flight), ""],
        ["transfers that wait their turn", amount(link.waiting), ""],
        ["slot time lost to each other's transfers", "", percent(link.contention)],
        ["moved, and link in use", f"{size(a_day)} a day", percent(link.busy)],
        ["asked of the link, were there no contention", "", percent(link.demand)],
    ]


def amount(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def size(found: float) -> str:
    """Bytes for people."""
    name = next((name for name, power in SIZES.items() if found >= power), "B")
    return f"{found / SIZES[name]:.3g} {name}"


def link_told(pool: Pooled) -> Iterator[str]:
    """Whether the link can carry what is put on it, and what to do if not."""
    link, world = pool.link, pool.results.world
    if link is None:
        return
    if link.saturated:
        yield saturated_told(link.demand, world)
    elif link.bunched and not all(job.stagger for job in world.classes):
        yield (
            f"The link has room (it is asked for {percent(link.demand)}), but transfers come "
            "together and share it: stagger the first checkpoints (job.stagger = true)."
        )


def saturated_told(demand: float, world: World) -> str:
    """One sentence on a saturated link."""
    ways = []
    stretch, rate = saturation.stretch_needed(world), saturation.bandwidth_needed(world)
    if stretch:
        ways.append(f"make the intervals {stretch:.2g} times as long")
    if rate:
        ways.append(f"give it {size(rate)}/s ({8 * rate / 1e9:.2g} Gb/s)")
    todo = f": {', or '.join(ways)}" if ways else ""
    return (
        f"The link is saturated, for the jobs ask for {demand:.2f} times what it can carry{todo}; "
        "to stagger checkpoints is little help here."
    )


def steady_told(pool: Pooled) -> Iterator[str]:
    """How a run with a duration was read, and whether that can be trusted."""
    steady = pool.steady
    if steady is None:
        return
    yield f"Steady state: {left_out(steady)}{read_as(pool, steady)}."
    if math.isinf(steady.warm_up_found):
        yield (
            "Warning: after the warm-up nothing settles by the middle of the run, which is too "
            "short, or more arrives than the pool can do: give a longer --duration."
        )
    elif steady.warm_up_short:
        found = show(nanoseconds((steady.warm_up + steady.warm_up_found) / 1e9))
        yield f"Warning: the warm-up looks too short; MSER-5 would leave out the first {found}."
    if steady.method == Method.BATCHES and steady.correlation.suspicious:
        yield (
            f"Warning: batches that follow each other are alike (correlation "
            f"{steady.correlation.lag_1:.2f}), so the intervals are too narrow: give a longer "
            f"--duration, or {REPLICATIONS_ENOUGH} replications."
        )


def left_out(steady: Steady) -> str:
    return f"the first {show(steady.warm_up)} are left out, " if steady.warm_up else ""


def read_as(pool: Pooled, steady: Steady) -> str:
    if steady.method == Method.REPLICATIONS:
        return f"means of {steady.pieces} replications"
    length = show(int(pool.pieces.times[0]))
    return (
        f"means of {steady.pieces} batches of {length}, for there are fewer "
        f"than {REPLICATIONS_ENOUGH} replications"
    )
