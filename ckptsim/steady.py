"""Long runs read as steady state: warm-up, batch means, and when a mean is precise enough.

After Law, Simulation Modeling and Analysis (5th ed. 2015), chapter 9, and theory.md §6.
"""

from math import ceil, erfc, isfinite, sqrt
from typing import NamedTuple

import numpy as np

from ckptsim.estimate import CONFIDENCE, Estimate, Floats, mean_of

GROUP = 5  # values that MSER-5 averages first
SUSPICION = 0.05  # of a correlation as great as found, were there none


class Correlation(NamedTuple):
    """Of neighbouring batches: how much alike they are, and the odds of that by chance alone."""

    lag_1: float
    chance: float

    @property
    def suspicious(self) -> bool:
        """Are the batches too much alike for their interval to be trusted (longer ones are not)?"""
        return self.chance < SUSPICION


def batches_of(values: Floats, count: int) -> Floats:
    """The means of so many batches of values that follow each other; first ones over are left out.

    There must be as many values as batches at least.
    """
    assert 1 <= count <= len(values)
    size = len(values) // count
    means: Floats = values[len(values) - size * count :].reshape(count, size).mean(axis=1)
    return means


def batch_means(batches: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """The steady-state mean from the means of batches in a row, warm-up already left out.

    By Student's t: right for batches so long that they are nearly independent and normal; see
    `correlation_of`.
    """
    return mean_of(batches, confidence)


def correlation_of(batches: Floats) -> Correlation:
    """The correlation of neighbouring batches by von Neumann's ratio, against none, one-sided.

    1 − Σ(x_i − x_{i+1})² / 2Σ(x_i − x̄)², whose mean is 0 and variance (n − 2)/(n² − 1) where normal
    batches are independent (von Neumann 1941, Ann. Math. Statist. 12(4); for batches Fishman
    1978, Management Science 24(5)); normal from 8 batches or so. Less than 3 show none.
    """
    count, deviations = len(batches), batches - batches.mean()
    if count < 3 or not deviations.any():
        return Correlation(0.0, 1.0)
    ratio = float((np.diff(batches) ** 2).sum() / (deviations**2).sum())
    lag_1 = 1 - ratio / 2
    return Correlation(lag_1, erfc(lag_1 / sqrt(2 * (count - 2) / (count**2 - 1))) / 2)


def mser5(values: Floats) -> int:
    """How many first values to leave out as warm-up, a multiple of 5, by MSER-5.

    Leaves those out without which the mean of the rest has the least Σ(z − z̄)²/n², z the means of
    five values (White 1997, doi 10.1177/003754979706900601; with fives White, Cobb and Spratt,
    Winter Simulation Conference 2000). Looks at the first half alone; where the least is at its end
    (see `settles`) the run is too short to say.
    """
    means = _fives(values)
    if len(means) < 2:
        return 0
    left = np.arange(len(means), len(means) - _latest(means) - 1, -1)
    centred = means - means.mean()
    sums = centred[::-1].cumsum()[left - 1]
    squares = (centred[::-1] ** 2).cumsum()[left - 1]
    return GROUP * int(np.argmin((squares - sums**2 / left) / left**2))


def settles(values: Floats) -> bool:
    """Does `mser5` find a warm-up before the middle of the values?"""
    means = _fives(values)
    return len(means) >= 2 and mser5(values) < GROUP * _latest(means)


def _fives(values: Floats) -> Floats:
    whole = len(values) // GROUP
    means: Floats = values[: whole * GROUP].reshape(whole, GROUP).mean(axis=1)
    return means


def _latest(means: Floats) -> int:
    return len(means) // 2


def enough(estimate: Estimate, relative: float) -> bool:
    """Is the mean known to within `relative` of the truth, at the interval's confidence?

    The half-width must be at most γ/(1 + γ) of the mean *found*, to be γ of the true one (Law and
    Kelton, section 9.4.1). To stop as soon as it is, is right for small γ (Chow and Robbins 1965,
    Ann. Math. Statist. 36(2)); begin with ten values or more.
    """
    return estimate.half_width <= _allowed(estimate, relative)


def more_needed(estimate: Estimate, count: int, relative: float) -> int:
    """How many more values besides the `count` so far may be `enough`; 0 if these are.

    At most as many again, since the spread is itself only estimated: then look again.
    """
    if enough(estimate, relative):
        return 0
    allowed = _allowed(estimate, relative)
    wanted = count * (estimate.half_width / allowed) ** 2 if allowed > 0 else float("inf")
    return max(1, min(count, ceil(wanted) - count if isfinite(wanted) else count))


def _allowed(estimate: Estimate, relative: float) -> float:
    assert relative > 0
    return relative / (1 + relative) * abs(estimate.mean)
