"""Laws: how long a slot lasts, a transfer takes, a machine stays away.

Everything here is in float seconds. With S(t) = P(X > t), the functions of a law are

    survival       S(t), and survival_left = P(X >= t), which is more at an atom
    quantile       the smallest t with S(t) < 1 - u: draws are quantile(uniform), so that a change
                   of scale or shape keeps the pairing of draws
    limited_mean   E[min(X, limit)], the integral of S from 0 to limit (actuaries' limited
                   expected value; Klugman, Panjer, Willmot, Loss Models, appendix A)

The parameters are checked where they are read (lawtext.py) and only asserted here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ckptsim.units import LONGEST, SECOND, spelled_seconds

FloatArray = NDArray[np.float64]


@runtime_checkable
class Law(Protocol):
    """A distribution of times, in seconds, never negative."""

    @property
    def mean(self) -> float:
        """E[X]; infinite for Never."""

    @property
    def lowest(self) -> float:
        """The largest time below which X never falls."""

    @property
    def highest(self) -> float:
        """The smallest time above which X never rises; may be infinite."""

    def quantile(self, u: FloatArray) -> FloatArray:
        """The smallest t with P(X > t) < 1 - u, for each u in [0, 1)."""

    def survival(self, t: FloatArray) -> FloatArray:
        """P(X > t); 1 where t < 0."""

    def survival_left(self, t: FloatArray) -> FloatArray:
        """P(X >= t): what an event in the very instant t has still outlived."""

    def limited_mean(self, limit: float) -> float:
        """E[min(X, limit)]; the limit may be infinite."""

    def kinks(self) -> tuple[float, ...]:
        """Ascending times at which the survival or its slope is not smooth, for quadrature."""

    def scaled(self, factor: float) -> "Law":
        """The law of factor * X."""

    def describe(self) -> str:
        """The law as lawtext.py reads it, exactly."""


@dataclass(frozen=True)
class Never:
    """What does not happen."""

    mean: float = field(default=math.inf, init=False)
    lowest: float = field(default=math.inf, init=False)
    highest: float = field(default=math.inf, init=False)

    def quantile(self, u: FloatArray) -> FloatArray:
        return np.full_like(u, math.inf)

    def survival(self, t: FloatArray) -> FloatArray:
        return np.ones_like(t)

    def survival_left(self, t: FloatArray) -> FloatArray:
        return np.ones_like(t)

    def limited_mean(self, limit: float) -> float:
        return max(0.0, limit)

    def kinks(self) -> tuple[float, ...]:
        return ()

    def scaled(self, factor: float) -> "Never":
        assert factor > 0
        return self

    def describe(self) -> str:
        return "none"


@dataclass(frozen=True)
class Constant:
    """Always the same time."""

    value: float

    def __post_init__(self) -> None:
        assert 0 <= self.value < math.inf

    @property
    def mean(self) -> float:
        return self.value

    @property
    def lowest(self) -> float:
        return self.value

    @property
    def highest(self) -> float:
        return self.value

    def quantile(self, u: FloatArray) -> FloatArray:
        return np.full_like(u, self.value)

    def survival(self, t: FloatArray) -> FloatArray:
        return np.where(t < self.value, 1.0, 0.0)

    def survival_left(self, t: FloatArray) -> FloatArray:
        return np.where(t <= self.value, 1.0, 0.0)

    def limited_mean(self, limit: float) -> float:
        return min(self.value, max(0.0, limit))

    def kinks(self) -> tuple[float, ...]:
        return (self.value,)

    def scaled(self, factor: float) -> "Constant":
        return Constant(self.value * factor)

    def describe(self) -> str:
        return f"constant({spelled_seconds(self.value)})"


class _Smooth:
    """What the laws on [0, inf) without atoms have in common."""

    lowest = 0.0
    highest = math.inf

    def survival(self, t: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # t / scale may pass the largest float: survival is 0
            return self._survival(np.maximum(t, 0.0))

    def survival_left(self, t: FloatArray) -> FloatArray:
        return self.survival(t)

    def kinks(self) -> tuple[float, ...]:
        return ()

    def _survival(self, t: FloatArray) -> FloatArray:
        raise NotImplementedError


@dataclass(frozen=True)
class Exponential(_Smooth):
    """No memory: S = e^(-t/mean)."""

    mean: float

    def __post_init__(self) -> None:
        assert 0 < self.mean < math.inf

    def quantile(self, u: FloatArray) -> FloatArray:
        return -self.mean * np.log1p(-u)

    def _survival(self, t: FloatArray) -> FloatArray:
        return np.exp(-t / self.mean)

    def limited_mean(self, limit: float) -> float:
        return -self.mean * math.expm1(-max(0.0, limit) / self.mean)

    def scaled(self, factor: float) -> "Exponential":
        return Exponential(self.mean * factor)

    def describe(self) -> str:
        return f"exponential(mean={spelled_seconds(self.mean)})"


@dataclass(frozen=True)
class Weibull(_Smooth):
    """S = e^(-(t/scale)^shape): a shape below 1 is a falling hazard, above 1 a rising one."""

    shape: float
    scale: float

    def __post_init__(self) -> None:
        assert self.shape > 0
        assert 0 < self.scale < math.inf

    @classmethod
    def of_mean(cls, shape: float, mean: float) -> "Weibull":
        """The Weibull of this shape with this mean, in seconds."""
        return cls(shape, mean / math.gamma(1 + 1 / shape))

    @property
    def mean(self) -> float:
        return self.scale * math.gamma(1 + 1 / self.shape)

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.scale * np.power(-np.log1p(-u), 1 / self.shape)

    def _survival(self, t: FloatArray) -> FloatArray:
        return np.exp(-np.power(t / self.scale, self.shape))

    def limited_mean(self, limit: float) -> float:
        from scipy.special import gammainc

        if limit <= 0 or limit == math.inf:
            return 0.0 if limit <= 0 else self.mean
        with np.errstate(over="ignore"):
            reached = np.power(limit / self.scale, self.shape)
        return float(self.mean * gammainc(1 / self.shape, reached))

    def scaled(self, factor: float) -> "Weibull":
        return replace(self, scale=self.scale * factor)

    def describe(self) -> str:
        """By the mean where that is a round number and gives the same scale, as people write it."""
        mean = round(self.mean, 3)
        if 0 < mean <= LONGEST / SECOND and Weibull.of_mean(self.shape, mean) == self:
            return f"weibull(shape={self.shape!r}, mean={spelled_seconds(mean)})"
        return f"weibull(shape={self.shape!r}, scale={spelled_seconds(self.scale)})"


@dataclass(frozen=True)
class LogNormal(_Smooth):
    """log X is normal about log median, with standard deviation sigma."""

    median: float
    sigma: float

    def __post_init__(self) -> None:
        assert 0 < self.median < math.inf
        assert self.sigma > 0

    @property
    def mean(self) -> float:
        return self.median * math.exp(self.sigma**2 / 2)

    def quantile(self, u: FloatArray) -> FloatArray:
        from scipy.special import ndtri

        return np.asarray(self.median * np.exp(self.sigma * ndtri(u)))

    def _survival(self, t: FloatArray) -> FloatArray:
        from scipy.special import ndtr

        with np.errstate(divide="ignore"):  # log 0 is -inf, and the survival there 1
            return np.asarray(ndtr(-np.log(t / self.median) / self.sigma))

    def limited_mean(self, limit: float) -> float:
        from scipy.special import ndtr

        if limit <= 0 or limit == math.inf:
            return 0.0 if limit <= 0 else self.mean
        z = math.log(limit / self.median) / self.sigma
        return float(self.mean * ndtr(z - self.sigma) + limit * ndtr(-z))

    def scaled(self, factor: float) -> "LogNormal":
        return replace(self, median=self.median * factor)

    def describe(self) -> str:
        return f"lognormal(median={spelled_seconds(self.median)}, sigma={self.sigma!r})"


@dataclass(frozen=True)
class LogLogistic(_Smooth):
    """The odds of having ended grow as a power of time: S = 1/(1 + (t/median)^shape).

    The risk rises and then falls for shapes above 1. Only those have a mean.
    """

    median: float
    shape: float

    def __post_init__(self) -> None:
        assert 0 < self.median < math.inf
        assert self.shape > 0

    @property
    def mean(self) -> float:
        if self.shape <= 1:
            return math.inf
        angle = math.pi / self.shape
        return self.median * angle / math.sin(angle)

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.median * np.power(u / (1 - u), 1 / self.shape)

    def _survival(self, t: FloatArray) -> FloatArray:
        return 1 / (1 + np.power(t / self.median, self.shape))

    def limited_mean(self, limit: float) -> float:
        from scipy.special import betainc, hyp2f1

        if limit <= 0 or limit == math.inf:
            return 0.0 if limit <= 0 else self.mean
        with np.errstate(over="ignore"):
            odds, power = np.power(limit / self.median, self.shape), 1 / self.shape
        if self.shape <= 1:
            return float(limit * hyp2f1(1, power, 1 + power, -odds))
        share = odds / (1 + odds) if odds < math.inf else 1.0
        return float(self.mean * betainc(1 + power, 1 - power, share) + limit / (1 + odds))

    def scaled(self, factor: float) -> "LogLogistic":
        return replace(self, median=self.median * factor)

    def describe(self) -> str:
        return f"loglogistic(median={spelled_seconds(self.median)}, shape={self.shape!r})"


@dataclass(frozen=True)
class Gamma(_Smooth):
    """Gamma by its mean and coefficient of variation: shape 1/cv², scale mean·cv²."""

    mean: float
    cv: float

    def __post_init__(self) -> None:
        assert 0 < self.mean < math.inf
        assert self.cv > 0

    @property
    def shape(self) -> float:
        return self.cv**-2

    @property
    def scale(self) -> float:
        return self.mean * self.cv**2

    def quantile(self, u: FloatArray) -> FloatArray:
        from scipy.special import gammaincinv

        return np.asarray(self.scale * gammaincinv(self.shape, u))

    def _survival(self, t: FloatArray) -> FloatArray:
        from scipy.special import gammaincc

        return np.asarray(gammaincc(self.shape, t / self.scale))

    def limited_mean(self, limit: float) -> float:
        from scipy.special import gammainc, gammaincc

        if limit <= 0 or limit == math.inf:
            return 0.0 if limit <= 0 else self.mean
        x = limit / self.scale
        below = self.mean * gammainc(self.shape + 1, x)
        return float(below + limit * gammaincc(self.shape, x))

    def scaled(self, factor: float) -> "Gamma":
        return replace(self, mean=self.mean * factor)

    def describe(self) -> str:
        return f"gamma(mean={spelled_seconds(self.mean)}, cv={self.cv!r})"


@dataclass(frozen=True)
class HyperExponential(_Smooth):
    """Exponential of mean1 with probability p, else of mean2."""

    p: float
    mean1: float
    mean2: float

    def __post_init__(self) -> None:
        assert 0 < self.p < 1
        assert min(self.mean1, self.mean2) > 0
        assert max(self.mean1, self.mean2) < math.inf

    @property
    def mean(self) -> float:
        return self.p * self.mean1 + (1 - self.p) * self.mean2

    def quantile(self, u: FloatArray) -> FloatArray:
        """By Newton's method on log S, which is convex: from 0 it rises to the root, never past."""
        goal = np.log1p(-np.asarray(u, np.float64))
        t = np.zeros_like(goal)
        for _ in range(200):
            step = self._newton_step(t, goal)
            if not np.any(going := step > 1e-15 * t):
                break
            t = np.where(going, t + step, t)
        return t

    def _newton_step(self, t: FloatArray, goal: FloatArray) -> FloatArray:
        # The slower part is taken out of the logarithm, so that nothing underflows far out.
        (p, fast), (q, slow) = sorted(
            [(self.p, self.mean1), (1 - self.p, self.mean2)], key=lambda part: part[1]
        )
        gone = p * np.expm1(t / slow - t / fast)
        faded = p + gone
        excess = np.log1p(gone) - t / slow - goal
        return excess * (q + faded) / (q / slow + faded / fast)

    def _survival(self, t: FloatArray) -> FloatArray:
        return self.p * np.exp(-t / self.mean1) + (1 - self.p) * np.exp(-t / self.mean2)

    def limited_mean(self, limit: float) -> float:
        first, second = Exponential(self.mean1), Exponential(self.mean2)
        return self.p * first.limited_mean(limit) + (1 - self.p) * second.limited_mean(limit)

    def scaled(self, factor: float) -> "HyperExponential":
        return replace(self, mean1=self.mean1 * factor, mean2=self.mean2 * factor)

    def describe(self) -> str:
        means = f"mean1={spelled_seconds(self.mean1)}, mean2={spelled_seconds(self.mean2)}"
        return f"hyperexponential(p={self.p!r}, {means})"


@dataclass(frozen=True)
class Uniform:
    """Any time from low to high alike."""

    low: float
    high: float

    def __post_init__(self) -> None:
        assert 0 <= self.low < self.high < math.inf

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def lowest(self) -> float:
        return self.low

    @property
    def highest(self) -> float:
        return self.high

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.low + (self.high - self.low) * u

    def survival(self, t: FloatArray) -> FloatArray:
        return (self.high - np.clip(t, self.low, self.high)) / (self.high - self.low)

    def survival_left(self, t: FloatArray) -> FloatArray:
        return self.survival(t)

    def limited_mean(self, limit: float) -> float:
        x = min(max(0.0, limit), self.high)
        return x - max(0.0, x - self.low) ** 2 / (2 * (self.high - self.low))

    def kinks(self) -> tuple[float, ...]:
        return (self.low, self.high)

    def scaled(self, factor: float) -> "Uniform":
        return Uniform(self.low * factor, self.high * factor)

    def describe(self) -> str:
        return f"uniform({spelled_seconds(self.low)}, {spelled_seconds(self.high)})"


@dataclass(frozen=True)
class Triangular:
    """Between low and high, most often about mode: what one can say without data."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        assert 0 <= self.low <= self.mode <= self.high < math.inf
        assert self.low < self.high

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3

    @property
    def lowest(self) -> float:
        return self.low

    @property
    def highest(self) -> float:
        return self.high

    def quantile(self, u: FloatArray) -> FloatArray:
        width, rising, falling = self._sides()
        below = self.low + np.sqrt(u * width * rising)
        above = self.high - np.sqrt((1 - u) * width * falling)
        return np.where(u * width < rising, below, above)

    def survival(self, t: FloatArray) -> FloatArray:
        width, rising, falling = self._sides()
        t = np.clip(t, self.low, self.high)
        # max: where a side is of no width its formula is not used, and must not divide by 0.
        below = 1 - (t - self.low) ** 2 / (width * max(rising, math.ulp(width)))
        above = (self.high - t) ** 2 / (width * max(falling, math.ulp(width)))
        return np.where(t < self.mode, below, np.minimum(above, 1.0))

    def survival_left(self, t: FloatArray) -> FloatArray:
        return self.survival(t)

    def limited_mean(self, limit: float) -> float:
        width, rising, falling = self._sides()
        x = min(max(0.0, limit), self.high)
        if x <= self.low:
            return x
        if x < self.mode:
            return x - (x - self.low) ** 3 / (3 * width * rising)
        return self.mean - ((self.high - x) ** 3 / (3 * width * falling) if falling else 0.0)

    def kinks(self) -> tuple[float, ...]:
        return tuple(sorted({self.low, self.mode, self.high}))

    def scaled(self, factor: float) -> "Triangular":
        return Triangular(self.low * factor, self.mode * factor, self.high * factor)

    def describe(self) -> str:
        corners = ", ".join(spelled_seconds(t) for t in (self.low, self.mode, self.high))
        return f"triangular({corners})"

    def _sides(self) -> tuple[float, float, float]:
        return self.high - self.low, self.mode - self.low, self.high - self.mode


@dataclass(frozen=True)
class Bathtub:
    """Early losses, a quiet middle, a deadline about b, as of preemptible cloud machines.

    F = a(1 - e^(-t/tau1) + e^((t-b)/tau2)), clipped to [0, 1] (Kadupitiya, Jadhao, Sharma,
    HPDC 2020). It leaves a small atom a e^(-b/tau2) at 0, and ends where F reaches 1.
    """

    a: float
    tau1: float
    tau2: float
    b: float

    def __post_init__(self) -> None:
        assert 0 < self.a <= 1
        assert min(self.tau1, self.tau2, self.b) > 0
        assert max(self.tau1, self.tau2, self.b) < math.inf

    lowest = 0.0

    @cached_property
    def mean(self) -> float:
        return self.limited_mean(math.inf)

    @cached_property
    def highest(self) -> float:
        """Where F = 1. By then e^((t-b)/tau2) is at most 1/a, so that is an upper bound."""
        bound = np.array([self.b - self.tau2 * math.log(self.a) + self.tau2])
        return float(_first(lambda t: self._left(t) <= 0, np.zeros(1), bound)[0])

    def quantile(self, u: FloatArray) -> FloatArray:
        u = np.asarray(u, np.float64)
        high = np.full_like(u, self.highest)
        return _first(lambda t: self._left(t) < 1 - u, np.zeros_like(u), high)

    def survival(self, t: FloatArray) -> FloatArray:
        inside = self._left(np.clip(t, 0.0, self.highest))
        return np.where(t < 0, 1.0, np.where(t >= self.highest, 0.0, np.clip(inside, 0.0, 1.0)))

    def survival_left(self, t: FloatArray) -> FloatArray:
        return np.where(t <= 0, 1.0, self.survival(t))

    def limited_mean(self, limit: float) -> float:
        x = min(max(0.0, limit), self.highest)
        early = self.tau1 * -math.expm1(-x / self.tau1)
        late = self.tau2 * (math.exp((x - self.b) / self.tau2) - math.exp(-self.b / self.tau2))
        return (1 - self.a) * x + self.a * (early - late)

    def kinks(self) -> tuple[float, ...]:
        return (0.0, self.highest)

    def scaled(self, factor: float) -> "Bathtub":
        return Bathtub(self.a, self.tau1 * factor, self.tau2 * factor, self.b * factor)

    def describe(self) -> str:
        times = {"tau1": self.tau1, "tau2": self.tau2, "b": self.b}
        rest = ", ".join(f"{name}={spelled_seconds(time)}" for name, time in times.items())
        return f"bathtub(a={self.a!r}, {rest})"

    def _left(self, t: FloatArray) -> FloatArray:
        """1 - F, not clipped."""
        return 1 - self.a * (-np.expm1(-t / self.tau1) + np.exp((t - self.b) / self.tau2))


@dataclass(frozen=True)
class Empirical:
    """Times as they were measured, each as likely as the others: the steps of the data, no fit."""

    values: tuple[float, ...]
    source: str = field(default="", compare=False)  # FILE:COLUMN, for describe

    def __post_init__(self) -> None:
        assert self.values
        assert all(0 <= value < math.inf for value in self.values)
        object.__setattr__(self, "values", tuple(sorted(map(float, self.values))))

    @cached_property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def lowest(self) -> float:
        return self.values[0]

    @property
    def highest(self) -> float:
        return self.values[-1]

    def quantile(self, u: FloatArray) -> FloatArray:
        # u just below 1 times a large count may round to the count itself.
        place = np.minimum(np.floor(np.asarray(u) * len(self.values)), len(self.values) - 1)
        return self._sorted[place.astype(np.intp)]

    def survival(self, t: FloatArray) -> FloatArray:
        return self._share_after(np.searchsorted(self._sorted, t, side="right"))

    def survival_left(self, t: FloatArray) -> FloatArray:
        return self._share_after(np.searchsorted(self._sorted, t, side="left"))

    def limited_mean(self, limit: float) -> float:
        if limit >= self.highest:
            return self.mean
        count = int(np.searchsorted(self._sorted, limit, side="right"))
        below = float(self._sums[count])
        return max(0.0, below + limit * (len(self.values) - count)) / len(self.values)

    def kinks(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys(self.values))

    def scaled(self, factor: float) -> "Empirical":
        return Empirical(tuple(value * factor for value in self.values))

    def describe(self) -> str:
        return f"empirical({self.source or ', '.join(map(spelled_seconds, self.values))})"

    @cached_property
    def _sorted(self) -> FloatArray:
        return np.array(self.values)

    @cached_property
    def _sums(self) -> FloatArray:
        return np.concatenate([[0.0], np.cumsum(self._sorted)])

    def _share_after(self, count: NDArray[np.intp]) -> FloatArray:
        return (len(self.values) - np.asarray(count, np.float64)) / len(self.values)


@dataclass(frozen=True)
class Mixture:
    """One of several laws, each with its weight; constants among them are atoms."""

    weights: tuple[float, ...]
    laws: tuple[Law, ...]

    def __post_init__(self) -> None:
        assert len(self.weights) == len(self.laws) > 0
        assert all(weight > 0 for weight in self.weights)
        assert abs(math.fsum(self.weights) - 1) < 1e-9

    @property
    def mean(self) -> float:
        return self._sum([law.mean for law in self.laws])

    @property
    def lowest(self) -> float:
        return min(law.lowest for law in self.laws)

    @property
    def highest(self) -> float:
        return max(law.highest for law in self.laws)

    def quantile(self, u: FloatArray) -> FloatArray:
        """By bisection: it lies between the least and the greatest of the parts' quantiles."""
        u = np.asarray(u, np.float64)
        parts = np.array([law.quantile(u) for law in self.laws])
        found = _first(lambda t: self.survival(t) < 1 - u, parts.min(axis=0), parts.max(axis=0))
        return np.asarray(found)

    def survival(self, t: FloatArray) -> FloatArray:
        return self._sum_arrays([law.survival(t) for law in self.laws])

    def survival_left(self, t: FloatArray) -> FloatArray:
        return self._sum_arrays([law.survival_left(t) for law in self.laws])

    def limited_mean(self, limit: float) -> float:
        return self._sum([law.limited_mean(limit) for law in self.laws])

    def kinks(self) -> tuple[float, ...]:
        return tuple(sorted({kink for law in self.laws for kink in law.kinks()}))

    def scaled(self, factor: float) -> "Mixture":
        return Mixture(self.weights, tuple(law.scaled(factor) for law in self.laws))

    def describe(self) -> str:
        pairs = zip(self.weights, self.laws, strict=True)
        return f"mixture({', '.join(f'{weight!r}: {law.describe()}' for weight, law in pairs)})"

    def _sum(self, values: list[float]) -> float:
        total = math.fsum(w * value for w, value in zip(self.weights, values, strict=True))
        return total / math.fsum(self.weights)

    def _sum_arrays(self, arrays: list[FloatArray]) -> FloatArray:
        # A sum in order, not a dot product: BLAS's order depends on the arrays' length. Weights
        # such as ten times 0.1 fall short of 1; the whole must not.
        total, whole = np.zeros_like(arrays[0]), 0.0
        for weight, array in zip(self.weights, arrays, strict=True):
            total, whole = total + weight * array, whole + weight
        return np.minimum(total / whole, 1.0)


def _first(
    reached: Callable[[FloatArray], NDArray[np.bool_]], low: FloatArray, high: FloatArray
) -> FloatArray:
    """The first float in [low, high] at which a condition holds that goes on holding; else high.

    By bisection on the floats' own order (the bits of floats >= 0 are in the order of the floats):
    at most 64 steps, exact to the last bit, the same for an element whatever its neighbours.
    """
    # + 0.0 makes -0.0, whose bits are negative, 0.0.
    below = (np.asarray(low, np.float64) + 0.0).view(np.int64) - 1
    at = (np.asarray(high, np.float64) + 0.0).view(np.int64)
    while np.any(at - below > 1):
        middle = below + (at - below) // 2
        holds = reached(np.maximum(middle, 0).view(np.float64))
        open_ = at - below > 1
        at = np.where(open_ & holds, middle, at)
        below = np.where(open_ & ~holds, middle, below)
    return at.view(np.float64)
