"""What `ckptsim run` ends with: the time account of real processes, as `simulate` tells its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptsim.commands.pool_options import Job
from ckptsim.commands.queue import ending
from ckptsim.ledger import Category
from ckptsim.ledger_shown import ledger_frame, ledger_json, ledger_rows, lost_json
from ckptsim.report import Report
from ckptsim.terminal import percent, strong, table
from ckptsim.units import seconds, show

if TYPE_CHECKING:
    import pandas as pd

JOBS_SHOWN = 20
OTHER_FATES = (
    "Other fates: this is one run. Another one, with another `--seed`, may go otherwise; "
    "`ckptsim simulate` tells how much, and `ckptsim plan` which interval is best."
)


@dataclass(frozen=True)
class Measured:
    """Jobs that real processes have run."""

    jobs: Sequence[Job]
    path: Path  # of the submit file
    seed: int | None

    @cached_property
    def ledger(self) -> dict[Category, int]:
        """All slot time by category, nanoseconds."""
        return {c: sum(job["ledger"].get(c.name, 0) for job in self.jobs) for c in Category}

    @property
    def slot_time(self) -> int:
        return sum(self.ledger.values())

    @property
    def useful(self) -> float:
        """Useful fraction; 0 where no slot time was used."""
        return self.ledger[Category.USEFUL] / max(self.slot_time, 1)

    def json(self) -> dict[str, Any]:
        """What `--json` prints, with the names that `simulate --json` has; times in seconds."""
        statuses = [job["status"] for job in self.jobs]
        return {
            "ledger": ledger_json(self.ledger),
            "lost_by_cause": lost_json(self.ledger),
            "useful_fraction": self.useful,
            "jobs": {
                **{kind: statuses.count(kind) for kind in ("completed", "removed", "held")},
                "makespans_s": [seconds(makespan(j)) for j in self.jobs if is_complete(j)],
                "each": list(self.jobs),
            },
            "leases": {"count": sum(job["leases"] for job in self.jobs)},
            "checkpoints": sum(job["checkpoints"] for job in self.jobs),
            "seed": self.seed,
            "engine": "real",
        }

    def told(self) -> Iterator[Any]:
        """What is printed, in order."""
        yield from (job_told(job) for job in self.jobs[:JOBS_SHOWN])
        if len(self.jobs) > JOBS_SHOWN:
            yield f"… and {len(self.jobs) - JOBS_SHOWN} more: see --json"
        yield ""
        yield strong(self.headline())
        if self.slot_time:
            yield ""
            yield table(ledger_rows(self.ledger), f"Where {show(self.slot_time)} of slot time went")
        yield self.maker()

    def headline(self) -> str:
        if not self.slot_time:
            return "No slot time was used."
        return f"{percent(self.useful)} of slot time became committed work."

    def maker(self) -> str:
        drawn = "" if self.seed is None else f", fates drawn with seed {self.seed}"
        return f"Measured with real processes on this machine{drawn}."


def is_complete(job: Job) -> bool:
    return bool(job["status"] == "completed")


def makespan(job: Job) -> int:
    """From submission to its end, nanoseconds."""
    return int(job["since"] - job["submitted"])


def job_told(job: Job) -> str:
    times = f", {show(makespan(job))} after it was submitted" if is_complete(job) else ""
    kept = counted(job["checkpoints"], "checkpoint")
    return f"{job['id']} {ending(job)}{times}; {kept}, {counted(job['leases'], 'lease')}"


def counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def jobs_rows(jobs: Sequence[Job]) -> list[list[str]]:
    head = ["job", "end", "makespan", "checkpoints", "leases"]
    return [head, *(job_row(job) for job in jobs)]


def job_row(job: Job) -> list[str]:
    time = show(makespan(job)) if is_complete(job) else "–"
    return [job["id"], ending(job), time, str(job["checkpoints"]), str(job["leases"])]


def report_on(measured: Measured, folder: Path) -> Report:
    """A page with the time account and the jobs."""
    from ckptsim import plots

    title = f"{measured.path.name}: where the time went"
    report = Report(folder, "run", title, measured.seed)
    report.answer(measured.headline())
    if measured.slot_time:
        report.table(ledger_rows(measured.ledger))
        figure = plots.ledger_figure({"measured": list(measured.ledger.values())})
        report.picture("ledger", figure, "Where slot time went")
    report.data("ledger", ledger_frame(measured.ledger))
    report.say("## Evidence", measured.maker())
    report.table(jobs_rows(measured.jobs[:JOBS_SHOWN]))
    report.data("jobs", jobs_frame(measured.jobs))
    report.say("## What would change it", OTHER_FATES)
    return report


def jobs_frame(jobs: Sequence[Job]) -> "pd.DataFrame":
    """The jobs as a table, times in seconds."""
    import pandas as pd

    return pd.DataFrame(
        {
            "job": [job["id"] for job in jobs],
            "status": [job["status"] for job in jobs],
            "makespan_s": [seconds(makespan(j)) if is_complete(j) else None for j in jobs],
            "checkpoints": [job["checkpoints"] for job in jobs],
            "leases": [job["leases"] for job in jobs],
            **{
                f"{category.name.lower()}_s": [
                    seconds(job["ledger"].get(category.name, 0)) for job in jobs
                ]
                for category in Category
            },
        }
    )
