"""What is to be best: slot time well used, a job soon done, a deadline met, or little moved."""

import re
from dataclasses import dataclass
from enum import Enum
from math import inf

from ckptsim.errors import ScenarioError
from ckptsim.exact import Solver, Value
from ckptsim.makespan import Whole, blocks_of
from ckptsim.makespan_law import makespan_law
from ckptsim.units import SECOND, duration, quoted, show, size, spelled

LAW_POINTS = 1_024  # of a makespan's law while intervals are compared
EXAMPLE = "useful, makespan, quantile(0.9), deadline(48h), weighted(30s) or weighted(30s/GiB)"


class Kind(Enum):
    """What is asked for."""

    USEFUL = "useful"
    MAKESPAN = "makespan"
    QUANTILE = "quantile"
    DEADLINE = "deadline"
    WEIGHTED = "weighted"


@dataclass(frozen=True)
class Objective:
    """What is to be best; `parameter` is a share, or nanoseconds."""

    kind: Kind = Kind.USEFUL
    parameter: float = 0.0
    per_bytes: int | None = None  # weighted: the price is for so many bytes, else a checkpoint

    @property
    def of_whole_job(self) -> bool:
        """Does it need a job with an end?"""
        return self.kind in (Kind.MAKESPAN, Kind.QUANTILE, Kind.DEADLINE)

    @property
    def of_law(self) -> bool:
        """Does it need the law of the makespan, which takes longer to find?"""
        return self.kind in (Kind.QUANTILE, Kind.DEADLINE)

    def price_s(self, solver: Solver) -> float:
        """The slot time that one checkpoint less to move is worth, seconds."""
        if self.kind != Kind.WEIGHTED:
            return 0.0
        size = solver.scenario.job.size
        share = size / self.per_bytes if self.per_bytes and size else 1.0
        return self.parameter / SECOND * share

    def goodness(self, solver: Solver, value: Value) -> float:
        """What is maximised: a share, or work done in a time; never negative."""
        if self.kind in (Kind.USEFUL, Kind.WEIGHTED):
            toll = self.price_s(solver) * value.checkpoints
            return max(0.0, (value.work_s - toll) / (value.lease_s + value.gap_s))
        whole = Whole(solver, blocks_of(solver, value.interval))
        work = int(whole.blocks.sum()) / SECOND
        if self.kind == Kind.MAKESPAN:
            return work / whole.makespan
        law = makespan_law(whole, LAW_POINTS)
        if law is None:
            return 0.0
        if self.kind == Kind.DEADLINE:
            return law.by(self.parameter / SECOND)
        quantile = law.quantile(self.parameter)
        return work / quantile

    def describe(self) -> str:
        """As `objective` reads it."""
        match self.kind:
            case Kind.QUANTILE:
                return f"quantile({self.parameter!r})"
            case Kind.DEADLINE:
                return f"deadline({spelled(int(self.parameter))})"
            case Kind.WEIGHTED:
                per = f"/{self.per_bytes} B" if self.per_bytes else ""
                return f"weighted({spelled(int(self.parameter))}{per})"
        return str(self.kind.value)

    def value(self, goodness: float, work: int | None) -> float:
        """What a goodness comes to: seconds, or a share."""
        if self.kind in (Kind.MAKESPAN, Kind.QUANTILE):
            assert work is not None
            return work / goodness / SECOND if goodness else inf
        return goodness

    def shown(self, goodness: float, work: int | None) -> str:
        """The same in words."""
        value = self.value(goodness, work)
        if self.kind in (Kind.MAKESPAN, Kind.QUANTILE):
            return show(int(value * SECOND))
        return f"{100 * value:.1f} %"

    def told(self) -> str:
        """As one would say it."""
        match self.kind:
            case Kind.USEFUL:
                return "the largest share of slot time committed"
            case Kind.MAKESPAN:
                return "the shortest mean makespan"
            case Kind.QUANTILE:
                return f"{100 * self.parameter:g} % of such jobs done soonest"
            case Kind.DEADLINE:
                return f"the most jobs done within {show(int(self.parameter))}"
        per = f"{self.per_bytes} B" if self.per_bytes else "checkpoint"
        return f"committed time, less {show(int(self.parameter))} for every {per} moved"


def objective(text: str) -> Objective:
    """Read `--objective`; ScenarioError if it cannot be."""
    word, _, rest = text.strip().partition("(")
    try:
        kind = Kind(word.strip().lower())
    except ValueError:
        raise ScenarioError(f"{quoted(text)}: no such objective; expected {EXAMPLE}") from None
    inner = re.fullmatch(r"(.*)\)\s*", rest)
    if kind in (Kind.USEFUL, Kind.MAKESPAN):
        if rest:
            raise ScenarioError(f"{quoted(text)}: {kind.value} takes no parameter")
        return Objective(kind)
    if inner is None:
        raise ScenarioError(f"{quoted(text)}: incomplete; expected {EXAMPLE}")
    return parametrised(kind, inner[1].strip())


def parametrised(kind: Kind, text: str) -> Objective:
    """An objective with its parameter."""
    if kind == Kind.QUANTILE:
        return Objective(kind, share(text))
    if kind == Kind.DEADLINE:
        return Objective(kind, positive(duration(text), text))
    price, slash, per = text.partition("/")
    return Objective(kind, duration(price), positive(amount(per), per) if slash else None)


def positive(found: int, text: str) -> int:
    """The number, unless it is 0."""
    if found == 0:
        raise ScenarioError(f"{text}: must be more than 0; expected {EXAMPLE}")
    return found


def share(text: str) -> float:
    """A share between 0 and 1, or in per cent."""
    try:
        found = float(text.rstrip("% ")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = inf
    if not 0 < found < 1:
        raise ScenarioError(f"{quoted(text)}: expected a share between 0 and 1, as 0.9 or 90%")
    return found


def amount(text: str) -> int:
    """Bytes, where a unit alone is one of it."""
    text = text.strip()
    if not text:
        raise ScenarioError(f"for how many bytes?; expected {EXAMPLE}")
    return size(text if text[:1].isdigit() else f"1 {text}")
