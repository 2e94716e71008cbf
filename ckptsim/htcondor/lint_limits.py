"""Rules of `lint` on times and sizes: limits against the interval, and what the pool charges."""

from ckptsim.htcondor import ads
from ckptsim.htcondor.jobad import Ad
from ckptsim.htcondor.jobcommands import classads, expression
from ckptsim.htcondor.lint_files import WHEN
from ckptsim.htcondor.lint_job import Job, Said, broken, costs, holds, not_seen
from ckptsim.units import DAY, SECOND, show, show_size

QUEUED = 100 << 20
"""Transfers of so many bytes and more wait in the transfer queue (htcondor-observed.md A2)."""

LONGEST_S = 10 * 365 * DAY // SECOND  # no run is longer
_RUNNING = 2
# What a running job's age is reckoned from in policies, and what it is at its first start.
_SINCE = ("EnteredCurrentStatus", "JobCurrentStartDate", "JobCurrentStartExecutingDate")
_COUNTS = {"JobStatus": _RUNNING, "NumJobStarts": 1, "NumShadowStarts": 1, "JobRunCount": 1}
_TOTALS = ("RemoteWallClockTime", "CumulativeSlotTime", "CommittedTime")  # of its past stays
_ZEROS = (*_TOTALS, "NumJobCompletions")


def grace_enough(job: Job) -> Said | None:
    """A program that does not end in time is killed, and nothing of it is transferred."""
    if not job.on_evict or job.shared:
        return None
    grace, own = job.conditions.grace, ads.nanoseconds(job.ad, "JobMaxVacateTime")
    write, vacate_time = job.conditions.write, "job_max_vacate_time"
    at = vacate_time if job.gives(vacate_time) else WHEN
    if write is not None and own is not None and own < write:
        return _killed(own, write, f"write `{vacate_time} = {_seconds(2 * write)}`", at)
    if write is not None and grace is not None and grace < write:
        instead = "the pool grants no more, so let it save before it is told to go"
        return _killed(grace, write, instead, at)
    if grace is None or write is None:
        return not_seen(
            "A program that outlives its time after the signal is killed and nothing transferred; "
            "the pool's time and the time of a write are not both known.",
            at,
        )
    enough = grace if own is None else min(grace, own)
    return holds(f"{show(enough)} are enough for a write of {show(write)}.", at)


def _killed(time: int, write: int, instead: str, at: str) -> Said:
    return broken(
        f"It has {show(time)} from its signal to its end, and a checkpoint takes {show(write)}: it "
        f"is killed and nothing transferred; expected more; {instead}.",
        at,
    )


def execute_duration(job: Job) -> Said | None:
    at = "allowed_execute_duration"
    if not job.gives(at):
        return None
    allowed, cycle = ads.nanoseconds(job.ad, "AllowedExecuteDuration"), job.conditions.cycle
    if allowed is None or cycle is None:
        return _unknown(at, allowed, "begins anew at each checkpoint")
    if allowed < cycle:
        return _too_short(at, allowed, cycle, "held before its first checkpoint")
    return holds(f"{show(allowed)} is enough for {show(cycle)}, and begins anew each time.", at)


def job_duration(job: Job) -> Said | None:
    """It counts from the activation's start, its input transfer included, through checkpoints."""
    at = "allowed_job_duration"
    if not job.gives(at):
        return None
    allowed, cycle = ads.nanoseconds(job.ad, "AllowedJobDuration"), job.conditions.cycle
    if allowed is None or cycle is None:
        return _unknown(at, allowed, "goes on through checkpoints")
    if allowed < cycle:
        return _too_short(at, allowed, cycle, "held before its first checkpoint")
    return costs(
        f"It goes on through checkpoints: after {show(allowed)} on a slot the job is held, and "
        "work since the last checkpoint lost; expected a limit that a checkpoint resets; write "
        f"`allowed_execute_duration = {_seconds(2 * cycle)}`.",
        at,
    )


def pool_limit(job: Job) -> Said | None:
    limit, cycle = job.conditions.limit, job.conditions.cycle
    if limit is None:
        return None
    if job.on_evict and not job.by_exit:
        return holds(f"At the pool's limit of {show(limit)} it is evicted, and saved if warned.")
    if cycle is None:
        return not_seen(f"The pool's limit is {show(limit)}; the interval is not known.")
    if limit < cycle:
        return broken(
            f"The pool ends a stay after {show(limit)}, and a checkpoint comes after "
            f"{show(cycle)}, so the job never gets on; expected it sooner; checkpoint at least "
            f"every {show(limit // 2)}."
        )
    return holds(f"A checkpoint comes after {show(cycle)}, before the limit of {show(limit)}.")


def _unknown(at: str, allowed: int | None, clock: str) -> Said:
    what = "not known from the text" if allowed is None else show(allowed)
    return not_seen(
        f"Its limit is {what} and {clock}; that it is longer than an interval and a write cannot "
        "be told.",
        at,
    )


def _too_short(at: str, allowed: int, cycle: int, fate: str) -> Said:
    return broken(
        f"It allows {show(allowed)}, and an interval and its write take {show(cycle)}: the job is "
        f"{fate}; expected more; write `{at} = {_seconds(2 * cycle)}`.",
        at,
    )


def _seconds(time: int) -> int:
    return -(-time // SECOND)


# --- the job's own policies -----------------------------------------------------------------------


def periodic_hold(job: Job) -> Said | None:
    return _periodic(job, "periodic_hold", "PeriodicHold", "held")


def periodic_remove(job: Job) -> Said | None:
    return _periodic(job, "periodic_remove", "PeriodicRemove", "removed")


def periodic_vacate(job: Job) -> Said | None:
    return _periodic(job, "periodic_vacate", "PeriodicVacate", "evicted")


def _periodic(job: Job, at: str, attribute: str, fate: str) -> Said | None:
    if not job.gives(at) or attribute not in job.ad:
        return None
    if (after := _fires_after(job.ad, attribute)) is None:
        if totals := _totals_in(job.ad, attribute):
            return not_seen(
                f"It depends on {', '.join(totals)}, which adds up over evictions: how much work "
                f"is left when the job is {fate} cannot be told.",
                at,
            )
        return holds("By the time alone that it runs, it never comes true.", at)
    if after == 0:
        return broken(
            f"It is true of any running job, which is {fate} at once; expected a condition on its "
            "run time or its state.",
            at,
        )
    cycle, told = job.conditions.cycle, f"A job that has run {show(after)} is {fate}"
    if cycle is None:
        return not_seen(f"{told}; the interval is not known.", at)
    if after < cycle:
        return broken(
            f"{told}, before its checkpoint after {show(cycle)}; expected later; let it be true "
            f"after {_seconds(2 * cycle)} seconds.",
            at,
        )
    return costs(
        f"{told}, however many checkpoints it made, and work since the last is lost; expected an "
        "exit right after a checkpoint before that.",
        at,
    )


def _totals_in(ad: Ad, attribute: str) -> list[str]:
    used = ad.lookup(attribute)
    names = {name.casefold() for name in (*ad.internalRefs(used), *ad.externalRefs(used))}
    return [name for name in _TOTALS if name.casefold() in names]


def _fires_after(ad: Ad, attribute: str) -> int | None:
    """After how long a first run does it become true? In ns; None: never, or not by that alone."""
    false_s, true_s = 0, 1
    if _fires(ad, attribute, 0):
        return 0
    while not _fires(ad, attribute, true_s):
        false_s, true_s = true_s, true_s * 2
        if true_s > LONGEST_S:
            return None
    while true_s - false_s > 1:
        middle = (false_s + true_s) // 2
        if _fires(ad, attribute, middle):
            true_s = middle
        else:
            false_s = middle
    return true_s * SECOND


def _fires(ad: Ad, attribute: str, age_s: int) -> bool:
    running = classads().ClassAd()
    running.update(ad)
    running.update({**_COUNTS, **dict.fromkeys(_ZEROS, 0)})
    running["CurrentTime"], running["ServerTime"] = expression("time()"), expression("time()")
    for name in _SINCE:
        running[name] = expression(f"time() - {age_s}")
    running["QDate"] = expression(f"time() - {age_s}")
    return ads.is_true(running, attribute)


# --- what the pool charges ------------------------------------------------------------------------


def claim_worklife(job: Job) -> Said | None:
    """After a checkpoint the slot is given back if its claim is older than its worklife."""
    worklife, cycle = job.conditions.claim_worklife, job.conditions.cycle
    if not job.by_exit or job.shared:
        return None
    if worklife is None or not job.conditions.reactivate_check:
        return holds("In this pool a checkpoint does not cost the slot, however old its claim.")
    rule = f"A checkpoint later than {show(worklife)} into a claim (CLAIM_WORKLIFE) costs the slot"
    if cycle is None:
        return not_seen(f"{rule}; the interval is not known.")
    every = max(1, -(-worklife // cycle)) if cycle else 1
    which = "each checkpoint" if every == 1 else f"one checkpoint in {every}"
    return costs(
        f"{rule}: with one every {show(cycle)} that is {which}, at least every "
        f"{show(every * cycle)} of running, and each time a match and the transfer of the input "
        "again; ask for a longer CLAIM_WORKLIFE or for CHECK_REACTIVATE_AFTER_CHECKPOINT = False, "
        "or weigh it in the interval."
    )


def transfer_queue(job: Job) -> Said | None:
    size = job.conditions.checkpoint_bytes
    if not job.spooled or job.elsewhere:
        return None
    if size is None:
        return not_seen(
            f"Checkpoints from {show_size(QUEUED)} wait in the access point's transfer queue; its "
            "size is not known."
        )
    if size >= QUEUED:
        return costs(
            f"A checkpoint of {show_size(size)} waits in the access point's transfer queue, which "
            f"those under {show_size(QUEUED)} skip; make it smaller, or count the wait as part of "
            "the write."
        )
    return holds(f"A checkpoint of {show_size(size)} skips the transfer queue.")
