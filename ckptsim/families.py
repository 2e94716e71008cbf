"""The families of laws that are fitted to lifetimes, by their densities and survivals.

A family is written in its law's own parameters, as lawtext.py reads them; a fit searches among
their logarithms, and the log-odds of a share. Times are in seconds. Formulas: Lawless, Statistical
Models and Methods for Lifetime Data, 2nd ed., section 1.3.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.lifetimes import (
    Exponential,
    Gamma,
    HyperExponential,
    Law,
    LogLogistic,
    LogNormal,
    Mixture,
    Weibull,
)
from ckptsim.observed import Lifetimes

Floats = NDArray[np.float64]
Density = Callable[[Floats, Sequence[float]], Floats]

_SHARE = (0.001, 0.999)
_TIME = (1e-3, 3e9)
_STEEPEST = 20.0  # of a regime: a steeper one is a peak at a few lifetimes that are alike


class Split(NamedTuple):
    """The mean of the shorter lifetimes, and of what is left."""

    share: float
    early_s: float
    late_s: float


@dataclass(frozen=True)
class Family:
    """Laws of one kind.

    `bounds` are those of the parameters: beyond them a search has run off (lifetimes nearly alike,
    or nearly all censored). `starts` are where to begin; with several, the best end counts.
    """

    name: str
    bounds: dict[str, tuple[float, float]]
    law: Callable[..., Law]
    log_density: Density
    log_survival: Density
    starts: Callable[[Lifetimes], Iterator[tuple[float, ...]]]

    def place(self, parameters: Sequence[float]) -> Floats:
        """Where the search has these parameters."""
        pairs = zip(self.bounds.values(), parameters, strict=True)
        return np.array([_logit(x) if bounds == _SHARE else math.log(x) for bounds, x in pairs])

    def parameters(self, place: Floats) -> tuple[float, ...]:
        """The parameters at a place of the search."""
        pairs = zip(self.bounds.values(), place.tolist(), strict=True)
        return tuple(_share(x) if bounds == _SHARE else math.exp(x) for bounds, x in pairs)

    def most(self, n: int) -> float:
        """What the n-th parameter can be at most."""
        return 1.0 if list(self.bounds.values())[n] == _SHARE else math.inf

    def edges(self) -> tuple[Floats, Floats]:
        """The bounds as places."""
        lows, highs = zip(*self.bounds.values(), strict=True)
        return self.place(lows), self.place(highs)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


# --- densities and survivals ----------------------------------------------------------------------


def _exponential_density(t: Floats, parameters: Sequence[float]) -> Floats:
    (mean,) = parameters
    return -math.log(mean) - t / mean


def _exponential_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    (mean,) = parameters
    return -t / mean


def _weibull_density(t: Floats, parameters: Sequence[float]) -> Floats:
    shape, scale = parameters
    logs = np.log(t / scale)
    return np.asarray(math.log(shape / scale) + (shape - 1) * logs - np.exp(shape * logs))


def _weibull_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    shape, scale = parameters
    return np.asarray(-np.power(t / scale, shape))


def _lognormal_density(t: Floats, parameters: Sequence[float]) -> Floats:
    median, sigma = parameters
    z = np.log(t / median) / sigma
    return np.asarray(-0.5 * z * z - np.log(t) - math.log(sigma * math.sqrt(2 * math.pi)))


def _lognormal_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    from scipy.special import log_ndtr

    median, sigma = parameters
    return np.asarray(log_ndtr(-np.log(t / median) / sigma))


def _loglogistic_density(t: Floats, parameters: Sequence[float]) -> Floats:
    median, shape = parameters
    z = shape * np.log(t / median)
    return np.asarray(math.log(shape) - np.log(t) + z - 2 * np.logaddexp(0, z))


def _loglogistic_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    median, shape = parameters
    return np.asarray(-np.logaddexp(0, shape * np.log(t / median)))


def _gamma_density(t: Floats, parameters: Sequence[float]) -> Floats:
    mean, cv = parameters
    shape, scale = cv**-2, mean * cv**2
    constant = math.lgamma(shape) + math.log(scale)
    return np.asarray((shape - 1) * np.log(t / scale) - t / scale - constant)


def _gamma_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    from scipy.special import gammaincc

    mean, cv = parameters
    return np.asarray(np.log(gammaincc(cv**-2, t / (mean * cv**2))))


def _mixed(first: Floats, second: Floats, share: float) -> Floats:
    return np.asarray(np.logaddexp(math.log(share) + first, math.log1p(-share) + second))


def _hyperexponential_density(t: Floats, parameters: Sequence[float]) -> Floats:
    p, mean1, mean2 = parameters
    return _mixed(_exponential_density(t, [mean1]), _exponential_density(t, [mean2]), p)


def _hyperexponential_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    p, mean1, mean2 = parameters
    return _mixed(-t / mean1, -t / mean2, p)


def _regimes_density(t: Floats, parameters: Sequence[float]) -> Floats:
    p, shape, scale, mean = parameters
    return _mixed(_weibull_density(t, [shape, scale]), _exponential_density(t, [mean]), p)


def _regimes_survival(t: Floats, parameters: Sequence[float]) -> Floats:
    p, shape, scale, mean = parameters
    return _mixed(_weibull_survival(t, [shape, scale]), -t / mean, p)


# --- where to begin -------------------------------------------------------------------------------


def _seen(lifetimes: Lifetimes) -> Floats:
    """The lifetimes seen to their end, ascending; those of 0 as less than a second."""
    pairs = zip(lifetimes.durations_s, lifetimes.observed, strict=True)
    return np.sort([duration or 0.5 for duration, observed in pairs if observed])


def _mean(lifetimes: Lifetimes) -> float:
    return lifetimes.exposure_s / lifetimes.ends


def _split(lifetimes: Lifetimes, share: float) -> Split:
    seen = _seen(lifetimes)
    count = max(1, int(share * len(seen)))
    early = float(seen[:count].mean())
    late = (lifetimes.exposure_s - float(seen[:count].sum())) / max(1, len(seen) - count)
    return Split(share, early, max(late, 2 * early))


def _splits(lifetimes: Lifetimes) -> Iterator[Split]:
    return (_split(lifetimes, share) for share in (0.2, 0.5, 0.8))


def _hyperexponential_starts(lifetimes: Lifetimes) -> Iterator[tuple[float, ...]]:
    yield from _splits(lifetimes)


def _regimes_starts(lifetimes: Lifetimes) -> Iterator[tuple[float, ...]]:
    return ((share, 1.5, early, late) for share, early, late in _splits(lifetimes))


def _about_the_median(lifetimes: Lifetimes) -> Iterator[tuple[float, ...]]:
    yield float(np.median(_seen(lifetimes))), 1.0


def _regimes(p: float, shape: float, scale: float, mean: float) -> Law:
    return Mixture((p, 1 - p), (Weibull(shape, scale), Exponential(mean)))


# --- all of them ----------------------------------------------------------------------------------

EXPONENTIAL = Family(
    "exponential",
    {"mean": _TIME},
    Exponential,
    _exponential_density,
    _exponential_survival,
    lambda lifetimes: iter([(_mean(lifetimes),)]),
)
WEIBULL = Family(
    "weibull",
    {"shape": (0.05, 100.0), "scale": _TIME},
    Weibull,
    _weibull_density,
    _weibull_survival,
    lambda lifetimes: iter([(1.0, _mean(lifetimes))]),
)
LOGNORMAL = Family(
    "lognormal",
    {"median": _TIME, "sigma": (0.001, 10.0)},
    LogNormal,
    _lognormal_density,
    _lognormal_survival,
    _about_the_median,
)
LOGLOGISTIC = Family(
    "loglogistic",
    {"median": _TIME, "shape": (0.05, 100.0)},
    LogLogistic,
    _loglogistic_density,
    _loglogistic_survival,
    _about_the_median,
)
GAMMA = Family(
    "gamma",
    {"mean": _TIME, "cv": (0.01, 30.0)},
    Gamma,
    _gamma_density,
    _gamma_survival,
    lambda lifetimes: iter([(_mean(lifetimes), 1.0)]),
)
HYPEREXPONENTIAL = Family(
    "hyperexponential",
    {"p": _SHARE, "mean1": _TIME, "mean2": _TIME},
    HyperExponential,
    _hyperexponential_density,
    _hyperexponential_survival,
    _hyperexponential_starts,
)
TWO_REGIMES = Family(
    "two regimes",
    {"p": _SHARE, "shape": (0.05, _STEEPEST), "scale": _TIME, "mean": _TIME},
    _regimes,
    _regimes_density,
    _regimes_survival,
    _regimes_starts,
)
SHAPED = (WEIBULL, LOGNORMAL, LOGLOGISTIC, GAMMA, HYPEREXPONENTIAL, TWO_REGIMES)
