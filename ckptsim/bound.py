"""The least waste that jobs which share one link for their checkpoints can have (theory.md §5).

A job with the period P, from one checkpoint to the next and the checkpoint C included (P = τ + C),
gives C/P of its time to checkpoints, and loses P/2 of work and a recovery R every M. Where the
jobs' own best periods would keep the link busier than it can be, it has a price ν, and all are
longer. What a checkpoint takes besides (B, without the link) is C's like but for that price.

All times in one unit, which is also the results'. Waste is a share of the machine.
"""

from collections.abc import Callable, Sequence
from math import exp, inf, isinf, sqrt
from typing import NamedTuple

from ckptsim.classic import job_mean, poisson_optimum


class BoundClass(NamedTuple):
    """Jobs alike that run at the same time."""

    at_once: float  # how many; on average, so not always whole
    share: float  # of the machine, that one of them holds
    loss_mean: float  # mean time between two losses of one of them; infinite: none
    checkpoint: float  # time of one checkpoint that has the link for itself
    recovery: float  # time to be computing again after a loss
    besides: float = 0.0  # time that a checkpoint takes without the link: write, restart in place


class NodeClass(NamedTuple):
    """Jobs alike on whole nodes, any one of which can stop them."""

    at_once: float
    nodes: int
    checkpoint: float
    recovery: float


class Bound(NamedTuple):
    """The least waste, and the periods that have it."""

    periods: tuple[float, ...]  # 0 where checkpoints are free, infinite where nothing is lost
    wastes: tuple[float, ...]  # of each class, as a share of what it holds
    waste: float  # of the machine
    saturation: float  # share of the link's time taken by checkpoints; at most 1
    demand: float  # what it would be if each job had the period best for itself; above 1: too much
    nu: float  # the price of the link's time; 0 where it is not saturated


class _Shares(NamedTuple):
    """Of one job of a class with some period: the period, its waste, its share of the link."""

    period: float
    waste: float
    link: float


_Priced = Callable[[BoundClass, float], _Shares]


def pool_bound(classes: Sequence[BoundClass]) -> Bound:
    """The least Σ w (C/P + (P/2 + R)/M), w = at_once × share, with Σ at_once × C/P at most 1.

    P = √(2MC(1 + ν/share)), or √(2M(B + C(1 + ν/share))), ν the multiplier of the link (Herault,
    Robert, Bouteiller, Arnold, Ferreira, Bosilca, Dongarra, IPDPSW 2018, doi
    10.1109/IPDPSW.2018.00127). First order in P/M: jobs can waste less than this where P is not
    well below M (`exponential_bound` says how much less), and it can be above 1 where C is not.
    Recoveries take no link time.
    """
    return _bound(classes, _first_order)


def exponential_bound(classes: Sequence[BoundClass]) -> Bound:
    """The same with the exact waste 1 − (P − C)/(M e^{R/M}(e^{P/M} − 1)) of exponential losses.

    Derived here. A class's useful share is concave in the rate a of its safe checkpoints, for
    P = M ln(1 + e^{−R/M}/aM), so the best periods are those best for one job alone whose checkpoint
    costs B + C(1 + ν/share). The losses have no memory: no other plan does better, changing periods
    neither. For jobs without end that compute on all of their share; one that ends without a last
    checkpoint saves that one. Checkpoints cut short and recoveries take no link time.
    """
    return _bound(classes, _exponential)


def platform_bound(classes: Sequence[NodeClass], nodes: int, node_mean: float) -> Bound:
    """`pool_bound` of jobs on so many nodes, each failing once every `node_mean`.

    The authors' form: P = √(2μN(q/N + ν)C/q²), where M = μ/q and the share is q/N. It depends on
    bandwidth × μ only, if recoveries are as long as checkpoints.
    """
    return pool_bound(
        [
            BoundClass(
                one.at_once,
                one.nodes / nodes,
                job_mean(node_mean, one.nodes),
                one.checkpoint,
                one.recovery,
            )
            for one in classes
        ]
    )


def counts_at_once(
    shares: Sequence[float], runs: Sequence[float], sizes: Sequence[int], nodes: int
) -> list[float]:
    """How many jobs of each class run at once where they fill the nodes, as the authors count.

    `shares` are the classes' parts of the workload, `runs` the lengths of their jobs, `sizes` those
    jobs' nodes. Classes hold nodes in proportion to share / run: count = N/q × (share/run) /
    Σ(share/run). It is these counts that give the authors' wastes (0.2344 for Cielo at 40 GB/s and
    a failure every 2 h); shares alone, share × N/q, would give 0.2163.
    """
    held = [share / run for share, run in zip(shares, runs, strict=True)]
    whole = sum(held)
    return [nodes / size * part / whole for size, part in zip(sizes, held, strict=True)]


def _bound(classes: Sequence[BoundClass], priced: _Priced) -> Bound:
    demand = _link(classes, priced, 0)
    nu = 0.0 if demand <= 1 else _price(classes, priced, demand)
    shares = [priced(one, nu) for one in classes]
    return Bound(
        tuple(one.period for one in shares),
        tuple(one.waste for one in shares),
        sum(its.at_once * its.share * one.waste for its, one in zip(classes, shares, strict=True)),
        _link(classes, priced, nu),
        demand,
        nu,
    )


def _link(classes: Sequence[BoundClass], priced: _Priced, nu: float) -> float:
    return sum(one.at_once * priced(one, nu).link for one in classes)


def _price(classes: Sequence[BoundClass], priced: _Priced, demand: float) -> float:
    """The ν at which the link is just full."""
    from scipy.optimize import brentq

    # Enough: at first order a class uses √((B + C)/(B + C + Cν/share)) of its demand, and the exact
    # use falls faster still, for with g(p) = p − 1 + e^−p = C/M both g(p)/p² and p/(e^p − 1) fall.
    moving = [one for one in classes if one.checkpoint > 0]
    most = 2 * max(one.share * (1 + one.besides / one.checkpoint) for one in moving) * demand**2
    root = brentq(lambda nu: _link(classes, priced, nu) - 1, 0, most, xtol=1e-15 * most, rtol=1e-14)
    return float(root)


def _first_order(one: BoundClass, nu: float) -> _Shares:
    whole, priced = _costs(one, nu)
    lost = sqrt(priced / 2)
    safe = whole / lost / 2 if lost else 0.0
    waste = safe + lost + one.recovery / one.loss_mean
    return _Shares(_period(one, 2 * lost), waste, safe * _moving(one))


def _exponential(one: BoundClass, nu: float) -> _Shares:
    from scipy.special import exprel

    whole, priced = _costs(one, nu)
    period = priced + poisson_optimum(priced, 1)
    checkpoints = whole / period if period else 0.0
    kept = exp(-one.recovery / one.loss_mean) / float(exprel(period))
    waste = 1 - (1 - checkpoints) * kept
    return _Shares(_period(one, period), waste, checkpoints * kept * _moving(one))


def _costs(one: BoundClass, nu: float) -> tuple[float, float]:
    """Of a checkpoint, in mean times between losses: what it takes, and what it is priced at."""
    whole = (one.checkpoint + one.besides) / one.loss_mean
    return whole, whole + one.checkpoint / one.loss_mean * nu / one.share


def _moving(one: BoundClass) -> float:
    """The part of a checkpoint in which it is on the link."""
    whole = one.checkpoint + one.besides
    return one.checkpoint / whole if whole else 0.0


def _period(one: BoundClass, in_means: float) -> float:
    if isinf(one.loss_mean):
        return inf
    return in_means * one.loss_mean
