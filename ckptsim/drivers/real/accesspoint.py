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
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ckptsim.drivers.real import control, launch, processes
from ckptsim.drivers.real import settings as configuration
from ckptsim.drivers.real.control import PoolError
from ckptsim.drivers.real.desk import UNDER_WAY, Desk
from ckptsim.drivers.real.destiny import Destiny
from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.lookout import Lookout
from ckptsim.drivers.real.machine import MARKS, taken_marks
from ckptsim.drivers.real.machines import Machine, Message
from ckptsim.drivers.real.matchmaker import Matchmaker
from ckptsim.drivers.real.orders import order_of
from ckptsim.drivers.real.settings import Settings
from ckptsim.drivers.real.store import Store, Words, end_of, written
from ckptsim.errors import CkptsimError
from ckptsim.htcondor import ads, joblog
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Vacate
from ckptsim.htcondor.jobcommands import classads
from ckptsim.htcondor.life import Forget, Leave, Log, Stage, Tell, Why
from ckptsim.htcondor.spool import Spool, delete
from ckptsim.rules import NEVER
from ckptsim.units import SECOND

if TYPE_CHECKING:
    from ckptsim.drivers.real.fates import Fates, JobFates

_ODD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
_LOOK_S = 5.0
_DELETE_SOON = 1 << 23  # bytes; larger checkpoints are deleted beside the loop
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = "Socket between submit and execute hosts closed unexpectedly"
_SILENT = "Job disconnected: the machine has fallen silent"


class AccessPoint:
    """A pool; `run` returns when it has stopped."""

    def __init__(
        self, state: Path, settings: Settings, fates: "Fates | None", notes: Path | None = None
    ) -> None:
        self.state, self.settings, self.fates, self.notes = state, settings, fates, notes
        self.store = Store(state / "pool.db")
        self.pool = self.store.fact("pool", uuid.uuid4().hex)
        self.spool = Spool(state / "spool")
        self.entries: dict[tuple[int, int], Entry] = {}
        self.by_lease: dict[int, Entry] = {}
        self.machines: dict[str, Machine] = {}
        self.matchmaker, self.lookout = Matchmaker(self), Lookout(self)
        self.destiny, self.desk = Destiny(self), Desk(self)
        self.changed = self.desk.changes
        self.stopping = asyncio.Event()
        self.fault = ""
        self.tasks: set[asyncio.Task[Any]] = set()

    async def run(self, owner: int | None = None) -> None:
        """Serve until told to stop, or until the process `owner` has ended."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.failed)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        if owner is not None:
            self.outlive_no(owner)
        # A first line also takes the room on the disk that a complaint of a full one will need.
        say(f"{time.strftime('%Y-%m-%d %H:%M:%S')} a pool starts, pid {os.getpid()}")
        await self.recover()
        await self.start_machines()
        server = await self.desk.listen()
        for period, work in (
            (_LOOK_S, self.look_at_home),
            (self.settings.periodic_s, self.lookout.look_at_jobs),
            (self.settings.policy_s, self.lookout.look_at_machines),
            (self.settings.update_s, self.lookout.look_at_images),
        ):
            self.spawn(self.every(period, work))
        self.matchmaker.match_soon()
        await self.stopping.wait()
        server.close()
        await self.stop()
        if self.fault:
            raise PoolError(self.fault)

    def outlive_no(self, owner: int) -> None:
        """Stop when that process ends, however it does."""
        try:
            ended = os.pidfd_open(owner)
        except ProcessLookupError:
            self.stopping.set()
        else:
            asyncio.get_running_loop().add_reader(ended, self.stopping.set)

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

    def look_at_home(self) -> None:
        """Stop where the state folder was deleted: nobody could ask for anything any more."""
        if not (self.state / control.NAME).exists():
            say(f"{self.state / control.NAME} is gone")
            self.stopping.set()

    # --- beginning and end ------------------------------------------------------------------------

    async def recover(self) -> None:
        """Take up what the store holds; what ran when the last access point died is over."""
        left = await asyncio.to_thread(processes.sweep, self.pool)
        if left:
            say(f"could not kill {left}, left of an earlier pool")
        self.store.finish_logs()
        halved = self.store.fact(UNDER_WAY, 0)
        for record in self.store.jobs():
            ad = classads().ClassAd(record.ad)
            entry = Entry(
                record.cluster, record.proc, ad, record.life, self.fates_of(len(self.entries))
            )
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
        self.store.remember(UNDER_WAY, 0)
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
        self.matchmaker.stop()
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

    def fates_of(self, number: int) -> "JobFates | None":
        """What a scenario has in store for the job with this number, if there is one."""
        return self.fates.of_job(number) if self.fates else None

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
                    self.matchmaker.leave(entry, completed=completed)
                case Forget():
                    self.forget(entry)
        self.set_alarm(entry)
        if entry.life.stage == Stage.IDLE:
            self.matchmaker.match_soon()
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

    def ulog(self, entry: Entry, text: str) -> None:
        """Write a line of the job's own to its log."""
        self.record(entry, [joblog.Generic(text)], time.time_ns())

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
        with self.minding(entry):
            order = order_of(entry, act, self.state, self.spool)
            told = {"did": "ordered", "order": act.order, "purpose": act.purpose}
            self.note(entry, {**told, "sandbox": order.get("sandbox"), "at": time.time_ns()})
            entry.machine.tell({"lease": entry.lease, **order})

    def note(self, entry: Entry, message: Message) -> None:
        """Write down an order or a report, where somebody wants to know when each was made."""
        if self.notes:
            line = json.dumps({"job": entry.id, "lease": entry.lease, **message})
            with self.notes.open("a") as notes:
                notes.write(f"{line}\n")

    def set_alarm(self, entry: Entry) -> None:
        """Be called back when the present stage has lasted as long as it may."""
        if entry.alarm:
            entry.alarm.cancel()
            entry.alarm = None
        deadline = entry.life.stay.deadline if entry.life.stay else NEVER
        if deadline < NEVER:
            wait = max(0.0, (deadline - time.time_ns()) / SECOND)
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
        self.note(entry, report)
        if report["did"] == "sent" and entry.life.stage in (Stage.CHECKPOINTING, Stage.SAVING):
            self.commit(entry, report)
            return
        with self.minding(entry):
            self.apply(entry, self.reported(entry, report))

    @contextlib.contextmanager
    def minding(self, entry: Entry) -> Iterator[None]:
        """What an odd ad makes go wrong here holds its job, and is no fault of the pool's."""
        try:
            yield
        except _ODD as error:
            asyncio.get_running_loop().call_soon(self.spoil, entry, error)

    def spoil(self, entry: Entry, error: Exception) -> None:
        say(f"{entry.id}: {error!r}")
        self.apply(entry, lives.spoiled(entry.life, str(error), time.time_ns()))

    def reported(self, entry: Entry, report: Message) -> lives.Then:
        life, at = entry.life, report["at"]
        match report["did"]:
            case "staged":
                return lives.staged(life, report["bytes"], at)
            case "stage_failed":
                error = f"{report['path']}: {report['error']}"
                return lives.stage_failed(life, error, report["errno"], at)
            case "started":
                entry.pid = report["pid"]
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
            await self.turn_on(machine)

    async def turn_on(self, machine: Machine) -> None:
        """Start it, if that is wanted, with nothing left there of before in any case."""
        if machine.on:
            return
        await machine.sweep()
        self.forget_leases(machine)
        if machine.wanted:
            await machine.start()
        self.matchmaker.match_soon()

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
            machine.draining, machine.wanted = False, True
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
        self.matchmaker.match_soon()

    def forget_leases(self, machine: Machine) -> None:
        """Nothing at all is left there, of the leases that were to be cleared either."""
        for entry in self.entries.values():
            for lease in entry.uncleared.copy():
                if entry.places.get(lease) is machine:
                    self.cleared(lease)


def say(text: str) -> None:
    """Write a line to the pool's log, which may be on a full disk too."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def locked(state: Path) -> TextIO:
    """The state folder, made if need be, for one access point at a time."""
    launch.make(state)
    file = (state / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise PoolError(
            f"a pool is running in {state} already; stop it with `ckptsim pool stop`"
        ) from None
    return file


def asked_for(given: argparse.Namespace) -> "tuple[Settings, Fates | None]":
    """The pool's settings, and the fates of its slots if a scenario is to have a say."""
    if given.scenario is None:
        return configuration.read(given.config) if given.config else configuration.default(), None
    from ckptsim.drivers.real.fates import Fates

    fates = Fates(given.scenario, given.seed)
    return fates.settings(), fates


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ckptsim.drivers.real.accesspoint")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--scenario", type=Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--owner", type=int)
    parser.add_argument("--notes", type=Path)
    given = parser.parse_args()
    try:
        with locked(given.state.absolute()):
            settings, fates = asked_for(given)
            pool = AccessPoint(given.state.absolute(), settings, fates, given.notes)
            asyncio.run(pool.run(given.owner))
    except CkptsimError as mistake:
        say(f"ckptsim: {mistake}")
        return 2
    except (OSError, sqlite3.Error) as error:
        say(f"ckptsim: a pool cannot be kept in {given.state}: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
