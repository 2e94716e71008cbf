"""From observed lifetimes, many of them cut short, to laws.

A lifetime is right-censored when something else ended it: the job finished, a limit was reached. To
drop such lifetimes, or to count them as failures, is the classic error (theory.md, section 6). What
is used instead: the Kaplan-Meier estimate (`scipy.stats.ecdf`), and maximum likelihood on censored
data (Lawless, Statistical Models and Methods for Lifetime Data, 2nd ed., chapters 4 and 5).

Evictions and power failures are competing risks: each is fitted with the other one as censoring.

Legend: d, observed ends; T, total time of all lifetimes, in seconds.
"""

import csv
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ckptsim.errors import DataError, nearest
from ckptsim.htcondor.eventlog import open_text
from ckptsim.htcondor.leases import LEFT_AT_A_CHECKPOINT, End, Gap, History, Lease, counted, follow
from ckptsim.lifetimes import Exponential, Law, LogNormal, Weibull

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy import stats

# Fewer observed ends do not tell one shape from another.
FEW = 10
# Logs are stamped in whole seconds: an observed lifetime of 0 only says "less than this".
_RESOLUTION_S = 1.0
_SURE = 0.95
# Beyond these shapes a search has run off (lifetimes nearly alike, or nearly all censored), and the
# mean may be past all floats.
_WEIBULL_SHAPES = 0.02, 1e3
_LOGNORMAL_SIGMAS = 1e-3, 25.0


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things lasted, in seconds, and whether the end itself was observed or censored."""

    durations_s: tuple[float, ...]
    observed: tuple[bool, ...]
    source: str = field(default="", compare=False)  # FILE:COLUMN, if they are from a table

    def __post_init__(self) -> None:
        assert len(self.durations_s) == len(self.observed)
        assert all(0 <= duration < math.inf for duration in self.durations_s)

    @property
    def ends(self) -> int:
        """d, the number of observed ends."""
        return int(sum(self.observed))

    @property
    def exposure_s(self) -> float:
        """T, the total time, in seconds."""
        return math.fsum(self.durations_s)

    def censored_at(self, limit_s: float) -> "Lifetimes":
        """The same, with the ends from `limit_s` seconds on taken as cut off there."""
        pairs = list(zip(self.durations_s, self.observed, strict=True))
        return Lifetimes(
            tuple(min(duration, limit_s) for duration, _ in pairs),
            tuple(observed and duration < limit_s for duration, observed in pairs),
        )


def from_leases(leases: Iterable[Lease], end: End) -> Lifetimes:
    """The lifetimes that this kind of end was observed in; every other end is censored."""
    kept = [(lease.duration_s, lease.end is end) for lease in leases]
    return Lifetimes(tuple(s for s, _ in kept), tuple(seen for _, seen in kept))


# --- tables ---------------------------------------------------------------------------------------

_EXPECTED = "a CSV table with a column of durations in seconds"
_DURATION_COLUMNS = ("lifetime_s", "duration_s")
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]  # with line numbers

    def place(self, name: str) -> int:
        if name not in self.names:
            known = ", ".join(self.names)
            hint = nearest(name, self.names)
            raise DataError(f"{self.path}:1: no column {name!r}; there are: {known}{hint}")
        return self.names.index(name)

    def cells(self, name: str) -> list[tuple[int, str]]:
        place = self.place(name)
        return [(line, row[place] if place < len(row) else "") for line, row in self.rows]


def from_csv(
    path: Path,
    column: str | None = None,
    observed: str | None = None,
    censored: str | None = None,
) -> Lifetimes:
    """Read lifetimes, in seconds, from a CSV table, plain or gzipped.

    `column` is the one of durations: by default `lifetime_s`, `duration_s` or the only one of
    numbers. `observed` names a column that is 1 where the end was observed and 0 where it was
    censored, `censored` one with the opposite sense; by default the columns called so, if any, else
    every end is taken as observed.

    Raises:
        DataError: no such file or column, or a cell that is not what its column should hold.

    """
    table = _table(path)
    observed, censored = _flag_columns(table, observed, censored)
    name = column or _duration_column(table, {observed, censored})
    durations = tuple(_duration(path, name, line, cell) for line, cell in table.cells(name))
    if flag := observed or censored:
        told = (_flag(path, flag, line, cell) for line, cell in table.cells(flag))
        seen = tuple(seen is (flag == observed) for seen in told)
        return Lifetimes(durations, seen, f"{path}:{name}")
    return Lifetimes(durations, (True,) * len(durations), f"{path}:{name}")


def _table(path: Path) -> _Table:
    try:
        with open_text(path, _EXPECTED) as stream:
            first = stream.readline().lstrip("\ufeff")
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(itertools.chain([first], stream), delimiter=delimiter)
            rows = [(reader.line_num, tuple(map(str.strip, row))) for row in reader if any(row)]
    except (csv.Error, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected {_EXPECTED}") from error
    if rows and all(_number(cell) is not None for cell in rows[0][1]):  # no header
        names = tuple(str(number + 1) for number in range(len(rows[0][1])))
    else:
        names, rows = (rows[0][1] if rows else ()), rows[1:]
    if not rows:
        raise DataError(f"{path}: no rows in it; expected {_EXPECTED}")
    return _Table(path, names, tuple(rows))


def _flag_columns(
    table: _Table, observed: str | None, censored: str | None
) -> tuple[str | None, str | None]:
    if observed and censored:
        raise DataError(f"{table.path}: give a column that tells observed or censored, not both")
    if observed or censored:
        return observed, censored
    if "observed" in table.names:
        return "observed", None
    return None, "censored" if "censored" in table.names else None


def _duration_column(table: _Table, flags: set[str | None]) -> str:
    named = [name for name in _DURATION_COLUMNS if name in table.names]
    numbers = [
        name
        for name, cell in zip(table.names, table.rows[0][1], strict=False)
        if name not in flags and _number(cell) is not None
    ]
    if named or len(numbers) == 1:
        return (named or numbers)[0]
    choice = f"columns of numbers: {', '.join(numbers)}" if numbers else "no column of numbers"
    raise DataError(f"{table.path}:1: {choice}; name the one that holds durations in seconds")


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _duration(path: Path, column: str, line: int, cell: str) -> float:
    number = _number(cell)
    if number is None or not 0 <= number < math.inf:
        found = repr(cell[:40]) if cell else "nothing"
        raise DataError(f"{path}:{line}: {column} is {found}; expected seconds, 0 or more")
    return number


def _flag(path: Path, column: str, line: int, cell: str) -> bool:
    if cell.lower() not in _FLAGS:
        found = repr(cell[:40]) if cell else "nothing"
        raise DataError(f"{path}:{line}: {column} is {found}; expected 1 or 0")
    return _FLAGS[cell.lower()]


# --- estimates ------------------------------------------------------------------------------------


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
        band: Any = step.confidence_interval(_SURE, method="log-log")
    at_one = step.probabilities == 1
    low = np.where(at_one, 1.0, np.nan_to_num(band.low.probabilities, nan=0.0))
    # Past the last observed end the band stays as wide as it was before it.
    high = np.fmin.accumulate(np.where(at_one, 1.0, band.high.probabilities))
    return Survival(step.quantiles, step.probabilities, low, high)


@dataclass(frozen=True)
class Fit:
    """A law of lifetimes and what speaks for it.

    `loglik` and `aicc` (Akaike's criterion, corrected for few ends; lower is better) compare laws
    of the same lifetimes. `misfit` is the largest distance between the law's survival and
    Kaplan-Meier's, 0 where no end was observed. `mean_interval_s` is the exponential law's 95 %
    confidence interval for the mean; its upper end is infinite where no end was observed.
    """

    law: Law
    loglik: float
    aicc: float
    ends: int
    exposure_s: float
    misfit: float
    mean_interval_s: tuple[float, float] | None = None


def exponential(lifetimes: Lifetimes) -> Fit:
    """Fit the exponential law: mean T/d, exactly.

    Its interval is that of a Poisson count in a fixed time, 2T/χ² with 2d + 2 and 2d degrees of
    freedom. With no end observed the law is at the lower 95 % bound of the mean, T/-ln 0.05 = T/3.0
    (the rule of three). T must not be 0.
    """
    from scipy import stats

    d, total = lifetimes.ends, lifetimes.exposure_s
    assert total > 0
    tail = (1 - _SURE) / 2 if d else 1 - _SURE
    low = float(2 * total / stats.chi2.isf(tail, 2 * d + 2))
    high = float(2 * total / stats.chi2.ppf(tail, 2 * d)) if d else math.inf
    mean = total / d if d else low
    return _fit(lifetimes, Exponential(mean), stats.expon(scale=mean), 1, (low, high))


def weibull(lifetimes: Lifetimes) -> Fit | None:
    """Fit the Weibull law by maximum likelihood; None where that has no maximum."""
    from scipy import stats

    found = _maximise(lifetimes, stats.weibull_min, *_WEIBULL_SHAPES)
    if found is None:
        return None
    shape, scale = found
    return _fit(lifetimes, Weibull(shape, scale), stats.weibull_min(shape, scale=scale), 2)


def lognormal(lifetimes: Lifetimes) -> Fit | None:
    """Fit the lognormal law by maximum likelihood; None where that has no maximum."""
    from scipy import stats

    found = _maximise(lifetimes, stats.lognorm, *_LOGNORMAL_SIGMAS)
    if found is None:
        return None
    sigma, median = found
    return _fit(lifetimes, LogNormal(median, sigma), stats.lognorm(sigma, scale=median), 2)


def fits(lifetimes: Lifetimes) -> tuple[Fit, ...]:
    """Every law that the lifetimes can tell apart, the exponential first; T must not be 0."""
    first = exponential(lifetimes)
    if lifetimes.ends < FEW:
        return (first,)
    return first, *(fit for fit in (weibull(lifetimes), lognormal(lifetimes)) if fit)


def choose(candidates: Sequence[Fit]) -> Fit:
    """The law with the lowest AICc, but the first one if it is less than 2 behind."""
    best = min(candidates, key=lambda fit: fit.aicc)
    return candidates[0] if candidates[0].aicc < best.aicc + 2 else best


def _parts(lifetimes: Lifetimes) -> "tuple[NDArray[np.float64], ...]":
    """Exact, left-censored and right-censored durations, in seconds, for likelihoods.

    An end at 0 is one before the clock's first tick; a censoring at 0 tells nothing.
    """
    import numpy as np

    durations, observed = np.array(lifetimes.durations_s), np.array(lifetimes.observed, dtype=bool)
    early = np.full(np.count_nonzero(observed & (durations == 0)), _RESOLUTION_S)
    return durations[observed & (durations > 0)], early, durations[~observed & (durations > 0)]


def _maximise(
    lifetimes: Lifetimes, family: "stats.rv_continuous", lowest: float, highest: float
) -> tuple[float, float] | None:
    """Shape and scale where the likelihood is highest, if that is at a shape within bounds."""
    import warnings

    import numpy as np
    from scipy import stats

    exact, early, right = _parts(lifetimes)
    if np.unique(exact).size < 2:
        return None  # lifetimes all alike: the likelihood grows with the shape without end
    data = stats.CensoredData(uncensored=exact, left=early, right=right)
    scale = lifetimes.exposure_s / lifetimes.ends
    with warnings.catch_warnings():  # the search may step over the edge
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            shape, _, scale = family.fit(data, 1.0, floc=0, scale=scale)
        except stats.FitError:
            return None
    found = lowest < shape < highest and 0 < scale < math.inf
    return (float(shape), float(scale)) if found else None


def _fit(
    lifetimes: Lifetimes,
    law: Law,
    dist: Any,
    parameters: int,
    mean_interval_s: tuple[float, float] | None = None,
) -> Fit:
    import numpy as np

    exact, early, right = _parts(lifetimes)
    with np.errstate(divide="ignore"):
        told = (dist.logpdf(exact), dist.logcdf(early), dist.logsf(right))
    loglik = math.fsum(itertools.chain(*told))
    return Fit(
        law,
        loglik,
        _penalty(parameters, lifetimes.ends) - 2 * loglik,
        lifetimes.ends,
        lifetimes.exposure_s,
        _misfit(lifetimes, law),
        mean_interval_s,
    )


def _penalty(parameters: int, ends: int) -> float:
    """AICc's, with the number of observed ends for the sample size: censored ones tell little."""
    spare = ends - parameters - 1
    return 2 * parameters * (1 + (parameters + 1) / spare) if spare > 0 else math.inf


def _misfit(lifetimes: Lifetimes, law: Law) -> float:
    import numpy as np

    if not lifetimes.ends:
        return 0.0
    found = kaplan_meier(lifetimes)
    before = np.concatenate(([1.0], found.survival[:-1]))
    told = law.survival(found.times_s)
    return float(np.max(np.abs([told - found.survival, told - before])))


# --- what it means, for people --------------------------------------------------------------------

# So many ends within 1 % of the longest lifetime look like a limit, not like chance.
_CROWD, _CROWD_SHARE, _CROWD_WIDTH = 5, 0.05, 0.01
# A law that misses Kaplan-Meier by more than this does not describe the lifetimes.
POOR = 0.1
# Codes of condor_vacate_job: 1022 by the schedd, 1004 by the shadow (htcondor-rules.md, 2.1).
_BY_HAND = {1004, 1022}
# As many damaged parts of a log are told one by one.
_SHOWN = 5
_UNITS = ((1, "s"), (60, "min"), (3600, "h"))


@dataclass(frozen=True)
class Conclusion:
    """What lifetimes tell: the chosen law, all that were tried, and the same in sentences.

    `limit_s` is a limit that so many of them end at that it cannot be chance, else None; those ends
    are taken as censored by it.
    """

    chosen: Fit
    tried: tuple[Fit, ...]
    limit_s: float | None
    sentences: tuple[str, ...]


def conclude(lifetimes: Lifetimes, end: str = "end") -> Conclusion | None:
    """Fit, choose and explain; None where the lifetimes add up to no time at all.

    `end` is the word for what was observed, such as `eviction`.
    """
    limit_s = limit_seen(lifetimes)
    kept = lifetimes if limit_s is None else lifetimes.censored_at(limit_s * (1 - _CROWD_WIDTH))
    if not kept.exposure_s:
        return None
    tried = fits(kept)
    chosen = choose(tried)
    crowd = lifetimes.ends - kept.ends
    sentences = *_limit_told(crowd, limit_s, end), _law_told(chosen, end), *_doubts(chosen, kept)
    return Conclusion(chosen, tried, limit_s, sentences)


def limit_seen(lifetimes: Lifetimes) -> float | None:
    """The limit, in seconds, that many observed ends crowd at and that nothing outlasts, if any."""
    pairs = zip(lifetimes.durations_s, lifetimes.observed, strict=True)
    seen = [duration for duration, observed in pairs if observed]
    longest = max(lifetimes.durations_s, default=0.0)
    crowd = sum(duration >= longest * (1 - _CROWD_WIDTH) for duration in seen)
    return longest if longest and crowd >= max(_CROWD, _CROWD_SHARE * len(seen)) else None


def about(seconds: float) -> str:
    """A time to three figures, in one unit: for what is known no better."""
    size, unit = next((u for u in _UNITS if seconds < 100 * u[0]), _UNITS[-1])
    amount = seconds / size
    return f"{amount:,.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"


def _limit_told(crowd: int, limit_s: float | None, end: str) -> tuple[str, ...]:
    if limit_s is None:
        return ()
    told = f"{counted(crowd, end)} within 1 % of the longest stay, {about(limit_s)}"
    return (f"{told}: that looks like a runtime limit, and they are taken as cut off by it.",)


def _law_told(fit: Fit, end: str) -> str:
    seen = f"{counted(fit.ends, end)} in {about(fit.exposure_s)}"
    if not fit.ends:
        return (
            f"No {end} in {about(fit.exposure_s)}: with 95 % confidence the mean time to one is "
            f"more than {about(fit.law.mean)}, and that is what is used."
        )
    if fit.mean_interval_s is None:
        return f"{seen}: {_law_words(fit.law)}, mean {about(fit.law.mean)}."
    low, high = map(about, fit.mean_interval_s)
    few = "; too few to tell the shape of the law" if fit.ends < FEW else ""
    return (
        f"{seen}: the mean time to one lies between {low} and {high} (95 % confidence{few}); "
        f"an exponential law with mean {about(fit.law.mean)} is used."
    )


def _law_words(law: Law) -> str:
    match law:
        case Weibull(shape, scale):
            tendency = "falls" if shape < 1 else "rises"
            return f"Weibull law of shape {shape:.3g}, scale {about(scale)} (the risk {tendency})"
        case LogNormal(median, sigma):
            return f"lognormal law of median {about(median)}, sigma {sigma:.3g}"
    return law.describe()


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
    return tuple(doubts)


# --- logs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """What job event logs tell about a pool.

    `evictions` and `power_failures` are the fits chosen, None where no power failure was seen or
    where there is no time to judge by. In seconds: `limit_s`, the runtime limit that leases ended
    at, if any; the other `_s` as in `leases.History`. `sentences` tell it to people, `warnings`
    what was left out of it.
    """

    leases: tuple[Lease, ...]
    evictions: Fit | None
    power_failures: Fit | None
    limit_s: float | None
    transfers_s: tuple[float, ...]
    inputs_s: tuple[float, ...]
    cycles_s: tuple[float, ...]
    gaps: tuple[Gap, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


def learn(paths: Sequence[Path]) -> Evidence:
    """Read job event logs and fit what they tell about how slots are lost.

    Of several files, those that are no logs are left out with a warning. A lease that is in two
    logs counts once.

    Raises:
        DataError: no file can be read, or no job ran for as long as a second in any.

    """
    histories, unread = _histories(paths)
    leases, copies = _once(lease for history in histories for lease in history.leases)
    if not any(lease.end_ns > lease.start_ns for lease in leases):
        raise DataError(
            f"{_named(paths)}: {counted(len(leases), 'lease')} in it, none as long as a second; "
            "expected a log of jobs that ran (event 001, later 004 or 005)"
        )
    evictions = conclude(from_leases(leases, End.EVICTED), "eviction")
    lost = from_leases(leases, End.POWER_FAILURE)
    failures = conclude(lost, "power failure") if lost.ends else None
    gaps = tuple(gap for history in histories for gap in history.gaps)
    transfers_s = tuple(s for history in histories for s in history.transfers_s)
    cycles_s = tuple(s for history in histories for s in history.cycles_s)
    return Evidence(
        leases,
        evictions.chosen if evictions else None,
        failures.chosen if failures else None,
        _limit(leases, evictions),
        transfers_s,
        tuple(s for history in histories for s in history.inputs_s),
        cycles_s,
        gaps,
        (
            *_leases_told(leases),
            *(sentence for found in (evictions, failures) if found for sentence in found.sentences),
            *_evictions_questioned(leases),
            *_spread_told("checkpoint transfer", transfers_s),
            *_spread_told("computing between checkpoints (with restart and write)", cycles_s),
            *_spread_told("gap from losing a slot to the next start", [g.duration_s for g in gaps]),
        ),
        (*unread, *_copies_told(copies), *(line for h in histories for line in _left_out(h))),
    )


def _histories(paths: Sequence[Path]) -> tuple[list[History], list[str]]:
    histories, refused = list[History](), list[DataError]()
    for path in paths:
        try:
            histories.append(follow(path))
        except DataError as error:
            refused.append(error)
    if not histories and refused:
        raise refused[0]
    return histories, [f"{error}; left out" for error in refused]


def _once(leases: Iterable[Lease]) -> tuple[tuple[Lease, ...], int]:
    """Without copies of a lease in a second log (DAGMan keeps its own), and how many there were."""
    unique: dict[tuple[str, int, int], Lease] = {}
    copies = 0
    for lease in leases:
        known = unique.setdefault((lease.job, lease.start_ns, lease.end_ns), lease)
        copies += known.log != lease.log
    return tuple(unique.values()), copies


def _limit(leases: Sequence[Lease], evictions: Conclusion | None) -> float | None:
    told = [lease.duration_s for lease in leases if lease.end is End.LIMIT]
    if told or evictions is None:
        return max(told, default=None)
    return evictions.limit_s


def _named(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{len(paths)} logs"


def _leases_told(leases: Sequence[Lease]) -> tuple[str, ...]:
    ends = Counter(lease.end for lease in leases)
    jobs = len({(lease.log, lease.job) for lease in leases})
    told = ", ".join(f"{ends[end]:,} {end.value}" for end in End if ends[end])
    total = about(math.fsum(lease.duration_s for lease in leases))
    whole = f"{counted(len(leases), 'lease')} of {counted(jobs, 'job')}, {total} on slots: {told}."
    return whole, *_limits_told(leases), *_leaving_told(leases)


def _limits_told(leases: Sequence[Lease]) -> tuple[str, ...]:
    told = [lease.duration_s for lease in leases if lease.end is End.LIMIT]
    if not told:
        return ()
    return (f"{counted(len(told), 'lease')} ended at a runtime limit, after {_range(told)}.",)


def _leaving_told(leases: Sequence[Lease]) -> tuple[str, ...]:
    left = sum(lease.code == LEFT_AT_A_CHECKPOINT for lease in leases)
    if not left:
        return ()
    told = f"{counted(left, 'lease')} ended at a checkpoint, without loss"
    return (f"{told}: the claim could not be used again (code 1025; see --claim-worklife).",)


def _evictions_questioned(leases: Sequence[Lease]) -> tuple[str, ...]:
    """What makes evictions say less about the pool than their number does."""
    evicted = [lease for lease in leases if lease.end is End.EVICTED]
    jobs = len({(lease.log, lease.job) for lease in leases})
    each = sorted(Counter((lease.log, lease.job) for lease in evicted).values(), reverse=True)
    worst = sum(before <= len(evicted) / 2 for before in itertools.accumulate(each, initial=0))
    doubts = []
    if by_hand := sum(lease.code in _BY_HAND for lease in evicted):
        doubts.append(
            f"{by_hand:,} of {counted(len(evicted), 'eviction')} by condor_vacate_job: asked for "
            "by hand, such evictions say nothing about the pool."
        )
    if len(evicted) >= FEW and worst * 10 <= jobs:
        share = 100 * sum(each[:worst]) / len(evicted)
        doubts.append(
            f"{worst:,} of {counted(jobs, 'job')} had {share:.0f} % of the evictions: "
            "one law for all jobs may describe none of them."
        )
    return tuple(doubts)


def _spread_told(what: str, seconds: Sequence[float]) -> tuple[str, ...]:
    if not seconds:
        return ()
    return (f"{len(seconds):,} × {what}: {_range(seconds)}.",)


def _range(seconds: Sequence[float]) -> str:
    if len(seconds) == 1:
        return about(seconds[0])
    return f"median {about(median(seconds))}, {about(min(seconds))} to {about(max(seconds))}"


def _copies_told(copies: int) -> tuple[str, ...]:
    return (f"{counted(copies, 'lease')} found in more than one log: counted once",) * (copies > 0)


def _left_out(history: History) -> tuple[str, ...]:
    shown = [f"{history.log}:{part}; skipped" for part in history.damage[:_SHOWN]]
    if len(history.damage) > _SHOWN:
        more = len(history.damage) - _SHOWN
        shown.append(f"{history.log}: {counted(more, 'more part')} not readable; skipped")
    odd = [f"{history.log}: {count:,} × {what}" for what, count in history.oddities.items()]
    return *shown, *odd
