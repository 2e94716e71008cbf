"""The tables of a scenario, [job], [slots] and so on, with what their keys mean and must not say.

What one table must not say beside another is in scenario.py.
"""

from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ckptsim import units
from ckptsim.fields import (
    CostLaw,
    Count,
    CountOrNone,
    Duration,
    DurationOrNone,
    HazardLaw,
    Longer,
    LongerOrNone,
    ModeName,
    Name,
    Names,
    Order,
    Priority,
    Rate,
    RateGiven,
    Size,
    Speed,
    Steps,
    YesNo,
    named,
)
from ckptsim.lifetimes import Constant, Law, Never
from ckptsim.rules import WITHOUT_INTERVAL, Mode
from ckptsim.traces import ArrivalTimes, Availability

_STEPS_MAX = 2_000
_KEEPS_ITS_SLOT = (Mode.DELAYED, Mode.DELAYED_SIGNAL, Mode.NONE)
NO_COST = Constant(0.0)
FOLLOWS: Any = None  # filled in from other keys, by the validators


class Table(BaseModel):
    """Keys and values, checked when they are read and never changed after."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True
    )


class Job(Table):
    """The job: how much it computes, how often it checkpoints, and what that costs."""

    arrival_times: ArrivalTimes = Field(
        default=None,
        description="When each job arrives: FILE.csv:COLUMN, in seconds from the start, or a list "
        "of times; then count is how many they are, and need not be given.",
    )
    count: Count = Field(
        default=FOLLOWS,
        description="How many such jobs there are, queued at the start unless arrivals says other.",
    )
    mode: ModeName = Field(
        default=Mode.EXIT_CODE,
        description="How the job saves its work: it ends with each checkpoint (exit code, exit "
        "signal, periodic signal: then interval is the time between two signals; early exit), "
        "sends it by itself (manual), or leaves it to be sent when the slot is lost (delayed, "
        "delayed signal); or none.",
    )
    steps: Steps = Field(
        default=None,
        description="The times of the steps that the job is a sequence of, where it can only "
        "checkpoint between two; then work is their sum, and need not be given.",
    )
    work: LongerOrNone = Field(
        default=None, description="Computing time one job needs; none is a job without end."
    )
    interval: LongerOrNone = Field(
        default=None,
        description="Computing time between two checkpoints, without the checkpoint itself; "
        "left out, plan looks for the best.",
    )
    step: LongerOrNone = Field(
        default=None,
        description="The job's natural step, a time: it can only checkpoint after a whole step, "
        "so the interval is rounded up to whole steps.",
    )
    write: CostLaw = Field(default=NO_COST, description="Wall time to write a checkpoint, a law.")
    size: Size = Field(
        default=None,
        description="Size of a checkpoint in bytes; with bandwidth or a [link], instead of "
        "transfer.",
    )
    bandwidth: Rate = Field(
        default=None,
        description="Rate at which a checkpoint moves to the access point.",
    )
    transfer: CostLaw = Field(
        default=FOLLOWS,
        description="Wall time to move a checkpoint to the access point, a law; "
        "or give size and bandwidth.",
    )
    restart: CostLaw = Field(
        default=NO_COST,
        description="Wall time from starting the executable from a checkpoint to computing, a law; "
        "sets restart_in_place and restart_lease unless they are given.",
    )
    restart_in_place: CostLaw = Field(
        default=FOLLOWS,
        description="The restart after each checkpoint, in the same sandbox, a law.",
    )
    restart_lease: CostLaw = Field(
        default=FOLLOWS,
        description="The restart from a checkpoint at the start of a lease, a law.",
    )
    cold_start: CostLaw = Field(
        default=NO_COST, description="Wall time to start where there is no checkpoint yet, a law."
    )
    input: CostLaw = Field(
        default=NO_COST,
        description="Wall time to transfer the input at the start of each lease, a law.",
    )
    input_size: Size = Field(
        default=None,
        description="Size of the input, fetched over the [link] at the start of each lease; "
        "instead of input.",
    )
    last_checkpoint: YesNo = Field(
        default=False,
        description="Whether the job also checkpoints after its last block of work, yes/no.",
    )
    leave_early: YesNo = Field(
        default=False,
        description="Whether the job gives the slot back after a checkpoint when no other would "
        "fit into the lease, yes/no.",
    )
    user: Name = Field(
        default="user", description="Whose job it is: letters, digits, dots, _ and -."
    )
    priority: Priority = Field(
        default=0,
        description="A whole number: with queue.order priority or fair share, the higher goes "
        "first among one user's jobs.",
    )
    arrivals: CostLaw = Field(
        default=NO_COST,
        description="Time between the arrivals of two such jobs, a law; exponential(mean=1h) is a "
        "Poisson stream; 0: all at once.",
    )
    stagger: YesNo = Field(
        default=False,
        description="Whether each job's first checkpoint is shifted, so that jobs that start "
        "together do not checkpoint together, yes/no.",
    )

    @property
    def computed_interval(self) -> int | None:
        """The interval in nanoseconds, rounded up to whole steps; None where none is given."""
        if self.interval is None or self.step is None:
            return self.interval
        return -(-self.interval // self.step) * self.step

    @field_validator("count", mode="before")
    @classmethod
    def _count_of_arrivals(cls, count: object, info: ValidationInfo) -> object:
        times = info.data.get("arrival_times")
        return count if count is not None else len(times or (1,))

    @field_validator("count")
    @classmethod
    def _count_as_arrivals(cls, count: int, info: ValidationInfo) -> int:
        times = info.data.get("arrival_times")
        if times is not None and count != len(times):
            refuse(f"{count}: job.arrival_times are {len(times)} times; leave count out")
        return count

    @field_validator("work")
    @classmethod
    def _work_of_steps(cls, work: int | None, info: ValidationInfo) -> int | None:
        steps = info.data.get("steps")
        if steps is None:
            return work
        if sum(steps) > units.LONGEST or len(steps) > _STEPS_MAX:
            refuse(f"job.steps: more than {_STEPS_MAX:,} of them, or than a century in all")
        if work is not None and work != sum(steps):
            refuse(
                f"{units.show(work)}: the steps of job.steps add up to {units.show(sum(steps))}; "
                "leave work out"
            )
        return int(sum(steps))

    @field_validator("work")
    @classmethod
    def _work_without_checkpoints(cls, work: int | None, info: ValidationInfo) -> int | None:
        if work is None and info.data.get("mode") == Mode.NONE:
            refuse(
                "missing: without checkpoints a job starts over with each lease, so it matters how "
                "long it computes; give a time, for example 24h"
            )
        return work

    @field_validator("steps", "step")
    @classmethod
    def _steps_at_a_signal(cls, found: object, info: ValidationInfo) -> object:
        mode = info.data.get("mode")
        if found is not None and mode in (Mode.PERIODIC_SIGNAL, Mode.DELAYED_SIGNAL):
            refuse(
                f"given with the mode {named(mode)!r}, in which a job checkpoints whenever it gets "
                "the signal, not after whole steps; expected one or the other"
            )
        return found

    @field_validator("last_checkpoint", "leave_early", "stagger")
    @classmethod
    def _of_effect(cls, found: bool, info: ValidationInfo) -> bool:
        mode = info.data.get("mode")
        if found and info.field_name == "last_checkpoint" and mode == Mode.NONE:
            refuse("has no effect with the mode 'none': such a job writes no checkpoint at all")
        if found and info.field_name == "stagger" and mode in WITHOUT_INTERVAL:
            refuse(f"has no effect with the mode {named(mode)!r}: there is no interval to shift")
        if found and info.field_name == "leave_early" and mode in _KEEPS_ITS_SLOT:
            refuse(
                f"has no effect with the mode {named(mode)!r}: a job has to have a checkpoint "
                "transferred before it can leave by itself"
            )
        return found

    @field_validator("step")
    @classmethod
    def _step_beside_steps(cls, step: int | None, info: ValidationInfo) -> int | None:
        if step is not None and info.data.get("steps"):
            refuse("given besides job.steps; expected one or the other")
        return step

    @field_validator("step")
    @classmethod
    def _step_within_work(cls, step: int | None, info: ValidationInfo) -> int | None:
        work = info.data.get("work")
        if step is not None and work is not None and step > work:
            refuse(
                f"{units.show(step)}: longer than the whole work of {units.show(work)}; "
                "expected the time between two moments at which the job can checkpoint"
            )
        return step

    @field_validator("bandwidth")
    @classmethod
    def _bandwidth_with_size(cls, bandwidth: int | None, info: ValidationInfo) -> int | None:
        if "size" not in info.data:
            return bandwidth  # itself a mistake, which is told
        if bandwidth is not None and info.data["size"] is None:
            refuse(f"has no effect without job.size; {units.SIZE_EXAMPLE}")
        return bandwidth

    @field_validator("transfer", mode="before")
    @classmethod
    def _transfer_of_size(cls, transfer: object, info: ValidationInfo) -> object:
        size, bandwidth = info.data.get("size"), info.data.get("bandwidth")
        if transfer is not None and (size or bandwidth):
            refuse("given besides job.size and job.bandwidth; expected one or the other")
        if transfer is not None:
            return transfer
        return Constant(size / bandwidth) if size and bandwidth else NO_COST

    @field_validator("restart_in_place", "restart_lease", mode="before")
    @classmethod
    def _as_restart(cls, restart: object, info: ValidationInfo) -> object:
        return info.data.get("restart", NO_COST) if restart is None else restart

    @field_validator("input_size")
    @classmethod
    def _input_once(cls, size: int | None, info: ValidationInfo) -> int | None:
        if size is not None and info.data.get("input", NO_COST) != NO_COST:
            refuse("given besides job.input; expected one or the other")
        return size

    @field_validator("arrivals")
    @classmethod
    def _arrivals_once(cls, arrivals: Law, info: ValidationInfo) -> Law:
        if arrivals != NO_COST and info.data.get("arrival_times"):
            refuse("given besides job.arrival_times; expected one or the other")
        return arrivals


class Slots(Table):
    """The slots: how many, how leases end, and what lies between them."""

    count: Count = Field(default=1, description="How many slots there are.")
    limit: LongerOrNone = Field(
        default=None, description="The longest lease, a time; none is no limit."
    )
    evictions: HazardLaw = Field(
        default=Never(),
        description="Time from the start of a lease to its eviction, a law, or none.",
    )
    grace: Duration = Field(
        default=0, description="Time from the soft kill of an eviction to the hard kill."
    )
    retirement: Duration = Field(
        default=0,
        description="How old a lease must be before an eviction's hard kill; until then the job "
        "may leave at a checkpoint; HTCondor's MaxJobRetirementTime.",
    )
    power_failures: HazardLaw = Field(
        default=Never(),
        description="Time from the start of a lease until the slot is gone without notice, a law, "
        "or none.",
    )
    contact_lease: Duration = Field(
        default=40 * units.MINUTE,
        description="How long the access point waits for a slot that is gone without notice; "
        "HTCondor's JobLeaseDuration.",
    )
    gap: CostLaw = Field(
        default=NO_COST,
        description="Time from losing a slot to the start of the next lease, a law.",
    )
    first_gap: YesNo = Field(
        default=False, description="Whether the gap comes before the first lease too, yes/no."
    )
    absence: CostLaw = Field(
        default=NO_COST, description="How long a slot stays away after it was lost, a law."
    )
    claim_worklife: DurationOrNone = Field(
        default=None,
        description="Age of a claim after which a checkpoint ends the lease, a time, or none; "
        "HTCondor's CLAIM_WORKLIFE.",
    )
    speed: Speed = Field(
        default=1.0, description="How fast a slot computes: seconds of work done in a second."
    )
    availability: Availability = Field(
        default=None,
        description="When slots are there: a CSV file with the columns slot (numbered within the "
        "kind from 0), from_s and to_s, or a list of these; a slot without rows is always there.",
    )


class Link(Table):
    """The path of all transfers, shared by those in flight."""

    bandwidth: RateGiven = Field(
        description="Rate of all transfers in flight together.", examples=["10 Gb/s"]
    )
    at_most: CountOrNone = Field(
        default=None,
        description="How many transfers may be in flight at once, or none; HTCondor's default is "
        "100.",
    )
    bypass: Size = Field(
        default=None,
        description="Transfers of up to this size do not queue, with at_most; HTCondor's are 100 "
        "MiB.",
    )
    fetch_checkpoint: YesNo = Field(
        default=True,
        description="Whether the checkpoint comes back over the link at the start of a lease, "
        "yes/no.",
    )

    @field_validator("bypass")
    @classmethod
    def _bypass_of_a_queue(cls, bypass: int | None, info: ValidationInfo) -> int | None:
        if bypass is not None and info.data.get("at_most", 1) is None:
            refuse("has no effect without link.at_most, for then no transfer queues; give it too")
        return bypass


class Queue(Table):
    """How jobs that wait are matched with slots."""

    order: Order = Field(
        default="submission",
        description="Which job goes first: by submission, by priority, or by fair share.",
    )
    cycle: Duration = Field(
        default=0,
        description="Jobs are matched at multiples of this time, the negotiation cycles; 0: at "
        "once.",
    )
    half_life: Longer = Field(
        default=units.DAY,
        description="Time in which a user's past usage counts half, for fair share; HTCondor's "
        "PRIORITY_HALFLIFE.",
    )


class Domain(Table):
    """Slots that lose power together: racks, rooms."""

    size: Count = Field(description="How many neighbouring slots make one domain.", examples=[32])
    power_failures: HazardLaw = Field(
        description="Time from the start, or from the last repair, to the failure of a domain, a "
        "law, or none.",
        examples=["exponential(mean=90d)"],
    )
    repair: CostLaw = Field(
        default=NO_COST, description="Time from a domain's failure until its slots are back, a law."
    )
    kinds: Names = Field(
        default=None, description="The kinds of slots that are in it, as in a, b; default: all."
    )


def refuse(text: str) -> NoReturn:
    """Refuse the value that is being read, in one line."""
    raise PydanticCustomError("refused", "{text}", {"text": text})
