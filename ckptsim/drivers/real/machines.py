"""The access point's side of its machines: their processes, their slots and the claims on them."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckptsim.drivers.real import processes
from ckptsim.drivers.real.settings import MachineSettings
from ckptsim.pool import UNCLAIMED

Message = dict[str, Any]
_LINE_MAX = 1 << 24  # bytes
HOST = "127.0.0.1"


class Slot:
    """A part of a machine that a job has, or had last; `claimed` is when its claim began, in ns."""

    def __init__(self, number: int, machine: str) -> None:
        self.number = number
        self.name = f"slot1_{number}@{machine}@{socket.gethostname()}"
        self.job: Any = None
        self.claimed = UNCLAIMED


class Machine:
    """One machine: its process while it is on, and its slots.

    `heard(machine, report)` is called with each of its reports, `gone(machine)` when its process
    has ended and was not told to, `failed(task)` when listening has ended. It is `swept_clean` when
    nothing that ever ran there can run any more or write anywhere, but what it was told to run
    since it was last turned on. Whoever turns it on or off holds `power`.
    """

    def __init__(
        self,
        settings: MachineSettings,
        pool: str,
        log: Path,
        heard: Callable[["Machine", Message], None],
        gone: Callable[["Machine"], None],
        failed: Callable[["asyncio.Task[Any]"], None],
    ) -> None:
        self.settings, self.pool, self.log = settings, pool, log
        self.heard, self.gone, self.failed = heard, gone, failed
        self.slots: list[Slot] = []
        self.on = self.draining = self.silent = False
        self.away = False  # a scenario's slot that is lost for a while
        self.swept_clean = self.wanted = True
        self.power = asyncio.Lock()
        self.pid: int | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def host(self) -> str:
        """Its address, as HTCondor's logs write such."""
        return f"<{HOST}:{self.pid or 0}?addrs={HOST}-{self.pid or 0}&alias={socket.gethostname()}>"

    async def start(self) -> None:
        """Turn it on."""
        ours, theirs = socket.socketpair()
        with theirs, self.log.open("ab") as log:
            words = ["--fd", str(theirs.fileno()), "--name", self.name, "--pool", self.pool]
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "ckptsim.drivers.real.machine", *words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.pid, self.on, self.silent = process.pid, True, False
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LINE_MAX)
        self._listening = asyncio.create_task(self._listen(reader, process))
        self._listening.add_done_callback(self.failed)

    async def _listen(
        self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if not self.silent:
                    self.heard(self, json.loads(line))
        await process.wait()
        if self.on:
            self.gone(self)

    def tell(self, order: Message) -> None:
        """Give it an order; a machine that is off hears nothing."""
        if self.on and self._writer and not self._writer.is_closing():
            self._writer.write(json.dumps(order).encode() + b"\n")

    async def power_off(self) -> None:
        """Kill it and all that runs on it, with no word to anyone."""
        self.on, self.silent = False, True
        await self.sweep()

    async def stop(self) -> None:
        """Let it end in good order: it kills what runs on it first."""
        if not self.on:
            await self.sweep()
            return
        self.tell({"do": "stop"})
        self.on = False
        if self._listening:
            await asyncio.wait([self._listening], timeout=15)
        await self.power_off()

    async def sweep(self) -> None:
        """Make sure that nothing is left of what ran on it."""
        self.swept_clean = False
        await asyncio.to_thread(processes.sweep, self.pool, self.name)
        await self._closed()
        self.swept_clean = True

    async def _closed(self) -> None:
        if self._writer:
            self._writer.close()
        if self._listening and self._listening is not asyncio.current_task():
            await asyncio.wait([self._listening], timeout=15)

    # --- slots ------------------------------------------------------------------------------------

    def left(self, of: str) -> int:
        """What no job has of its cpus, memory (MiB), disk (KiB) or gpus."""
        total: int = getattr(self.settings, of)
        taken: int = sum(slot.job.asked[of] for slot in self.slots if slot.job)
        return total - taken

    def fits(self, asked: dict[str, int]) -> bool:
        """Is there room for a job that asks for so much?"""
        return all(amount <= self.left(of) for of, amount in asked.items())

    def free_slot(self) -> Slot:
        """The free slot with the lowest number, a new one if there is none."""
        for slot in self.slots:
            if slot.job is None:
                return slot
        self.slots.append(Slot(len(self.slots) + 1, self.name))
        return self.slots[-1]

    def attributes(self, slot: Slot) -> dict[str, Any]:
        """What its slots' ads say of it."""
        settings, kernel = self.settings, os.uname()
        return {
            "MyType": "Machine",
            "Name": slot.name,
            "Machine": f"{self.name}@{socket.gethostname()}",
            "SlotID": slot.number,
            "Cpus": settings.cpus,
            "Memory": settings.memory_mb,
            "Disk": settings.disk_kb,
            "Gpus": settings.gpus,
            "GPUs": settings.gpus,
            "Arch": kernel.machine.upper(),
            "OpSys": kernel.sysname.upper(),
            "Draining": self.draining,
            "HasFileTransfer": True,
            "HasSelfCheckpointTransfers": True,
        }
