"""`ckptsim explore`: a page to play with."""

from pathlib import Path
from typing import Any

import click

from ckptsim.commands.options import LAWS, inputs, scenario_from, scenario_options
from ckptsim.commands.plan import is_sized
from ckptsim.commands.plan_evidence import from_logs, learned
from ckptsim.explorer.asked import asked
from ckptsim.explorer.page import page
from ckptsim.report import cannot_write, command_line, ready
from ckptsim.terminal import tell

OUT = "explore.html"


@click.command("explore", epilog=LAWS)
@click.argument("paths", nargs=-1, metavar="[SCENARIO.toml]")
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="LOG...",
    help="Learn how slots are lost from HTCondor job event logs: files or a pattern.",
)
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
    try:
        out.write_bytes(made)
    except OSError as error:
        raise cannot_write(out, error) from None
    tell([*(f"Note: {notice}" for notice in question.notices), f"Page: {out}"])
