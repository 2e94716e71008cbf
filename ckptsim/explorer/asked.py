"""A scenario as the explorer's page asks it: texts by flag, and what it has to leave out."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote_plus, urlencode

from ckptsim import lifetimes
from ckptsim.errors import ScenarioError
from ckptsim.lifetimes import Law
from ckptsim.modes import refuse_without_answer
from ckptsim.rules import Mode
from ckptsim.scenario import Scenario, named
from ckptsim.sums import is_certain
from ckptsim.units import DAY, nanoseconds, show, spelled

LONGEST = 100 * DAY  # the page reckons in floats, that tell nanoseconds apart up to 104 days
INSTEAD = "use ckptsim plan"
TOLD_IF_ZERO = ("restart-lease", "claim-worklife")  # left out, they are not 0
RANGES = {  # of the parameters that are no times: what the page's sliders reach
    "shape": (0.2, 20.0),
    "sigma": (0.05, 4.0),
    "cv": (0.05, 5.0),
    "a": (0.05, 1.0),
    "p": (0.01, 0.99),
}
KNOWN = (
    lifetimes.Never,
    lifetimes.Constant,
    lifetimes.Exponential,
    lifetimes.Weibull,
    lifetimes.LogNormal,
    lifetimes.LogLogistic,
    lifetimes.Gamma,
    lifetimes.HyperExponential,
    lifetimes.Uniform,
    lifetimes.Triangular,
    lifetimes.Bathtub,
)


class Asked(NamedTuple):
    """A question to the page."""

    question: dict[str, str]  # by the flags of `plan`, without their dashes
    notices: list[str]


def asked(scenario: Scenario) -> Asked:
    """The page's question that comes nearest to a scenario.

    Raises ScenarioError where none comes near.
    """
    refuse(scenario)
    job, slots = scenario.job, scenario.slots
    costs = {
        "write": job.write,
        "transfer": job.transfer,
        "restart": job.restart_in_place,
        "restart-lease": job.restart_lease,
        "input": job.input,
        "gap": slots.gap,
    }
    times = {name: nanoseconds(law.mean) for name, law in costs.items()}
    if times["restart-lease"] == times["restart"]:
        del times["restart-lease"]
    times |= {"grace": slots.grace}
    optional = {
        "limit": slots.limit,
        "claim-worklife": slots.claim_worklife,
        "step": job.step,
        "interval": job.interval,
    }
    times |= {name: time for name, time in optional.items() if time is not None}
    refuse_long(times)
    texts = {"evictions": slots.evictions.describe()}
    texts |= {"seed": str(scenario.seed % 10**9)} if scenario.seed != 1 else {}
    texts |= {"leave-early": "yes"} if job.leave_early else {}
    texts |= {name: spelled(time) for name, time in times.items() if time or name in TOLD_IF_ZERO}
    return Asked(texts, list(notices(scenario, costs)))


def fragment_of(question: Mapping[str, str]) -> str:
    """The part of the page's address after # that asks this: `fragmentOf` of the page."""
    return urlencode(question, quote_via=quote_plus, safe="(),:")


def refuse(scenario: Scenario) -> None:
    """ScenarioError for what the page has no answer to."""
    job, slots = scenario.job, scenario.slots
    if scenario.is_pool:
        raise ScenarioError(
            "explore: a pool of jobs has no exact answer that a page could find; "
            "expected one job on one slot (ckptsim plan simulates pools)"
        )
    refuse_without_answer(scenario)
    if job.mode not in (Mode.EXIT_CODE, Mode.EXIT_SIGNAL):
        raise ScenarioError(
            f"job.mode: {named(job.mode)!r}: the page knows exit code and exit signal; {INSTEAD}"
        )
    if job.steps:
        raise ScenarioError(
            f"job.steps: the page knows no steps of their own; give one step, or {INSTEAD}"
        )
    if not isinstance(slots.power_failures, lifetimes.Never):
        raise ScenarioError(
            "slots.power_failures: the page knows none; give none "
            f"(--power-failures none), or {INSTEAD}"
        )
    refuse_law(slots.evictions)


def refuse_law(law: Law) -> None:
    """ScenarioError for a law of evictions that the page does not know."""
    if not isinstance(law, KNOWN):
        name = law.describe().partition("(")[0]
        raise ScenarioError(
            f"slots.evictions: the page does not know the law {name}; fit one with parameters "
            f"(ckptsim fit) or give one (--evictions 12h), or {INSTEAD}"
        )
    for name, (low, high) in RANGES.items():
        value = getattr(law, name, None)
        if isinstance(value, float) and not low <= value <= high and not of_gamma(law, name):
            raise ScenarioError(
                f"slots.evictions: {law.describe()}: the page knows {name} from {low:g} to "
                f"{high:g}; {INSTEAD}"
            )


def of_gamma(law: Law, name: str) -> bool:
    """Is it a property that follows from the parameters, and none of them?"""
    return isinstance(law, lifetimes.Gamma) and name == "shape"


def refuse_long(times: dict[str, int]) -> None:
    """ScenarioError for times that the page cannot tell apart to the nanosecond."""
    for name, time in times.items():
        if time > LONGEST:
            raise ScenarioError(
                f"--{name}: {show(time)}: the page takes up to {show(LONGEST)}; {INSTEAD}"
            )


def notices(scenario: Scenario, costs: dict[str, Law]) -> Iterator[str]:
    """What of the scenario the page leaves out, a sentence each."""
    for name, law in costs.items():
        if not is_certain(law) and name in ("write", "transfer", "restart", "input"):
            mean = show(nanoseconds(law.mean))
            yield f"{name} is {law.describe()}; here it always takes its mean of {mean}."
    if scenario.job.work is not None:
        work = show(scenario.job.work)
        yield f"The job's {work} of work is left out: this is about leases of a job without end."
