"""`ckptsim plan`: how often to checkpoint."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ckptsim.commands.experiment_options import FLAGS_OF_EXPERIMENTS, experiment_options
from ckptsim.commands.options import (
    LAWS,
    deliver,
    input_arguments,
    inputs,
    refuse_given,
    report_folder,
    report_options,
    scenario_from,
    scenario_options,
)
from ckptsim.commands.plan_answer import Answer
from ckptsim.commands.plan_apply import Applied, applied, write_applied
from ckptsim.commands.plan_evidence import doubts, from_logs, is_sized, learned, redrawn
from ckptsim.commands.plan_modes import Without, is_without_interval
from ckptsim.commands.plan_told import report_on, told
from ckptsim.doubt import BAND
from ckptsim.errors import ScenarioError
from ckptsim.objective import EXAMPLE, Objective, objective, share
from ckptsim.plan import plan
from ckptsim.ranges import times
from ckptsim.report import Report
from ckptsim.scenario import Scenario
from ckptsim.search import MARGIN
from ckptsim.terminal import progress, tell

if TYPE_CHECKING:
    from ckptsim.fit import Evidence

CONFIRMING_LEASES = 5_000
COMPUTED = "of one job the answer is computed"


@click.command("plan", epilog=LAWS)
@input_arguments
@click.option(
    "--intervals", metavar="LIST", help="Value these too: 60min,84min or a range 30min:6h:1min."
)
@click.option(
    "--confirm",
    "leases",
    type=click.IntRange(0),
    default=CONFIRMING_LEASES,
    show_default=True,
    metavar="N",
    help="Confirm the answer by simulating so many leases; 0 for none.",
)
@click.option(
    "--objective",
    "aim",
    default="useful",
    show_default=True,
    metavar="WHAT",
    help=f"What is to be best: {EXAMPLE}.",
)
@click.option(
    "--within",
    "margin",
    default=f"{MARGIN:.0%}",
    show_default=True,
    metavar="SHARE",
    help="Show the intervals within so much of the best.",
)
@click.option(
    "--band",
    default=f"{BAND:.0%}",
    show_default=True,
    metavar="SHARE",
    help="How far costs and times between losses may be off for the robust interval.",
)
@click.option(
    "--apply",
    "job",
    type=click.Path(path_type=Path),
    metavar="JOB.sub",
    help="Put the answer into a new submit file (and wrapper); the old one stays as it is.",
)
@experiment_options
@report_options
@scenario_options
def command(
    paths: tuple[str, ...],
    logs: tuple[str, ...],
    intervals: str | None,
    leases: int,
    aim: str,
    margin: str,
    band: str,
    job: Path | None,
    as_json: bool,
    out: Path | None,
    no_report: bool,
    **given: Any,
) -> None:
    """How often to checkpoint: the best interval for a scenario, a few flags or your own logs.

    The answer is the interval (computation between two checkpoints) that turns most slot time into
    committed work, with its price, how flat or steep it is around it, and what would change it.
    For a pool, which has no exact answer, it is found by simulation, with its confidence.
    """
    found = inputs(paths, logs)
    evidence = learned(found.logs)
    known = from_logs(evidence, sized=is_sized(given))
    scenario = scenario_from(found.scenario, given, known)
    asked = asked_for(intervals) if intervals else []
    folder = report_folder(scenario.name, out, no_report=no_report, as_json=as_json)
    if scenario.is_pool:
        refuse_given({"job": "--apply"}, "a submit file is given the answer for one job")
        from ckptsim.commands import plan_pool

        goal = aimed_at(aim, scenario)
        plan_pool.answer(scenario, asked, goal, given, as_json=as_json, folder=folder)
        return
    refuse_given(FLAGS_OF_EXPERIMENTS, COMPUTED)
    answer = answered(scenario, evidence, asked, leases, aim, margin, band)
    put_in = apply_to(job, answer) if job else None
    with progress("confirming by simulation", shown=not as_json) as bar:
        answer.confirm(bar)
    deliver(
        lambda: told_of(answer),
        answer.json,
        lambda place: report_of(answer, place),
        as_json=as_json,
        folder=folder,
    )
    if put_in:
        lines = write_applied(put_in)
        tell([] if as_json else lines)


def apply_to(job: Path, answer: Answer | Without) -> Applied:
    """The submit file with the answer in it, to be written once that has been told."""
    if isinstance(answer, Without):
        raise ScenarioError("--apply: has no effect here: there is no interval to choose")
    return applied(job, answer.scenario, answer.advice.best.interval)


def told_of(answer: Answer | Without) -> Iterator[Any]:
    """What is printed."""
    return answer.told() if isinstance(answer, Without) else told(answer)


def report_of(answer: Answer | Without, folder: Path) -> Report:
    """A page with the answer."""
    if isinstance(answer, Without):
        return answer.report_on(folder)
    return report_on(answer, folder)


def answered(
    scenario: Scenario,
    evidence: "Evidence | None",
    asked: Sequence[int],
    leases: int,
    aim: str,
    margin: str,
    band: str,
) -> Answer | Without:
    """The answer for one job, not confirmed yet; `asked` are intervals (ns), the rest as typed."""
    if is_without_interval(scenario):
        return Without(scenario, leases)
    advice = plan(
        scenario,
        asked,
        doubts(scenario, evidence),
        aimed_at(aim, scenario),
        flag("--within", margin),
        flag("--band", band),
        redrawn(scenario, evidence),
    )
    return Answer(advice, evidence, leases)


def asked_for(text: str) -> list[int]:
    """The intervals of `--intervals`."""
    try:
        return times(text)
    except ScenarioError as error:
        raise ScenarioError(f"--intervals: {error}") from None


def aimed_at(text: str, scenario: Scenario) -> Objective:
    """The objective of `--objective`, if the scenario has what it needs."""
    try:
        found = objective(text)
    except ScenarioError as error:
        raise ScenarioError(f"--objective: {error}") from None
    if found.of_whole_job and scenario.job.work is None:
        raise ScenarioError(
            f"--objective {text}: needs a job with an end; give its computing time (--work 24h)"
        )
    if found.per_bytes and scenario.job.size is None:
        raise ScenarioError(
            f"--objective {text}: needs the size of a checkpoint "
            "(--size 2GB --bandwidth 100MB/s), or a price for each: weighted(30s)"
        )
    return found


def flag(name: str, text: str) -> float:
    """The share that a flag gives."""
    try:
        return share(text)
    except ScenarioError as error:
        raise ScenarioError(f"{name}: {error}") from None
