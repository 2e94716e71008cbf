"""The classical formulas for exponential losses and leases without a limit, to set beside ours.

M is the mean time between losses, c the cost of a checkpoint, R that of a restart after a loss, all
in one unit, which is also the result's. What comes back is the computation between checkpoints.
"""

from math import exp, expm1, sqrt


def young(c: float, M: float) -> float:  # noqa: N803 (the papers' symbol)
    """Young's first-order interval √(2cM) (1974, doi 10.1145/361147.361115)."""
    return sqrt(2 * c * M)


def daly(c: float, M: float, R: float) -> float:  # noqa: N803
    """Daly's first-order interval √(2c(M + R)) − c (2006, doi 10.1016/j.future.2004.11.016).

    0 where the expression is negative: its series does not reach so far.
    """
    return max(0.0, sqrt(2 * c * (M + R)) - c)


def daly_higher_order(c: float, M: float) -> float:  # noqa: N803
    """Daly's higher-order interval (2006), M where a checkpoint costs 2M or more."""
    if c >= 2 * M:
        return M
    ratio = c / (2 * M)
    return sqrt(2 * c * M) * (1 + sqrt(ratio) / 3 + ratio / 9) - c


def poisson_optimum(c: float, M: float) -> float:  # noqa: N803
    """The exact optimum M(1 + W₀(−e^{−1−c/M})) of Daly's wall time; R does not move it."""
    from scipy.special import lambertw

    return M * (1 + float(lambertw(-exp(-1 - c / M)).real))


def wall_time(work: float, interval: float, c: float, M: float, R: float) -> float:  # noqa: N803
    """Daly's expected wall time M e^{R/M}(e^{(τ+c)/M} − 1) work/τ, with a last checkpoint."""
    return M * exp(R / M) * expm1((interval + c) / M) * work / interval
