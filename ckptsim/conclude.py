"""What lifetimes tell: the law to plan with, how sure it is, and that in sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ckptsim.fitting import FEW, Fit, choose, exponential_of, fits
from ckptsim.htcondor.leases import counted
from ckptsim.lifetimes import (
    Gamma,
    HyperExponential,
    Law,
    LogLogistic,
    LogNormal,
    Mixture,
    Weibull,
)
from ckptsim.observed import Lifetimes

# So many ends close to the longest lifetime look like a limit, not like chance: within 1 % of it;
# or within 5 %, as machines take their time to go, if there are ten times fewer just before.
_CROWD, _CROWD_SHARE = 5, 0.05
_CROWD_WIDTHS = {0.01: 0, 0.05: 10}
_MUCH_MORE = 1.25  # a wider crowd that has so many more is the whole of it
# A law that misses Kaplan-Meier by more than this does not describe the lifetimes.
POOR = 0.1
# Chance alone makes a misfit as bad as this one time in a hundred.
_UNLIKELY = 0.01
_UNITS = ((1, "s"), (60, "min"), (3600, "h"))


class Limit(NamedTuple):
    """A limit posing as a hazard: the ends that crowd at it, from when on, in seconds."""

    limit_s: float
    from_s: float
    longest_s: float
    ends: int


@dataclass(frozen=True)
class Conclusion:
    """What lifetimes tell: the chosen law, all that were tried, and the same in sentences.

    `limit_s` is a limit that so many of them end at that it cannot be chance, else None; those ends
    are taken as censored by it. `kept` are the lifetimes that the laws were fitted to.
    """

    chosen: Fit
    tried: tuple[Fit, ...]
    limit_s: float | None
    sentences: tuple[str, ...]
    kept: Lifetimes


def conclude(lifetimes: Lifetimes, end: str = "end") -> Conclusion | None:
    """Fit, choose and explain; None where the lifetimes add up to no time at all.

    `end` is the word for what was observed, such as `eviction`.
    """
    limit = limit_seen(lifetimes)
    kept = lifetimes if limit is None else lifetimes.censored_at(limit.from_s)
    if not kept.exposure_s:
        return None
    tried = fits(kept)
    chosen = choose(tried)
    doubts = *_doubts(chosen, kept), *_passed_over(tried, chosen)
    sentences = *_limit_told(limit, end), _law_told(chosen, end), *doubts
    return Conclusion(chosen, tried, limit and limit.limit_s, sentences, kept)


def conclude_of(ends: int, exposure_s: float, end: str) -> Conclusion:
    """The same where no more is known than how many ended in how much time, more than 0 s."""
    fit = exponential_of(ends, exposure_s)
    return Conclusion(fit, (fit,), None, (_law_told(fit, end),), Lifetimes((), ()))


def limit_seen(lifetimes: Lifetimes) -> Limit | None:
    """The limit that many observed ends crowd at and that nothing outlasts, if any."""
    pairs = zip(lifetimes.durations_s, lifetimes.observed, strict=True)
    seen = np.sort([duration for duration, observed in pairs if observed])
    longest = float(max(lifetimes.durations_s, default=0.0))
    found = list[tuple[int, Limit]]()
    for width, times in _CROWD_WIDTHS.items():
        start, before = longest * (1 - width), longest * (1 - 2 * width)
        crowd = seen[seen >= start]
        fewer = int(np.count_nonzero((seen >= before) & (seen < start)))
        enough = max(_CROWD, _CROWD_SHARE * len(seen), times * max(1, fewer))
        if longest and len(crowd) >= enough:
            at = float(np.quantile(crowd, 0.05, method="inverted_cdf"))
            found.append((len(crowd) - fewer, Limit(at, start, longest, len(crowd))))
    if not found:
        return None
    narrow, *wide = found
    return wide[0][1] if wide and wide[0][0] > _MUCH_MORE * narrow[0] else narrow[1]


def about(seconds: float) -> str:
    """A time to three figures, in one unit: for what is known no better."""
    if math.isinf(seconds):
        return "–"
    size, unit = next((u for u in _UNITS if seconds < 100 * u[0]), _UNITS[-1])
    amount = seconds / size
    return f"{amount:,.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"


def _limit_told(limit: Limit | None, end: str) -> tuple[str, ...]:
    if limit is None:
        return ()
    width = 100 * (1 - limit.from_s / limit.longest_s)
    longest, at = about(limit.longest_s), about(limit.limit_s)
    told = f"{counted(limit.ends, end)} within {width:.0f} % of the longest stay, {longest}"
    which = "" if at == longest else f" of {at}"
    return (
        f"{told}: that looks like a runtime limit{which}, and they are taken as cut off by it.",
    )


def _law_told(fit: Fit, end: str) -> str:
    seen = f"{counted(fit.ends, end)} in {about(fit.exposure_s)}"
    if not fit.ends:
        return (
            f"No {end} in {about(fit.exposure_s)}: with 95 % confidence the mean time to one is "
            f"more than {about(fit.law.mean)}, and that is what is used."
        )
    if fit.family != "exponential":
        return f"{seen}: {law_words(fit.law)}, mean {about(fit.law.mean)}{_between(fit)}."
    assert fit.mean_interval_s is not None
    low, high = map(about, fit.mean_interval_s)
    few = "; too few to tell the shape of the law" if fit.ends < FEW else ""
    return (
        f"{seen}: the mean time to one lies between {low} and {high} (95 % confidence{few}); "
        f"an exponential law with mean {about(fit.law.mean)} is used."
    )


def _between(fit: Fit) -> str:
    if fit.mean_interval_s is None:
        return ""
    low, high = fit.mean_interval_s
    if math.isinf(high):
        return f" (at least {about(low)}, 95 % confidence)"
    return f" ({about(low)} to {about(high)}, 95 % confidence)"


def law_words(law: Law) -> str:
    """The law by its name and its parameters."""
    match law:
        case Weibull(shape, scale):
            tendency = "falls" if shape < 1 else "rises"
            return f"Weibull law of shape {shape:.3g}, scale {about(scale)} (the risk {tendency})"
        case LogNormal(median, sigma):
            return f"lognormal law of median {about(median)}, sigma {sigma:.3g}"
        case LogLogistic(median, shape):
            return f"log-logistic law of median {about(median)}, shape {shape:.3g}"
        case Gamma(_, cv):
            return f"gamma law of coefficient of variation {cv:.3g}"
        case HyperExponential(p, early, late):
            rest = f"the others last {about(late)} on average"
            return f"two kinds of stays: {_share(p)} last {about(early)}, {rest}"
        case Mixture((p, _), (Weibull() as early, late)):
            rest = f"the others {about(late.mean)} (exponential)"
            return f"two regimes: {_share(p)} last {about(early.mean)} (Weibull), {rest}"
    return law.describe()


def _share(p: float) -> str:
    return f"{100 * p:.0f} %"


def _doubts(fit: Fit, lifetimes: Lifetimes) -> tuple[str, ...]:
    early = sum(
        observed and not duration
        for duration, observed in zip(lifetimes.durations_s, lifetimes.observed, strict=True)
    )
    doubts = []
    if early:
        doubts.append(f"{counted(early, 'end')} within the first second: taken as less than 1 s.")
    if fit.ends >= FEW and fit.misfit > POOR:
        doubts.append(
            "No simple law follows these lifetimes closely: this one is off by up to "
            f"{100 * fit.misfit:.0f} % of them."
        )
    elif fit.p is not None and fit.p < _UNLIKELY:
        doubts.append(
            f"The law is off by up to {100 * fit.misfit:.0f} % of the lifetimes, more than by "
            f"chance ({chance(fit.p)}): take it for a summary."
        )
    return tuple(doubts)


def _passed_over(tried: Sequence[Fit], chosen: Fit) -> tuple[str, ...]:
    """That AICc would have another law, if it had a mean."""
    best = min(tried, key=lambda fit: fit.aicc)
    if math.isfinite(best.law.mean):
        return ()
    better = f"would be better ({best.aicc:,.1f} against {chosen.aicc:,.1f})"
    without = "but it has no mean: it says nothing of late ends, and is not used"
    return (f"By AICc a {law_words(best.law)} {better}, {without}.",)


def chance(p: float) -> str:
    """A p-value as it is told."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
