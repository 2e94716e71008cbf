"""What only the clock brings: time limits, periodic expressions, PREEMPT, checkpoint signals."""

import time
from typing import TYPE_CHECKING, Any

from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.matchmaker import nanoseconds
from ckptsim.htcondor import ads
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Vacate
from ckptsim.htcondor.life import Stage, Why

if TYPE_CHECKING:
    from ckptsim.drivers.real.accesspoint import AccessPoint


class Lookout:
    """Looks every so often at what expressions and limits say of each job."""

    def __init__(self, pool: "AccessPoint") -> None:
        self.pool = pool

    def look_at_jobs(self) -> None:
        """Time limits, and the periodic expressions of those that have some."""
        now = time.time_ns()
        for entry in list(self.pool.entries.values()):
            if entry.life.stage in lives.ENDED or not entry.has_policy:
                continue
            with self.pool.minding(entry):
                if entry.chirp:
                    entry.chirp.flush()
                self.look_at(entry, now)

    def look_at(self, entry: Entry, now: int) -> None:
        ad, life = ads.refresh(entry.ad, entry.life), entry.life
        if life.stage in (Stage.RUNNING, Stage.CHECKPOINTING):
            why = lives.limits(life, now) or ads.periodic(ad, life)
            if why is not None:
                self.pool.apply(entry, lives.stopped(life, why, now))
        elif life.stage in (Stage.IDLE, Stage.HELD) and ads.is_true(ad, "PeriodicRemove"):
            self.pool.apply(entry, lives.remove(life, ads.evaluated(ad, "PeriodicRemove"), now))
        elif life.stage == Stage.IDLE and ads.is_true(ad, "PeriodicHold"):
            self.pool.apply(entry, lives.held(life, ads.policy_hold(ad, "PeriodicHold"), now, []))
        elif ads.may_be_released(ad, life):
            self.pool.apply(entry, lives.release(life, ads.evaluated(ad, "PeriodicRelease"), now))

    def look_at_images(self) -> None:
        """Event 006: how large the process of each job is, where that has grown."""
        for entry in self.pool.on_slots():
            image = entry.image() if entry.life.stage == Stage.RUNNING else None
            if image:
                self.pool.record(entry, [image], time.time_ns())

    def look_at_machines(self) -> None:
        """PREEMPT, the end of retirement, and PERIODIC_CHECKPOINT, for each job that runs."""
        now = time.time_ns()
        for entry in self.pool.on_slots():
            if entry.life.stage in (Stage.RUNNING, Stage.CHECKPOINTING):
                with self.pool.minding(entry):
                    self.look_at_slot(entry, now)

    def look_at_slot(self, entry: Entry, now: int) -> None:
        assert entry.machine is not None
        assert entry.slot is not None
        policy, life = entry.machine.settings.policy, entry.life
        wants = policy["PREEMPT"].lower() != "false"
        if not (wants or entry.machine.draining or entry.wants_signal):
            return
        slot = ads.slot_ad(entry.machine.attributes(entry.slot), life, now)
        ad = ads.refresh(entry.ad, life)
        if entry.preempted is None and wants and ads.holds(policy["PREEMPT"], slot, ad):
            text = "PREEMPT expression evaluated to True"
            entry.preempted = Why(Stage.IDLE, Vacate.PREEMPTED, text)
        if entry.preempted is None and entry.machine.draining:
            entry.preempted = Why(Stage.IDLE, Vacate.DRAINED, "The machine is draining")
        if entry.preempted is not None:
            self.retire(entry, entry.preempted, slot, now)
        elif entry.wants_signal and ads.holds(policy["PERIODIC_CHECKPOINT"], slot, ad):
            self.pool.apply(entry, lives.ask_for_checkpoint(life, now))

    def retire(self, entry: Entry, why: Why, slot: Any, now: int) -> None:
        """Soft kill so early that the hard one falls at the end of retirement (D29)."""
        assert entry.machine is not None
        policy = entry.machine.settings.policy
        if entry.life.lease.retiring > now:
            self.pool.apply(entry, (lives.retiring(entry.life, now), []))
        retirement = ads.seconds(policy["MaxJobRetirementTime"], slot, entry.ad)
        own = ads.number(entry.ad, "MaxJobRetirementTime", slot)
        least = nanoseconds(retirement if own is None else min(retirement, own))
        if lives.is_retired(entry.life, least, now):
            fast = not ads.holds(policy["WANT_VACATE"], slot, entry.ad)
            self.pool.apply(entry, lives.stopped(entry.life, why, now, fast=fast))
