"""What job event logs give to a plan: values of keys, doubts about them, what they leave open."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptsim.bootstrap import Spread
from ckptsim.conclude import about
from ckptsim.fitting import FEW
from ckptsim.htcondor.leases import End, counted
from ckptsim.lifetimes import Empirical, Law
from ckptsim.redrawn import laws_redrawn
from ckptsim.scenario import Scenario
from ckptsim.terminal import percent
from ckptsim.units import nanoseconds, show, spelled_seconds
from ckptsim.variation import with_slots

if TYPE_CHECKING:
    from ckptsim.fit import Evidence

WORST = "the answer is for the worst that they do not rule out"
OTHERWISE = (End.EXCEPTION, End.FAILED, End.POLICY, End.HELD)  # work is lost, if the job goes on
WITHOUT_A_WAIT = (End.EVICTED, End.RESCHEDULED)  # gaps that hold no contact lease


def learned(logs: Sequence[Path]) -> "Evidence | None":
    """What the logs tell, if any are given."""
    if not logs:
        return None
    from ckptsim.fit import learn

    return learn(logs)


def from_logs(evidence: "Evidence | None", *, sized: bool) -> dict[str, object]:
    """Scenario keys that the logs give a value for; no transfer where `sized` flags give one."""
    if evidence is None:
        return {}
    keys: dict[str, object] = {}
    if evidence.evictions:
        keys["slots.evictions"] = evidence.evictions.law
    if evidence.power_failures:
        keys["slots.power_failures"] = evidence.power_failures.law
    if evidence.limit_s:
        keys["slots.limit"] = spelled_seconds(evidence.limit_s)
    if gaps := tuple(gap.duration_s for gap in evidence.gaps if gap.after in WITHOUT_A_WAIT):
        keys["slots.gap"] = Empirical(gaps)
    if evidence.transfers_s and not sized:
        keys["job.transfer"] = Empirical(evidence.transfers_s)
    return keys


def is_sized(given: Mapping[str, Any]) -> bool:
    """Do the flags say how much a checkpoint holds, and so how long its transfer takes?"""
    return bool(given["job__size"]) or any("job.size" in each for each in given["settings"])


def doubts(scenario: Scenario, evidence: "Evidence | None") -> list[tuple[str, Scenario]]:
    """The scenario at both ends of the confidence interval of the mean time between evictions."""
    fit = evidence.evictions if evidence else None
    if fit is None or fit.mean_interval_s is None or scenario.slots.evictions != fit.law:
        return []
    return [
        (
            f"the mean between evictions is {show(nanoseconds(mean))} ({end} end, 95 %)",
            with_slots(scenario, evictions=fit.law.scaled(mean / fit.law.mean)),
        )
        for end, mean in zip(("lower", "upper"), fit.mean_interval_s, strict=True)
        if math.isfinite(mean) and mean != fit.law.mean  # at worst: that is planned with
    ]


def redrawn(scenario: Scenario, evidence: "Evidence | None") -> list[Law]:
    """The law of evictions for the logs' leases drawn again, if the scenario has it from them."""
    for risk in evidence.risks if evidence else ():
        fit = risk.conclusion.chosen
        if risk.key == "slots.evictions" and scenario.slots.evictions == fit.law:
            return laws_redrawn(fit, risk.conclusion.kept, scenario.seed)
    return []


def too_little(
    evidence: "Evidence | None", scenario: Scenario, spread: Spread | None
) -> Iterator[str]:
    """A warning where the logs show so few evictions that the answer may well be another."""
    fit = evidence.evictions if evidence else None
    if fit is None or scenario.slots.evictions != fit.law or fit.ends >= FEW:
        return
    time = f"{about(fit.exposure_s)} of these logs"
    if not fit.ends:
        yield f"No eviction in the {time}: {WORST}."
    elif spread:
        low, high = show(spread.interval_low), show(spread.interval_high)
        anywhere = f"the best interval may be anywhere between {low} and {high} (95 %)"
        yield f"Only {counted(fit.ends, 'eviction')} in {time}: {anywhere}."


def from_the_logs(evidence: "Evidence", scenario: Scenario) -> Iterator[str]:
    """What the logs say, what of it the scenario does not heed, and what they cannot say."""
    yield from (f"From the logs: {sentence}" for sentence in evidence.sentences)
    fit, used = evidence.evictions, scenario.slots.evictions
    if fit and used != fit.law:
        yield f"Not from the logs: evictions are {used.describe()}, as given."
    yield from unplanned(evidence)
    yield f"No log tells {untold(scenario)}; `ckptsim measure JOB.sub` measures them."
    yield from (f"Left out: {warning}" for warning in evidence.warnings)


def unplanned(evidence: "Evidence") -> Iterator[str]:
    """Losses that are neither evictions nor power failures, and so not in the plan."""
    ends = Counter(lease.end.value for lease in evidence.leases if lease.end in OTHERWISE)
    if ends:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in ends.most_common())
        told = f"{counted(ends.total(), 'lease')} that ended otherwise ({kinds})"
        yield f"Not planned for: {told}; if such jobs go on, they too lose what was not committed."


def untold(scenario: Scenario) -> str:
    """What is in no log, and what it is taken to be."""
    job = scenario.model_dump()["job"]
    return (
        f"how long a checkpoint takes to write (taken as {job['write']}), a restart (taken as "
        f"{job['restart_in_place']}), and the job's natural step (taken as {job['step'] or 'none'})"
    )


def drawn_again(spread: Spread) -> str:
    """How the answer scatters."""
    return (
        f"The data: drawn again {spread.resamples} times, the lifetimes put the best between "
        f"{show(spread.interval_low)} and {show(spread.interval_high)} (95 %), but keeping "
        f"this answer costs less than {percent(spread.regret_high, 2)} of slot time."
    )
