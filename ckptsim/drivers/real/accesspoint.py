"""The access point: the queue, the spool, the event logs, and what is to happen when.

`python -m ckptsim.drivers.real.accesspoint --state DIR` runs a pool until it is told to stop.

Theory of operation. One asyncio loop hears machines, people and the clock, and tells each job's
`Life` (htcondor/life.py) what happened; what is to be done comes back. A change is stored before it
is acted on, with the lines it adds to the event log (store.py). Machines are processes of their own
(machine.py), which end when this one does: after `kill -9` nothing of a job runs any more, and the
next start queues it from its last committed checkpoint.
"""

import argparse
import asyncio
import contextlib
import errno
import fcntl
import getpass
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from ckptsim.drivers.real import control, processes
from ckptsim.drivers.real import settings as configuration
from ckptsim.drivers.real.control import PoolError
from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.fates import Fates
from ckptsim.drivers.real.machine import MARKS, taken_marks
from ckptsim.drivers.real.machines import Machine, Message
from ckptsim.drivers.real.orders import order_of
from ckptsim.drivers.real.settings import Settings
from ckptsim.drivers.real.store import Store, Words, end_of, written
from ckptsim.errors import CkptsimError
from ckptsim.htcondor import ads, joblog
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import JobStatus, Vacate
from ckptsim.htcondor.jobcommands import classads
from ckptsim.htcondor.life import Forget, Leave, Life, Log, Stage, Tell, Why
from ckptsim.htcondor.spool import Spool, delete
from ckptsim.rules import NEVER, Event, Lease

HOST = "<127.0.0.1:0?addrs=127.0.0.1-0&alias=ckptsim>"
_DELETE_SOON = 1 << 23  # bytes; larger checkpoints are deleted beside the loop
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WATCH_S = 0.2
_UNDER_WAY = "submission"
_CLOSED = "Socket between submit and execute hosts closed unexpectedly"
_SILENT = "Job disconnected: the machine has fallen silent"


class AccessPoint:
    """A pool; `run` returns when it has stopped."""

    def __init__(self, state: Path, settings: Settings, fates: Fates | None) -> None:
        self.state, self.settings, self.fates = state, settings, fates
        self.store = Store(state / "pool.db")
        self.pool = self.store.fact("pool", uuid.uuid4().hex)
        self.spool = Spool(state / "spool")
        self.entries: dict[tuple[int, int], Entry] = {}
        self.by_lease: dict[int, Entry] = {}
        self.leases = 0
        self.machines: dict[str, Machine] = {}
        self.changed = asyncio.Event()
        self.stopping = asyncio.Event()
        self.matching: asyncio.TimerHandle | None = None
        self.matched = 0.0
        self.fault = ""
        self.tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.failed)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        # A first line also takes the room on the disk that a complaint of a full one will need.
        say(f"{time.strftime('%Y-%m-%d %H:%M:%S')} a pool starts, pid {os.getpid()}")
        await self.recover()
        await self.start_machines()
        server = await self.listen()
        for period, work in (
            (self.settings.periodic_s, self.look_at_jobs),
            (self.settings.policy_s, self.look_at_machines),
        ):
            self.spawn(self.every(period, work))
        self.match_soon()
        await self.stopping.wait()
        server.close()
        await self.stop()
        if self.fault:
            raise PoolError(self.fault)

    def spawn(self, work: Awaitable[Any]) -> None:
        """Do something beside; its failure is a fault of this program and ends it."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            asyncio.get_running_loop().call_exception_handler(
                {"message": "in the access point", "exception": task.exception()}
            )

    def failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A fault in here: say it in the pool's log, and stop while all is still in order.

        What is stored is in order; nothing is added to it, for a full disk is such a fault too.
        """
        fault = context.get("exception")
        if not isinstance(fault, OSError | sqlite3.Error):
            loop.default_exception_handler(context)
        self.fault = self.fault or f"the pool in {self.state} stops: {fault or context['message']}"
        self.stopping.set()

    async def every(self, period_s: float, work: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(period_s)
            work()

    # --- beginning and end ------------------------------------------------------------------------

    async def recover(self) -> None:
        """Take up what the store holds; what ran when the last access point died is over."""
        left = await asyncio.to_thread(processes.sweep, self.pool)
        if left:
            say(f"could not kill {left}, left of an earlier pool")
        self.store.finish_logs()
        halved = self.store.fact(_UNDER_WAY, 0)
        for record in self.store.jobs():
            ad = classads().ClassAd(record.ad)
            entry = Entry(record.cluster, record.proc, ad, record.life, self.job_fates())
            self.entries[record.cluster, record.proc] = entry
            if entry.life.stage in lives.ON_SLOT:
                life, acts = lives.recovered(entry.life, time.time_ns())
                # There is no machine left to give orders to, and no slot to leave.
                self.apply(entry, (life, [act for act in acts if isinstance(act, Log)]))
            if entry.cluster == halved:  # whoever submitted it was told that it failed
                reason = "The pool ended before all of the cluster was submitted"
                self.apply(entry, lives.remove(entry.life, reason, time.time_ns()))
            if entry.life.stage in lives.ENDED:
                self.spool.remove(record.cluster, record.proc)
            else:
                self.spool.recover(record.cluster, record.proc)
        self.store.remember(_UNDER_WAY, 0)
        self.spool.empty_aside()
        shutil.rmtree(self.state / "execute", ignore_errors=True)

    async def start_machines(self) -> None:
        for each in self.settings.machines:
            log = self.state / "pool.log"
            machine = Machine(each, self.pool, log, self.heard, self.machine_gone, self.ended)
            self.machines[each.name] = machine
        await asyncio.gather(*(machine.start() for machine in self.machines.values()))

    async def stop(self) -> None:
        """Stop all that runs; the jobs stay in the queue, to go on from their checkpoints."""
        now, why = time.time_ns(), Why(Stage.IDLE, Vacate.BY_USER, "The pool was stopped")
        if self.matching:
            self.matching.cancel()
        for task in list(self.tasks):
            task.cancel()
        for entry in [] if self.fault else self.on_slots():
            self.apply(entry, lives.stopped(entry.life, why, now, fast=True))
        await asyncio.gather(*(machine.stop() for machine in self.machines.values()))
        for entry in [] if self.fault else self.on_slots():
            self.apply(entry, lives.parted(entry.life, time.time_ns(), []))
        for machine in self.machines.values():
            self.forget_leases(machine)
        shutil.rmtree(self.state / "execute", ignore_errors=True)
        self.store.close()
        (self.state / control.NAME).unlink(missing_ok=True)

    def job_fates(self) -> Any:
        return self.fates.of_job(len(self.entries)) if self.fates else None

    def on_slots(self) -> list[Entry]:
        return [e for e in self.entries.values() if e.life.stage in lives.ON_SLOT]

    # --- a job's changes --------------------------------------------------------------------------

    def apply(self, entry: Entry, then: lives.Then) -> None:
        """Store a job's change, write its log, and do what is to be done."""
        before = entry.life
        entry.life, acts = then
        now = time.time_ns()
        self.record(entry, [act.event for act in acts if isinstance(act, Log)], now)
        committed = entry.life.job.checkpoints != before.job.checkpoints
        if entry.fates and committed and entry.life.stage in lives.ON_SLOT:
            entry.fates.begin_round()
        for act in acts:
            match act:
                case Tell() | Leave() if entry.machine is None:
                    pass  # it was on a machine of an earlier access point
                case Tell():
                    self.tell(entry, act)
                case Leave(completed):
                    self.leave(entry, completed=completed)
                case Forget():
                    self.forget(entry)
        self.set_alarm(entry)
        if entry.life.stage == Stage.IDLE:
            self.match_soon()
        self.changed.set()

    def record(self, entry: Entry, events: Iterable[joblog.Event], now: int) -> None:
        """Store it; what a full disk keeps from the log is said when there is room again."""
        text = entry.unsaid + self.said(entry, events, now)
        words = Words(entry.log, end_of(entry.log) if entry.log else 0, text)
        self.store.save(entry.cluster, entry.proc, entry.new_ad(), entry.life, words)
        entry.unsaid = ""
        try:
            written(words)
        except OSError as error:
            say(f"{entry.log}: {error.strerror}")
            entry.unsaid = text if error.errno in _FULL else ""

    def said(self, entry: Entry, events: Iterable[joblog.Event], now: int) -> str:
        return "".join(
            joblog.text(
                event, entry.cluster, entry.proc, now, milliseconds=self.settings.milliseconds
            )
            for event in events
        )

    def forget(self, entry: Entry) -> None:
        """Delete what is in the spool of a job, once no machine can write there any more."""
        if not entry.uncleared:
            self.spool.remove(entry.cluster, entry.proc)

    def tell(self, entry: Entry, act: Tell) -> None:
        assert entry.machine is not None
        order = order_of(entry, act, self.state, self.spool)
        entry.machine.tell({"lease": entry.lease, **order})

    def set_alarm(self, entry: Entry) -> None:
        """Be called back when the present stage has lasted as long as it may."""
        if entry.alarm:
            entry.alarm.cancel()
            entry.alarm = None
        deadline = entry.life.stay.deadline if entry.life.stay else NEVER
        if deadline < NEVER:
            wait = max(0.0, (deadline - time.time_ns()) / 1e9)
            entry.alarm = asyncio.get_running_loop().call_later(wait, self.overdue, entry)

    def overdue(self, entry: Entry) -> None:
        self.apply(entry, lives.overdue(entry.life, time.time_ns()))

    # --- machines ---------------------------------------------------------------------------------

    def heard(self, machine: Machine, report: Message) -> None:
        """A machine reports something about a lease."""
        if report["did"] == "cleared":
            self.cleared(report["lease"])
            return
        entry = self.by_lease.get(report["lease"])
        if entry is None or entry.lease != report["lease"] or entry.machine is not machine:
            return  # of a stay that is over
        if report["did"] == "sent" and entry.life.stage in (Stage.CHECKPOINTING, Stage.SAVING):
            self.commit(entry, report)
        else:
            self.apply(entry, self.reported(entry, report))

    def reported(self, entry: Entry, report: Message) -> lives.Then:
        life, at = entry.life, report["at"]
        match report["did"]:
            case "staged":
                return lives.staged(life, report["bytes"], at)
            case "stage_failed":
                error = f"{report['path']}: {report['error']}"
                return lives.stage_failed(life, error, report["errno"], at)
            case "started":
                return lives.started(life, at)
            case "start_failed":
                return lives.start_failed(life, report["error"], report["errno"], at)
            case "exited":
                if entry.chirp:
                    entry.chirp.flush()
                return lives.exited(life, report["status"], report["marks"], at)
            case "sent":
                return lives.sent(life, report["bytes"], at, self.verdict(entry))
            case "send_failed":
                error = f"{report['path']}: {report['error']}"
                return lives.send_failed(life, error, report["errno"], transient=False, now=at)
        return life, []

    def verdict(self, entry: Entry) -> Why | None:
        if entry.life.stage != Stage.DELIVERING:
            return None
        status = lives.stay_of(entry.life).status
        return ads.verdict(ads.refresh(entry.ad, entry.life), entry.life, status)

    def commit(self, entry: Entry, report: Message) -> None:
        """The files are in: from now on they are the checkpoint.

        That is a few renames and done at once, lest anything else happens to the job meanwhile;
        only to delete what they replace may take long.
        """
        discard = delete if report["bytes"] <= _DELETE_SOON else self.delete_beside
        self.spool.commit(entry.cluster, entry.proc, discard)
        self.apply(entry, self.reported(entry, report))

    def delete_beside(self, path: Path) -> None:
        """Delete what the spool does not need any more, in a thread."""
        aside = self.spool.put_aside(path)
        self.spawn(asyncio.to_thread(delete, aside))

    def machine_gone(self, machine: Machine) -> None:
        """A machine's process died by itself: sweep up, and have it back."""
        machine.on = machine.swept_clean = False
        self.spawn(self.have_back(machine, time.time_ns()))

    async def have_back(self, machine: Machine, lost: int) -> None:
        """As after the death of a starter: contact is lost, and the job is found gone (F34)."""
        for entry in self.on_machine(machine):
            life = lives.updated(entry.life, lost, self.settings.update_s)
            marks, now = self.marks_of(entry), time.time_ns()
            self.apply(entry, lives.contact_lost(life, _CLOSED, marks, lost, now, found_out=True))
        async with machine.power:
            if machine.wanted:
                await self.turn_on(machine)

    async def turn_on(self, machine: Machine) -> None:
        """Start it, with nothing left there of before."""
        if machine.on:
            return
        await machine.sweep()
        self.forget_leases(machine)
        await machine.start()
        self.match_soon()

    async def power_off(self, machine: Machine, *, silent: bool = False) -> None:
        """SIGKILL to all there; the access point sees a closed socket at once, or only silence."""
        async with machine.power:
            lost, machine.wanted = time.time_ns(), False
            there = {entry.lease: entry for entry in self.on_slots() if entry.machine is machine}
            await machine.power_off()
            self.forget_leases(machine)
        if silent:
            await asyncio.sleep(self.settings.detection_s)
        for entry in self.on_machine(machine):
            if entry.lease not in there:  # it came when the machine was on again
                continue
            life = lives.updated(entry.life, lost, 0 if self.fates else self.settings.update_s)
            reason = _SILENT if silent else _CLOSED
            marks, now = self.marks_of(entry), time.time_ns()
            self.apply(entry, lives.contact_lost(life, reason, marks, lost, now, found_out=False))
        for lease in there:
            folder = self.state / "execute" / machine.name / f"dir_{lease}"
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def power_on(self, machine: Machine) -> None:
        async with machine.power:
            machine.draining = machine.draining and machine.on
            machine.wanted = True
            await self.turn_on(machine)

    def marks_of(self, entry: Entry) -> lives.Marks:
        """What a job on a dead machine had said of its phases: for the ledger, which sees all."""
        return taken_marks(str(entry.sandbox(self.state) / MARKS))

    def on_machine(self, machine: Machine) -> list[Entry]:
        lost = (Stage.LOST, Stage.PARTING)
        return [e for e in self.on_slots() if e.machine is machine and e.life.stage not in lost]

    def cleared(self, lease: int) -> None:
        """Nothing of a lease is left on its machine."""
        entry = self.by_lease.pop(lease, None)
        if entry is None:
            return
        entry.uncleared.discard(lease)
        if machine := entry.places.pop(lease, None):
            folder = self.state / "execute" / machine.name / f"dir_{lease}"
            shutil.rmtree(folder, ignore_errors=True)
        if entry.life.stage in lives.ENDED:
            self.forget(entry)
        self.match_soon()

    def forget_leases(self, machine: Machine) -> None:
        """Nothing at all is left there, of the leases that were to be cleared either."""
        for entry in self.entries.values():
            for lease in entry.uncleared.copy():
                if entry.places.get(lease) is machine:
                    self.cleared(lease)

    # --- matching ---------------------------------------------------------------------------------

    def match_soon(self) -> None:
        """Match jobs and slots, but not more often than the negotiation interval allows."""
        if self.matching is None and not self.stopping.is_set():
            wait = max(0.0, self.matched + self.settings.negotiation_s - time.monotonic())
            self.matching = asyncio.get_running_loop().call_later(wait, self.match)

    def match(self) -> None:
        self.matching, self.matched = None, time.monotonic()
        now, failed = time.time_ns(), set[str]()
        idle = (e for e in self.entries.values() if e.life.stage == Stage.IDLE)
        waiting = [entry for entry in idle if entry.slot is None]
        for entry in sorted(waiting, key=Entry.place_in_queue):
            if entry.uncleared or entry.ready_at > now or entry.kind in failed:
                self.match_again(entry, now)
            elif (machine := self.machine_for(entry)) is None:
                failed.add(entry.kind)
            else:
                self.place(entry, machine, now)
        self.release_claims()

    def match_again(self, entry: Entry, now: int) -> None:
        """A job in its gap is matched when that is over."""
        if entry.ready_at > now:
            loop = asyncio.get_running_loop()
            loop.call_later((entry.ready_at - now) / 1e9, self.match_soon)

    def machine_for(self, entry: Entry) -> Machine | None:
        """The first machine that has room, suits the job and is suited by it."""
        ad = ads.refresh(entry.ad, entry.life)
        for machine in self.machines.values():
            if not machine.on or machine.draining or not machine.fits(entry.asked):
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
        if slot.claimed is None or now - slot.claimed > worklife:
            slot.claimed = now
        slot.job, entry.machine, entry.slot = entry, machine, slot
        self.leases += 1
        entry.begin_lease(self.lease_number(), machine)
        self.by_lease[entry.lease] = entry
        checked = ads.holds(policy["CHECK_REACTIVATE_AFTER_CHECKPOINT"], ad, entry.ad)
        lease = Lease(slot.claimed, NEVER, NEVER, NEVER, NEVER, NEVER, now)
        stay = entry.stay(self.state, ad, now)
        self.spawn(self.begin(entry, stay, lease, worklife if checked else NEVER))

    def lease_number(self) -> int:
        """Unique over restarts of this process too: machines' names for what is theirs hold it."""
        return time.time_ns() // 1_000_000 * 1000 + self.leases % 1000

    async def begin(self, entry: Entry, stay: lives.Stay, lease: Lease, worklife: int) -> None:
        if entry.wants_chirp:
            await entry.start_chirp(
                lambda text: self.ulog(entry, text),
                lambda: self.record(entry, [], time.time_ns()),
            )
        if entry.life.stage != Stage.IDLE or not (entry.machine and entry.machine.on):
            self.give_back(entry)  # it was held or removed just now, or the machine went off
            return
        self.apply(entry, lives.matched(entry.life, stay, lease, worklife, stay.began))
        if self.fates:
            self.set_fate(entry, self.fates)

    def ulog(self, entry: Entry, text: str) -> None:
        self.record(entry, [joblog.Generic(text)], time.time_ns())

    def leave(self, entry: Entry, *, completed: bool) -> None:
        """The slot is free; a claim is kept by a job that completed, for the next one."""
        assert entry.slot is not None
        if not completed:
            entry.slot.claimed = None
        if entry.machine and (entry.machine.on or not entry.machine.swept_clean):
            entry.uncleared.add(entry.lease)
        self.give_back(entry)
        if entry.fates and entry.life.stage == Stage.IDLE:
            entry.ready_at = time.time_ns() + entry.fates.gap()
        self.match_soon()

    def give_back(self, entry: Entry) -> None:
        """The job is on no slot any more; its last lease may have to be cleared yet."""
        assert entry.slot is not None
        entry.slot.job = None
        if entry.lease not in entry.uncleared:
            self.by_lease.pop(entry.lease, None)
        entry.leave_lease()
        if entry.chirp:
            self.spawn(entry.stop_chirp())
        self.match_soon()

    def release_claims(self) -> None:
        """A claim that no job takes up at once is given back."""
        for machine in self.machines.values():
            for slot in machine.slots:
                if slot.job is None:
                    slot.claimed = None

    # --- what the clock brings --------------------------------------------------------------------

    def look_at_jobs(self) -> None:
        """Time limits, and the periodic expressions of those that have some."""
        now = time.time_ns()
        for entry in list(self.entries.values()):
            if entry.life.stage in lives.ENDED or not entry.has_policy:
                continue
            if entry.chirp:
                entry.chirp.flush()
            self.look_at(entry, now)

    def look_at(self, entry: Entry, now: int) -> None:
        ad, life = ads.refresh(entry.ad, entry.life), entry.life
        if life.stage in (Stage.RUNNING, Stage.CHECKPOINTING):
            why = lives.limits(life, now) or ads.periodic(ad, life)
            if why is not None:
                self.apply(entry, lives.stopped(life, why, now))
        elif life.stage in (Stage.IDLE, Stage.HELD) and ads.is_true(ad, "PeriodicRemove"):
            self.apply(entry, lives.remove(life, ads.evaluated(ad, "PeriodicRemove"), now))
        elif life.stage == Stage.IDLE and ads.is_true(ad, "PeriodicHold"):
            self.apply(entry, lives.held(life, ads.policy_hold(ad, "PeriodicHold"), now, []))
        elif ads.may_be_released(ad, life):
            self.apply(entry, lives.release(life, ads.evaluated(ad, "PeriodicRelease"), now))

    def look_at_machines(self) -> None:
        """PREEMPT, the end of retirement, and PERIODIC_CHECKPOINT, for each job that runs."""
        now = time.time_ns()
        for entry in self.on_slots():
            if entry.life.stage in (Stage.RUNNING, Stage.CHECKPOINTING):
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
            self.apply(entry, lives.ask_for_checkpoint(life, now))

    def retire(self, entry: Entry, why: Why, slot: Any, now: int) -> None:
        """Soft kill so early that the hard one falls at the end of retirement (D29)."""
        assert entry.machine is not None
        policy = entry.machine.settings.policy
        entry.life = lives.retiring(entry.life, now)
        retirement = ads.seconds(policy["MaxJobRetirementTime"], slot, entry.ad)
        own = ads.number(entry.ad, "MaxJobRetirementTime", slot)
        ran = lives.ran(entry.life, now)
        vacate = lives.stay_of(entry.life).vacate_time
        if ran >= nanoseconds(min(retirement, retirement if own is None else own)) - vacate:
            fast = not ads.holds(policy["WANT_VACATE"], slot, entry.ad)
            self.apply(entry, lives.stopped(entry.life, why, now, fast=fast))

    # --- fates of a scenario ----------------------------------------------------------------------

    def set_fate(self, entry: Entry, fates: Fates) -> None:
        """What the scenario has in store for this lease, as alarms."""
        assert entry.machine is not None
        fate = fates.of_slot(list(self.machines).index(entry.machine.name))
        begun = (time.time_ns() - lives.stay_of(entry.life).began) / 1e9
        loop, machine = asyncio.get_running_loop(), entry.machine
        slots = fates.scenario.slots
        for age, then in (
            (fate.limit, lambda: self.expire(entry)),
            (fate.eviction, lambda: self.evict(entry, slots.retirement)),
            (
                fate.power_failure,
                lambda: self.spawn(self.fail_power(machine, fate.absence, slots.contact_lease)),
            ),
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
        self.apply(entry, then)

    def evict(self, entry: Entry, retirement: int) -> None:
        why = Why(Stage.IDLE, Vacate.PREEMPTED, "The slot was taken back")
        if retirement:
            entry.preempted = why
            entry.life = lives.retiring(entry.life, time.time_ns())
            return
        self.lost_slot(entry)
        self.apply(entry, lives.stopped(entry.life, why, time.time_ns()))

    def lost_slot(self, entry: Entry) -> None:
        """A slot that was lost stays away for a while."""
        if entry.absence and entry.machine:
            self.spawn(self.be_away(entry.machine, entry.absence))

    async def be_away(self, machine: Machine, absence: int) -> None:
        machine.draining = True
        await asyncio.sleep(absence / 1e9)
        machine.draining = False
        self.match_soon()

    async def fail_power(self, machine: Machine, absence: int, contact_lease: int) -> None:
        """The slot is back when its absence is over, and not before its loss was noticed.

        Its new process is there long before: it is to be back on time.
        """
        back = time.monotonic() + max(absence, contact_lease) / 1e9
        await self.power_off(machine)
        machine.draining = True
        await machine.start()
        await asyncio.sleep(max(0.0, back - time.monotonic()))
        machine.draining = False
        self.match_soon()

    # --- people -----------------------------------------------------------------------------------

    async def listen(self) -> asyncio.Server:
        """The control socket, for this user alone from its first moment."""
        before = os.umask(0o177)
        try:
            with control.address(self.state) as name:
                return await asyncio.start_unix_server(self.serve, name, limit=1 << 26)
        finally:
            os.umask(before)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled is who still watches when the pool stops: asyncio would call that a fault.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            try:
                request = json.loads(await reader.readline())
                if request["do"] == "watch":
                    await self.watched(writer)
                answer = await self.answer(request)
            except CkptsimError as mistake:
                answer = {"error": str(mistake)}
            except (ValueError, LookupError, TypeError) as mistake:
                answer = {"error": f"not understood: {mistake!r}"}
            except ConnectionError:
                raise
            except (OSError, sqlite3.Error, AssertionError) as fault:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "in the access point", "exception": fault}
                )
                answer = {"error": self.fault}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def watched(self, writer: asyncio.StreamWriter) -> None:
        while True:
            self.changed.clear()
            state = {"jobs": self.jobs_told(None), "machines": self.machines_told()}
            writer.write(json.dumps(state).encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(_WATCH_S)
            await self.changed.wait()

    async def answer(self, request: Message) -> Message:
        match request["do"]:
            case "status":
                return self.status()
            case "cluster":
                return {"cluster": self.store.next_cluster()}
            case "submit":
                return self.submit(request["cluster"], request["ads"])
            case "jobs":
                return {"jobs": self.jobs_told(request.get("jobs"))}
            case "wait":
                return await self.wait(request)
            case "vacate" | "hold" | "release" | "rm":
                return self.done_to_jobs(request)
            case "drain" | "power_off" | "power_on":
                return await self.done_to_machine(request)
            case "stop":
                self.stopping.set()
                return {}
        raise PoolError(f"{request['do']!r}: no such request")

    def submit(self, cluster: int, texts: list[str]) -> Message:
        now, user = time.time_ns(), getpass.getuser()
        self.store.remember(_UNDER_WAY, cluster)
        for proc, text in enumerate(texts):
            ad = classads().ClassAd(text)
            terms = ads.terms(ad, user)._replace(delays=self.settings.delays)
            if self.fates:
                terms = terms._replace(contact_lease=self.fates.scenario.slots.contact_lease)
            life, acts = lives.submitted(terms, HOST, now)
            entry = Entry(cluster, proc, ad, life, self.job_fates())
            if entry.fates and self.fates and self.fates.scenario.slots.first_gap:
                entry.ready_at = now + entry.fates.gap()
            self.entries[cluster, proc] = entry
            self.apply(entry, (life, acts))
            if ad.get("JobStatus") == JobStatus.HELD:
                self.apply(entry, lives.held(life, ads.held_at_submit(ad), now, []))
        self.store.remember(_UNDER_WAY, 0)
        return {"jobs": [f"{cluster}.{proc}" for proc in range(len(texts))]}

    def named(self, job: str) -> list[Entry]:
        """The jobs that `7.0`, or `7` for all of a cluster, stands for."""
        cluster, _, proc = str(job).partition(".")
        if not (cluster.isdigit() and (proc.isdigit() or not proc)):
            raise PoolError(f"{job}: not a job's number; expected one as 7.0, or 7")
        found = [
            entry
            for key, entry in self.entries.items()
            if key[0] == int(cluster) and (not proc or key[1] == int(proc))
        ]
        if not found:
            raise PoolError(f"{job}: no such job; see `ckptsim q`")
        return found

    def done_to_jobs(self, request: Message) -> Message:
        now, done = time.time_ns(), []
        for entry in self.named(request["job"]):
            then = asked(entry.life, request, now)
            if then is not None:
                done.append(entry.id)
                self.apply(entry, then)
        if not done:
            raise PoolError(refusal(request, self.named(request["job"])[0].life))
        return {"jobs": done}

    async def done_to_machine(self, request: Message) -> Message:
        name = request["machine"]
        if name not in self.machines:
            known = ", ".join(self.machines)
            raise PoolError(f"{name}: no such machine; there are {known}")
        machine = self.machines[name]
        match request["do"]:
            case "drain":
                machine.draining = True
                self.look_at_machines()
            case "power_off" if request.get("silent"):
                self.spawn(self.power_off(machine, silent=True))
            case "power_off":
                await self.power_off(machine)
            case "power_on":
                await self.power_on(machine)
        self.changed.set()
        return {}

    async def wait(self, request: Message) -> Message:
        """Until the jobs have ended, or, if asked to, need a person."""
        over = (*lives.ENDED, Stage.HELD) if request.get("held") else lives.ENDED
        asked_for = request.get("jobs")
        end = time.monotonic() + (request.get("timeout_s") or 1e9)
        while not all(entry.life.stage in over for entry in self.asked_for(asked_for)):
            if time.monotonic() >= end:
                return {"timeout": True, "jobs": self.jobs_told(asked_for)}
            await asyncio.sleep(0.05)
        return {"jobs": self.jobs_told(asked_for)}

    def asked_for(self, jobs: list[str] | None) -> list[Entry]:
        if jobs is None:
            return list(self.entries.values())
        return [entry for job in jobs for entry in self.named(job)]

    def jobs_told(self, jobs: list[str] | None) -> list[Message]:
        return [entry.told(self.state, self.spool) for entry in self.asked_for(jobs)]

    def machines_told(self) -> list[Message]:
        return [machine_told(machine) for machine in self.machines.values()]

    def status(self) -> Message:
        counts: dict[str, int] = {}
        for entry in self.entries.values():
            counts[entry.status] = counts.get(entry.status, 0) + 1
        return {
            "running": True,
            "pid": os.getpid(),
            "pool": self.pool,
            "machines": self.machines_told(),
            "jobs": counts,
        }


def asked(life: Life, request: Message, now: int) -> lives.Then | None:
    """What a person asked for, done to a job; None where it cannot be."""
    user = f"(by user {life.terms.user})"
    if life.stage in lives.ENDED:
        return None
    match request["do"]:
        case "vacate" if life.stage in lives.ON_SLOT:
            why = Why(Stage.IDLE, Vacate.BY_USER, "Job vacated by schedd")
            return lives.stopped(life, why, now, fast=bool(request.get("fast")))
        case "hold" if life.stage != Stage.HELD:
            return lives.hold(life, now)
        case "release" if life.stage == Stage.HELD:
            return lives.release(life, f"via condor_release {user}", now)
        case "rm":
            return lives.remove(life, f"via condor_rm {user}", now)
    return None


def refusal(request: Message, life: Life) -> str:
    """Why nothing was done, in one line."""
    found = life.stage.name.lower()
    expected = {"vacate": "running", "hold": "idle or running", "release": "held"}
    what = expected.get(request["do"], "in the queue")
    return f"{request['job']}: cannot {request['do']} a job that is {found}; expected one {what}"


def machine_told(machine: Machine) -> Message:
    return {
        "name": machine.name,
        "pid": machine.pid if machine.on else None,
        "on": machine.on,
        "draining": machine.draining,
        "cpus": machine.settings.cpus,
        "memory_mb": machine.settings.memory_mb,
        "slots": [
            {"name": slot.name, "job": slot.job.id if slot.job else None} for slot in machine.slots
        ],
    }


def say(text: str) -> None:
    """Write a line to the pool's log, which may be on a full disk too."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def nanoseconds(seconds: float) -> int:
    """Negative is without end, as CLAIM_WORKLIFE = -1."""
    return NEVER if seconds < 0 else min(NEVER, int(seconds * 1e9))


def locked(state: Path) -> TextIO:
    """The state folder, made if need be, for one access point at a time."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (state / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise PoolError(
            f"a pool is running in {state} already; stop it with `ckptsim pool stop`"
        ) from None
    return file


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ckptsim.drivers.real.accesspoint")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--scenario", type=Path)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    try:
        with locked(given.state.absolute()):
            fates = Fates(given.scenario, given.seed) if given.scenario else None
            if fates:
                settings = fates.settings()
            else:
                settings = (
                    configuration.read(given.config) if given.config else configuration.default()
                )
            asyncio.run(AccessPoint(given.state.absolute(), settings, fates).run())
    except CkptsimError as mistake:
        say(f"ckptsim: {mistake}")
        return 2
    except (OSError, sqlite3.Error) as error:
        say(f"ckptsim: a pool cannot be kept in {given.state}: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
