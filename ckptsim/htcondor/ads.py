"""Job ads and slot ads in use: what they say at a moment, and what their expressions come to.

Expressions are evaluated by HTCondor's own ClassAd library (`classad2` of the `htcondor` wheel).
Attributes and what they mean: HTCondor manual, "Job ClassAd Attributes" and "Machine ClassAd
Attributes"; times in whole seconds, as there.
"""

import signal
from typing import Any

from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Hold, Vacate
from ckptsim.htcondor.jobad import Ad, names
from ckptsim.htcondor.jobcommands import classads
from ckptsim.htcondor.life import Life, Stage, Terms, Why
from ckptsim.rules import Event
from ckptsim.units import SECOND

_DEFAULT_SIGNAL = signal.SIGTERM


def terms(ad: Ad, user: str) -> Terms:
    """What the job asks for, of what its life depends on (htcondor-rules.md 1.1, 2, 3)."""
    promised = checkpoint_status(ad)
    return Terms(
        checkpoint_status=promised if is_true(ad, "WantFTOnCheckpoint") else None,
        promised_status=promised,
        on_evict=ad.get("WhenToTransferOutput") == "ON_EXIT_OR_EVICT",
        contact_lease=nanoseconds(ad, "JobLeaseDuration") or lives.Terms().contact_lease,
        job_duration=nanoseconds(ad, "AllowedJobDuration"),
        execute_duration=nanoseconds(ad, "AllowedExecuteDuration"),
        user=user,
    )


def checkpoint_status(ad: Ad) -> int:
    """The raw wait status that means a checkpoint; a signal given as a text is none (H43)."""
    by_signal = number(ad, "SuccessCheckpointExitSignal")
    if is_true(ad, "SuccessCheckpointExitBySignal") and by_signal is not None:
        return int(by_signal)
    code = number(ad, "SuccessCheckpointExitCode")
    return int(code or 0) << 8


def appends(ad: Ad) -> bool:
    """Do its output files grow from one execution to the next (A5)?"""
    return is_true(ad, "WantFTOnCheckpoint") or is_true(ad, "WantCheckpointSignal")


def soft_kill_signal(ad: Ad) -> int:
    """What tells the job to end; RemoveKillSig wins whatever the reason (htcondor-rules.md 2.2)."""
    return signal_of(ad, "RemoveKillSig") or signal_of(ad, "KillSig") or _DEFAULT_SIGNAL


def checkpoint_signal(ad: Ad) -> int:
    """What tells the job to write a checkpoint."""
    return signal_of(ad, "CheckpointSig") or soft_kill_signal(ad)


def signal_of(ad: Ad, attribute: str) -> int | None:
    """A signal by its number or name."""
    given = str(value(ad.lookup(attribute), ad)) if attribute in ad else ""
    try:
        return signal.Signals(int(given)) if given.isdigit() else signal.Signals[given]
    except (KeyError, ValueError):
        return None


def checkpoint_files(ad: Ad) -> list[str] | None:
    """What a checkpoint consists of beside the standard files; None: all that is new or changed."""
    listed = names(ad, "TransferCheckpoint")
    return names(ad, "TransferOutput") if listed is None else listed


def leaves_its_files_in_the_input(ad: Ad) -> bool:
    """Does what comes home from an early exit go into the next sandbox again (H45)?"""
    return bool(set(names(ad, "TransferOutput") or ()) & set(names(ad, "TransferInput") or ()))


# --- evaluation -----------------------------------------------------------------------------------


def value(expression: Any, mine: Ad, target: Ad | None = None) -> Any:
    """What an expression comes to; None where that is undefined or an error.

    A name without MY or TARGET is looked up in the own ad first, then in the other one, as
    HTCondor's daemons do.
    """
    if target is not None:
        mine = seeing(target, mine, expression)
    found = expression.eval(mine, target)
    return None if isinstance(found, classads().Value) else found


def seeing(target: Ad, mine: Ad, expression: Any) -> Ad:
    """The ad, with what the expression looks for there and only the other one has."""
    others = [name for name in mine.externalRefs(expression) if name in target]
    if not others:
        return mine
    both = classads().ClassAd()
    both.update(mine)
    for name in others:
        both[name] = target.lookup(name).eval(target, mine)
    return both


def truth(found: Any) -> bool:
    """Is a value true? Numbers but 0 are; texts, lists, undefined and errors are not."""
    return isinstance(found, int | float) and bool(found)


def is_true(ad: Ad, attribute: str, target: Ad | None = None) -> bool:
    """Is it there and true? Undefined and errors are not."""
    if attribute not in ad:
        return False
    return truth(value(ad.lookup(attribute), ad, target))


def number(ad: Ad, attribute: str, target: Ad | None = None) -> float | None:
    """The number it comes to; None where it is none."""
    found = value(ad.lookup(attribute), ad, target) if attribute in ad else None
    return found if isinstance(found, int | float) else None


def nanoseconds(ad: Ad, attribute: str) -> int | None:
    found = number(ad, attribute)
    return None if found is None else int(found * SECOND)


def holds(text: str, slot: Ad, job: Ad) -> bool:
    """Is a machine's policy expression true for this job?"""
    return truth(value(classads().ExprTree(text), slot, job))


def seconds(text: str, slot: Ad, job: Ad) -> float:
    """What a machine's policy expression comes to; 0 where that is no number."""
    found = value(classads().ExprTree(text), slot, job)
    return float(found) if isinstance(found, int | float) else 0.0


# --- what the job's own policy says ---------------------------------------------------------------


def periodic(ad: Ad, life: Life) -> Why | None:
    """Is a running job to leave by its periodic expressions? The first that holds counts."""
    if life.stage not in lives.ON_SLOT:
        return None
    if is_true(ad, "PeriodicVacate"):
        return Why(Stage.IDLE, Vacate.PERIODIC_VACATE, evaluated(ad, "PeriodicVacate"))
    if is_true(ad, "PeriodicHold"):
        return policy_hold(ad, "PeriodicHold")
    if is_true(ad, "PeriodicRemove"):
        return removal(ad)
    return None


def removal(ad: Ad) -> Why:
    reason = evaluated(ad, "PeriodicRemove")
    return Why(Stage.REMOVED, Vacate.REMOVED, reason, event=Event.WITHDRAWN)


def policy_hold(ad: Ad, attribute: str) -> Why:
    """A hold by one of the job's own expressions: no event 004 comes before it (E33)."""
    given = ad.eval(f"{attribute}Reason") if f"{attribute}Reason" in ad else None
    reason = given if isinstance(given, str) else evaluated(ad, attribute)
    subcode = int(number(ad, f"{attribute}SubCode") or 0)
    return Why(Stage.HELD, Hold.BY_POLICY, reason, subcode, evicted=False, event=Event.WITHDRAWN)


def may_be_released(ad: Ad, life: Life) -> bool:
    """Does PeriodicRelease hold? A person's hold is for a person to end (htcondor-rules.md 3)."""
    if life.stage != Stage.HELD or (life.held and life.held.code == Hold.BY_USER):
        return False
    return is_true(ad, "PeriodicRelease")


def held_at_submit(ad: Ad) -> Why:
    """A job that its submit file puts on hold."""
    reason, code = str(ad.get("HoldReason", "")), int(number(ad, "HoldReasonCode") or 0)
    return Why(Stage.HELD, code, reason, event=Event.WITHDRAWN)


def verdict(ad: Ad, life: Life, status: int) -> Why | None:
    """What the job's policy says now that it ended by itself; None: it may go (A9, H45)."""
    tell_exit(ad, status)
    ad["NumJobCompletions"] = life.counts.completions + 1
    if is_true(ad, "OnExitHold"):
        return policy_hold(ad, "OnExitHold")
    stays = value(ad.lookup("OnExitRemove"), ad) if "OnExitRemove" in ad else None
    if stays is None or stays:
        return None
    kept = leaves_its_files_in_the_input(ad)
    reason = evaluated(ad, "OnExitRemove", "FALSE")
    return Why(Stage.IDLE, Vacate.REQUEUED, reason, event=Event.REQUEUED, kept=kept)


def tell_exit(ad: Ad, status: int) -> None:
    """How the job ended, in its ad."""
    number = status & 127
    for name in ("ExitCode", "ExitSignal"):
        if name in ad:
            del ad[name]
    ad["ExitBySignal"] = bool(number)
    ad["ExitSignal" if number else "ExitCode"] = number or status >> 8


def evaluated(ad: Ad, attribute: str, to: str = "TRUE") -> str:
    """HTCondor's words for it, with the expression in the old syntax: `=!=`, not `isnt`."""
    alone = classads().ClassAd()
    alone[attribute] = ad.lookup(attribute)
    text = alone.printOld().partition(" = ")[2].rstrip()
    return f"The job attribute {attribute} expression '{text}' evaluated to {to}"


# --- what they say at a moment --------------------------------------------------------------------


def refresh(ad: Ad, life: Life) -> Ad:
    """The job's ad, brought up to date."""
    counts, stay = life.counts, life.stay
    ad["JobStatus"] = int(lives.status(life))
    ad["EnteredCurrentStatus"] = life.status_since // SECOND
    ad["NumShadowStarts"] = counts.shadow_starts
    ad["NumJobStarts"] = counts.job_starts
    ad["NumJobCompletions"] = counts.completions
    ad["CommittedTime"] = counts.committed_s
    ad["RemoteWallClockTime"] = counts.wall_s
    for name, count in (
        ("JobRunCount", counts.shadow_starts),
        ("NumHolds", counts.holds),
        ("NumVacates", counts.vacates),
    ):
        if count:  # undefined before the first, and expressions rely on it
            ad[name] = count
    if counts.checkpoint_number >= 0:
        ad["CheckpointNumber"] = counts.checkpoint_number
    if stay:
        ad["JobCurrentStartDate"] = stay.began // SECOND
        if stay.first:
            ad["JobCurrentStartExecutingDate"] = stay.first // SECOND
    if life.held:
        ad["HoldReason"], ad["HoldReasonCode"] = life.held.reason, life.held.code
        ad["HoldReasonSubCode"] = life.held.subcode
    return ad


def slot_ad(attributes: dict[str, Any], life: Life | None = None, now: int = 0) -> Ad:
    """A slot's ad: what it has, and how long its present job has been on it."""
    ad = classads().ClassAd(attributes)
    ad["State"], ad["Activity"] = ("Claimed", "Busy") if life else ("Unclaimed", "Idle")
    if life and life.stay:
        stay = life.stay
        ad["JobStart"] = stay.began // SECOND  # before its input transfer (n4)
        ad["TotalJobRunTime"] = (now - stay.began) // SECOND
        ad["LastPeriodicCheckpoint"] = (stay.asked or stay.first or now) // SECOND
    return ad
