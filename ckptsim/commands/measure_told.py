"""What `ckptsim measure` ends with: figures, what they cannot tell, lines for a scenario."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import floor, log10
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ckptsim.commands.measure_job import Subject
from ckptsim.commands.measure_run import Goal, Seen
from ckptsim.commands.run_told import counted
from ckptsim.errors import OutputError
from ckptsim.measure import Begin, Costs, Execution, Figure, Method, computing, costs, writing
from ckptsim.report import Report, command_line
from ckptsim.terminal import strong, table
from ckptsim.units import SECOND, rate, seconds, show, show_size, spelled, spelled_size

if TYPE_CHECKING:
    import pandas as pd

STEM = "measure"
ELSEWHERE = (
    "Another machine, disk or network, or a larger state: these are the times on this one. "
    "`ckptsim plan` says how far the best interval moves with them."
)
DIGITS = 3  # of what is put into a scenario
FEWEST = 3  # values, for a law of them
HEAD = ["", "seen", "median", "quartiles", "least to most", "mean"]
USUAL_RATE = "1 Gb/s"
COST_KEYS = ("job.write", "job.transfer", "job.restart_in_place")


@dataclass(frozen=True)
class Measured:
    """What became of an exercise."""

    subject: Subject
    goal: Goal
    seen: Seen
    bandwidth: str | None  # as it was typed, or none
    tables: Path | None  # where the scenario finds the report's tables

    @cached_property
    def costs(self) -> Costs:
        return costs(self.seen.runs, self.subject.wanted)

    @property
    def is_complete(self) -> bool:
        return not self.lacking

    @cached_property
    def lacking(self) -> str:
        """What was asked for and not seen, and why; empty where nothing is."""
        leases = sum(run.begin is Begin.LEASE for run in self.seen.runs)
        found = []
        if self.seen.cut_short:
            found = [
                f"{self.seen.checkpoints} of {counted(self.goal.checkpoints, 'checkpoint')}",
                f"{min(leases, self.goal.restarts)} of {counted(self.goal.restarts, 'restart')}",
            ]
        return f"Incomplete: {self.seen.cut_short} after {' and '.join(found)}." if found else ""

    @property
    def size(self) -> int:
        """A checkpoint's, in bytes: the median."""
        return round(median(self.costs.sizes))

    @property
    def input_size(self) -> int:
        """What goes into a sandbox, a checkpoint among it where there is one: the median."""
        return round(median(self.costs.inputs))

    # --- for people -------------------------------------------------------------------------------

    def told(self) -> Iterator[Any]:
        """What is printed, in order."""
        yield ""
        yield strong(self.headline())
        if self.lacking:
            yield self.lacking
        yield ""
        yield table(self.rows())
        yield ""
        yield from self.sentences()
        yield ""
        yield strong("For a scenario:")
        yield from self.scenario_lines()

    def headline(self) -> str:
        of = counted(len(self.costs.sizes), "checkpoint")
        return f"{self.subject.name}: {of} of {show_size(self.size)}, {self.cost_told()}"

    def cost_told(self) -> str:
        """What a checkpoint costs in all, of what is known of it."""
        known = [figure for figure in self.costs.figures if figure.key in COST_KEYS]
        names = " + ".join(figure.name for figure in known)
        return f"each costing {show(sum(figure.median for figure in known))} ({names})."

    def rows(self) -> list[list[str]]:
        return [HEAD, *(row(figure) for figure in self.costs.figures)]

    def sentences(self) -> Iterator[str]:
        """How it was measured, and what that cannot tell."""
        if self.subject.jobs > 1:
            yield f"Only the first of the {self.subject.jobs} jobs was run."
        if self.seen.early:
            yield f"{self.seen.early}."
        for method, names in self.methods().items():
            yield f"By {method}: {', '.join(names)}."
        yield from self.unknown()
        yield from self.transfer_told()
        yield self.interval_told()

    def methods(self) -> Mapping[Method, list[str]]:
        found: dict[Method, list[str]] = {}
        for figure in self.costs.figures:
            found.setdefault(figure.method, []).append(figure.name)
        return found

    def unknown(self) -> Iterator[str]:
        """What could not be told, and how to have it told."""
        missing = [
            name
            for name in ("write", *map(str, Begin))
            if not self.costs.figure(name) and self.was_there(name)
        ]
        if missing:
            why = "it was not said" if self.costs.marked else "no output or file showed it"
            yield f"Not known, since {why}: {', '.join(missing)}."
        if not self.costs.marked:
            yield (
                "The job does not say what it does, so restart and computing are told apart by "
                "its first output or file alone, and a write by when its files change: a job that "
                "appends to the file that CKPTSIM_MARKS names (docs/pool.md) is measured exactly."
            )

    def was_there(self, name: str) -> bool:
        """Was there such a thing to be measured?"""
        return name == "write" or any(run.begin == name for run in self.seen.runs)

    def transfer_told(self) -> Iterator[str]:
        at = rate(self.bandwidth or USUAL_RATE)
        told = [
            f"{what} of {show_size(size)} takes {show(moved_in(size, at))}"
            for what, size in (("a checkpoint", self.size), ("an input", self.input_size))
        ]
        yield (
            "Transfers are copies on this host; on a pool they take size / bandwidth: "
            f"at {self.bandwidth or USUAL_RATE} {' and '.join(told)}."
        )
        if self.size == 0:
            yield "The checkpoints are empty: see transfer_checkpoint_files in the submit file."

    def interval_told(self) -> str:
        """The interval in use, and the step that it is made of."""
        interval, step = self.costs.figure("interval"), self.costs.figure("step")
        if interval is None:
            return "The interval in use is not known: no write was seen to begin."
        told = f"Interval in use: {show(interval.median)} of computing"
        if step:
            return f"{told}, in steps of about {show(step.median)}: it wrote that often."
        return f"{told}; that it could checkpoint more often was not seen."

    # --- for a scenario ---------------------------------------------------------------------------

    def scenario_lines(self) -> Iterator[str]:
        """The lines of a scenario file."""
        yield "[job]"
        for key, value in self.scenario().items():
            yield f'{key.removeprefix("job.")} = "{value}"'
        interval = self.costs.figure("interval")
        if interval and not self.costs.figure("step"):
            step = brief(interval.median)
            yield f'# if it cannot checkpoint more often than it did: step = "{step}"'
        if not self.bandwidth and self.size:
            size = spelled_size(self.size)
            yield f'# on a pool, instead of transfer: size = "{size}", bandwidth = "…"'

    def scenario(self) -> dict[str, str]:
        """Scenario keys and their values."""
        found = {f.key: self.law(f) for f in self.costs.figures if f.key}
        for name in ("interval", "step"):  # times, not laws
            if figure := self.costs.figure(name):
                found[figure.key] = brief(figure.median)
        if self.bandwidth and self.size:
            del found["job.transfer"]
            found["job.input"] = brief(moved_in(self.input_size, rate(self.bandwidth)))
            found |= {"job.size": spelled_size(self.size), "job.bandwidth": self.bandwidth}
        return found

    def law(self, figure: Figure) -> str:
        """A constant, or how they spread: the times themselves where there is a table of them."""
        low, high = brief(min(figure.times)), brief(max(figure.times))
        if len(figure.times) < FEWEST or not figure.is_spread or low == high:
            return brief(figure.median)
        if self.tables:
            file = self.tables / f"{STEM}-{figure.word}.csv"
            return f"empirical({file}:{figure.word}_s)"
        return f"uniform({low}, {high})"

    def scenario_text(self) -> str:
        """A scenario file of its own."""
        return "\n".join(
            [
                f"# Measured: {command_line()}",
                *(f"# {sentence}" for sentence in self.sentences()),
                *([f"# {self.lacking}"] if self.lacking else []),
                *self.scenario_lines(),
                "",
            ]
        )

    # --- for programs -----------------------------------------------------------------------------

    def json(self) -> dict[str, Any]:
        """What `--json` prints; times in seconds."""
        return {
            "job": self.subject.name,
            "jobs_in_file": self.subject.jobs,
            "complete": self.is_complete,
            "why_incomplete": self.lacking or None,
            "checkpoints": len(self.costs.sizes),
            "checkpoint_bytes": list(self.costs.sizes),
            "input_bytes": list(self.costs.inputs),
            "marked": self.costs.marked,
            "figures": {figure.word: figure_json(figure) for figure in self.costs.figures},
            "sentences": list(self.sentences()),
            "scenario": self.scenario(),
            "submit_description": self.subject.description or None,
        }

    def report_on(self, folder: Path) -> Report:
        """A page with the figures, a picture, and every single time as a table."""
        import pandas as pd

        from ckptsim import plots

        report = Report(folder, STEM, f"{self.subject.name}: what it costs", seed=None)
        report.answer(self.headline(), *([self.lacking] if self.lacking else []))
        report.table(self.rows())
        figures = self.costs.figures
        drawn = plots.measured_figure(
            {each.name: each.times for each in figures},
            {each.name: each.median for each in figures},
        )
        report.picture("times", drawn, "What was measured")
        for figure in figures:
            times = [seconds(value) for value in figure.times]
            report.data(figure.word, pd.DataFrame({f"{figure.word}_s": times}))
        report.say("## Evidence", *self.sentences())
        report.data("executions", self.executions_frame())
        report.say("## What would change it", ELSEWHERE, "## For a scenario")
        report.say("\n".join(["```toml", *self.scenario_lines(), "```"]))
        return report

    def executions_frame(self) -> "pd.DataFrame":
        """What was seen of each execution, in seconds from the first note of the first."""
        import pandas as pd

        runs = self.seen.runs
        origin = runs[0].asked
        return pd.DataFrame([self.execution_row(run, origin) for run in runs])

    def execution_row(self, run: Execution, origin: int) -> dict[str, Any]:
        wanted, marked = self.subject.wanted, self.costs.marked
        times = {
            "input_asked": run.asked,
            "ready": run.ready,
            "started": run.started,
            "computing": computing(run, wanted, marked=marked),
            "writing": writing(run, wanted, marked=marked) if run.sent else 0,
            "exited": run.exited,
            "transferred": run.sent,
        }
        return {
            "began_with": str(run.begin),
            **{f"{name}_s": seconds(at - origin) if at else None for name, at in times.items()},
            "exit_status": os.waitstatus_to_exitcode(run.status) if run.exited else None,
            "checkpoint_bytes": run.bytes if run.sent else None,
        }


def moved_in(size: int, per_second: int) -> int:
    """How long so many bytes take, in nanoseconds."""
    return round(size / per_second * SECOND)


def row(figure: Figure) -> list[str]:
    low, high = figure.quartiles
    least, most = min(figure.times), max(figure.times)
    return [
        figure.name,
        str(len(figure.times)),
        show(figure.median),
        f"{show(low)} – {show(high)}",
        f"{show(least)} – {show(most)}",
        show(figure.mean),
    ]


def figure_json(figure: Figure) -> dict[str, Any]:
    low, high = figure.quartiles
    return {
        "key": figure.key or None,
        "method": str(figure.method),
        "count": len(figure.times),
        "median_s": seconds(figure.median),
        "quartiles_s": [seconds(low), seconds(high)],
        "min_s": seconds(min(figure.times)),
        "max_s": seconds(max(figure.times)),
        "mean_s": seconds(figure.mean),
        "values_s": [seconds(value) for value in figure.times],
    }


def brief(ns: int) -> str:
    """A time in as many digits as it deserves, such that `units.duration` reads it."""
    if ns <= 0:
        return "0s"
    return spelled(round(ns, min(0, DIGITS - 1 - floor(log10(ns)))))


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet, whole or not at all; raises OutputError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            aside.write_text(text)
            path.hardlink_to(aside)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    reason = "exists already" if isinstance(error, FileExistsError) else error.strerror
    return OutputError(
        f"{path}: {(reason or str(error)).lower()}; choose another file with --scenario"
    )
