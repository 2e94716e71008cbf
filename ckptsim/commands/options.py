"""The flags that plan, simulate and sweep share; each is a scenario key too (design.md §7)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ckptsim.engine import Engine
from ckptsim.errors import ScenarioError
from ckptsim.keys import TABLES
from ckptsim.report import FIGURES, Report, ready
from ckptsim.scenario import Scenario, load, profiles
from ckptsim.terminal import print_json, tell

if TYPE_CHECKING:
    from pydantic import BaseModel

VALUES = {  # flag: key, what it takes
    "--mode": ("job.mode", "MODE"),
    "--work": ("job.work", "TIME"),
    "--interval": ("job.interval", "TIME"),
    "--step": ("job.step", "TIME"),
    "--steps": ("job.steps", "TIME,TIME,..."),
    "--limit": ("slots.limit", "TIME"),
    "--evictions": ("slots.evictions", "LAW"),
    "--power-failures": ("slots.power_failures", "LAW"),
    "--contact-lease": ("slots.contact_lease", "TIME"),
    "--grace": ("slots.grace", "TIME"),
    "--retirement": ("slots.retirement", "TIME"),
    "--gap": ("slots.gap", "LAW"),
    "--write": ("job.write", "LAW"),
    "--transfer": ("job.transfer", "LAW"),
    "--size": ("job.size", "SIZE"),
    "--bandwidth": ("job.bandwidth", "RATE"),
    "--link": ("link.bandwidth", "RATE"),
    "--restart": ("job.restart", "LAW"),
    "--restart-in-place": ("job.restart_in_place", "LAW"),
    "--restart-lease": ("job.restart_lease", "LAW"),
    "--cold-start": ("job.cold_start", "LAW"),
    "--input": ("job.input", "LAW"),
    "--claim-worklife": ("slots.claim_worklife", "TIME"),
    "--last-checkpoint": ("job.last_checkpoint", "yes|no"),
    "--absence": ("slots.absence", "LAW"),
    "--slots": ("slots.count", "N"),
    "--jobs": ("job.count", "N"),
    "--duration": ("duration", "TIME"),
    "--warm-up": ("warm_up", "TIME"),
    "--seed": ("seed", "N"),
    "--replications": ("replications", "N"),
}
SWITCHES = {"--first-gap": "slots.first_gap", "--leave-early": "job.leave_early"}
FLAGS = {**{flag: key for flag, (key, _) in VALUES.items()}, **SWITCHES}

LAWS = """\b
A TIME is 90min, 1h24m, 1.5 h, 2d or 1:30:00. A LAW is
  5min                          a constant; the mean of an exponential
                                for --evictions and --power-failures
  exponential(mean=12h)         weibull(shape=0.7, mean=12h)
  lognormal(median=2h, sigma=1) loglogistic(median=2h, shape=1.5)
  gamma(mean=5min, cv=0.3)      uniform(3min, 7min)
  triangular(3min, 4min, 9min)
  hyperexponential(p=0.7, mean1=10min, mean2=9h)
  bathtub(a=0.45, tau1=1h, tau2=0.8h, b=24h)
  empirical(FILE.csv:COLUMN)    measured times, in seconds
  mixture(0.8: exponential(mean=6h), 0.2: constant(24h))
  none"""


def scenario_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags of a scenario; they arrive as its keyword arguments."""
    described = descriptions()
    for flag, (key, takes) in reversed(VALUES.items()):
        command = click.option(flag, argument(key), metavar=takes, help=described[key])(command)
    for flag, key in reversed(SWITCHES.items()):
        command = click.option(
            flag, argument(key), flag_value="yes", help=switched(described[key])
        )(command)
    known = ", ".join(profiles())
    command = click.option("--pool", "pool", metavar="PROFILE", help=f"A pool's rules: {known}.")(
        command
    )
    return click.option(
        "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Set any scenario key."
    )(command)


def engine_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --engine; `engine_from` reads it."""
    return click.option(
        "--engine",
        type=click.Choice([str(engine) for engine in Engine]),
        default=str(Engine.AUTO),
        show_default=True,
        help="What simulates: SimPy (virtual) or compiled code, which says the same and is faster "
        "where there is much to do; auto decides by that.",
    )(command)


def engine_from(given: Mapping[str, Any]) -> Engine:
    """The engine that was asked for."""
    return Engine(given["engine"])


def engine_told(engine: str) -> str:
    """What ran, after "simulated with"."""
    return "SimPy" if engine == Engine.VIRTUAL else "the compiled engine"


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --json, --out, --figures and --no-report."""
    command = figures_option(command)
    command = click.option("--no-report", is_flag=True, help="Write no report.")(command)
    command = click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where the report goes.  [default: reports/<name>/; none with --json]",
    )(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document, times in seconds."
    )(command)


def figures_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --figures, which its report finds in click's context."""

    def remember(context: click.Context, _: click.Parameter, kinds: tuple[str, ...]) -> None:
        context.meta[FIGURES] = tuple(dict.fromkeys(kinds))

    return click.option(
        "--figures",
        type=click.Choice(["svg", "pdf"]),
        multiple=True,
        callback=remember,
        expose_value=False,
        help="Write the report's pictures as svg or pdf too; may be repeated.",
    )(command)


def report_folder(name: str, out: Path | None, *, no_report: bool, as_json: bool) -> Path | None:
    """Where the report goes, made ready; programs that read JSON get one only if they ask."""
    if no_report or (as_json and out is None):
        return None
    return ready(out or Path("reports") / name)


def switched(description: str) -> str:
    """What a key means, of a flag that takes no value."""
    return description.replace(", yes/no", "")


def deliver(
    told: Callable[[], Iterable[Any]],
    document: Callable[[], Mapping[str, Any]],
    page: Callable[[Path], Report],
    *,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Print what a command found, for people or for programs, and write its report."""
    if as_json:
        print_json(document())
    else:
        tell(told())
    path = folder and page(folder).write(document())
    if path and not as_json:
        tell(["", f"Report: {path}"])


def argument(key: str) -> str:
    """The key as the name of a Python argument."""
    return key.replace(".", "__")


def descriptions() -> dict[str, str]:
    """What each scenario key means."""
    models: dict[str, type[BaseModel]] = {"": Scenario}
    models |= {f"{table}.": model for table, model in TABLES.items()}
    return {
        prefix + name: field.description or ""
        for prefix, model in models.items()
        for name, field in model.model_fields.items()
    }


def scenario_from(
    path: Path | None, given: Mapping[str, Any], learned: Mapping[str, object] | None = None
) -> Scenario:
    """The scenario of the file, what was learned from logs, the flags and --set, in this order."""
    flags = {key: given.get(argument(key)) for key in (*FLAGS.values(), "pool")}
    overrides = {**(learned or {}), **not_none(flags), **settings(given["settings"])}
    return loaded(path, overrides, set(not_none(flags)))


def loaded(path: Path | None, overrides: Mapping[str, object], flagged: set[str]) -> Scenario:
    """What `load` gives; its mistakes name the flags where those are what gave the keys."""
    try:
        return load(path, overrides)
    except ScenarioError as error:
        raise ScenarioError(by_flag(str(error), flagged)) from None


def not_none(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


def settings(pairs: Iterable[str]) -> dict[str, object]:
    """The `--set key=value` pairs."""
    found: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ScenarioError(
                f"--set {pair}: found no KEY=VALUE; write for example --set job.interval=90min"
            )
        found[key.strip()] = value.strip()
    return found


def refuse_given(names: Mapping[str, str], why: str) -> None:
    """Refuse flags that would have no effect."""
    context = click.get_current_context()
    for name, flag in names.items():
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise no_effect(flag, why)


def no_effect(flag: str, why: str) -> ScenarioError:
    return ScenarioError(f"{flag}: has no effect here: {why}")


def by_flag(message: str, given: set[str]) -> str:
    """The message with the flag that was typed in place of the key it stands for."""
    for flag, key in FLAGS.items():
        if key in given:
            message = message.replace(f"flags: {key}:", f"{flag}:")
    return message


@dataclass(frozen=True)
class Inputs:
    """What a command was pointed at: at most one scenario file, and logs."""

    scenario: Path | None
    logs: tuple[Path, ...]


def input_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what `inputs` sorts: paths of a scenario and of logs."""
    command = click.option(
        "--log",
        "logs",
        multiple=True,
        metavar="LOG...",
        help="Learn how slots are lost from HTCondor job event logs: files or a pattern.",
    )(command)
    return click.argument("paths", nargs=-1, metavar="[SCENARIO.toml]")(command)


def inputs(paths: Iterable[str], logs: Iterable[str]) -> Inputs:
    """Sort positional paths: with --log, those not named .toml are logs too (`--log *.log`)."""
    named, globbed = list(paths), [path for pattern in logs for path in matching(pattern)]
    if globbed:
        globbed += [Path(name) for name in named if not name.endswith(".toml")]
        named = [name for name in named if name.endswith(".toml")]
    if len(named) > 1:
        raise ScenarioError(f"{named[1]}: a second scenario; expected one file or none")
    unique = {path.resolve(): path for path in globbed}  # a pattern may name a log twice
    return Inputs(Path(named[0]) if named else None, tuple(unique.values()))


def matching(pattern: str) -> list[Path]:
    """The files that a quoted pattern stands for; a path without wildcards stands for itself."""
    found = glob(pattern, recursive=True)  # noqa: PTH207 (a pattern may be absolute)
    return [Path(name) for name in sorted(found)] or [Path(pattern)]
