"""One draw from a law, a number at a time; all drivers draw with the functions of this file.

NumPy's vectorised log1p, exp and power differ from the C library's in the last bit of some values,
so draws made with one and with the other would part. Here is scalar Python only, on the functions
of `math` and SciPy's scalar ones. Python calls it as it is and Numba compiles it as it is, and both
end in the same machine code of the same libraries: the numbers are equal to the last bit. There is
no `**` in it, which compilers like to rewrite, and nothing that raises in Python where compiled
code goes on.

A law is coded (lifetimes.py has the classes, `coded` makes the codes) as floats in a row, its kind
first, so that many laws lie in one array and one is known by where it begins:

    NEVER_COMES                            HYPEREXPONENTIAL  p, fast, q, slow (means, fast < slow)
    CONSTANT     value                     TRIANGULAR  low, high, width, rising, falling
    EXPONENTIAL  mean                      BATHTUB     a, tau1, tau2, b, highest
    WEIBULL      shape, scale              EMPIRICAL   count, then the values, ascending
    LOGNORMAL    median, sigma             MIXTURE     count, for each part its weight and where
    GAMMA        shape, scale                          its code begins, then the parts' codes
    UNIFORM      low, width
    LOGLOGISTIC  median, shape

A mixture of mixtures is coded as one mixture, since compiled functions do not call themselves.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ckptsim.rules import NEVER

if TYPE_CHECKING:
    from ckptsim.lifetimes import Law

NEVER_COMES = 0.0
CONSTANT = 1.0
EXPONENTIAL = 2.0
WEIBULL = 3.0
LOGNORMAL = 4.0
GAMMA = 5.0
HYPEREXPONENTIAL = 6.0
UNIFORM = 7.0
TRIANGULAR = 8.0
BATHTUB = 9.0
EMPIRICAL = 10.0
MIXTURE = 11.0
LOGLOGISTIC = 12.0

SECOND = 1e9  # nanoseconds
UNIT = 2.0**-53  # times the upper 53 bits of a word is the float in [0, 1) that it stands for
LATEST = 1e290  # seconds; later is infinite, as is no quantile of a law that can be written
ULP = 2.0**-52  # of 1
EXPONENT_MOST = 709.0  # math.exp raises soon after


def nanoseconds_of(seconds: float) -> int:
    """Whole nanoseconds, halves to the even one; NEVER for what is infinite or beyond it."""
    scaled = seconds * SECOND
    if scaled >= NEVER:
        return NEVER
    return round(scaled)


def takes_no_chance(codes: Sequence[float], at: int) -> bool:
    """Is every draw from the law that begins at `at` the same?"""
    return codes[at] <= CONSTANT


def quantile(codes: Sequence[float], at: int, u: float) -> float:
    """The least t, in seconds, with P(X > t) < 1 - u; for u in [0, 1)."""
    if codes[at] == MIXTURE:
        return mixture_quantile(codes, at, u)
    return part_quantile(codes, at, u)


def part_quantile(codes: Sequence[float], at: int, u: float) -> float:
    """The quantile of any law but a mixture."""
    kind = codes[at]
    if kind == EXPONENTIAL:
        return -codes[at + 1] * math.log1p(-u)
    if kind == WEIBULL:
        return codes[at + 2] * power(-math.log1p(-u), 1 / codes[at + 1])
    if kind == UNIFORM:
        return codes[at + 1] + codes[at + 2] * u
    if kind == CONSTANT:
        return codes[at + 1]
    if kind == NEVER_COMES:
        return math.inf
    return rarer_quantile(codes, at, u)


def rarer_quantile(codes: Sequence[float], at: int, u: float) -> float:
    kind = codes[at]
    if kind == EMPIRICAL:
        return empirical_quantile(codes, at, u)
    if kind == LOGNORMAL:
        return codes[at + 1] * exponential(codes[at + 2] * ndtri(u))
    if kind == GAMMA:
        return codes[at + 2] * gammaincinv(codes[at + 1], u)
    if kind == BATHTUB:
        return first_below(codes, at, 1 - u, 0.0, codes[at + 5])
    if kind == LOGLOGISTIC:
        return codes[at + 1] * power(u / (1 - u), 1 / codes[at + 2])
    if kind == TRIANGULAR:
        return triangular_quantile(codes, at, u)
    return hyperexponential_quantile(codes, at, u)


def empirical_quantile(codes: Sequence[float], at: int, u: float) -> float:
    # u just below 1 times a large count may round to the count itself.
    place = min(int(u * codes[at + 1]), int(codes[at + 1]) - 1)
    return codes[at + 2 + place]


def triangular_quantile(codes: Sequence[float], at: int, u: float) -> float:
    width, rising, falling = codes[at + 3], codes[at + 4], codes[at + 5]
    if u * width < rising:
        return codes[at + 1] + math.sqrt(u * width * rising)
    return codes[at + 2] - math.sqrt((1 - u) * width * falling)


def hyperexponential_quantile(codes: Sequence[float], at: int, u: float) -> float:
    """By Newton's method on log S, which is convex: from 0 it rises to the root, never past."""
    goal, t = math.log1p(-u), 0.0
    for _ in range(200):
        step = newton_step(codes, at, t, goal)
        if not step > 1e-15 * t:
            break
        t += step
    return t


def newton_step(codes: Sequence[float], at: int, t: float, goal: float) -> float:
    # The slower part is taken out of the logarithm, so that nothing underflows far out.
    p, fast, q, slow = codes[at + 1], codes[at + 2], codes[at + 3], codes[at + 4]
    gone = p * math.expm1(t / slow - t / fast)
    faded = p + gone
    excess = math.log1p(gone) - t / slow - goal
    return excess * (q + faded) / (q / slow + faded / fast)


def mixture_quantile(codes: Sequence[float], at: int, u: float) -> float:
    """It lies between the least and the greatest of the parts' quantiles."""
    low, high = math.inf, 0.0
    for part in range(int(codes[at + 1])):
        t = part_quantile(codes, part_begins(codes, at, part), u)
        low, high = min(low, t), max(high, t)
    # The survival steps down at each constant: there and not between it may pass 1 - u.
    for part in range(int(codes[at + 1])):
        begins = part_begins(codes, at, part)
        if codes[begins] == CONSTANT and low < codes[begins + 1] < high:
            if survival(codes, at, codes[begins + 1]) < 1 - u:
                high = codes[begins + 1]
            else:
                low = codes[begins + 1]
    return first_below(codes, at, 1 - u, low, high)


def part_begins(codes: Sequence[float], at: int, part: int) -> int:
    return at + int(codes[at + 3 + 2 * part])


def first_below(codes: Sequence[float], at: int, left: float, low: float, high: float) -> float:
    """The first float in [low, high] at which the survival is below `left`; else high."""
    if survival(codes, at, low) < left:
        return low
    last = min(high, LATEST)
    before = last - last * (ULP / 2)  # the float before
    if survival(codes, at, before) >= left:
        return high
    low, high = of_one_size(codes, at, left, low, before)
    return first_found(codes, at, left, low, high)


def of_one_size(
    codes: Sequence[float], at: int, left: float, low: float, high: float
) -> tuple[float, float]:
    """The part of the interval in which the survival passes `left`, its ends of one magnitude."""
    while low < high / 4:
        middle = math.sqrt(low) * math.sqrt(high) if low > 0 else min(high / 16, math.sqrt(high))
        if survival(codes, at, middle) < left:
            high = middle
        elif middle > low:
            low = middle
        else:  # there is no float left between
            return low, high
    return low, high


def first_found(codes: Sequence[float], at: int, left: float, low: float, high: float) -> float:
    """The first float in (low, high] at which the survival is below `left`, as it is at high.

    By Chandrupatla's method (Adv. Eng. Software 28, 1997): inverse quadratic interpolation where
    the last three points say that it is safe, else halving, as at an atom. The newest point is `a`,
    `b` is that on the other side, `c` the one before.
    """
    a, b, c = low, high, low
    over_a, over_b = survival(codes, at, low) - left, survival(codes, at, high) - left
    over_c, share = over_a, 0.5
    while True:
        x = a + share * (b - a)
        if not min(a, b) < x < max(a, b):
            x = a + (b - a) / 2
            if not min(a, b) < x < max(a, b):
                return max(a, b)
        over = survival(codes, at, x) - left
        if (over < 0) == (over_a < 0):
            c, over_c = a, over_a
        else:
            b, over_b, c, over_c = a, over_a, b, over_b
        a, over_a = x, over
        share = share_of_way(a, b, c, over_a, over_b, over_c)


def share_of_way(a: float, b: float, c: float, f_a: float, f_b: float, f_c: float) -> float:
    """How far to go from a towards b."""
    least = min(2 * ULP * max(a, b) / abs(b - a), 0.5)
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    if phi * phi >= xi or (1 - phi) * (1 - phi) >= 1 - xi:
        return 0.5
    share = f_a / (f_b - f_a) * f_c / (f_b - f_c)
    share += (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return min(max(share, least), 1 - least)


def survival(codes: Sequence[float], at: int, t: float) -> float:
    """P(X > t) for t >= 0."""
    if codes[at] != MIXTURE:
        return part_survival(codes, at, t)
    # Weights such as ten times 0.1 fall short of 1; the whole must not.
    total, whole = 0.0, 0.0
    for part in range(int(codes[at + 1])):
        weight = codes[at + 2 + 2 * part]
        total += weight * part_survival(codes, part_begins(codes, at, part), t)
        whole += weight
    return min(total / whole, 1.0)


def part_survival(codes: Sequence[float], at: int, t: float) -> float:
    """The survival of any law but a mixture."""
    kind = codes[at]
    if kind == CONSTANT:
        return 1.0 if t < codes[at + 1] else 0.0
    if kind == EXPONENTIAL:
        return math.exp(-t / codes[at + 1])
    if kind == WEIBULL:
        return math.exp(-power(t / codes[at + 2], codes[at + 1]))
    if kind == BATHTUB:
        return bathtub_survival(codes, at, t)
    if kind == UNIFORM:
        return min(max((codes[at + 1] + codes[at + 2] - t) / codes[at + 2], 0.0), 1.0)
    if kind == NEVER_COMES:
        return 1.0
    return rarer_survival(codes, at, t)


def rarer_survival(codes: Sequence[float], at: int, t: float) -> float:
    kind = codes[at]
    if kind == EMPIRICAL:
        return 1 - count_up_to(codes, at, t) / codes[at + 1]
    if kind == LOGNORMAL:
        return ndtr(-logarithm(t / codes[at + 1]) / codes[at + 2])
    if kind == GAMMA:
        return gammaincc(codes[at + 1], t / codes[at + 2])
    if kind == TRIANGULAR:
        return triangular_survival(codes, at, t)
    if kind == LOGLOGISTIC:
        return 1 / (1 + power(t / codes[at + 1], codes[at + 2]))
    fast, slow = math.exp(-t / codes[at + 2]), math.exp(-t / codes[at + 4])
    return codes[at + 1] * fast + codes[at + 3] * slow


def bathtub_survival(codes: Sequence[float], at: int, t: float) -> float:
    if t >= codes[at + 5]:
        return 0.0
    early, late = t / codes[at + 2], (t - codes[at + 4]) / codes[at + 3]
    left = 1 - codes[at + 1] * (-math.expm1(-early) + math.exp(late))
    return min(max(left, 0.0), 1.0)


def count_up_to(codes: Sequence[float], at: int, t: float) -> int:
    """How many of the values of an empirical law are not above t."""
    low, high = 0, int(codes[at + 1])
    while low < high:
        middle = (low + high) // 2
        if codes[at + 2 + middle] <= t:
            low = middle + 1
        else:
            high = middle
    return low


def triangular_survival(codes: Sequence[float], at: int, t: float) -> float:
    low, high, width = codes[at + 1], codes[at + 2], codes[at + 3]
    if t <= low or t >= high:
        return 1.0 if t <= low else 0.0
    if t - low < codes[at + 4]:
        return 1 - (t - low) * (t - low) / (width * codes[at + 4])
    return min((high - t) * (high - t) / (width * codes[at + 5]), 1.0)


def power(base: float, exponent: float) -> float:
    """The power of a base >= 0 to an exponent > 0."""
    return exponential(exponent * logarithm(base))


def exponential(x: float) -> float:
    """e^x, infinite where that is past the floats or nearly so."""
    return math.exp(x) if x < EXPONENT_MOST else math.inf


def logarithm(x: float) -> float:
    """The logarithm of x >= 0."""
    return math.log(x) if x > 0 else -math.inf


# SciPy's scalar functions. Compiled code calls the same ones, by their addresses
# (drivers/compiled/jit.py).


def ndtri(u: float) -> float:
    """The quantile of the standard normal distribution."""
    return float(scipys().ndtri(u))


def ndtr(x: float) -> float:
    """The standard normal distribution function."""
    return float(scipys().ndtr(x))


def gammaincinv(shape: float, u: float) -> float:
    """The quantile of the gamma distribution of scale 1."""
    return float(scipys().gammaincinv(shape, u))


def gammaincc(shape: float, x: float) -> float:
    """The survival of the gamma distribution of scale 1."""
    return float(scipys().gammaincc(shape, x))


@cache
def scipys() -> ModuleType:
    """SciPy is slow to load, and most laws do without."""
    from scipy.special import cython_special

    return cython_special


def coded(law: "Law") -> list[float]:
    """The code of a law."""
    name = type(law).__name__
    return mixture_code(law) if name == "Mixture" else CODES[name](law)


# Any: this module loads none of the laws' classes, so that it stays as pure as the rules.
CODES: dict[str, Callable[[Any], list[float]]] = {
    "Never": lambda _: [NEVER_COMES],
    "Constant": lambda law: [CONSTANT, law.value],
    "Exponential": lambda law: [EXPONENTIAL, law.mean],
    "Weibull": lambda law: [WEIBULL, law.shape, law.scale],
    "LogNormal": lambda law: [LOGNORMAL, law.median, law.sigma],
    "LogLogistic": lambda law: [LOGLOGISTIC, law.median, law.shape],
    "Gamma": lambda law: [GAMMA, law.shape, law.scale],
    "HyperExponential": lambda law: hyperexponential_code(law.p, law.mean1, law.mean2),
    "Uniform": lambda law: [UNIFORM, law.low, law.high - law.low],
    "Triangular": lambda law: triangular_code(law.low, law.mode, law.high),
    "Bathtub": lambda law: [BATHTUB, law.a, law.tau1, law.tau2, law.b, law.highest],
    "Empirical": lambda law: [EMPIRICAL, float(len(law.values)), *law.values],
}


def hyperexponential_code(p: float, mean1: float, mean2: float) -> list[float]:
    (p, fast), (q, slow) = sorted([(p, mean1), (1 - p, mean2)], key=lambda part: part[1])
    return [HYPEREXPONENTIAL, p, fast, q, slow]


def triangular_code(low: float, mode: float, high: float) -> list[float]:
    return [TRIANGULAR, low, high, high - low, mode - low, high - mode]


def mixture_code(law: "Law") -> list[float]:
    parts = weighted(law, 1.0)
    code, begins = [MIXTURE, float(len(parts))], 2 + 2 * len(parts)
    for weight, part in parts:
        code += [weight, float(begins)]
        begins += len(part)
    return code + [number for _, part in parts for number in part]


def weighted(law: Any, weight: float) -> list[tuple[float, list[float]]]:
    """The parts of a law that are no mixtures, each with its weight in the whole."""
    if type(law).__name__ != "Mixture":
        return [(weight, coded(law))]
    whole = math.fsum(law.weights)
    pairs = zip(law.weights, law.laws, strict=True)
    return [part for share, inner in pairs for part in weighted(inner, weight * share / whole)]
