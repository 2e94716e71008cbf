"""The flags of experiments: how precise, where they run; and what is kept of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from ckptsim.commands.options import engine_from, engine_option
from ckptsim.errors import ScenarioError
from ckptsim.partial import Partial
from ckptsim.precision import MOST, Precision, is_precise
from ckptsim.running import Means
from ckptsim.summary import Summary
from ckptsim.terminal import percent

FLAGS_OF_EXPERIMENTS = {
    "engine": "--engine",
    "precision": "--precision",
    "replications_max": "--replications-max",
    "cluster": "--cluster",
    "workers": "--workers",
}
EXPECTED = "expected a share of the mean, for example --precision 1%"


def experiment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --engine, --precision, --replications-max, --cluster and --workers."""
    command = click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        help="How many workers to start, for --cluster local, htcondor and slurm.",
    )(command)
    command = click.option(
        "--cluster",
        metavar="CLUSTER",
        help="Run on a Dask cluster: tcp://HOST:PORT, local, htcondor or slurm.",
    )(command)
    command = click.option(
        "--replications-max",
        type=click.IntRange(1),
        metavar="N",
        help=f"The most replications that --precision runs.  [default: {MOST:,}]",
    )(command)
    command = click.option(
        "--precision",
        metavar="PERCENT",
        help="Add replications until half of the 99 % interval is below this share of the mean, "
        "for example 1%.",
    )(command)
    return engine_option(command)


def precision_from(given: Mapping[str, Any]) -> Precision | None:
    """How precise the answer is to be, if that was asked. Raises ScenarioError."""
    asked, most = given["precision"], given["replications_max"]
    if asked is None and most is not None:
        raise ScenarioError("--replications-max: has no effect without --precision")
    return None if asked is None else Precision(share(asked), most or MOST)


def share(text: str) -> float:
    """`1%` or `0.01` as 0.01."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        raise ScenarioError(f"--precision {text}: not a number; {EXPECTED}") from None
    if not 0 < value < 1:
        raise ScenarioError(f"--precision {text}: not between 0 and 100 %; {EXPECTED}")
    return value


@contextmanager
def experiment(folder: Path | None, given: Mapping[str, Any]) -> Iterator[Means]:
    """With what an experiment is run; what is complete when this ends is not kept any longer.

    Without a folder nothing is kept. Raises OutputError, ClusterError.
    """
    with ExitStack() as stack:
        file = Partial(folder, say) if folder else None
        if file:
            stack.callback(file.close)
        means = Means(file, cluster_from(given, stack), engine_from(given))
        yield means
        means.told()


def cluster_from(given: Mapping[str, Any], stack: ExitStack) -> Any:
    """The cluster that was asked for, if any, until the stack is left."""
    name, workers = given["cluster"], given["workers"]
    if name is None and workers is not None:
        raise ScenarioError("--workers: has no effect without --cluster")
    if name is None:
        return None
    from ckptsim.cluster import connected

    return stack.enter_context(connected(name, workers, say))


def say(line: str) -> None:
    """Tell it beside the answer."""
    click.echo(line, err=True)


def precision_told(summary: Summary, precision: Precision) -> str:
    """Whether it became precise enough."""
    wanted = f"known to within {percent(precision.relative, 2)} of itself"
    if is_precise(summary, precision):
        return f"Each mean is {wanted}."
    return f"Not every mean is {wanted}: --replications-max, {precision.most:,}, was reached."


def precision_json(summary: Summary, precision: Precision | None) -> dict[str, Any]:
    """The same for programs."""
    if precision is None:
        return {}
    return {"precision": precision.relative, "precise": is_precise(summary, precision)}
