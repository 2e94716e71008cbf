"""What `ckptsim check` ends with: one line a rule, for people and for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ckptsim.check import At, Outcome, busy
from ckptsim.commands.check_proof import AGAIN, Place
from ckptsim.commands.check_trials import Checked
from ckptsim.commands.measure_job import Subject
from ckptsim.findings import Finding, Verdict
from ckptsim.units import seconds, show

LOOKS = {
    Verdict.BROKEN: "bold",
    Verdict.COSTS: "bold",
    Verdict.HOLDS: "",
    Verdict.NOT_SEEN: "dim",
}
LOUD = (Verdict.BROKEN, Verdict.COSTS)


def lines(
    subject: Subject, found: Checked, findings: Sequence[Finding], place: Place, *, quiet: bool
) -> Iterator[RenderableType]:
    """The findings, in their order, and a last line that sums them up."""
    widest = max(map(len, (each.rule for each in findings)), default=0)
    if not quiet:
        yield ""
    for each in findings:
        if not quiet or each.verdict in LOUD:
            head = f"{each.verdict:<8}  {each.rule:<{widest}}  "
            source = f" ({each.source})" if each.source else ""
            where = f" [{each.where}]" if each.where and each.verdict in LOUD else ""
            yield Text(f"{head}{each.told}{source}{where}", style=LOOKS[each.verdict])
    if not quiet:
        yield ""
        yield points_told(found.outcomes)
    if found.cut_short:
        yield f"Incomplete: {found.cut_short} after {len(found.outcomes)} runs."
    if not findings:
        yield f"{subject.name}: nothing was finished."
        return
    counts = Counter(each.verdict for each in findings)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    yield f"{subject.name}: {told}, in {len(found.outcomes)} runs and {show(found.took)}."
    if place.written:
        yield f"Proof: {place.folder}; each rule's {AGAIN} says how to see it again."


def points_told(outcomes: Sequence[Outcome]) -> str:
    """How many of the changes of a checkpoint's files were tried."""
    changes = [
        each.trial for each in outcomes if any(point.at is At.CHANGE for point in each.trial.points)
    ]
    if not changes:
        return "No change of a checkpoint's file was tried as the moment of a fault."
    total = changes[0].name.rpartition("-")[2]
    return (
        f"Of {total} changes of its checkpoint's files between two checkpoints {len(changes)} were "
        "tried as the moment of a fault (--points)."
    )


def document(
    subject: Subject, found: Checked, findings: Sequence[Finding], place: Place
) -> dict[str, Any]:
    """For programs."""
    return {
        "job": subject.name,
        "jobs_in_file": subject.jobs,
        "complete": not found.cut_short,
        "why_incomplete": found.cut_short or None,
        "took_s": seconds(found.took),
        "findings": [{**each._asdict(), "proof": list(each.proof)} for each in findings],
        "trials": [trial_json(each) for each in found.outcomes],
        "out": str(place.folder) if place.written else None,
        "submit_description": subject.description or None,
    }


def trial_json(outcome: Outcome) -> dict[str, Any]:
    completed = outcome.end == "completed"
    return {
        "name": outcome.trial.name,
        "fault": str(outcome.trial.fault),
        "came_about": len(outcome.hits) == len(outcome.trial.points),
        "end": outcome.end,
        "why": outcome.why or None,
        "wait_status": outcome.last_exit if completed else None,
        "executions": len(outcome.runs),
        "checkpoints": outcome.checkpoints,
        "ran_s": seconds(busy(outcome.runs)),
    }
