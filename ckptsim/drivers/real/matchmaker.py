"""Who goes where: jobs that wait and slots that are free, and the claims on those."""

import asyncio
import time
from typing import TYPE_CHECKING

from ckptsim.drivers.real.control import PoolError
from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.machines import Machine
from ckptsim.htcondor import ads
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.life import Stage
from ckptsim.pool import UNCLAIMED, claimed_since
from ckptsim.rules import NEVER, Lease
from ckptsim.units import SECOND

if TYPE_CHECKING:
    from ckptsim.drivers.real.accesspoint import AccessPoint

_AGAIN_S = 5.0


class Matchmaker:
    """The pool's negotiator: jobs by priority and number, each to the first machine that suits."""

    def __init__(self, pool: "AccessPoint") -> None:
        self.pool = pool
        self.matching: asyncio.TimerHandle | None = None
        self.matched = 0.0
        self.again: asyncio.TimerHandle | None = None
        self.leases = 0

    def match_soon(self) -> None:
        """Match jobs and slots, but not more often than the negotiation interval allows."""
        if self.matching is None and not self.pool.stopping.is_set():
            wait = max(0.0, self.matched + self.pool.settings.negotiation_s - time.monotonic())
            self.matching = asyncio.get_running_loop().call_later(wait, self.match)

    def stop(self) -> None:
        """Match no more."""
        for timer in (self.matching, self.again):
            if timer:
                timer.cancel()

    def match(self) -> None:
        self.matching, self.matched = None, time.monotonic()
        now, failed = time.time_ns(), set[str]()
        idle = (e for e in self.pool.entries.values() if e.life.stage == Stage.IDLE)
        waiting = [entry for entry in idle if entry.slot is None]
        for entry in sorted(waiting, key=Entry.place_in_queue):
            if entry.uncleared or entry.ready_at > now:
                continue
            with self.pool.minding(entry):
                self.match_one(entry, failed, now)
        self.release_claims()
        self.match_again([entry for entry in waiting if entry.slot is None], now)

    def match_one(self, entry: Entry, failed: set[str], now: int) -> None:
        if failed and entry.kind in failed:
            return
        machine = self.machine_for(entry)
        if machine is not None:
            self.place(entry, machine, now)
        elif self.start_is_open():
            failed.add(entry.kind)

    def start_is_open(self) -> bool:
        """Does no machine look at more of a job than what tells the kinds apart?"""
        machines = self.pool.machines.values()
        return all(each.settings.policy["START"].lower() == "true" for each in machines)

    def match_again(self, waiting: list[Entry], now: int) -> None:
        """When the first gap is over, and every so often: an expression may look at the clock."""
        if self.again:
            self.again.cancel()
            self.again = None
        if waiting:
            gaps = [(entry.ready_at - now) / SECOND for entry in waiting if entry.ready_at > now]
            wait = min([*gaps, max(self.pool.settings.negotiation_s, _AGAIN_S)])
            self.again = asyncio.get_running_loop().call_later(wait, self.match_soon)

    def machine_for(self, entry: Entry) -> Machine | None:
        """The first machine that has room, suits the job and is suited by it."""
        ad = ads.refresh(entry.ad, entry.life)
        for machine in self.pool.machines.values():
            closed = machine.draining or machine.away or not machine.on
            if closed or not machine.fits(entry.asked):
                continue
            slot = ads.slot_ad(machine.attributes(machine.free_slot()))
            start = machine.settings.policy["START"]
            if ads.is_true(ad, "Requirements", slot) and ads.holds(start, slot, ad):
                return machine
        return None

    def place(self, entry: Entry, machine: Machine, now: int) -> None:
        """The job gets a slot there; a claim within its worklife is kept, else a new one begins."""
        slot, policy = machine.free_slot(), machine.settings.policy
        ad = ads.slot_ad(machine.attributes(slot))
        worklife = nanoseconds(ads.seconds(policy["CLAIM_WORKLIFE"], ad, entry.ad))
        slot.claimed = claimed_since(slot.claimed, now, worklife)
        slot.job, entry.machine, entry.slot = entry, machine, slot
        self.leases += 1
        entry.begin_lease(self.lease_number(), machine)
        self.pool.by_lease[entry.lease] = entry
        checked = ads.holds(policy["CHECK_REACTIVATE_AFTER_CHECKPOINT"], ad, entry.ad)
        lease = Lease(slot.claimed, NEVER, NEVER, NEVER, NEVER, NEVER, now)
        stay = entry.stay(self.pool.state, ad, now)
        self.pool.spawn(self.begin(entry, stay, lease, worklife if checked else NEVER))

    def lease_number(self) -> int:
        """Unique over restarts of this process too: machines' names for what is theirs hold it."""
        return time.time_ns() // 1_000_000 * 1000 + self.leases % 1000

    async def begin(self, entry: Entry, stay: lives.Stay, lease: Lease, worklife: int) -> None:
        try:
            await self.listen(entry)
        except OSError as error:
            self.give_back(entry)
            self.pool.spoil(entry, PoolError(f"{entry.ad['Iwd']}: {error.strerror}"))
            return
        if entry.life.stage != Stage.IDLE or not (entry.machine and entry.machine.on):
            self.give_back(entry)  # it was held or removed just now, or the machine went off
            return
        self.pool.apply(entry, lives.matched(entry.life, stay, lease, worklife, stay.began))
        if self.pool.fates:
            self.pool.destiny.set_fate(entry, self.pool.fates)

    async def listen(self, entry: Entry) -> None:
        """A Chirp server for a job that wants one; OSError where its folder is gone."""
        if entry.wants_chirp:
            await entry.start_chirp(
                lambda text: self.pool.ulog(entry, text),
                lambda: self.pool.record(entry, [], time.time_ns()),
            )

    def leave(self, entry: Entry, *, completed: bool) -> None:
        """The slot is free; a claim is kept by a job that completed, for the next one."""
        assert entry.slot is not None
        if not completed:
            entry.slot.claimed = UNCLAIMED
        if entry.machine and (entry.machine.on or not entry.machine.swept_clean):
            entry.uncleared.add(entry.lease)
        self.pool.destiny.left(entry)
        self.give_back(entry)
        if entry.fates and entry.life.stage == Stage.IDLE:
            entry.ready_at = time.time_ns() + entry.fates.gap()
        self.match_soon()

    def give_back(self, entry: Entry) -> None:
        """The job is on no slot any more; its last lease may have to be cleared yet."""
        assert entry.slot is not None
        entry.slot.job = None
        if entry.lease not in entry.uncleared:
            self.pool.by_lease.pop(entry.lease, None)
        entry.leave_lease()
        if entry.chirp:
            self.pool.spawn(entry.stop_chirp())
        self.match_soon()

    def release_claims(self) -> None:
        """A claim that no job takes up at once is given back."""
        for machine in self.pool.machines.values():
            for slot in machine.slots:
                if slot.job is None:
                    slot.claimed = UNCLAIMED


def nanoseconds(seconds: float) -> int:
    """Negative is without end, as CLAIM_WORKLIFE = -1."""
    return NEVER if seconds < 0 else min(NEVER, int(seconds * SECOND))
