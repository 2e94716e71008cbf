"""A job as the access point has it in hand: its ad, its life, and where it is."""

import asyncio  # noqa: TC003 (its types are those of fields)
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckptsim.drivers.real.chirp import Chirp
from ckptsim.drivers.real.machines import Machine, Message, Slot
from ckptsim.htcondor import ads, joblog
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.jobad import Ad, argv
from ckptsim.htcondor.jobcommands import expression
from ckptsim.htcondor.joblog import Resource, Usage
from ckptsim.htcondor.life import Life, Stage
from ckptsim.htcondor.spool import Spool
from ckptsim.ledger import Category
from ckptsim.units import SECOND

NO_LEASE = 0
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_PERIODIC = ("PeriodicHold", "PeriodicRelease", "PeriodicRemove", "PeriodicVacate")
_LIMITS = ("AllowedJobDuration", "AllowedExecuteDuration")
_ASKED = {"cpus": "RequestCpus", "memory_mb": "RequestMemory", "disk_kb": "RequestDisk"}
# What the pool itself goes by: a job that changes its own ad cannot change these.
_PROTECTED = {"clusterid", "procid", "jobstatus", "cmd", "iwd", "owner", "in", "out", "err", "args"}
_PROTECTED_STARTS = (
    *("transfer", "request", "success", "want", "when", "argument", "environment"),
    *("userlog", "preserverelative", "requirements", "jobprio", "joblease"),
)
_STATUS = {
    Stage.IDLE: "idle",
    Stage.STAGING: "transferring",
    Stage.RUNNING: "running",
    Stage.CHECKPOINTING: "transferring",
    Stage.STOPPING: "stopping",
    Stage.KILLING: "stopping",
    Stage.SAVING: "transferring",
    Stage.DELIVERING: "transferring",
    Stage.LOST: "lost",
    Stage.PARTING: "stopping",
    Stage.HELD: "held",
    Stage.COMPLETED: "completed",
    Stage.REMOVED: "removed",
}


class Entry:
    """One job; `fates` is what a scenario has in store for it, if there is one."""

    def __init__(self, cluster: int, proc: int, ad: Ad, life: Life, fates: Any) -> None:
        self.cluster, self.proc, self.ad, self.life, self.fates = cluster, proc, ad, life, fates
        self.id = f"{cluster}.{proc}"
        self.log = str(ad.get("UserLog", ""))
        self.lease = NO_LEASE
        self.machine: Machine | None = None
        self.slot: Slot | None = None
        self.places: dict[int, Machine] = {}  # where its leases were, until they are cleared
        self.uncleared: set[int] = set()
        self.alarm: asyncio.TimerHandle | None = None
        self.alarms: list[asyncio.TimerHandle] = []
        self.absence = 0  # how long its slot is away after it is lost, in ns
        self.loses_slot = False
        self.ready_at = 0
        self.preempted: lives.Why | None = None
        self.pid = 0  # of its process, while that runs
        self.size_kb = 0  # of that in memory, as told last
        self.chirp: Chirp | None = None
        self.chirp_config = ""
        self.unsaid = ""  # of its log, for want of room on the disk
        self.asked = {of: int(ads.number(ad, name) or 0) for of, name in _ASKED.items()}
        self.asked["gpus"] = int(ads.number(ad, "RequestGPUs") or 0)
        self.has_policy = any(name in ad for name in (*_PERIODIC, *_LIMITS)) or self.wants_chirp
        self._stored_ad = ""

    @property
    def wants_chirp(self) -> bool:
        return ads.is_true(self.ad, "WantIOProxy")

    @property
    def wants_signal(self) -> bool:
        return ads.is_true(self.ad, "WantCheckpointSignal")

    @property
    def status(self) -> str:
        """What it is doing, in a word for people."""
        return _STATUS[self.life.stage]

    @property
    def kind(self) -> str:
        """Jobs of one kind find room together or not at all, where START is open to all."""
        wanted = self.ad.lookup("Requirements")
        names = sorted(name for name in self.ad.internalRefs(wanted) if name in self.ad)
        own = [str(self.ad.lookup(name)) for name in names]
        return f"{self.asked} {wanted} {own}"

    def place_in_queue(self) -> tuple[float, int, int]:
        """By priority, then by number."""
        return -(ads.number(self.ad, "JobPrio") or 0), self.cluster, self.proc

    def new_ad(self) -> str | None:
        """The ad as text where that has changed since it was asked for last."""
        text = str(self.ad)
        if text == self._stored_ad:
            return None
        self._stored_ad = text
        return text

    # --- one lease --------------------------------------------------------------------------------

    def begin_lease(self, lease: int, machine: Machine) -> None:
        self.lease = lease
        self.places[lease] = machine
        self.preempted, self.loses_slot = None, False
        if self.fates:
            self.fates.begin_round()

    def leave_lease(self) -> None:
        for alarm in self.alarms:
            alarm.cancel()
        self.alarms.clear()
        self.lease, self.machine, self.slot = NO_LEASE, None, None
        self.places = {lease: at for lease, at in self.places.items() if lease in self.uncleared}

    def stay(self, state: Path, slot_ad: Ad, now: int) -> lives.Stay:
        """The stay that begins now, on the slot that it was given."""
        assert self.slot is not None
        assert self.machine is not None
        policy = self.machine.settings.policy
        machine_s = ads.seconds(policy["MachineMaxVacateTime"], slot_ad, self.ad)
        own = ads.number(self.ad, "JobMaxVacateTime", slot_ad)
        own = ads.number(self.ad, "KillSigTimeout") if own is None else own
        vacate_s = machine_s if own is None else min(machine_s, own)
        asked = self.asked
        usage = Usage(
            Resource(0, asked["cpus"], asked["cpus"]),
            Resource(0, asked["disk_kb"], asked["disk_kb"]),
            Resource(0, asked["memory_mb"], asked["memory_mb"]),
            Resource(allocated=asked["gpus"]),
        )
        return lives.Stay(
            slot=self.slot.name,
            host=self.machine.host,
            began=now,
            properties=self.properties(state),
            usage=usage,
            vacate_time=int(vacate_s * SECOND),
            updated=now,
        )

    def properties(self, state: Path) -> dict[str, Any]:
        """Of the slot, for event 001."""
        return {
            "CondorScratchDir": str(self.sandbox(state)),
            "Cpus": self.asked["cpus"],
            "Disk": self.asked["disk_kb"],
            "GPUs": self.asked["gpus"],
            "Memory": self.asked["memory_mb"],
        }

    def sandbox(self, state: Path) -> Path:
        assert self.machine is not None
        return state / "execute" / self.machine.name / f"dir_{self.lease}" / "scratch"

    def image(self) -> joblog.ImageSize | None:
        """How large its process is, if that is more than was told last; children do not count."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()
        except OSError:
            return None  # it has just ended
        size_kb, resident_kb = (int(count) * PAGE_KB for count in pages[:2])
        if size_kb <= self.size_kb:
            return None
        self.size_kb = size_kb
        return joblog.ImageSize(size_kb, -(-resident_kb // 1024), resident_kb)

    # --- chirp ------------------------------------------------------------------------------------

    async def start_chirp(self, ulog: Callable[[str], None], keep: Callable[[], None]) -> None:
        """`ulog` writes to the event log, `keep` stores the ad when the job has changed it."""

        def change(name: str, text: str) -> None:
            self.set_attribute(name, text)
            keep()

        chirp = Chirp(Path(self.ad["Iwd"]), self.attribute, change, ulog)
        self.chirp_config = await chirp.start()
        self.chirp = chirp

    async def stop_chirp(self) -> None:
        chirp, self.chirp = self.chirp, None
        if chirp:
            await chirp.stop()

    def attribute(self, name: str) -> str | None:
        ad = ads.refresh(self.ad, self.life)
        return str(ad.lookup(name)) if name in ad else None

    def set_attribute(self, name: str, text: str) -> None:
        if name.lower() in _PROTECTED or name.lower().startswith(_PROTECTED_STARTS):
            raise PermissionError(name)
        self.ad[name] = expression(text)

    # --- for people -------------------------------------------------------------------------------

    def told(self, state: Path, spool: Spool) -> Message:
        """What the command line is told of it; times in nanoseconds."""
        life, ad = self.life, self.ad
        held = life.held
        return {
            "id": self.id,
            "cluster": self.cluster,
            "proc": self.proc,
            "cmd": ad["Cmd"],
            "args": arguments(ad),
            "iwd": ad["Iwd"],
            "log": self.log or None,
            "user": life.terms.user,
            "status": self.status,
            "stage": life.stage.name,
            "since": life.since,
            "submitted": life.submitted,
            "slot": self.slot.name if self.slot else None,
            "machine": self.machine.name if self.machine else None,
            "sandbox": str(self.sandbox(state)) if self.machine else None,
            "spool": str(spool.folder(self.cluster, self.proc)),
            "checkpoints": life.job.checkpoints,
            "leases": life.counts.shadow_starts,
            "held": held._asdict() if held and life.stage == Stage.HELD else None,
            "exit": life.exit_status if life.stage == Stage.COMPLETED else None,
            "unsaved": life.job.unsaved,
            "ledger": {each.name: life.books[each] for each in Category},
        }


def arguments(ad: Ad) -> str:
    """The job's arguments for people, also of an ad that no machine could make sense of."""
    try:
        return " ".join(argv(ad))
    except (TypeError, ValueError, AttributeError):
        return "?"
