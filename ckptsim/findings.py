"""What a check of a job found: a rule, whether it holds, and the proof."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What is known of a rule for this job."""

    HOLDS = "holds"
    BROKEN = "broken"
    COSTS = "costs"  # nothing fails, but it takes time or bytes that could be saved
    NOT_SEEN = "not seen"


class Finding(NamedTuple):
    """One rule's outcome."""

    rule: str  # its short name, such as `torn-checkpoint`: the same in every report
    verdict: Verdict
    told: str  # one sentence: what was found, what was expected, what to do
    where: str = ""  # file and line of the submit file, or the trial it was seen in
    source: str = ""  # the observed run or manual section that says so
    proof: tuple[str, ...] = ()  # files kept in --out, relative to it
