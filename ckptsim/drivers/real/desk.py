"""What people ask of the pool, over its control socket: one line of JSON there, one back."""

import asyncio
import contextlib
import getpass
import json
import os
import sqlite3
import time
from typing import TYPE_CHECKING

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


class Desk:
    """Answers each request; what cannot be done is said in one line."""

    def __init__(self, pool: "AccessPoint") -> None:
        self.pool = pool

    async def listen(self) -> asyncio.Server:
        """The control socket, for this user alone from its first moment."""
        before = os.umask(0o177)
        try:
            with control.address(self.pool.state) as name:
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
                answer = {"error": self.pool.fault}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def watched(self, writer: asyncio.StreamWriter) -> None:
        while True:
            self.pool.changed.clear()
            state = {"jobs": self.jobs_told(None), "machines": self.machines_told()}
            writer.write(json.dumps(state).encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(_WATCH_S)
            await self.pool.changed.wait()

    async def answer(self, request: Message) -> Message:
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
                return await self.wait(request)
            case "vacate" | "hold" | "release" | "rm":
                return self.done_to_jobs(request)
            case "drain" | "power_off" | "power_on":
                return await self.done_to_machine(request)
            case "stop":
                self.pool.stopping.set()
                return {}
        raise PoolError(f"{request['do']!r}: no such request")

    def submit(self, cluster: int, texts: list[str]) -> Message:
        now, user = time.time_ns(), getpass.getuser()
        self.pool.store.remember(UNDER_WAY, cluster)
        for proc, text in enumerate(texts):
            ad = classads().ClassAd(text)
            terms = ads.terms(ad, user)._replace(delays=self.pool.settings.delays)
            if self.pool.fates:
                terms = terms._replace(contact_lease=self.pool.fates.scenario.slots.contact_lease)
            life, acts = lives.submitted(terms, HOST, now)
            entry = Entry(cluster, proc, ad, life, self.pool.job_fates())
            if entry.fates and self.pool.fates and self.pool.fates.scenario.slots.first_gap:
                entry.ready_at = now + entry.fates.gap()
            self.pool.entries[cluster, proc] = entry
            self.pool.apply(entry, (life, acts))
            if ad.get("JobStatus") == JobStatus.HELD:
                self.pool.apply(entry, lives.held(life, ads.held_at_submit(ad), now, []))
        self.pool.store.remember(UNDER_WAY, 0)
        return {"jobs": [f"{cluster}.{proc}" for proc in range(len(texts))]}

    def named(self, job: str) -> list[Entry]:
        """The jobs that `7.0`, or `7` for all of a cluster, stands for."""
        cluster, _, proc = str(job).partition(".")
        if not (cluster.isdigit() and (proc.isdigit() or not proc)):
            raise PoolError(f"{job}: not a job's number; expected one as 7.0, or 7")
        found = [
            entry
            for key, entry in self.pool.entries.items()
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
        self.pool.changed.set()
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
