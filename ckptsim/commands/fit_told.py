"""What `ckptsim fit` found, as it is printed: sentences, tables and lines for a scenario."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ckptsim.conclude import POOR, Conclusion, about, chance
from ckptsim.fit import Risk
from ckptsim.fitting import FEW, Fit, Parameter
from ckptsim.htcondor.leases import counted
from ckptsim.lifetimes import Law
from ckptsim.search import AS_GOOD_AS_NONE
from ckptsim.survival import Incidence
from ckptsim.terminal import strong, table
from ckptsim.units import LONGEST, SECOND

BY_THEN_S = (3600, 8 * 3600, 24 * 3600)  # ages at which incidences are shown
NOT_TIMES = {"shape", "sigma", "cv", "p"}


@dataclass(frozen=True)
class Findings:
    """What was learned from all the files together; `incidence` where ends have causes."""

    risks: tuple[Risk, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    limit_s: float | None
    incidence: Incidence | None = None
    transfers_s: tuple[float, ...] = ()
    gaps_s: tuple[float, ...] = ()


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
        if shaped(risk.conclusion.chosen):
            yield "; ".join(map(parameter_told, risk.conclusion.chosen.parameters)) + "."
    if found.incidence and len(found.incidence.causes) > 1:
        yield ""
        yield table(
            incidence_rows(found.incidence),
            "How leases end: the share that has, by cause, unless the job finished before",
        )
    yield ""
    yield strong("For a scenario:")
    yield from toml_lines(found)


def shaped(fit: Fit) -> bool:
    """Has the law more than a mean?"""
    return len(fit.parameters) > 1


def law_rows(risk: Risk) -> list[list[str]]:
    """The laws tried, the chosen one first."""
    chosen = risk.conclusion.chosen
    others = [fit for fit in risk.conclusion.tried if fit is not chosen]
    rows = [law_row(fit) for fit in (chosen, *others)]
    if not others:
        return [["law", "mean", "AICc", "off by"], *(row[:-1] for row in rows)]
    return [["law", "mean", "AICc", "off by", "by chance"], *rows]


def law_row(fit: Fit) -> list[str]:
    score = f"{fit.aicc:,.1f}" if math.isfinite(fit.aicc) else "–"
    misfit = f"{100 * fit.misfit:.0f} %" if fit.ends and fit.misfit >= 0 else "–"
    by_chance = "–" if fit.p is None else chance(fit.p).removeprefix("p ").removeprefix("= ")
    return [brief(fit.law), about(fit.law.mean), score, misfit, by_chance]


def incidence_rows(found: Incidence) -> list[list[str]]:
    """Each cause, how often it was, and how many leases it has ended by certain ages."""
    by_then = [found.at(seconds) for seconds in BY_THEN_S]
    head = ["cause", "ends", "per 1000 h", *(f"by {seconds // 3600} h" for seconds in BY_THEN_S)]
    rows = [
        [
            cause,
            f"{count:,}",
            f"{count / found.exposure_s * 3.6e6:.3g}",
            *("–" if shares is None else f"{100 * shares[n]:.1f} %" for shares in by_then),
        ]
        for n, (cause, count) in enumerate(zip(found.causes, found.counts, strict=True))
    ]
    left = ["–" if shares is None else f"{100 * (1 - shares.sum()):.1f} %" for shares in by_then]
    return [head, *rows, ["none yet", "", "", *left]]


def brief(law: Law) -> str:
    """The law in five digits: more than any data tell; --json has them all."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.5g}", law.describe())


def parameter_told(parameter: Parameter) -> str:
    """`shape 0.72 (0.64 to 0.81, 95 % confidence)`."""
    name, *values = parameter
    shown = number if name in NOT_TIMES else about
    value, low, high = map(shown, values)
    if math.isinf(parameter.high):
        return f"{name} {value} (at least {low}, 95 % confidence)"
    return f"{name} {value} ({low} to {high}, 95 % confidence)"


def duration(seconds: float) -> str:
    """A time to three figures, as scenarios read it."""
    return about(seconds).replace(",", "")


def number(value: float) -> str:
    return f"{value:.3g}"


def cut_short(conclusion: Conclusion) -> int:
    """How many of the lifetimes that the laws were fitted to were not seen to their end."""
    return len(conclusion.kept.durations_s) - conclusion.kept.ends


def chosen_told(risk: Risk) -> str:
    """The chosen law's grounds in a sentence: for the comment of a scenario."""
    fit, tried = risk.conclusion.chosen, risk.conclusion.tried
    ends, time = f"{counted(fit.ends, 'end')} seen", about(fit.exposure_s)
    if not risk.conclusion.kept.durations_s:
        return f"{ends} in {time}: only the rate is known, not lifetimes, so it is exponential."
    seen = f"{ends} and {cut_short(risk.conclusion):,} cut short in {time}"
    if fit.ends < FEW:
        return f"{seen}: too few to tell the shape of the law, so it is exponential."
    if len(tried) == 1:
        return f"{seen}: no law with a shape could be fitted, so it is exponential."
    others = ", ".join(f"{each.family} {each.aicc:,.1f}" for each in tried if each is not fit)
    fits_so = "" if fit.p is None else f", {chance(fit.p)}"
    return (
        f"{seen}. Law: {fit.family}, by AICc {fit.aicc:,.1f} ({others}); off by up to "
        f"{100 * fit.misfit:.0f} % of the lifetimes{fits_so}."
    )


def to_plan_with(risk: Risk) -> str:
    """The chosen law; where none follows lifetimes that were all seen, the lifetimes themselves."""
    lifetimes, chosen = risk.conclusion.kept, risk.conclusion.chosen
    is_known = lifetimes.source and all(lifetimes.observed)
    if is_known and chosen.ends >= FEW and chosen.misfit > POOR:
        return f"empirical({lifetimes.source})"
    return brief(chosen.law)


def in_slots(found: Findings) -> Iterator[Risk]:
    """The risks that are keys of a scenario's slots: repairs are not."""
    return (risk for risk in found.risks if risk.key.startswith("slots."))


def longest_of_the_endless(found: Findings) -> float | None:
    """The longest lifetime seen, if the laws let many a lease outlast a century; seconds."""
    century = np.array([LONGEST / SECOND])
    laws = [risk.conclusion.chosen.law for risk in in_slots(found)]
    lasting = math.prod(float(law.survival(century)[0]) for law in laws)
    seen = [max(risk.lifetimes.durations_s, default=0.0) for risk in in_slots(found)]
    return max(seen, default=0.0) or None if lasting > AS_GOOD_AS_NONE else None


def toml_lines(found: Findings) -> Iterator[str]:
    """Lines to paste into a scenario file."""
    yield "[slots]"
    for risk in in_slots(found):
        worst = "" if risk.conclusion.chosen.ends else "  # at worst: no end was seen"
        yield f'{risk.key.removeprefix("slots.")} = "{to_plan_with(risk)}"{worst}'
    if found.limit_s:
        yield f'limit = "{duration(found.limit_s)}"'
    elif longest_s := longest_of_the_endless(found):
        yield f'limit = "{duration(longest_s)}"  # the longest seen: the law has no end'
