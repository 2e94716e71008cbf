"""Means with their confidence intervals, as an expert reads simulations (theory.md §6).

99 % throughout, by Student's t over independent values.
"""

from functools import cache
from math import exp, inf, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.99


class Estimate(NamedTuple):
    """A mean and the half-width of its confidence interval; infinite from one value alone."""

    mean: float
    half_width: float

    @property
    def interval(self) -> tuple[float, float]:
        return self.mean - self.half_width, self.mean + self.half_width


def mean_of(values: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of independent values."""
    if len(values) < 2:
        return Estimate(float(values[0]) if len(values) else nan, inf)
    error = float(values.std(ddof=1)) / sqrt(len(values))
    return Estimate(float(values.mean()), student(len(values) - 1, confidence) * error)


def controlled_mean(values: Floats, control: Floats, control_mean: float) -> Estimate:
    """The mean of independent values, made sharper by a control whose mean is known.

    What the control missed its mean by is taken off by regression (Law, Simulation Modeling and
    Analysis, 11.4); its slope is estimated from the same values, a bias of order 1/n.
    """
    spread = float(control.var())
    if len(values) < 3 or spread == 0:
        return mean_of(values)
    count, missed = len(values), float(control.mean()) - control_mean
    slope = float(np.cov(values, control, ddof=0)[0, 1]) / spread
    residuals = values - values.mean() - slope * (control - control.mean())
    variance = float((residuals**2).sum()) / (count - 2) * (1 + missed**2 / spread) / count
    half_width = student(count - 2, CONFIDENCE) * sqrt(variance)
    return Estimate(float(values.mean()) - slope * missed, half_width)


def ratio_of(numerators: Floats, denominators: Floats) -> Estimate:
    """Σ numerators / Σ denominators of independent pairs, by the delta method."""
    if denominators.sum() == 0:
        return Estimate(nan, inf)
    ratio = float(numerators.sum() / denominators.sum())
    residuals = (numerators - ratio * denominators) / denominators.mean()
    return Estimate(ratio, mean_of(residuals).half_width)


def student(degrees: int, confidence: float) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def anytime_factors(counts: Floats, alpha: float, narrowest: float) -> Floats:
    """Half-widths, in standard deviations, of a mean's confidence *sequence* of normal values.

    With probability 1 − alpha the means of 2, 3, 4 … values are all within their factor times their
    own standard deviation (ddof=1) of the truth, so it holds whenever one stops, for whatever
    reason. By Ville's inequality for the t-test with effects mixed by N(0, a/narrowest), whatever
    the true spread (Wang and Ramdas 2023, arXiv 2310.03722; Lai 1976, Ann. Statist. 4(2)). At their
    best at about `narrowest` values; infinite for too few to say anything.
    """
    mixed = 1 + counts * _best_mixture(alpha) / narrowest
    # (1 + t²/(n − 1)) / (1 + t²/((n − 1) mixed)) at which the evidence is 1/alpha.
    ratio = (mixed / alpha**2) ** (1 / counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(ratio < mixed, (ratio - 1) / (1 - ratio / mixed), inf)
    return np.sqrt(squared * (counts - 1) / counts)


@cache
def _best_mixture(alpha: float) -> float:
    """The a that makes (1 + 1/a)(2 ln(1/alpha) + ln(1 + a)) least: a squared width, many values."""
    from scipy.special import lambertw

    return -float(lambertw(-(alpha**2) / exp(1), -1).real) - 1
