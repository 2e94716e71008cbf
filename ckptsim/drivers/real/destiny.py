"""A scenario's fates come true: limits, evictions and power failures of real slots."""

import asyncio
import time
from typing import TYPE_CHECKING

from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.machines import Machine
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Vacate
from ckptsim.htcondor.life import Stage, Why
from ckptsim.rules import NEVER, Event

if TYPE_CHECKING:
    from ckptsim.drivers.real.accesspoint import AccessPoint
    from ckptsim.drivers.real.fates import Fates


class Destiny:
    """Sets an alarm for each thing that a lease's fate has in store."""

    def __init__(self, pool: "AccessPoint") -> None:
        self.pool = pool

    def set_fate(self, entry: Entry, fates: "Fates") -> None:
        """What the scenario has in store for this lease, as alarms."""
        assert entry.machine is not None
        fate = fates.of_slot(list(self.pool.machines).index(entry.machine.name))
        begun = (time.time_ns() - lives.stay_of(entry.life).began) / 1e9
        loop, machine = asyncio.get_running_loop(), entry.machine
        slots = fates.scenario.slots
        away = max(fate.absence, slots.contact_lease)
        for age, then in (
            (fate.limit, lambda: self.expire(entry)),
            (fate.eviction, lambda: self.evict(entry, slots.retirement)),
            (fate.power_failure, lambda: self.pool.spawn(self.fail_power(machine, away))),
        ):
            if age < NEVER:
                entry.alarms.append(loop.call_later(max(0.0, age / 1e9 - begun), then))
        entry.absence = fate.absence

    def expire(self, entry: Entry) -> None:
        """The slot's runtime limit: nothing more is transferred."""
        text = "The runtime limit of the slot was reached"
        why = Why(Stage.IDLE, Vacate.PREEMPTED, text, event=Event.EXPIRED)
        then = lives.stopped(entry.life, why, time.time_ns(), fast=not entry.life.terms.on_evict)
        self.lost_slot(entry)
        self.pool.apply(entry, then)

    def evict(self, entry: Entry, retirement: int) -> None:
        why = Why(Stage.IDLE, Vacate.PREEMPTED, "The slot was taken back")
        if retirement:
            entry.preempted = why
            entry.life = lives.retiring(entry.life, time.time_ns())
            return
        self.lost_slot(entry)
        self.pool.apply(entry, lives.stopped(entry.life, why, time.time_ns()))

    def lost_slot(self, entry: Entry) -> None:
        """A slot that was lost stays away for a while."""
        if entry.absence and entry.machine:
            self.pool.spawn(self.be_away(entry.machine, entry.absence))

    async def be_away(self, machine: Machine, absence: int) -> None:
        machine.draining = True
        await asyncio.sleep(absence / 1e9)
        machine.draining = False
        self.pool.matchmaker.match_soon()

    async def fail_power(self, machine: Machine, away: int) -> None:
        """The slot is back when its absence is over, and not before its loss was noticed.

        Its new process is there long before: it is to be back on time.
        """
        back = time.monotonic() + away / 1e9
        await self.pool.power_off(machine)
        machine.draining = True
        await self.pool.turn_on(machine)
        await asyncio.sleep(max(0.0, back - time.monotonic()))
        machine.draining = False
        self.pool.matchmaker.match_soon()
