"""HTCondor's numbers for why a job left its slot or is held (condor_holdcodes.h)."""

from enum import IntEnum


class Vacate(IntEnum):
    """Reason codes of event 004 (htcondor-rules.md 2.1); seen in the runs that are named."""

    REQUEUED = 0  # by its own on_exit_remove (k1)
    PERIODIC_VACATE = 1000  # n8
    RECONNECT_FAILED = 1008  # e2
    PREEMPTED = 1011  # n4
    DRAINED = 1014
    BY_USER = 1022  # c
    REMOVED = 1023  # s
    AFTER_CHECKPOINT = 1025  # e7


class Hold(IntEnum):
    """Reason codes of event 012."""

    BY_USER = 1  # d
    BY_POLICY = 3  # m7, n7
    NOT_UNDERSTOOD = 5  # HTCondor: an expression of the job that is undefined
    CANNOT_START = 6
    OUTPUT_FAILED = 12  # l3
    INPUT_FAILED = 13
    CHECKPOINT_FAILED = 36  # l1, j2
    JOB_DURATION = 46  # n1
    EXECUTE_DURATION = 47  # n3


class JobStatus(IntEnum):
    """The attribute of that name."""

    IDLE = 1
    RUNNING = 2
    REMOVED = 3
    COMPLETED = 4
    HELD = 5
    TRANSFERRING_OUTPUT = 6
