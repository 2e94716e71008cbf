"""`ckptsim submit`: hand the jobs of a submit file to the pool."""

import sys
import time
from pathlib import Path

import click

from ckptsim.commands.pool_options import ANSWER_S, state_option
from ckptsim.drivers.real.control import PoolError, ask
from ckptsim.htcondor.submit import Ad, read_all

EXAMPLES = """\b
Examples:
  ckptsim submit job.sub
  ckptsim submit - < job.sub"""
STORED_S = 600.0  # thousands of jobs take a while


@click.command("submit", epilog=EXAMPLES)
@click.argument("path", type=click.Path(path_type=Path), metavar="JOB.sub")
@state_option
def command(path: Path, state: Path) -> None:
    """Submit the jobs of an HTCondor submit file, which HTCondor's own parser reads.

    Names in it are relative to the working folder. What the pool would not do as HTCondor does is
    refused by name. JOB.sub may be - for standard input.
    """
    cluster, ads = submit(state, path)
    click.echo(f"{len(ads)} job(s) submitted to cluster {cluster}.")


def submit(state: Path, path: Path) -> tuple[int, list[Ad]]:
    """Read the file and queue its jobs; the number of their cluster, and their ads."""
    source = sys.stdin.read() if str(path) == "-" else path
    now = int(time.time())
    try:
        cluster: int = ask(state, {"do": "cluster"}, ANSWER_S)["cluster"]
    except PoolError:
        read_all(source, Path.cwd(), 1, now)  # a mistake in the file is told before that
        raise
    found = read_all(source, Path.cwd(), cluster, now)
    for warning in found.warnings:
        click.echo(f"ckptsim: {warning}", err=True)
    ads = [repr(ad) for ad in found.ads]  # in one line
    ask(state, {"do": "submit", "cluster": cluster, "ads": ads}, STORED_S)
    return cluster, found.ads
