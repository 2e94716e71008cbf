"""What people ask of the pool, over its control socket: one line of JSON there, one back."""

import asyncio
import getpass
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Collection, Coroutine
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ckptsim.drivers.real import control
from ckptsim.drivers.real.control import PoolError
from ckptsim.drivers.real.entry import Entry
from ckptsim.drivers.real.machines import Machine, Message
from ckptsim.errors import CkptsimError
from ckptsim.htcondor import ads
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import JobStatus, Vacate
from ckptsim.htcondor.jobcommands import classads
from ckptsim.htcondor.life import Life, Stage, Why

if TYPE_CHECKING:
    from ckptsim.drivers.real.accesspoint import AccessPoint

HOST = "<127.0.0.1:0?addrs=127.0.0.1-0&alias=ckptsim>"
UNDER_WAY = "submission"
_WATCH_S = 0.2
_WAIT_S = 0.05
_LONG_S = 1e9
# What odd values in a request come to.
_ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
_Result = TypeVar("_Result")


class Changes:
    """Wakes all who wait for the pool to change, however many they are."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        """Set at the next change: take it before you look, and wait for it afterwards."""

    def set(self) -> None:
        """Something has changed."""
        self.next.set()
        self.next = asyncio.Event()


class Desk:
    """Answers each request; what cannot be done is said in one line."""

    def __init__(self, pool: "AccessPoint") -> None:
        self.pool, self.changes = pool, Changes()

    async def listen(self) -> asyncio.Server:
        """The control socket."""
        listening = control.bound(self.pool.state)
        return await asyncio.start_unix_server(self.serve, sock=listening, limit=1 << 26)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled is who still watches when the pool stops: asyncio would call that a fault.
        with suppress(ConnectionError, asyncio.CancelledError), closing(writer):
            try:
                request = json.loads(await reader.readline())
                if request["do"] == "watch":
                    await unless_gone(reader, self.watched(writer))
                    return
                answer = await self.answer(request, reader)
            except CkptsimError as mistake:
                answer = {"error": str(mistake)}
            except (*_ODD, classads().ClassAdException) as mistake:
                answer = {"error": f"not understood: {mistake!r}"}
            except ConnectionError:
                raise
            except (OSError, sqlite3.Error, AssertionError) as fault:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "in the access point", "exception": fault}
                )
                answer = {"error": self.pool.fault}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()

    async def watched(self, writer: asyncio.StreamWriter) -> None:
        """Tell the state now and at each change, for as long as somebody is there."""
        while True:
            change = self.changes.next
            state = {"jobs": self.jobs_told(None), "machines": self.machines_told()}
            writer.write(json.dumps(state).encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(_WATCH_S)
            await change.wait()

    async def answer(self, request: Message, reader: asyncio.StreamReader) -> Message:
        match request["do"]:
            case "status":
                return self.status()
            case "cluster":
                return {"cluster": self.pool.store.next_cluster()}
            case "submit":
                return self.submit(request["cluster"], request["ads"])
            case "jobs":
                return {"jobs": self.jobs_told(request.get("jobs"))}
            case "wait":
                return await unless_gone(reader, self.wait(request))
            case "vacate" | "hold" | "release" | "rm":
                return self.done_to_jobs(request)
            case "drain" | "power_off" | "power_on":
                return await self.done_to_machine(request)
            case "stop":
                self.pool.stopping.set()
                return {}
        raise PoolError(f"{request['do']!r}: no such request")

    def submit(self, cluster: int, texts: list[str]) -> Message:
        """Take up a whole cluster, or nothing of it."""
        if not isinstance(cluster, int) or cluster < 1 or (cluster, 0) in self.pool.entries:
            raise PoolError(f"{cluster!r}: not the number of a new cluster")
        now, user = time.time_ns(), user_name()
        built = [self.built(cluster, proc, text, user, now) for proc, text in enumerate(texts)]
        self.pool.store.remember(UNDER_WAY, cluster)
        for entry, changes in built:
            self.pool.entries[cluster, entry.proc] = entry
            for then in changes:
                self.pool.apply(entry, then)
        self.pool.store.remember(UNDER_WAY, 0)
        return {"jobs": [entry.id for entry, _ in built]}

    def built(
        self, cluster: int, proc: int, text: str, user: str, now: int
    ) -> tuple[Entry, list[lives.Then]]:
        """A job that was submitted, and what is to be applied to it."""
        ad = classads().ClassAd(text)
        if not all(isinstance(ad.get(name), str) for name in ("Cmd", "Iwd")):
            raise PoolError(f"{cluster}.{proc}: the ad of a job has to have Cmd and Iwd")
        terms = ads.terms(ad, user)._replace(delays=self.pool.settings.delays)
        fates = self.pool.fates_of(len(self.pool.entries) + proc)
        if self.pool.fates:
            terms = terms._replace(contact_lease=self.pool.fates.scenario.slots.contact_lease)
        life, acts = lives.submitted(terms, HOST, now)
        entry = Entry(cluster, proc, ad, life, fates)
        if fates and self.pool.fates and self.pool.fates.scenario.slots.first_gap:
            entry.ready_at = now + fates.gap()
        if ad.get("JobStatus") != JobStatus.HELD:
            return entry, [(life, acts)]
        return entry, [(life, acts), lives.held(life, ads.held_at_submit(ad), now, [])]

    def named(self, job: str) -> list[Entry]:
        """The jobs that `7.0`, or `7` for all of a cluster, stands for."""
        cluster, _, proc = str(job).partition(".")
        if not (cluster.isdigit() and (proc.isdigit() or not proc)):
            raise PoolError(f"{job}: not a job's number; expected one as 7.0, or 7")
        # A cluster's jobs are numbered from 0 on, without a gap, and never forgotten.
        procs = [int(proc)] if proc else itertools.count()
        jobs = (self.pool.entries.get((int(cluster), number)) for number in procs)
        found = [entry for entry in itertools.takewhile(bool, jobs) if entry]
        if not found:
            raise PoolError(f"{job}: no such job; see `ckptsim q`")
        return found

    def done_to_jobs(self, request: Message) -> Message:
        now, done = time.time_ns(), []
        for entry in self.named(request["job"]):
            then = asked(entry.life, request, now)
            if then is not None:
                done.append(entry.id)
                self.pool.apply(entry, then)
        if not done:
            raise PoolError(refusal(request, self.named(request["job"])[0].life))
        return {"jobs": done}

    async def done_to_machine(self, request: Message) -> Message:
        name = request["machine"]
        if name not in self.pool.machines:
            known = ", ".join(self.pool.machines)
            raise PoolError(f"{name}: no such machine; there are {known}")
        machine = self.pool.machines[name]
        match request["do"]:
            case "drain":
                machine.draining = True
                self.pool.lookout.look_at_machines()
            case "power_off" if request.get("silent"):
                self.pool.spawn(self.pool.power_off(machine, silent=True))
            case "power_off":
                await self.pool.power_off(machine)
            case "power_on":
                await self.pool.power_on(machine)
        self.changes.set()
        return {}

    async def wait(self, request: Message) -> Message:
        """Until the jobs have ended, or, if asked to, need a person."""
        over = (*lives.ENDED, Stage.HELD) if request.get("held") else lives.ENDED
        jobs, seconds = request.get("jobs"), float(request.get("timeout_s") or _LONG_S)
        try:
            async with asyncio.timeout(min(_LONG_S, seconds)):  # in this order NaN is long, too
                await self.all_are(over, jobs)
        except TimeoutError:
            return {"timeout": True, "jobs": self.jobs_told(jobs)}
        return {"jobs": self.jobs_told(jobs)}

    async def all_are(self, over: Collection[Stage], jobs: list[str] | None) -> None:
        """Wait until all the jobs are in one of these stages at once."""
        change = self.changes.next
        while not all(entry.life.stage in over for entry in self.asked_for(jobs)):
            await asyncio.sleep(_WAIT_S)  # so that it is not looked at each of many changes
            await change.wait()
            change = self.changes.next

    def asked_for(self, jobs: list[str] | None) -> list[Entry]:
        if jobs is None:
            return list(self.pool.entries.values())
        return [entry for job in jobs for entry in self.named(job)]

    def jobs_told(self, jobs: list[str] | None) -> list[Message]:
        return [entry.told(self.pool.state, self.pool.spool) for entry in self.asked_for(jobs)]

    def machines_told(self) -> list[Message]:
        return [machine_told(machine) for machine in self.pool.machines.values()]

    def status(self) -> Message:
        counts: dict[str, int] = {}
        for entry in self.pool.entries.values():
            counts[entry.status] = counts.get(entry.status, 0) + 1
        return {
            "running": True,
            "pid": os.getpid(),
            "pool": self.pool.pool,
            "machines": self.machines_told(),
            "jobs": counts,
        }


async def unless_gone(reader: asyncio.StreamReader, work: Coroutine[Any, Any, _Result]) -> _Result:
    """What the work comes to; ConnectionError once nobody is there any more to be told."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(ended(reader))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ConnectionResetError
    finally:
        working.cancel()
        gone.cancel()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait for the end of a connection."""
    with suppress(ConnectionError):
        await reader.read()


def user_name() -> str:
    """Who runs the pool: by name, or by number where the system knows no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


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
