"""`ckptsim audit`: where the slot time of past jobs went, from their logs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ckptsim.audit import Audit, audit
from ckptsim.audit_saved import Saving, saving
from ckptsim.audit_told import (
    account_rows,
    document,
    job_frame,
    job_rows,
    left_out,
    saved_told,
    sentences,
)
from ckptsim.commands.options import deliver, matching, report_folder, report_options
from ckptsim.errors import DataError
from ckptsim.htcondor.histories import follow_all
from ckptsim.htcondor.leases import counted
from ckptsim.report import Report
from ckptsim.terminal import strong, table

WORST = 10  # jobs shown


@dataclass(frozen=True)
class Findings:
    """What was found in all the logs together."""

    audit: Audit
    saving: Saving | None
    warnings: tuple[str, ...]


@click.command("audit")
@click.argument("patterns", nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--worst",
    default=WORST,
    show_default=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Show so many jobs, those that lost most; --json and the report's CSV have all.",
)
@report_options
def command(
    patterns: tuple[str, ...],
    worst: int,
    as_json: bool,
    out: Path | None,
    no_report: bool,
) -> None:
    """Where the slot time of past jobs went: committed, lost and to what, moved, waited for.

    LOG is an HTCondor job event log, or a quoted pattern for several. All slot time is in the
    account, to the nanosecond; what the best interval would have saved of it is told below.
    """
    paths = all_matching(patterns)
    folder = report_folder(
        f"audit-{paths[0].name.split('.')[0]}", out, no_report=no_report, as_json=as_json
    )
    found = findings(paths)
    deliver(
        lambda: told(found, worst),
        lambda: document(found.audit, found.saving, found.warnings),
        lambda place: report_on(found, worst, place),
        as_json=as_json,
        folder=folder,
    )


def all_matching(patterns: Iterable[str]) -> list[Path]:
    """The files that the patterns stand for, each once."""
    return list(dict.fromkeys(path for pattern in patterns for path in matching(pattern)))


def findings(paths: Sequence[Path]) -> Findings:
    """Audit logs; of several, those that are none are left out, with a warning.

    Raises DataError if none can be read, or no job had a slot in any.
    """
    histories, unread = follow_all(paths)
    found = audit(histories)
    if not found.accounts:
        named = str(paths[0]) if len(paths) == 1 else f"{len(paths)} logs"
        raise DataError(
            f"{named}: {counted(found.events, 'event')}, but no job got a slot; expected a log of "
            "jobs that ran (event 001, later 004 or 005)"
        )
    return Findings(found, saving(found), (*unread, *left_out(found)))


def told(found: Findings, worst: int) -> Iterator[Any]:
    """What is printed, in order."""
    yield from sentences(found.audit)
    yield from (f"Left out: {warning}" for warning in found.warnings)
    yield ""
    yield table(account_rows(found.audit.whole), "Where the slot time went")
    if worst:
        yield ""
        yield table(worst_rows(found, worst), worst_title(found, worst))
    yield ""
    yield strong("What the best interval would have saved")
    yield from saved_told(found.saving)


def worst_rows(found: Findings, worst: int) -> list[list[str]]:
    return job_rows(found.audit.worst(worst), found.audit.whole)


def worst_title(found: Findings, worst: int) -> str:
    jobs = len(found.audit.accounts)
    return f"The {worst:,} of {jobs:,} jobs that lost most" if jobs > worst else "Every job"


def report_on(found: Findings, worst: int, folder: Path) -> Report:
    """A page with the account, the picture of when each slot did what, and all jobs as CSV."""
    from ckptsim import plots

    report = Report(folder, "audit", "Where the slot time went", seed=None)
    report.answer(*sentences(found.audit))
    report.table(account_rows(found.audit.whole))
    report.say("## Evidence", *(f"Left out: {each}" for each in found.warnings))
    report.picture("timeline", plots.timeline_figure(found.audit), "What each job's slots did when")
    if worst:
        report.say(worst_title(found, worst) + ", and all of them:")
        report.table(worst_rows(found, worst))
    report.data("jobs", job_frame(found.audit.accounts))
    report.say("## What would change it", "The best interval:", *saved_told(found.saving))
    return report
