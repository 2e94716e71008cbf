"""What survives, without any law: Kaplan and Meier's estimate, and that of competing risks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckptsim.observed import Lifetimes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SURE = 0.95


@dataclass(frozen=True)
class Survival:
    """Kaplan-Meier: P(X > t) at ascending times in seconds, with a pointwise 95 % band."""

    times_s: "NDArray[np.float64]"
    survival: "NDArray[np.float64]"
    low: "NDArray[np.float64]"
    high: "NDArray[np.float64]"


def kaplan_meier(lifetimes: Lifetimes) -> Survival:
    """The survival of the lifetimes without any law, and its log-log band (Greenwood)."""
    import warnings

    import numpy as np
    from scipy import stats

    durations, observed = np.array(lifetimes.durations_s), np.array(lifetimes.observed, dtype=bool)
    data = stats.CensoredData(uncensored=durations[observed], right=durations[~observed])
    step = stats.ecdf(data).sf
    with warnings.catch_warnings():  # where the survival is 1 or 0 there is no band: NaN
        warnings.simplefilter("ignore", RuntimeWarning)
        band: Any = step.confidence_interval(SURE, method="log-log")
    at_one = step.probabilities == 1
    low = np.where(at_one, 1.0, np.nan_to_num(band.low.probabilities, nan=0.0))
    # Past the last observed end the band stays as wide as it was before it.
    high = np.fmin.accumulate(np.where(at_one, 1.0, band.high.probabilities))
    return Survival(step.quantiles, step.probabilities, low, high)


@dataclass(frozen=True)
class Incidence:
    """Competing risks: P(ended by then, and of this cause), for each cause.

    At ascending times in seconds; with the survival the causes add up to 1. `counts` are the ends
    of each cause that were seen, `exposure_s` is the time of all lifetimes.
    """

    causes: tuple[str, ...]
    counts: tuple[int, ...]
    exposure_s: float
    times_s: "NDArray[np.float64]"
    by_cause: "NDArray[np.float64]"  # (causes, times)
    survival: "NDArray[np.float64]"

    def at(self, seconds: float) -> "NDArray[np.float64] | None":
        """The incidence of each cause by then; None later than any lifetime tells of."""
        import numpy as np

        if not len(self.times_s) or seconds > self.times_s[-1]:
            return None
        place = int(np.searchsorted(self.times_s, seconds, side="right"))
        return self.by_cause[:, place - 1] if place else np.zeros(len(self.causes))


def aalen_johansen(durations_s: Sequence[float], causes: Sequence[str | None]) -> Incidence:
    """The cumulative incidence of each cause, where None is a lifetime cut short.

    Aalen and Johansen, Scandinavian Journal of Statistics 5 (1978) 141-150. An end is taken to come
    before what is cut short at the same time, as Kaplan and Meier have it.
    """
    import numpy as np

    durations = np.array(durations_s, np.float64)
    names = tuple(dict.fromkeys(cause for cause in causes if cause is not None))
    times, place = np.unique(durations, return_inverse=True)
    gone = np.bincount(place, minlength=len(times))
    at_risk = len(durations) - np.concatenate(([0], np.cumsum(gone)[:-1]))
    told = np.array([names.index(cause) if cause is not None else -1 for cause in causes], int)
    ends = np.array(
        [np.bincount(place[told == n], minlength=len(times)) for n in range(len(names))]
    ).reshape(len(names), len(times))
    survival = np.cumprod(1 - ends.sum(axis=0) / at_risk)
    before = np.concatenate(([1.0], survival[:-1]))
    return Incidence(
        names,
        tuple(ends.sum(axis=1).tolist()),
        float(durations.sum()),
        times,
        np.cumsum(before * ends / at_risk, axis=1),
        survival,
    )
