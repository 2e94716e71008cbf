"""`ckptsim fit`: laws from logs, traces and tables of lifetimes."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ckptsim.commands.fit_scenario import refuse_foreign, write_scenario
from ckptsim.commands.fit_told import (
    Findings,
    brief,
    cut_short,
    incidence_rows,
    law_rows,
    told,
    toml_lines,
)
from ckptsim.commands.options import deliver, matching, report_folder, report_options
from ckptsim.commands.plan_evidence import WITHOUT_A_WAIT
from ckptsim.conclude import about, conclude, conclude_of
from ckptsim.errors import DataError, ScenarioError
from ckptsim.fit import Risk, learn
from ckptsim.fitting import Fit
from ckptsim.htcondor.leases import End
from ckptsim.observed import (
    Cells,
    Lifetimes,
    causes_of,
    duration_column,
    lifetimes_of,
    read_cells,
    unit_of,
)
from ckptsim.report import Report
from ckptsim.survival import Incidence, Survival, aalen_johansen, kaplan_meier
from ckptsim.traces_read import EVICTIONS, FAILURES, Trace, read_trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE_POINTS = 200
CAUSES_SHOWN = 5
ANOTHER_LAW = (
    "Another law. These were fitted; the less its AICc, the better a law describes the data for "
    "the parameters that it takes."
)
CURVES = 4  # laws in a picture: the chosen one, the exponential and the next best
JOBS_OWN = {End.FINISHED, End.RUNNING}  # the slot did not end
# How words in causes begin that are a loss with notice, and those that are one without.
STEMS = {
    EVICTIONS: ("evict", "preempt", "reclaim", "revok"),
    FAILURES: ("power", "contact", "fail", "crash", "down"),
}
DENIED = {"no", "not", "non", "never", "without"}
INCIDENCE = (
    "The share of leases that each cause has ended by then, all causes at work (Aalen and "
    "Johansen); a lease that its job ended is cut short."
)


@click.command("fit")
@click.argument("patterns", nargs=-1, required=True, metavar="FILE...")
@click.option("--column", metavar="NAME", help="The CSV column of lifetimes.")
@click.option("--observed", metavar="NAME", help="A CSV column: 1 where the end was seen, else 0.")
@click.option("--censored", metavar="NAME", help="A CSV column: 1 where it was cut short, else 0.")
@click.option("--cause", metavar="NAME", help="A CSV column: what ended it; empty if cut short.")
@click.option(
    "--scenario",
    "scenario",
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="Write a scenario that says where each number came from.",
)
@report_options
def command(
    patterns: tuple[str, ...],
    scenario: Path | None,
    as_json: bool,
    out: Path | None,
    no_report: bool,
    **columns: str | None,
) -> None:
    """Learn how slots are lost: laws of evictions and power failures, and how sure they are.

    FILE is an HTCondor job event log; a CSV table (.csv, .csv.gz) with a column of lifetimes, in
    seconds unless its name ends in a unit (_min, _h, days); or a trace known by its content: spot
    instances (SkyPilot's JSON, Bamboo's CSV), LANL's failures, lives of GPUs (days, dead).
    Lifetimes that something else cut short are censored, not dropped.
    """
    paths = [path for pattern in patterns for path in matching(pattern)]
    if scenario:
        refuse_foreign(scenario)
    found = of_files(paths, columns)
    folder = report_folder(
        f"fit-{paths[0].name.split('.')[0]}", out, no_report=no_report, as_json=as_json
    )
    written = [write_scenario(found, paths, scenario)] if scenario else []
    deliver(
        lambda: [*told(found), *written],
        lambda: document(found),
        lambda place: report_on(found, place),
        as_json=as_json,
        folder=folder,
    )


def of_files(paths: Sequence[Path], columns: Mapping[str, str | None]) -> Findings:
    """What one table or trace tells, or logs together."""
    tables = [path for path in paths if {".csv", ".json"} & set(path.suffixes)]
    if tables and len(paths) > 1:
        raise ScenarioError(
            f"{tables[0]}: a table among {len(paths)} files; expected one table, or logs"
        )
    return of_table(tables[0], columns) if tables else of_logs(paths)


def of_table(path: Path, columns: Mapping[str, str | None]) -> Findings:
    """What a trace or a table of lifetimes tells."""
    asked = {name: column for name, column in columns.items() if column}
    trace = None if asked else read_trace(path)
    return of_trace(path, trace) if trace else of_cells(read_cells(path), asked)


def of_cells(table: Cells, asked: dict[str, str]) -> Findings:
    """What a table of lifetimes tells; `asked` are its columns by what they hold."""
    if not {"observed", "censored"} & set(asked):
        caused = causes_of(table, asked.get("column"), asked.get("cause"))
        if caused:
            return of_causes(table.where, *caused, unit_untold(table, asked))
    elif "cause" in asked:
        raise ScenarioError(
            "--cause: its empty cells tell what was cut short; leave out --observed and --censored"
        )
    lifetimes = lifetimes_of(table, **asked)
    conclusion = conclude(lifetimes)
    if conclusion is None:
        raise nothing_lasted(table.where)
    risk = Risk(EVICTIONS, lifetimes, conclusion)
    told = seen(lifetimes), *unit_untold(table, asked), *conclusion.sentences
    return Findings((risk,), told, (), conclusion.limit_s)


def of_trace(path: Path, trace: Trace) -> Findings:
    """What a trace of another form tells."""
    lifetimes = trace.lifetimes
    if trace.exposure_s:
        conclusion = conclude_of(trace.losses, trace.exposure_s, trace.word)
    elif found := conclude(lifetimes, trace.word):
        conclusion = found
    else:
        raise nothing_lasted(str(path))
    risk = Risk(trace.key, lifetimes, conclusion)
    incidence = aalen_johansen(lifetimes.durations_s, trace.causes) if trace.causes else None
    repairs = Lifetimes(trace.repairs_s, (True,) * len(trace.repairs_s))
    mended = conclude(repairs, "repair") if trace.repairs_s else None
    risks = (risk, Risk("repair", repairs, mended)) if mended else (risk,)
    sentences = (*trace.sentences, *(s for each in risks for s in each.conclusion.sentences))
    return Findings(risks, sentences, (), conclusion.limit_s, incidence, gaps_s=trace.gaps_s)


def of_causes(
    where: str,
    durations: tuple[float, ...],
    causes: tuple[str | None, ...],
    notes: tuple[str, ...] = (),
) -> Findings:
    """What a table with a cause for each end tells: each is fitted with the others as censoring."""
    kinds = {cause: kind_of(cause) for cause in causes if cause}
    risks = []
    for key in STEMS:
        observed = tuple(kinds.get(cause or "") == key for cause in causes)
        lifetimes = Lifetimes(durations, observed)
        if any(observed) and (conclusion := conclude(lifetimes, key_word(key))):
            risks.append(Risk(key, lifetimes, conclusion))
    if not risks:
        raise DataError(
            f"{where}: no cause is an eviction or a failure; found {first_of(kinds)}; "
            "expected words such as evicted, preempted, power failure or failed"
        )
    whole = Lifetimes(durations, tuple(cause is not None for cause in causes))
    concluded = [sentence for risk in risks for sentence in risk.conclusion.sentences]
    sentences = (seen(whole), *notes, kinds_told(kinds), *concluded)
    limit_s = next((risk.conclusion.limit_s for risk in risks), None)
    return Findings(tuple(risks), sentences, (), limit_s, aalen_johansen(durations, causes))


def kind_of(cause: str) -> str | None:
    """The key of the scenario that a cause, in small letters, belongs to.

    None for those that deny it, and for those that could be of either kind.
    """
    words = re.findall(r"[^\W\d_]+", cause)
    found = [key for key, stems in STEMS.items() if any(word.startswith(stems) for word in words)]
    return found[0] if len(found) == 1 and not DENIED & set(words) else None


def kinds_told(kinds: Mapping[str, str | None]) -> str:
    """Which causes are taken as what."""
    titles = {EVICTIONS: "evictions", FAILURES: "power failures", None: "neither"}
    told = [
        f"s {title}: {first_of([cause for cause, kind in kinds.items() if kind == key])}"
        for key, title in titles.items()
        if key in kinds.values()
    ]
    return f"Taken a{'. A'.join(told)}."


def first_of(causes: Collection[str]) -> str:
    """Causes, by name; of very many the first."""
    named = sorted(causes)[:CAUSES_SHOWN]
    more = len(causes) - len(named)
    return (", ".join(named) or "none") + (f" and {more} more" if more else "")


def unit_untold(table: Cells, asked: Mapping[str, str]) -> tuple[str, ...]:
    """A note where the column of lifetimes does not say what they are in."""
    flags = {*asked.values(), "observed", "censored", "cause"}
    name = asked.get("column") or duration_column(table, flags)
    if unit_of(name):
        return ()
    return (f"Column {name} names no unit: its lifetimes are taken as seconds.",)


def key_word(key: str) -> str:
    return "eviction" if key == EVICTIONS else "power failure"


def seen(lifetimes: Lifetimes) -> str:
    return (
        f"{len(lifetimes.durations_s):,} lifetimes, {lifetimes.ends:,} of them seen to their end."
    )


def nothing_lasted(where: str) -> DataError:
    return DataError(f"{where}: all lifetimes are 0; expected times in seconds")


def of_logs(paths: Sequence[Path]) -> Findings:
    """What job event logs tell."""
    evidence = learn(paths)
    causes = [None if lease.end in JOBS_OWN else lease.end.value for lease in evidence.leases]
    return Findings(
        evidence.risks,
        evidence.sentences,
        evidence.warnings,
        evidence.limit_s,
        aalen_johansen([lease.duration_s for lease in evidence.leases], causes),
        evidence.transfers_s,
        tuple(gap.duration_s for gap in evidence.gaps if gap.after in WITHOUT_A_WAIT),
    )


def document(found: Findings) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        "laws": [
            {
                "key": risk.key,
                "law": risk.conclusion.chosen.law.describe(),
                "ends": risk.conclusion.chosen.ends,
                "censored": cut_short(risk.conclusion),
                "exposure_s": risk.conclusion.chosen.exposure_s,
                "tried": [fit_json(fit) for fit in risk.conclusion.tried],
            }
            for risk in found.risks
        ],
        "incidence": found.incidence and incidence_json(found.incidence),
        "limit_s": found.limit_s,
        "sentences": found.sentences,
        "warnings": found.warnings,
    }


def fit_json(fit: Fit) -> dict[str, Any]:
    return {
        "law": fit.law.describe(),
        "mean_s": fit.law.mean,
        "mean_ci95_s": fit.mean_interval_s,
        "parameters": [
            {"parameter": name, "value": value, "ci95": ends}
            for name, value, *ends in fit.parameters
        ],
        "loglik": fit.loglik,
        "aicc": fit.aicc,
        "misfit": fit.misfit,
        "p_value": fit.p,
    }


def incidence_json(found: Incidence) -> dict[str, Any]:
    return {
        "exposure_s": found.exposure_s,
        "times_s": found.times_s.tolist(),
        "survival": found.survival.tolist(),
        "causes": [
            {"cause": cause, "ends": count, "incidence": shares.tolist()}
            for cause, count, shares in zip(found.causes, found.counts, found.by_cause, strict=True)
        ],
    }


def report_on(found: Findings, folder: Path) -> Report:
    """A page with the survival curves, what was observed beside what was fitted."""
    report = Report(folder, "fit", "How slots are lost", seed=None)
    report.answer(*laws_told(found))
    report.say("\n".join(["```toml", *toml_lines(found), "```"]))
    report.say("## Evidence", *found.sentences)
    report.say(*(f"Left out: {warning}" for warning in found.warnings))
    for risk in found.risks:
        add_risk(report, risk)
    if found.incidence and len(found.incidence.causes) > 1:
        report.say("### How leases end", INCIDENCE)
        report.table(incidence_rows(found.incidence))
    report.say("## What would change it", ANOTHER_LAW)
    for risk in found.risks:
        report.say(f"{named(risk)}:")
        report.table(law_rows(risk))
    return report


def laws_told(found: Findings) -> Iterator[str]:
    """The laws, in a sentence each."""
    for risk in found.risks:
        chosen = risk.conclusion.chosen
        yield f"{named(risk)}: {chosen.family}, mean {about(chosen.law.mean)}."


def named(risk: Risk) -> str:
    """What is lost, as a heading."""
    return risk.key.removeprefix("slots.").replace("_", " ").capitalize()


def add_risk(report: Report, risk: Risk) -> None:
    """The picture and the table of one risk."""
    import pandas as pd

    if not risk.lifetimes.durations_s:  # only numbers are known
        return
    observed, name = kaplan_meier(risk.lifetimes), risk.key.removeprefix("slots.")
    report.say(f"### {named(risk)}")
    report.picture(name, drawn_survival(risk, observed), f"Survival: {name}")
    report.data(name, pd.DataFrame(survival_columns(observed)))


def drawn_survival(risk: Risk, observed: Survival) -> "Figure":
    """How long leases last: what was observed beside what was fitted."""
    import numpy as np

    from ckptsim import plots

    times = np.linspace(0, max(risk.lifetimes.durations_s), CURVE_POINTS)
    curves = {brief(fit.law): (times, fit.law.survival(times)) for fit in drawn(risk)}
    pairs = zip(risk.lifetimes.durations_s, risk.lifetimes.observed, strict=True)
    cut_short = np.array([duration for duration, seen in pairs if not seen])
    return plots.survival_figure(
        observed.times_s, observed.survival, observed.low, observed.high, curves, cut_short
    )


def drawn(risk: Risk) -> list[Fit]:
    """The chosen law first, then the exponential and the next best: more would hide each other."""
    first, *others = risk.conclusion.tried
    ranked = [risk.conclusion.chosen, first, *sorted(others, key=lambda fit: fit.aicc)]
    return list({fit.family: fit for fit in ranked}.values())[:CURVES]


def survival_columns(observed: Survival) -> dict[str, Any]:
    return {
        "time_s": observed.times_s,
        "survival": observed.survival,
        "survival_low": observed.low,
        "survival_high": observed.high,
    }
