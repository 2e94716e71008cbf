"""Maximum likelihood on censored lifetimes, how sure it is, and whether the law fits at all.

Lawless, Statistical Models and Methods for Lifetime Data, 2nd ed., chapters 4 and 5. The likeliest
parameters are searched for by SciPy; intervals are those of the profile likelihood: the least and
the greatest value on the set of parameters that a likelihood-ratio test does not reject.

Legend: d, observed ends; T, total time of all lifetimes, in seconds; a place is a point of the
search (families.py), q the likelihood-ratio test's quantile.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ckptsim.families import EXPONENTIAL, SHAPED, TWO_REGIMES, Family, Floats
from ckptsim.lifetimes import Law
from ckptsim.observed import Lifetimes
from ckptsim.survival import SURE, kaplan_meier

# Fewer observed ends do not tell one shape from another. A law of more than two parameters asks for
# as many again for each.
FEW = 10
# Logs are stamped in whole seconds: an observed lifetime of 0 only says "less than this".
_RESOLUTION_S = 1.0
# Ages at which deaths are compared with what the law expects, and the least deaths between two.
_PARTS, _PART = 12, 6
# Directions in which estimation takes up more than this share of the variance judge no fit.
_TAKEN_UP = 0.9
_STEP, _SHORT_STEP = 1e-3, 1e-4  # of a place, for second and first derivatives
_LEAST_KNOWN = 1e-3  # curvature: a place known to ±30 in its logarithm is not known
_NEAR = 1e-3  # as near to a family's bounds, an interval has no end
_LOG_MEAN_MAX = 50.0  # of seconds; means past it count as infinite


class Parameter(NamedTuple):
    """A law's parameter and its confidence interval; times in seconds."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """A law of lifetimes and what speaks for it.

    `loglik` and `aicc` (Akaike's criterion, corrected for few ends; lower is better) compare laws
    of the same lifetimes. `misfit` is the largest distance between the law's survival and
    Kaplan-Meier's, 0 where no end was observed and no number where lifetimes are not known; `p` the
    chance that lifetimes of this very law would fit it as badly (a chi-square test valid under
    censoring), None with too few ends to say. `mean_interval_s` is the 95 % confidence interval of
    the mean; its upper end is infinite where no end was observed or the lifetimes do not bound it,
    and it is None where the law has no mean. `parameters` have theirs.
    """

    law: Law
    loglik: float
    aicc: float
    ends: int
    exposure_s: float
    misfit: float
    mean_interval_s: tuple[float, float] | None = None
    parameters: tuple[Parameter, ...] = ()
    p: float | None = None
    family: str = EXPONENTIAL.name


class _Sample:
    """Lifetimes as a likelihood needs them: each duration once, with how often it was.

    An end at 0 is one before the clock's first tick; a censoring at 0 tells nothing.
    """

    def __init__(self, lifetimes: Lifetimes) -> None:
        durations = np.array(lifetimes.durations_s, np.float64)
        observed = np.array(lifetimes.observed, dtype=bool)
        self.ends = lifetimes.ends
        self.early = int(np.count_nonzero(observed & (durations == 0)))
        self.exact, self.exact_count = _counted(durations[observed & (durations > 0)])
        self.right, self.right_count = _counted(durations[~observed & (durations > 0)])

    def loglik(self, family: Family, place: Floats) -> float:
        """The log-likelihood; -inf where the law makes the lifetimes impossible."""
        parameters = family.parameters(place)
        with np.errstate(all="ignore"):  # a search may try what is all but impossible
            seen = self.exact_count @ family.log_density(self.exact, parameters)
            cut = self.right_count @ family.log_survival(self.right, parameters)
            early = family.log_survival(np.array([_RESOLUTION_S]), parameters)
            first = self.early * np.log(-np.expm1(early[0])) if self.early else 0.0
        found = float(seen + cut + first)
        return found if math.isfinite(found) else -math.inf


def _counted(durations: Floats) -> tuple[Floats, Floats]:
    values, counts = np.unique(durations, return_counts=True)
    return values, counts.astype(np.float64)


# --- laws -----------------------------------------------------------------------------------------


def exponential(lifetimes: Lifetimes, sure: float = SURE) -> Fit:
    """Fit the exponential law: mean T/d, exactly.

    Its interval is that of a Poisson count in a fixed time, 2T/χ² with 2d + 2 and 2d degrees of
    freedom. With no end observed the law is at the lower bound of the mean, 95 %: T/-ln 0.05 =
    T/3.0 (the rule of three). T must not be 0.
    """
    mean = _mean_of(lifetimes.ends, lifetimes.exposure_s, sure)
    return _fit(lifetimes, _Sample(lifetimes), EXPONENTIAL, (mean,), (mean.low, mean.high))


def exponential_of(ends: int, exposure_s: float, sure: float = SURE) -> Fit:
    """The exponential law where no more is known than how many ended in how much time."""
    mean = _mean_of(ends, exposure_s, sure)
    loglik = -ends * math.log(mean.value) - exposure_s / mean.value
    aicc = _penalty(1, ends) - 2 * loglik
    law = EXPONENTIAL.law(mean.value)
    return Fit(law, loglik, aicc, ends, exposure_s, math.nan, (mean.low, mean.high), (mean,))


def _mean_of(d: int, total: float, sure: float) -> Parameter:
    from scipy.stats import chi2

    assert total > 0
    tail = (1 - sure) / 2 if d else 1 - sure
    low = float(2 * total / chi2.isf(tail, 2 * d + 2))
    high = float(2 * total / chi2.ppf(tail, 2 * d)) if d else math.inf
    return Parameter("mean", total / d if d else low, low, high)


def fitted(family: Family, lifetimes: Lifetimes, sure: float = SURE) -> Fit | None:
    """Fit a family of laws by maximum likelihood; None where that has no maximum."""
    sample = _Sample(lifetimes)
    if len(sample.exact) < 2:
        return None  # lifetimes all alike: the likelihood grows with the shape without end
    place = _likeliest(family, sample, lifetimes)
    if place is None:
        return None
    region = _region(family, sample, place, sure)
    if region is None:
        return None
    return _fit(lifetimes, sample, family, region.parameters(), region.mean_interval())


def fitted_again(fit: Fit, lifetimes: Lifetimes) -> Law | None:
    """The law of the same family for lifetimes much like those of the fit.

    The search begins at the fit's law; None where it runs off, or the family is the exponential.
    """
    family = next((each for each in SHAPED if each.name == fit.family), None)
    if family is None:
        return None
    there = tuple(parameter.value for parameter in fit.parameters)
    near = replace(family, starts=lambda _: iter((there,)))
    place = _likeliest(near, _Sample(lifetimes), lifetimes)
    return None if place is None else _presentable(family, list(family.parameters(place)))


def fits(lifetimes: Lifetimes) -> tuple[Fit, ...]:
    """Every law that the lifetimes can tell apart, the exponential first; T must not be 0."""
    enough = [f for f in SHAPED if lifetimes.ends >= FEW * (len(f.bounds) - 1)]
    found = (fitted(family, lifetimes) for family in enough)
    return exponential(lifetimes), *(fit for fit in found if fit)


def choose(candidates: Sequence[Fit]) -> Fit:
    """The law with the lowest AICc, or the first of those less than 2 behind: the most usual one.

    A law without a mean is not chosen: it says nothing of late ends.
    """
    usable = [fit for fit in candidates if fit.law.mean < math.inf]
    best = min(fit.aicc for fit in usable)
    return next(fit for fit in usable if fit.aicc < best + 2 or fit.aicc == best)


def _likeliest(family: Family, sample: _Sample, lifetimes: Lifetimes) -> Floats | None:
    """The place with the highest likelihood, if it is within the family's bounds."""
    minimize = _minimizer()
    low, high = family.edges()

    def cost(place: Floats) -> float:
        return min(-sample.loglik(family, place) / sample.ends, 1e300)

    found = [
        minimize(
            cost,
            np.clip(family.place(start), low + 0.1, high - 0.1),
            method="L-BFGS-B",
            jac=lambda place: _gradient(cost, place),
            bounds=list(zip(low, high, strict=True)),
            options={"ftol": 1e-12, "gtol": 1e-7},
        )
        for start in family.starts(lifetimes)
    ]
    place: Floats = min(found, key=lambda each: each.fun).x
    inside = np.all((place > low + 1e-6) & (place < high - 1e-6))
    return _in_order(family, place) if inside else None


def _minimizer() -> Callable[..., Any]:
    from scipy.optimize import minimize

    return minimize


def _in_order(family: Family, place: Floats) -> Floats:
    """The shorter regime first, of two that are of one kind."""
    if "mean2" not in family.bounds or place[1] <= place[2]:
        return place
    return np.array([-place[0], place[2], place[1]])


def _fit(
    lifetimes: Lifetimes,
    sample: _Sample,
    family: Family,
    parameters: tuple[Parameter, ...],
    mean_interval_s: tuple[float, float] | None,
) -> Fit:
    values = [parameter.value for parameter in parameters]
    law, place = _presentable(family, values), family.place(values)
    loglik = sample.loglik(family, place)
    return Fit(
        law,
        loglik,
        _penalty(len(place), lifetimes.ends) - 2 * loglik,
        lifetimes.ends,
        lifetimes.exposure_s,
        _misfit(lifetimes, law),
        mean_interval_s,
        parameters,
        _goodness(lifetimes, sample, family, place),
        family.name,
    )


def _presentable(family: Family, values: list[float]) -> Law:
    """The law; a mixture's weights in four digits, that they still add up to 1 when written."""
    if family is TWO_REGIMES:
        values = [round(values[0], 4), *values[1:]]
    return family.law(*values)


def _penalty(parameters: int, ends: int) -> float:
    """AICc's, with the number of observed ends for the sample size: censored ones tell little."""
    spare = ends - parameters - 1
    return 2 * parameters * (1 + (parameters + 1) / spare) if spare > 0 else math.inf


def _misfit(lifetimes: Lifetimes, law: Law) -> float:
    if not lifetimes.ends:
        return 0.0
    found = kaplan_meier(lifetimes)
    before = np.concatenate(([1.0], found.survival[:-1]))
    told = law.survival(found.times_s)
    return float(np.max(np.abs([told - found.survival, told - before])))


# --- how sure -------------------------------------------------------------------------------------


class _Region:
    """The places that a likelihood-ratio test does not reject.

    In coordinates in which the region is nearly the ball of radius √q: `axes` has their directions.
    """

    def __init__(
        self, family: Family, sample: _Sample, place: Floats, axes: Floats, q: float
    ) -> None:
        self.family, self.sample, self.place, self.axes, self.q = family, sample, place, axes, q
        self.low, self.high = family.edges()
        self.top = sample.loglik(family, place)

    def at(self, z: Floats) -> Floats:
        return np.clip(self.place + self.axes @ z, self.low, self.high)

    def spare(self, z: Floats) -> float:
        """How much less likely a place may still be; negative outside the region."""
        return max(self.q / 2 - (self.top - self.sample.loglik(self.family, self.at(z))), -1e6)

    def parameters(self) -> tuple[Parameter, ...]:
        values = self.family.parameters(self.place)
        pairs = enumerate(zip(self.family.bounds, values, strict=True))
        return tuple(Parameter(name, value, *self._side(n)) for n, (name, value) in pairs)

    def _side(self, n: int) -> tuple[float, float]:
        """The least and the greatest of the n-th parameter."""
        (low, first), (high, last) = self._span(lambda place: float(place[n]))
        ends = self.family.parameters(first)[n], self.family.parameters(last)[n]
        return (
            ends[0] if low > self.low[n] + _NEAR else 0.0,
            ends[1] if high < self.high[n] - _NEAR else self.family.most(n),
        )

    def mean_interval(self) -> tuple[float, float] | None:
        """Of the mean, in seconds; to infinity where some law of the region has none."""

        def log_mean(place: Floats) -> float:
            law = self.family.law(*self.family.parameters(place))
            return min(math.log(law.mean), _LOG_MEAN_MAX)

        if log_mean(self.place) == _LOG_MEAN_MAX:
            return None
        (low, _), (high, place) = self._span(log_mean)
        bounded = high < _LOG_MEAN_MAX - 1 and np.all(np.abs(place - self.high) > _NEAR)
        return math.exp(low), math.exp(high) if bounded else math.inf

    def _span(self, value: Callable[[Floats], float]) -> list[tuple[float, Floats]]:
        """The least and the greatest of a function of the place, in the region, and where."""
        ends = [self._end(value, sign) for sign in (1.0, -1.0)]
        return [(value(place), place) for place in ends]

    def _end(self, value: Callable[[Floats], float], sign: float) -> Floats:
        def signed(z: Floats) -> float:
            return sign * value(self.at(z))

        origin = np.zeros(len(self.place))
        slope = _gradient(signed, origin)
        steep = float(np.linalg.norm(slope)) or 1.0
        found = _minimizer()(
            lambda z: signed(z) / steep,
            -slope / steep * math.sqrt(self.q),
            method="SLSQP",
            jac=lambda z: _gradient(signed, z) / steep,
            constraints=[
                {"type": "ineq", "fun": self.spare, "jac": lambda z: _gradient(self.spare, z)}
            ],
            options={"ftol": 1e-6, "maxiter": 100},
        )
        end: Floats = found.x
        return self.at(end)


def _region(family: Family, sample: _Sample, place: Floats, sure: float) -> _Region | None:
    """None where the likelihood is flat: what it says of the parameters is nothing."""
    from scipy.stats import chi2

    spread, directions = np.linalg.eigh(-_curvature(family, sample, place))
    if not np.all(spread > _LEAST_KNOWN):
        return None
    axes = directions / np.sqrt(spread)
    return _Region(family, sample, place, axes, float(chi2.ppf(sure, 1)))


def _gradient(
    function: Callable[[Floats], float], place: Floats, step: float = _SHORT_STEP
) -> Floats:
    steps = step * np.eye(len(place))
    return np.array([(function(place + h) - function(place - h)) / (2 * step) for h in steps])


def _curvature(family: Family, sample: _Sample, place: Floats) -> Floats:
    """The log-likelihood's second derivatives, by central differences."""

    def slope(at: Floats) -> Floats:
        return _gradient(lambda x: sample.loglik(family, x), at, _STEP)

    steps = _STEP * np.eye(len(place))
    with np.errstate(invalid="ignore"):
        found = np.array([(slope(place + h) - slope(place - h)) / (2 * _STEP) for h in steps])
    even: Floats = np.nan_to_num((found + found.T) / 2, nan=0.0, posinf=0.0, neginf=0.0)
    return even


# --- does it fit ----------------------------------------------------------------------------------


def _goodness(lifetimes: Lifetimes, sample: _Sample, family: Family, place: Floats) -> float | None:
    """The p-value of a chi-square test: ends between certain ages, against those expected.

    What is expected is the integral of the hazard over the time at risk, so that censoring of any
    kind is allowed for, and so is it that the parameters are from the same lifetimes (Hjort, Annals
    of Statistics 18, 1990, 1221-1258; Akritas, JASA 83, 1988).
    """
    from scipy.stats import chi2

    parts = min(_PARTS, lifetimes.ends // _PART)
    if parts < len(place) + 2:
        return None
    durations, counts = _counted(_at_least_a_tick(lifetimes))
    ages = _ages(family, place, durations, counts, parts)

    def expected(at: Floats) -> Floats:
        return _expected(family, at, durations, counts, ages)

    found = expected(place)
    if not (np.all(found > 0) and np.all(np.isfinite(found))):
        return 0.0  # ends where the law has none
    steps = _STEP * np.eye(len(place))
    slopes = np.array([(expected(place + h) - expected(place - h)) / (2 * _STEP) for h in steps])
    scaled = slopes / np.sqrt(found)
    taken = scaled.T @ np.linalg.pinv(-_curvature(family, sample, place)) @ scaled
    spread, directions = np.linalg.eigh(np.eye(len(found)) - taken)
    kept = spread > 1 - _TAKEN_UP
    z = directions.T @ ((_ends(lifetimes, ages) - found) / np.sqrt(found))
    return float(chi2.sf(np.sum(z[kept] ** 2 / spread[kept]), int(np.count_nonzero(kept))))


def _ages(family: Family, place: Floats, durations: Floats, counts: Floats, parts: int) -> Floats:
    """Ages with as many ends expected between any two, from 0 to the longest lifetime."""
    grid = np.concatenate(([0.0], np.quantile(durations, np.linspace(0, 1, 400))))
    passed = np.cumsum(_expected(family, place, durations, counts, grid))
    goals = passed[-1] * np.arange(1, parts) / parts
    inner = np.interp(goals, passed, grid[1:])
    return np.concatenate(([0.0], inner, [durations[-1]]))


def _at_least_a_tick(lifetimes: Lifetimes) -> Floats:
    durations, observed = np.array(lifetimes.durations_s), np.array(lifetimes.observed, dtype=bool)
    return np.where(observed & (durations == 0), _RESOLUTION_S, durations)


def _ends(lifetimes: Lifetimes, ages: Floats) -> Floats:
    """The observed ends between the ages."""
    seen = _at_least_a_tick(lifetimes)[np.array(lifetimes.observed, dtype=bool)]
    place = np.searchsorted(ages, seen, side="left") - 1
    return np.bincount(np.clip(place, 0, None), minlength=len(ages) - 1).astype(np.float64)


def _expected(
    family: Family, place: Floats, durations: Floats, counts: Floats, ages: Floats
) -> Floats:
    """Ends expected between the ages: the cumulative hazard that the lifetimes went through."""
    with np.errstate(all="ignore"):
        times = np.minimum(durations[:, None], ages[None, 1:])
        passed = -family.log_survival(times, family.parameters(place))
        return np.diff(counts @ np.where(times > 0, passed, 0.0), prepend=0.0)
