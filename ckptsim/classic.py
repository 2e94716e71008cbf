"""The classical formulas for exponential losses and leases without a limit, to set beside ours.

M is the mean time between losses, c the cost of a checkpoint, R that of a restart after a loss, all
in one unit, which is also the result's. Intervals are computation between checkpoints. M and the
intervals are more than 0, the costs at least 0.
"""

from math import exp, expm1, floor, inf, sqrt
from typing import NamedTuple

import numpy as np

from ckptsim.lifetimes import FloatArray, Law


def young(c: float, M: float) -> float:  # noqa: N803 (the papers' symbol)
    """Young's first-order interval √(2cM) (1974, doi 10.1145/361147.361115).

    All in one unit, which is also the result's. For c well below M: there 2c/3 too long. Nothing
    stops it from growing past M, where no optimum is.
    """
    return sqrt(2 * c * M)


def daly(c: float, M: float, R: float) -> float:  # noqa: N803
    """Daly's first-order interval √(2c(M + R)) − c (2006, doi 10.1016/j.future.2004.11.016).

    All in one unit, which is also the result's. For c well below M. 0 where the expression is
    negative: its series does not reach so far.
    """
    return max(0.0, sqrt(2 * c * (M + R)) - c)


def daly_higher_order(c: float, M: float) -> float:  # noqa: N803
    """Daly's higher-order interval √(2cM)(1 + ⅓√(c/2M) + (1/9)(c/2M)) − c.

    All in one unit, which is also the result's (2006, doi 10.1016/j.future.2004.11.016). Some
    2c²/135M short of `poisson_optimum`; M where a checkpoint costs 2M or more, as Daly says.
    """
    if c >= 2 * M:
        return M
    ratio = c / (2 * M)
    return sqrt(2 * c * M) * (1 + sqrt(ratio) / 3 + ratio / 9) - c


def poisson_optimum(c: float, M: float) -> float:  # noqa: N803
    """The exact optimum M(1 + W₀(−e^{−1−c/M})) of Daly's wall time; R does not move it.

    All in one unit, which is also the result's; derived by us. For any c: 0 where checkpoints cost
    nothing, and M, the most it can be, where they cost many times M.
    """
    from scipy.special import lambertw

    if c / M < 1e-6:
        return M * _above_branch_point(sqrt(2 * abs(expm1(-c / M))))
    return M * (1 + float(lambertw(-exp(-1 - c / M)).real))


def _above_branch_point(p: float) -> float:
    """1 + W₀((p²/2 − 1)/e) for a small p (Corless et al. 1996, doi 10.1007/BF02124750).

    So near to −1/e the argument of W₀ has lost the digits that tell c/M, and p has not.
    """
    return p - p**2 / 3 + p**3 * 11 / 72 - p**4 * 43 / 540


def wall_time(work: float, interval: float, c: float, M: float, R: float) -> float:  # noqa: N803
    """Daly's expected wall time M e^{R/M}(e^{(τ+c)/M} − 1) work/τ, with a last checkpoint.

    All in one unit, which is also the result's (2006, doi 10.1016/j.future.2004.11.016). A loss may
    hit the restart, which is then repeated; each interval ends with a checkpoint. Exact for a whole
    number of intervals; infinite where it is more than a float can hold.
    """
    try:
        return M * exp(R / M) * expm1((interval + c) / M) * work / interval
    except OverflowError:
        return inf


def optexp_time(
    work: float,
    chunks: int,
    c: float,
    M: float,  # noqa: N803
    R: float,  # noqa: N803
    D: float,  # noqa: N803
) -> float:
    """OptExp's expected time e^{λR}(1/λ + D) K (e^{λ(W/K + C)} − 1) of W work in K equal chunks.

    λ = 1/M, C = c, and D is the downtime after each loss, itself safe from losses; all in one unit,
    which is also the result's. Each chunk ends with a checkpoint, the last too (Bougeret, Casanova,
    Rabie, Robert, Vivien, SC 2011, doi 10.1145/2063384.2063428). Exact, not an approximation, for
    exponential losses; infinite where it is more than a float can hold.
    """
    return (1 + D / M) * wall_time(work, work / chunks, c, M, R)


def optexp_chunks(work: float, c: float, M: float) -> int:  # noqa: N803
    """OptExp's best number of equal chunks, K₀ = λW/(1 + W₀(−e^{−λC−1})) rounded the better way.

    Work, c and M in one unit; the result is a count, at least 1 (Bougeret et al., SC 2011, doi
    10.1145/2063384.2063428). R and D do not move it. c must be more than 0: with free checkpoints
    there is no best number. Where every time is more than a float can hold, K₀ rounded down.
    """
    assert c > 0
    few = max(1, floor(work / poisson_optimum(c, M)))
    return min(few, few + 1, key=lambda chunks: optexp_time(work, chunks, c, M, 0, 0))


def overhead_ratio(
    interval: float,
    c: float,
    latency: float,
    M: float,  # noqa: N803
    R: float,  # noqa: N803
) -> float:
    """Vaidya's overhead ratio Γ/T − 1, Γ = λ⁻¹e^{λ(L−C+R)}(e^{λ(T+C)} − 1), of an interval T.

    The job is held up for the overhead C = c; the checkpoint counts a latency L ≥ C after its
    start, while the job goes on computing, so that a loss costs L − C more to redo. Times in one
    unit, the result is a number (1997, IEEE Trans. Computers 46(8), doi 10.1109/12.609281). The
    interval that makes it least is `poisson_optimum`, whatever the latency, as long as that is at
    least L − C. A shorter interval would start a checkpoint before the last one counts, which the
    formula does not know: infinite there.
    """
    assert c <= latency
    if interval < latency - c:
        return inf
    return wall_time(1, interval, c, M, R + (latency - c)) - 1


def job_mean(M: float, nodes: int) -> float:  # noqa: N803
    """Mean time between losses, M/N, of a job that any one of its N nodes can stop.

    M, the mean of one node, in any unit, which is also the result's. Exact for exponential losses
    (a sum of Poisson processes is one), and for many nodes in the long run whatever their law, if
    they fail independently.
    """
    assert nodes >= 1
    return M / nodes


def ettr(interval: float, c: float, M: float, R: float) -> float:  # noqa: N803
    """Expected effective training-time ratio (1 − N r_f(u₀ + Δt/2)) / (1 + w/Δt).

    M is the whole job's mean time between losses, 1/(N r_f) in the source (`job_mean`); R its u₀,
    c its w, the interval its Δt; times in one unit, the result is a share of slot time (Kokolis et
    al. 2024, arXiv 2410.21680). First order: a loss costs half an interval, no two fall into one,
    so for R and Δt well below M. 0 where they are so long that the expression is negative.
    """
    assert interval > 0
    return max(0.0, 1 - (R + interval / 2) / M) / (1 + c / interval)


def ettr_optimum(c: float, M: float, R: float) -> float:  # noqa: N803
    """The interval √(c² + 2c(M − R)) − c at which `ettr` is greatest.

    All in one unit, which is also the result's. Derived here: the derivative of `ettr` is 0 where
    τ² + 2cτ = 2c(M − R). 0 where R is M or more: by that formula no interval gets anything done.
    """
    gain = 2 * c * max(0.0, M - R)
    # √(c² + gain) − c without the difference, which for a large c would be all rounding.
    return gain / (c + sqrt(c**2 + gain)) if gain else 0.0


class Ending(NamedTuple):
    """The only checkpoint of a reservation: when it starts, and the work it saves on average."""

    before_end: float
    work: float


def end_of_reservation(reservation: float, cost: Law) -> Ending | None:
    """When to start the only checkpoint: X before the end, where (T − X) F(X) is greatest.

    T is the length of the reservation, F the distribution function of the checkpoint's cost; T, X
    and the work in the law's unit. The job computes until T − X; what is done by then is saved if
    the checkpoint takes X at most, and nothing is lost but at the end (Barbut, Benoit, Herault,
    Robert, Vivien, FTXS at SC 2023, hal-04215554). None if nothing can be saved: the shortest
    checkpoint takes the whole reservation, or more (or its chance to fit is below 1e-16).
    """
    assert 0 <= reservation < inf
    tried = _starts(reservation, cost)
    for _ in range(5):  # each 500 times finer: in all beyond what the values' rounding can tell
        best = int(np.argmax(_saved(reservation, cost, tried)))
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
        tried = np.unique(np.append(np.linspace(low, high, 1001), tried[best]))
    saved = _saved(reservation, cost, tried)
    best = int(np.argmax(saved))
    return Ending(float(tried[best]), float(saved[best])) if saved[best] > 0 else None


def _saved(reservation: float, cost: Law, before_end: FloatArray) -> FloatArray:
    return (reservation - before_end) * (1 - cost.survival(before_end))


def _starts(reservation: float, cost: Law) -> FloatArray:
    """Times before the end to try first: even in time and in chance, and at every kink and atom.

    There may be many hills, one for each kind of checkpoint in a mixture, and at an atom a cliff.
    """
    likely = cost.quantile(np.linspace(0, 1, 1000, endpoint=False))
    even = np.linspace(0, reservation, 1001)
    found = np.unique(np.concatenate([even, likely, cost.kinks()]))
    return found[found <= reservation]
