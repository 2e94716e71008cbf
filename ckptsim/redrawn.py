"""Laws for data that might as well have been observed: how the fitted law scatters."""

import numpy as np

from ckptsim.fitting import Fit, fitted_again
from ckptsim.lifetimes import Exponential, Law
from ckptsim.observed import Lifetimes

RESAMPLES = 100
REDRAWN = 2**31 + 2  # the key of its random stream


def laws_redrawn(fit: Fit, lifetimes: Lifetimes, seed: int) -> list[Law]:
    """Laws of the same family for `lifetimes` drawn again; none where no end was observed.

    Lifetimes are drawn with their censoring, with replacement (Efron, Journal of the American
    Statistical Association 76, 1981). Of the exponential law only the number of ends in the time
    counts, and that may be very few: its rate is drawn from the posterior under Jeffreys' prior,
    which is gamma with shape d + 1/2. A law that cannot be fitted again, or has no mean, is left
    out.
    """
    if not fit.ends:
        return []
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(REDRAWN,)))
    if isinstance(fit.law, Exponential):
        rates = rng.gamma(fit.ends + 0.5, 1 / fit.exposure_s, RESAMPLES)
        return [Exponential(1 / rate) for rate in rates.tolist()]
    laws = (fitted_again(fit, drawn_from(lifetimes, rng)) for _ in range(RESAMPLES))
    return [law for law in laws if law is not None and law.mean < np.inf]


def drawn_from(lifetimes: Lifetimes, rng: np.random.Generator) -> Lifetimes:
    """As many lifetimes, drawn with replacement."""
    count = len(lifetimes.durations_s)
    chosen = rng.integers(count, size=count)
    durations, observed = np.array(lifetimes.durations_s), np.array(lifetimes.observed)
    return Lifetimes(tuple(durations[chosen].tolist()), tuple(observed[chosen].tolist()))
