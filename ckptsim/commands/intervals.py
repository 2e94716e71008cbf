"""What simulate and sweep need of a scenario besides what the door asks for."""

from ckptsim.errors import ScenarioError
from ckptsim.rules import WITHOUT_INTERVAL
from ckptsim.scenario import Job, Scenario
from ckptsim.units import LONGEST

REPLICATIONS_OF_POOL = 10  # unless the scenario says how many: it may be a large one


def intervals_of(scenario: Scenario) -> list[int]:
    """The interval of each class in nanoseconds. ScenarioError if one is missing."""
    classes = scenario.job_classes.items()
    return [interval_of(job, name if scenario.classes else None) for name, job in classes]


def interval_of(job: Job, name: str | None) -> int:
    """A class's interval; any where the mode has none."""
    interval = job.computed_interval
    if interval is None and job.mode in WITHOUT_INTERVAL:
        return LONGEST
    if interval is None and name is None:
        raise ScenarioError(
            "job.interval: missing; expected a time, for example --interval 84min "
            "(ckptsim plan finds the best)"
        )
    if interval is None:
        raise ScenarioError(
            f"classes.{name}.interval: missing; expected a time, for example --set "
            f"classes.{name}.interval=84min, or --interval 84min for all classes"
        )
    return interval


def few_if_pool(scenario: Scenario) -> Scenario:
    """The scenario with few replications where it is a pool and does not say how many."""
    if not scenario.is_pool or "replications" in scenario.model_fields_set:
        return scenario
    return scenario.model_copy(update={"replications": REPLICATIONS_OF_POOL})
