"""The steps that watch one lease: the claim, the limit it implies, the score, the restart."""

from collections.abc import Mapping, Sequence

import numpy as np

from ckptsim.drivers.virtual import simulate
from ckptsim.lesson.chart import Chart
from ckptsim.lesson.seen import CERTAIN, ONE_LEASE, chart_picture, leases_picture, step_of
from ckptsim.lesson.setting import (
    DEAR,
    INTERVALS,
    LONGER,
    MANUAL,
    RESTART,
    SLOW_RESTART,
    WORK,
    at_interval,
    cost,
    scenario,
)
from ckptsim.lesson.step import Step, Table, listed, minutes
from ckptsim.lesson.watched import Watched, drawn, ticked, watched
from ckptsim.lesson.words import CLAIM, LIMIT, RESTARTED, SCORE
from ckptsim.search import Search
from ckptsim.units import DAY, HOUR, MINUTE, seconds, show
from ckptsim.world import world_of


def claim() -> Step:
    """The manual's claim: 60 min waste the last 35, 84 min only 4."""
    leases = watched(scenario(), MANUAL)
    often, seldom = (leases[interval] for interval in MANUAL)
    said = {**claim_said("often", often), **claim_said("seldom", seldom)}
    rows = [lease.row() for lease in leases.values()]
    found = Table("claim", "One lease of 6 h", ONE_LEASE, rows, CERTAIN)
    picture = leases_picture("claim", "The manual's two intervals in a lease of 6 h", leases)
    asked = scenario(at_interval(seldom.interval))
    return step_of(CLAIM, said, [found], picture, asked, timelines=drawn(leases))


def claim_said(name: str, lease: Watched) -> dict[str, object]:
    """What the words say of one of the two leases."""
    return {
        name: minutes(lease.interval),
        f"{name}_tail": minutes(lease.tail),
        f"{name}_rest": minutes(lease.length - lease.committed),
        f"{name}_count": len(lease.commits),
        f"{name}_cost": minutes(len(lease.commits) * cost()),
    }


LIMITS_SHOWN = 12  # hours
LIMITS_SEARCHED = 60 * DAY
LIMITS_LISTED = 5


def implied_limit() -> Step:
    """The limit that the manual's two numbers imply."""
    leases = watched(scenario(), MANUAL)
    tails = [lease.tail for lease in leases.values()]
    rounds = [interval + cost() for interval in MANUAL]
    each = [limits_with([one], [tail]) for one, tail in zip(rounds, tails, strict=True)]
    found = limits_with(rounds, tails)
    hours = [limit // HOUR for limit in found if limit % HOUR == 0]
    assert not limits_with(MANUAL, tails)  # as the words say of rounds counted otherwise
    said = {
        **limits_said("often", MANUAL[0], tails[0], each[0]),
        **limits_said("seldom", MANUAL[1], tails[1], each[1]),
        "limit": minutes(found[0]),
        "hours": hours[0],
        "last": in_hours(found[1] - MINUTE),
        "next": minutes(found[1]),
        "hours_last": hours[1] - 1,
        "days": hours[1] * HOUR // DAY,
        **longer_said(),
    }
    names = [f"{minutes(one)}: {minutes(tail)}" for one, tail in zip(MANUAL, tails, strict=True)]
    picture = chart_picture("The tail over the limit", tails_chart(rounds, found[0]))
    timelines = ticked(dict(zip(names, each, strict=True)))
    asked = scenario({"slots.limit": f"{minutes(found[1])}min"}, at_interval(MANUAL[0]))
    return step_of(LIMIT, said, [limits_table()], picture, asked, timelines=timelines)


def longer_said() -> dict[str, object]:
    """What the words say of a slot of 8 h."""
    longer = watched(scenario(LONGER), MANUAL)[MANUAL[1]]
    fit = len(longer.commits)
    return {
        "eight_tail": minutes(longer.tail),
        "eight_fit": fit,
        "eight_better": minutes(longer.length // fit - cost()),
    }


def limits_said(name: str, interval: int, tail: int, limits: Sequence[int]) -> dict[str, str]:
    """What the words say of the limits that leave a tail."""
    return {
        name: minutes(interval),
        f"{name}_tail": minutes(tail),
        f"{name}_round": minutes(limits[1] - limits[0]),
        f"{name}_limits": ", ".join(map(minutes, limits[:LIMITS_LISTED])),
    }


def in_hours(ns: int) -> str:
    return f"{ns // HOUR} h {ns % HOUR // MINUTE} min"


def limits_with(rounds: Sequence[int], tails: Sequence[int]) -> list[int]:
    """The limits, in whole minutes, in which rounds so long leave such tails.

    Whole minutes are all there are: with a fraction of a minute left over, so has the tail.
    """
    limits = np.arange(MINUTE, LIMITS_SEARCHED, MINUTE)
    right = [
        (limits > each) & (limits % each == tail) for each, tail in zip(rounds, tails, strict=True)
    ]
    return [int(found) for found in limits[np.logical_and.reduce(right)]]


def limits_table() -> Table:
    """What the manual's two intervals do in slots of some whole hours."""
    rows = []
    for hours in range(2, LIMITS_SHOWN + 1):
        leases = watched(scenario({"slots.limit": f"{hours}h"}), MANUAL)
        often, seldom = (leases[interval].tail for interval in MANUAL)
        rows.append(
            {
                "limit_s": hours * 3600,
                "tail_often_s": seconds(often),
                "tail_seldom_s": seconds(seldom),
            }
        )
    heads = {
        "limit_s": "limit",
        "tail_often_s": f"tail with {minutes(MANUAL[0])}",
        "tail_seldom_s": f"tail with {minutes(MANUAL[1])}",
    }
    return Table("limit", "The tail of a lease, by its limit", heads, rows, CERTAIN)


def tails_chart(rounds: Sequence[int], found: int) -> Chart:
    """The tails of the manual's two intervals over the limit."""
    high = LIMITS_SHOWN * HOUR
    jumps = [at for each in rounds for at in range(2 * each, high, each)]
    low = max(rounds)
    at = sorted({*range(low, high + 1, MINUTE), *jumps, *(jump - 1 for jump in jumps)})
    curves = {
        f"every {minutes(interval)} min": [limit % each / MINUTE for limit in at]
        for interval, each in zip(MANUAL, rounds, strict=True)
    }
    often, seldom = (minutes(found % each) for each in rounds)
    finding = f"Only at {show(found)} is one tail {often} min and the other {seldom}"
    return Chart("limit", finding, "Limit", "Tail (min)", at, curves, {show(found): [found]})


def score() -> Step:
    """The tail is the wrong score."""
    leases = watched(scenario(), INTERVALS)
    perfect = [lease for lease in leases.values() if lease.tail == 0]
    least, most = (choose(perfect, key=lambda each: each.committed) for choose in (min, max))
    said = {
        "perfect": listed([lease.interval for lease in perfect]),
        "least": minutes(least.interval),
        "least_work": minutes(least.committed),
        "most": minutes(most.interval),
        "most_work": minutes(most.committed),
        **dear_said(least),
    }
    heads = {**ONE_LEASE, "not_committed_s": "all not committed"}
    rows = [lease.row() for lease in leases.values()]
    found = Table("score", "One lease of 6 h", heads, rows, CERTAIN)
    picture = leases_picture("score", "One lease for each interval", leases)
    asked = scenario(at_interval(least.interval))
    return step_of(SCORE, said, [found], picture, asked, timelines=drawn(leases))


def dear_said(lease: Watched) -> dict[str, object]:
    """What the words say of as many checkpoints without a tail, each twice as long."""
    count = len(lease.commits)
    interval = lease.length // count - 2 * cost()
    dear = watched(scenario(DEAR), [interval])[interval]
    assert (dear.tail, len(dear.commits)) == (0, count)
    return {
        "perfect_count": count,
        "dear": minutes(interval),
        "dear_round": minutes(lease.length // count),
        "dear_work": minutes(dear.committed),
        "dear_less": minutes(lease.committed - dear.committed),
    }


def restart() -> Step:
    """Five minutes to restart: 84 breaks, 355 never finishes."""
    before, after = watched(scenario(), INTERVALS), watched(scenario(RESTART), INTERVALS)
    makespans = {interval: makespan_s(interval) for interval in INTERVALS}
    good, broken = before[MANUAL[1]], after[MANUAL[1]]
    said = {
        "seldom": minutes(good.interval),
        "slack": minutes(good.tail),
        "longest": minutes(INTERVALS[-1]),
        "fit": len(broken.commits),
        "fitted": len(good.commits),
        "work": minutes(broken.committed),
        "worked": minutes(good.committed),
        "tail": minutes(broken.tail),
        "stuck": listed([interval for interval in INTERVALS if makespans[interval] is None]),
        "kept": minutes(longest_of(len(good.commits), RESTART)),
        "slow": minutes(slow := longest_of(len(good.commits), SLOW_RESTART)),
        "slow_round": minutes(slow + cost()),
    }
    heads = {**ONE_LEASE, "makespan_s": "24 h of work take"}
    rows = [{**after[each].row(), "makespan_s": makespans[each]} for each in INTERVALS]
    found = Table("restart", "One lease of 6 h, from a checkpoint", heads, rows, CERTAIN)
    picture = leases_picture("restart", "One lease for each interval, 5 min to restart", after)
    asked = scenario(RESTART, at_interval(MANUAL[1]))
    return step_of(RESTARTED, said, [found], picture, asked, timelines=drawn(after))


def makespan_s(interval: int) -> float | None:
    """How long a job of 24 h takes with the restarts; None where it never finishes."""
    outcome = simulate(world_of(scenario(RESTART, WORK), interval), 0)
    return seconds(outcome.makespans[0]) if outcome.makespans else None


def longest_of(checkpoints: int, restarted: Mapping[str, str]) -> int:
    """The longest interval of which so many fit a lease that begins with a restart."""
    search = Search(scenario(restarted))
    return max(edge for edge in search.edges if search.value(edge).fitting == checkpoints)
