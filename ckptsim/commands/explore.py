"""`ckptsim explore`: a page to play with."""

from pathlib import Path
from typing import Any

import click

from ckptsim.commands.options import (
    LAWS,
    input_arguments,
    inputs,
    scenario_from,
    scenario_options,
)
from ckptsim.commands.plan_evidence import from_logs, is_sized, learned
from ckptsim.explorer.asked import asked
from ckptsim.explorer.page import page
from ckptsim.report import command_line, ready, write_whole
from ckptsim.terminal import tell

OUT = "explore.html"


@click.command("explore", epilog=LAWS)
@input_arguments
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=OUT,
    show_default=True,
    metavar="FILE",
    help="Where the page goes.",
)
@scenario_options
def command(paths: tuple[str, ...], logs: tuple[str, ...], out: Path, **given: Any) -> None:
    """A page to play with: what each interval is worth, and what a job does with a lease.

    One HTML file that needs no network: open it in a browser, move the sliders, drag the interval.
    It is about one job on one slot, with costs that are always the same; a link to the page
    carries the question.
    """
    found = inputs(paths, logs)
    known = from_logs(learned(found.logs), sized=is_sized(given))
    scenario = scenario_from(found.scenario, given, known)
    question = asked(scenario)
    ready(out.parent)
    made = page(scenario.name if found.scenario else "", *question, command_line())
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, made)
    tell([*(f"Note: {notice}" for notice in question.notices), f"Page: {out}"])
