"""What the classical formulas would have you do here, and what it costs to follow them."""

from math import isinf
from typing import NamedTuple

import numpy as np

from ckptsim import classic
from ckptsim.exact import Solver, Value
from ckptsim.lifetimes import Constant, Empirical, Law
from ckptsim.search import Search, mean_between_losses
from ckptsim.units import SECOND, nanoseconds

QUANTILES = 1_000  # that stand for the law of a random checkpoint cost


class Classic(NamedTuple):
    """The formulas' intervals in seconds; None where one has nothing to say."""

    young_s: float | None = None
    daly_s: float | None = None
    daly_higher_order_s: float | None = None
    poisson_optimum_s: float | None = None
    optexp_s: float | None = None
    end_of_reservation_s: float | None = None
    ettr_s: float | None = None


class Formula(NamedTuple):
    """A formula, and what its interval is worth in the scenario as it is."""

    key: str
    name: str
    assumes: str
    value: Value


ASSUMES = {
    "young_s": ("Young", "no limit, exponential losses, cheap checkpoints (1974)"),
    "daly_s": ("Daly, first order", "the same, with restarts (2006)"),
    "daly_higher_order_s": ("Daly, higher order", "no limit, exponential losses (2006)"),
    "poisson_optimum_s": ("Lambert W", "the same, exactly; Vaidya's too (1997)"),
    "optexp_s": ("OptExp", "the same, for this much work (2011)"),
    "end_of_reservation_s": ("end of reservation", "no losses, one checkpoint a lease (2023)"),
    "ettr_s": ("ETTR", "no limit, first order in both (2024)"),
}


def classics(solver: Solver) -> Classic:
    """The formulas' intervals with this scenario's means."""
    usual, work = solver.usual, solver.scenario.job.work
    mean = mean_between_losses(solver)
    cost = (usual.write + usual.transfer + usual.restart_in_place) / SECOND
    restart = (usual.input + usual.restart_lease) / SECOND
    reservation = end_of_reservation(solver, restart)
    if isinf(mean) or cost == 0:
        return Classic(end_of_reservation_s=reservation)
    chunks = None if work is None else classic.optexp_chunks(work / SECOND, cost, mean)
    return Classic(
        young_s=classic.young(cost, mean),
        daly_s=classic.daly(cost, mean, restart),
        daly_higher_order_s=classic.daly_higher_order(cost, mean),
        poisson_optimum_s=classic.poisson_optimum(cost, mean),
        optexp_s=None if chunks is None or work is None else work / SECOND / chunks,
        end_of_reservation_s=reservation,
        ettr_s=classic.ettr_optimum(cost, mean, restart),
    )


def end_of_reservation(solver: Solver, restart: float) -> float | None:
    """The computing before the only checkpoint of a lease of full length, seconds."""
    if isinf(solver.ends.limit) or solver.ends.limit <= restart:
        return None
    reservation = solver.ends.limit - restart
    found = classic.end_of_reservation(reservation, checkpoint_cost(solver))
    return reservation - found.before_end if found else None


def checkpoint_cost(solver: Solver) -> Law:
    """The law of write and transfer together."""
    job, total = solver.scenario.job, solver.write.plus(solver.transfer)
    if solver.constant:
        return Constant(total.first / SECOND)
    if 0 in (job.write.mean, job.transfer.mean):
        return job.write if job.transfer.mean == 0 else job.transfer
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    place = np.searchsorted(total.mass.cumsum(), shares)
    return Empirical(tuple(total.ages[np.minimum(place, len(total.mass) - 1)] / SECOND))


def formulas(search: Search) -> list[Formula]:
    """Every formula that has an interval for this scenario, valued in whole natural steps."""
    intervals = {
        key: nanoseconds(interval)
        for key, interval in classics(search.solver)._asdict().items()
        if interval
    }
    values = search.values(intervals.values())
    return [
        Formula(key, *ASSUMES[key], value) for key, value in zip(intervals, values, strict=True)
    ]
