"""Laws for data that might as well have been observed: how the fitted law scatters."""

import numpy as np
from numpy.typing import NDArray

from ckptsim.fitting import FEW, Fit, fitted_again
from ckptsim.lifetimes import Exponential, Law
from ckptsim.observed import Lifetimes

Places = NDArray[np.intp]

RESAMPLES = 100
REDRAWN = 2**31 + 2  # the key of its random stream


def laws_redrawn(fit: Fit, lifetimes: Lifetimes, seed: int) -> list[Law]:
    """Laws of the same family for `lifetimes` drawn again; none where no end was observed.

    Lifetimes are drawn with their censoring, with replacement (Efron, Journal of the American
    Statistical Association 76, 1981), and those of a job together (`drawn_from`). Of the
    exponential law only the number of ends in the time counts, and that may be very few: its
    rate is drawn from the posterior under Jeffreys' prior, which is gamma with shape d + 1/2. A
    law that cannot be fitted again, or has no mean, is left out.
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
    """As many lifetimes, drawn with replacement; of jobs as many, each with all its leases.

    A job's leases may be alike, and then tell less than as many of different jobs (the cluster
    bootstrap: Davison and Hinkley 1997, section 3.8). The scatter of very few jobs cannot be told
    so: there leases are drawn by themselves.
    """
    count = len(lifetimes.durations_s)
    by_job = len(set(lifetimes.jobs)) >= FEW
    chosen = of_jobs(np.array(lifetimes.jobs), rng) if by_job else rng.integers(count, size=count)
    durations, observed = np.array(lifetimes.durations_s), np.array(lifetimes.observed)
    return Lifetimes(tuple(durations[chosen].tolist()), tuple(observed[chosen].tolist()))


def of_jobs(jobs: Places, rng: np.random.Generator) -> Places:
    """The places of the leases of as many jobs, drawn with replacement."""
    order = np.argsort(jobs, kind="stable")
    _, starts = np.unique(jobs[order], return_index=True)
    leases = np.split(order, starts[1:])
    return np.concatenate([leases[one] for one in rng.integers(len(leases), size=len(leases))])
