"""`ckptsim fit`: laws from logs and tables of lifetimes."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ckptsim.commands.options import deliver, matching, report_folder, report_options
from ckptsim.conclude import POOR, about, conclude
from ckptsim.errors import DataError, ScenarioError
from ckptsim.fit import Risk, learn
from ckptsim.fitting import Fit
from ckptsim.htcondor.leases import counted
from ckptsim.lifetimes import Law
from ckptsim.observed import from_csv
from ckptsim.report import Report
from ckptsim.survival import Survival, kaplan_meier
from ckptsim.terminal import strong, table

CURVE_POINTS = 200


@dataclass(frozen=True)
class Findings:
    """What was learned from all the files together."""

    risks: tuple[Risk, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    limit_s: float | None


@click.command("fit")
@click.argument("patterns", nargs=-1, required=True, metavar="FILE...")
@click.option("--column", metavar="NAME", help="The CSV column of lifetimes, in seconds.")
@click.option("--observed", metavar="NAME", help="A CSV column: 1 where the end was seen, else 0.")
@click.option("--censored", metavar="NAME", help="A CSV column: 1 where it was cut short, else 0.")
@report_options
def command(
    patterns: tuple[str, ...],
    column: str | None,
    observed: str | None,
    censored: str | None,
    as_json: bool,
    out: Path | None,
    no_report: bool,
) -> None:
    """Learn how slots are lost: laws of evictions and power failures, and how sure they are.

    FILE is an HTCondor job event log, or a CSV table (.csv, .csv.gz) with a column of lifetimes in
    seconds. Lifetimes that something else cut short are censored, not dropped.
    """
    paths = [path for pattern in patterns for path in matching(pattern)]
    tables = [path for path in paths if ".csv" in path.suffixes]
    if tables and len(paths) > 1:
        raise ScenarioError(
            f"{tables[0]}: a table among {len(paths)} files; expected one table, or logs"
        )
    found = of_table(tables[0], column, observed, censored) if tables else of_logs(paths)
    folder = report_folder(
        f"fit-{paths[0].name.split('.')[0]}", out, no_report=no_report, as_json=as_json
    )
    deliver(
        lambda: told(found),
        lambda: document(found),
        lambda place: write_report(found, place),
        as_json=as_json,
        folder=folder,
    )


def of_table(
    path: Path, column: str | None, observed: str | None, censored: str | None
) -> Findings:
    """What a table of lifetimes tells."""
    lifetimes = from_csv(path, column, observed, censored)
    conclusion = conclude(lifetimes)
    if conclusion is None:
        raise DataError(f"{path}: all lifetimes are 0; expected times in seconds")
    seen = (
        f"{len(lifetimes.durations_s):,} lifetimes, {lifetimes.ends:,} of them seen to their end."
    )
    risk = Risk("slots.evictions", lifetimes, conclusion)
    return Findings((risk,), (seen, *conclusion.sentences), (), conclusion.limit_s)


def of_logs(paths: Sequence[Path]) -> Findings:
    """What job event logs tell."""
    evidence = learn(paths)
    return Findings(evidence.risks, evidence.sentences, evidence.warnings, evidence.limit_s)


def document(found: Findings) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        "laws": [
            {
                "key": risk.key,
                "law": risk.conclusion.chosen.law.describe(),
                "ends": risk.lifetimes.ends,
                "censored": len(risk.lifetimes.durations_s) - risk.lifetimes.ends,
                "exposure_s": risk.lifetimes.exposure_s,
                "tried": [fit_json(fit) for fit in risk.conclusion.tried],
            }
            for risk in found.risks
        ],
        "limit_s": found.limit_s,
        "sentences": found.sentences,
        "warnings": found.warnings,
    }


def fit_json(fit: Fit) -> dict[str, Any]:
    return {
        "law": fit.law.describe(),
        "mean_s": fit.law.mean,
        "mean_ci95_s": fit.mean_interval_s,
        "aicc": fit.aicc,
        "misfit": fit.misfit,
    }


def told(found: Findings) -> Iterator[Any]:
    """What is printed, in order."""
    yield from found.sentences
    yield from (f"Left out: {warning}" for warning in found.warnings)
    for risk in found.risks:
        yield ""
        yield table(
            law_rows(risk),
            f"Laws of {risk.key}, from {counted(risk.conclusion.chosen.ends, 'end')}",
        )
    yield ""
    yield strong("For a scenario:")
    yield from toml_lines(found)


def law_rows(risk: Risk) -> list[list[str]]:
    """The laws tried, the chosen one first."""
    chosen = risk.conclusion.chosen
    others = [fit for fit in risk.conclusion.tried if fit is not chosen]
    return [["law", "mean", "AICc", "off by"], *(law_row(fit) for fit in (chosen, *others))]


def law_row(fit: Fit) -> list[str]:
    score = f"{fit.aicc:,.1f}" if math.isfinite(fit.aicc) else "–"
    misfit = f"{100 * fit.misfit:.0f} %" if fit.ends else "–"
    return [brief(fit.law), about(fit.law.mean), score, misfit]


def brief(law: Law) -> str:
    """The law in five digits: more than any data tell; --json has them all."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.5g}", law.describe())


def to_plan_with(risk: Risk) -> str:
    """The chosen law; where none follows lifetimes that were all seen, the lifetimes themselves."""
    lifetimes, chosen = risk.lifetimes, risk.conclusion.chosen
    if lifetimes.source and all(lifetimes.observed) and chosen.misfit > POOR:
        return f"empirical({lifetimes.source})"
    return brief(chosen.law)


def toml_lines(found: Findings) -> Iterator[str]:
    """Lines to paste into a scenario file."""
    yield "[slots]"
    for risk in found.risks:
        worst = "" if risk.conclusion.chosen.ends else "  # at worst: no end was seen"
        yield f'{risk.key.removeprefix("slots.")} = "{to_plan_with(risk)}"{worst}'
    if found.limit_s:
        yield f'limit = "{about(found.limit_s)}"'


def write_report(found: Findings, folder: Path) -> Path:
    """A page with the survival curves, what was observed beside what was fitted."""
    report = Report(folder, "fit", "How slots are lost", seed=None)
    report.say(*found.sentences, *(f"Left out: {warning}" for warning in found.warnings))
    for risk in found.risks:
        add_risk(report, risk)
    report.say("## For a scenario", "\n".join(["```toml", *toml_lines(found), "```"]))
    return report.write()


def add_risk(report: Report, risk: Risk) -> None:
    """The picture and the table of one risk."""
    import numpy as np
    import pandas as pd

    from ckptsim import plots

    observed = kaplan_meier(risk.lifetimes)
    times = np.linspace(0, max(risk.lifetimes.durations_s), CURVE_POINTS)
    curves = {brief(fit.law): (times, fit.law.survival(times)) for fit in risk.conclusion.tried}
    name = risk.key.removeprefix("slots.")
    pairs = zip(risk.lifetimes.durations_s, risk.lifetimes.observed, strict=True)
    cut_short = np.array([duration for duration, seen in pairs if not seen])
    figure = plots.survival_figure(
        observed.times_s, observed.survival, observed.low, observed.high, curves, cut_short
    )
    report.say(f"## {name.replace('_', ' ').capitalize()}")
    report.picture(name, figure, f"Survival: {name}")
    report.data(name, pd.DataFrame(survival_columns(observed)))
    report.table(law_rows(risk))


def survival_columns(observed: Survival) -> dict[str, Any]:
    return {
        "time_s": observed.times_s,
        "survival": observed.survival,
        "survival_low": observed.low,
        "survival_high": observed.high,
    }
