"""The scenario file that `ckptsim fit --scenario` writes: each number with where it came from."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

from ckptsim.commands.fit_told import (
    Findings,
    brief,
    chosen_told,
    duration,
    in_slots,
    longest_of_the_endless,
    parameter_told,
    to_plan_with,
)
from ckptsim.errors import OutputError
from ckptsim.fit import Risk
from ckptsim.htcondor.leases import counted
from ckptsim.lifetimes import Empirical
from ckptsim.report import write_whole

MARK = "# Written by ckptsim fit from "
WIDTH = 98
MOST = 99  # values that are listed one by one; of more, so many quantiles
ENDLESS = (
    "No limit was seen. But with this law some leases would outlast a century, of which no "
    "lifetime here tells: they are cut off at the longest one seen."
)
PLACEHOLDER = (
    "NOT measured: neither logs nor traces tell how long writing a checkpoint takes, nor the job's "
    "natural step. Put your own time here (ckptsim plan --write … overrides it)."
)


def write_scenario(found: Findings, files: Sequence[Path], path: Path) -> str:
    """Write the file whole, or not at all, and return what to say of it.

    Raises:
        OutputError: a file is there that `fit` did not write, or nothing can be written there.

    """
    refuse_foreign(path)
    replaced = path.exists()
    write_whole(path, "\n".join([*lines(found, files), ""]).encode())
    return f"Scenario: {path}" + (" (in place of the one written before)" if replaced else "")


def refuse_foreign(path: Path) -> None:
    """Refuse a place that cannot be written to, or where someone else's file would be lost."""
    if not path.parent.is_dir():
        raise OutputError(f"--scenario {path}: there is no folder {path.parent}; make it first")
    if path.exists() and not is_ours(path):
        raise OutputError(
            f"--scenario {path}: a file is there that ckptsim fit did not write; "
            "choose another name, or move it away"
        )


def is_ours(path: Path) -> bool:
    """Did `fit` write this file?"""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(MARK.encode())) == MARK.encode()


def lines(found: Findings, files: Sequence[Path]) -> Iterator[str]:
    """The file, line by line."""
    named = ", ".join(map(str, files[:3])) + (f" and {len(files) - 3} more" * (len(files) > 3))
    yield from comment(f"{MARK[2:]}{named}")
    yield from comment("Each number says where it came from and how sure it is. What was found:")
    for sentence in (*found.sentences, *(f"Left out: {each}" for each in found.warnings)):
        yield from comment(f"- {sentence}")
    yield from ("", "[job]")
    yield from comment(PLACEHOLDER)
    yield 'write = "1min"'
    if found.transfers_s:
        told = counted(len(found.transfers_s), "checkpoint transfer")
        yield from measured("transfer", told, found.transfers_s)
    yield from ("", "[slots]")
    for risk in in_slots(found):
        yield from comment(chosen_told(risk))
        for parameter in risk.conclusion.chosen.parameters:
            yield from comment(f"  {parameter_told(parameter)}")
        worst = "" if risk.conclusion.chosen.ends else "  # at worst: no end was seen"
        yield f'{risk.key.removeprefix("slots.")} = "{from_anywhere(risk)}"{worst}'
    if found.limit_s:
        yield from comment("The runtime limit that leases ended at, or that ends crowd at.")
        yield f'limit = "{duration(found.limit_s)}"'
    elif longest_s := longest_of_the_endless(found):
        yield from comment(ENDLESS)
        yield f'limit = "{duration(longest_s)}"'
    if found.gaps_s:
        told = f"{counted(len(found.gaps_s), 'gap')} from losing or leaving a slot to the next"
        yield from measured("gap", told, found.gaps_s)


def from_anywhere(risk: Risk) -> str:
    """The law; the file of measured lifetimes by its whole path, wherever the scenario lies."""
    file, _, column = risk.conclusion.kept.source.rpartition(":")
    law = to_plan_with(risk)
    return f"empirical({Path(file).resolve()}:{column})" if law.startswith("empirical") else law


def comment(text: str) -> list[str]:
    """The text as lines of a comment; what is not printable is spelled."""
    plain = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="#   ")


def measured(key: str, told: str, seconds: Sequence[float]) -> Iterator[str]:
    """Times as they were measured; of very many, their quantiles."""
    few = len(seconds) <= MOST
    kept = seconds if few else quantiles(seconds, n=MOST + 1)
    how = "as measured" if few else f"as {MOST} quantiles of what was measured"
    yield from comment(f"{told}, {how}: no law is fitted.")
    yield f'{key} = "{brief(Empirical(tuple(round(s, 3) for s in kept)))}"'
