"""A scenario's fates come true: limits, evictions and power failures of real slots."""

import asyncio
import time
from typing import TYPE_CHECKING

from ckptsim import pool as pools
from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.machines import Machine
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Vacate
from ckptsim.htcondor.life import Stage, Why
from ckptsim.rules import NEVER, Event, warned_at
from ckptsim.units import SECOND

if TYPE_CHECKING:
    from ckptsim.drivers.real.accesspoint import AccessPoint
    from ckptsim.drivers.real.fates import Fates
    from ckptsim.pool import Fate


class Destiny:
    """Sets an alarm for each thing that a lease's fate has in store."""

    def __init__(self, pool: "AccessPoint") -> None:
        self.pool = pool

    def set_fate(self, entry: Entry, fates: "Fates") -> None:
        """What the scenario has in store for this lease, as alarms."""
        assert entry.machine is not None
        fate = fates.of_slot(list(self.pool.machines).index(entry.machine.name))
        begun = (time.time_ns() - lives.stay_of(entry.life).began) / SECOND
        loop, machine = asyncio.get_running_loop(), entry.machine
        slots = fates.scenario.slots
        warned = warned_at(fate.eviction, 0, slots.retirement, slots.grace)
        away = slots.contact_lease + absence_of(Event.POWERED_OFF, fate, slots.contact_lease)
        for age, then in (
            (fate.limit, lambda: self.expire(entry)),
            (fate.eviction, lambda: self.retire(entry)),
            (warned, lambda: self.evict(entry)),
            (fate.power_failure, lambda: self.pool.spawn(self.fail_power(machine, away))),
        ):
            if age < NEVER:
                entry.alarms.append(loop.call_later(max(0.0, age / SECOND - begun), then))
        entry.absence = absence_of(Event.WARNED, fate, 0)

    def expire(self, entry: Entry) -> None:
        """The slot's runtime limit: nothing more is transferred."""
        text = "The runtime limit of the slot was reached"
        why = Why(Stage.IDLE, Vacate.PREEMPTED, text, event=Event.EXPIRED)
        then = lives.stopped(entry.life, why, time.time_ns(), fast=not entry.life.terms.on_evict)
        entry.loses_slot = True
        self.pool.apply(entry, then)

    def retire(self, entry: Entry) -> None:
        """The slot is wanted back: from now on the job leaves it at a checkpoint."""
        entry.loses_slot = True
        self.pool.apply(entry, (lives.retiring(entry.life, time.time_ns()), []))

    def evict(self, entry: Entry) -> None:
        """The soft kill, at once or so that the hard one falls at the end of retirement."""
        why = Why(Stage.IDLE, Vacate.PREEMPTED, "The slot was taken back")
        self.pool.apply(entry, lives.stopped(entry.life, why, time.time_ns()))

    def left(self, entry: Entry) -> None:
        """The job is off the slot: one that was lost stays away for a while."""
        if entry.loses_slot and entry.absence and entry.machine:
            self.pool.spawn(self.be_away(entry.machine, entry.absence))

    async def be_away(self, machine: Machine, absence: int) -> None:
        machine.away = True
        await asyncio.sleep(absence / SECOND)
        machine.away = False
        self.pool.matchmaker.match_soon()

    async def fail_power(self, machine: Machine, away: int) -> None:
        """The slot is back when its absence is over, and not before its loss was noticed.

        Its new process is there long before: it is to be back on time.
        """
        back = time.monotonic() + away / SECOND
        machine.away = True
        await self.pool.power_off(machine)
        await self.pool.power_on(machine)
        await asyncio.sleep(max(0.0, back - time.monotonic()))
        machine.away = False
        self.pool.matchmaker.match_soon()


def absence_of(event: Event, fate: "Fate", contact_lease: int) -> int:
    """How long the slot is away once the job is off it, as in a simulation."""
    return pools.away(event, fate.absence, contact_lease)
