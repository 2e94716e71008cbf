"""What the events that end a lease say of its end.

Codes are those of `condor_includes/condor_holdcodes.h`; runs are those of htcondor-observed.md.
"""

import re

from ckptsim.htcondor.eventlog import Event
from ckptsim.htcondor.stays import LEFT_AT_A_CHECKPOINT, End

_CODE = re.compile(r"Code (\d+) Subcode -?\d+")
_RUN_BYTES = "Run Bytes "
_SENT, _RECEIVED = "Run Bytes Sent By Job", "Run Bytes Received By Job"
# Vacate codes; those not named here (PREEMPT, drain, rank or priority, shutdown, condor_vacate_job
# ...) take the slot away.
_ENDS = {
    1: End.HELD,  # condor_hold
    3: End.POLICY,  # periodic_hold
    26: End.POLICY,  # SYSTEM_PERIODIC_HOLD
    34: End.POLICY,  # out of memory, as the machine enforces it
    46: End.LIMIT,  # allowed_job_duration
    47: End.LIMIT,  # allowed_execute_duration
    1000: End.RESCHEDULED,  # the job's periodic_vacate
    1002: End.EXCEPTION,  # shadow exception
    1003: End.FAILED,  # job not started
    1005: End.RESCHEDULED,
    1006: End.FAILED,  # claim could not be activated
    1007: End.FAILED,  # starter error
    1008: End.POWER_FAILURE,  # reconnect failed
    1012: End.FAILED,  # startd exception
    1023: End.REMOVED,  # condor_rm
    LEFT_AT_A_CHECKPOINT: End.RESCHEDULED,
}
_VACATE_CODES = 1000  # hold codes are below


def code_of(event: Event) -> int | None:
    """HTCondor's reason; None where the event has none."""
    for line in (event.text, *event.body):
        if "Code " in line and (match := _CODE.search(line)):
            return int(match[1]) or None
    return None


def end_by_code(code: int | None) -> End:
    """The end that event 004 tells."""
    if code is None or code in _ENDS:
        return _ENDS.get(code or 0, End.EVICTED)
    return End.EVICTED if code >= _VACATE_CODES else End.FAILED


def end_by_hold(event: Event, code: int | None) -> End:
    """The end that event 012 tells."""
    if code not in {46, 47} and any("via condor_hold" in line for line in event.body):
        return End.HELD
    end = _ENDS.get(code or 0, End.FAILED)
    return end if end in {End.HELD, End.POLICY, End.LIMIT} else End.FAILED


def held_on_exit(event: Event) -> bool:
    """Whether a 012 tells of on_exit_hold: the job had ended by itself (A9)."""
    return any("OnExitHold" in line or "ON_EXIT_HOLD" in line for line in event.body)


def requeued(event: Event) -> bool:
    """Whether a 004 tells of a job that ended and was queued again by on_exit_remove (H45)."""
    return bool(event.body) and "Job terminated and was requeued" in event.body[0]


def checkpointed(event: Event) -> bool:
    """Whether a 004 says that HTCondor itself took a checkpoint (standard and VM universe)."""
    return bool(event.body) and "(1) Job was checkpointed" in event.body[0]


def lost_by_shadow(event: Event) -> bool:
    """Whether a 007 tells of lost contact, as shadows write that do not try to reconnect."""
    return any("Can no longer talk to condor_starter" in line for line in event.body)


def bytes_of(event: Event) -> tuple[int | None, int | None]:
    """Bytes sent and received by this run of the job, as 004, 005 and 007 tell them."""
    sent = received = None
    for line in event.body:
        if _RUN_BYTES in line:
            if line.endswith(_SENT):
                sent = _count(line)
            elif line.endswith(_RECEIVED):
                received = _count(line)
    return sent, received


def _count(line: str) -> int | None:
    """The whole number before the dash; old versions wrote some as `123.0`."""
    amount = line.partition("-")[0].strip().partition(".")[0]
    return int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 19 else None
