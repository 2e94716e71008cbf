"""`audit`: where the slot time of past jobs went, from their event logs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ckptsim.api.flags import count
from ckptsim.api.paths import Paths, listed_paths
from ckptsim.api.shown import Shown, drawn
from ckptsim.audit_told import document, job_frame, sentences
from ckptsim.commands.audit import WORST, all_matching, findings, told


class Audit(Shown):
    """The account of past jobs. The table is `jobs`, the picture `timeline`."""

    @property
    def ledger(self) -> Mapping[str, float]:
        """Slot time in seconds by category, `useful_s`, `lost_s`, …, `slot_time_s`."""
        ledger: Mapping[str, float] = self.document["ledger"]
        return ledger

    @property
    def lost_by_cause(self) -> Mapping[str, float]:
        """What was lost to each cause, seconds."""
        lost: Mapping[str, float] = self.document["lost_by_cause"]
        return lost

    @property
    def useful_fraction(self) -> float:
        """Committed work / slot time."""
        return self.ledger["useful_s"] / self.ledger["slot_time_s"]

    @property
    def saving(self) -> Mapping[str, Any] | None:
        """What the best interval would have saved; None where no slot was lost."""
        saving: Mapping[str, Any] | None = self.document["saving"]
        return saving

    @property
    def warnings(self) -> Sequence[str]:
        """What could not be read, or fits no lease."""
        return tuple(self.document["warnings"])


def audit(logs: Paths, /, *, worst: int = WORST) -> Audit:
    """Where the slot time of past jobs went: committed, lost and to what, moved, waited for.

    `logs` are HTCondor job event logs: one, several, or a pattern; `worst` is how many jobs are
    shown, those that lost most. Raises CkptsimError.

    >>> import ckptsim as cs
    >>> found = cs.audit("tests/data/condor-logs/htcanalyze_job_evicted.log")
    >>> found.ledger["slot_time_s"], found.lost_by_cause["eviction_s"]
    (1420, 1083)
    """
    found = findings(all_matching(map(str, listed_paths(logs))))
    return Audit(
        next(sentences(found.audit)),
        partial(told, found, count("--worst", worst, 0)),
        document(found.audit, found.saving, found.warnings),
        {"jobs": partial(job_frame, found.audit.accounts)},
        {"timeline": partial(drawn, "timeline_figure", found.audit)},
    )
