"""What is seen while `ckptsim run` runs: a live table on a terminal, else a line a change."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ckptsim.commands.inspect import Reader, name_in_log, name_of, since_submitted
from ckptsim.commands.pool_options import ENDED, Job
from ckptsim.commands.queue import HEAD, ago, ending, row, totals
from ckptsim.errors import DataError
from ckptsim.terminal import console, strong, table

EVENTS_SHOWN = 6
LINES_AROUND = 14  # of the screen: all but the jobs
FRAMES_A_SECOND = 4

Show = Callable[[Sequence[Job]], None]


@contextmanager
def view(name: str, *, shown: bool) -> Iterator[Show]:
    """The function to tell the jobs to, whenever something about them has changed."""
    screen = console()
    if not shown:
        yield lambda _: None
    elif not screen.is_terminal:
        yield Lines().show
    else:
        from rich.live import Live

        live = View(name, screen.height)
        with Live(
            get_renderable=live.drawn,
            console=screen,
            refresh_per_second=FRAMES_A_SECOND,
            transient=True,
        ):
            yield live.show


class Lines:
    """A line for each change of a job."""

    def __init__(self) -> None:
        self.before: dict[str, Job] = {}

    def show(self, jobs: Sequence[Job]) -> None:
        """Print what has changed since the last time."""
        for job in jobs:
            for change in changes(self.before.get(job["id"]), job):
                print(f"{time.strftime('%H:%M:%S')}  {job['id']} {change}", flush=True)
            self.before[job["id"]] = job


def changes(before: Job | None, job: Job) -> Iterator[str]:
    """What has happened to a job in between."""
    if before and job["checkpoints"] > before["checkpoints"]:
        yield f"checkpoint {job['checkpoints']} committed"
    if before is None or job["status"] != before["status"]:
        yield standing(job)


def standing(job: Job) -> str:
    if job["status"] in ENDED or job["held"]:
        return ending(job)
    where = f" on {job['slot'].rpartition('@')[0]}" if job["slot"] else ""
    return f"{job['status']}{where}"


class View:
    """The last that was heard of the jobs, drawn anew as time goes by."""

    def __init__(self, name: str, height: int) -> None:
        self.name, self.height, self.begun = name, height, time.time_ns()
        self.jobs: Sequence[Job] = ()
        self.readers: dict[str, Reader] = {}
        self.events: deque[str] = deque(maxlen=EVENTS_SHOWN)

    def show(self, jobs: Sequence[Job]) -> None:
        """Take what is new, of jobs and from their logs."""
        self.jobs = jobs
        for log in dict.fromkeys(job["log"] for job in jobs if job["log"]):
            self.events.extend(self.news(log))

    def news(self, log: str) -> Iterator[str]:
        """The new events in a log, a line each."""
        wanted = {name_in_log(job): job["id"] for job in self.jobs if job["log"] == log}
        names = dict(wanted)
        known = log in self.readers
        reader = self.readers.setdefault(log, Reader(Path(log)))
        try:
            found = reader.more()
        except DataError:  # its folder is gone, which is for the pool to tell
            return
        if not known:
            found = since_submitted(found, wanted)
        for event in found:
            if name_of(event) in names:
                yield headline(event, names[name_of(event)])

    def drawn(self) -> RenderableType:
        """The picture of this moment."""
        now = time.time_ns()
        parts: list[Any] = [
            strong(f"{self.name} · {totals(self.jobs)} · {ago(now - self.begun)}"),
            Text(),
            table([HEAD, *(row(job, now) for job in self.chosen())]),
        ]
        if self.events:
            parts += [
                Text(),
                *(Text(event, overflow="ellipsis", no_wrap=True) for event in self.events),
            ]
        return Group(*parts, Text(), Text("Ctrl-C removes the jobs and stops", style="dim"))

    def chosen(self) -> Sequence[Job]:
        """As many jobs as fit: those that are not over come first."""
        room = max(1, self.height - LINES_AROUND)
        active = [job for job in self.jobs if job["status"] not in ENDED]
        return (*active, *(job for job in self.jobs if job["status"] in ENDED))[:room]


def headline(event: bytes, job: str) -> str:
    """An event in one line: `15:27:33 7.0 Started transferring output files`."""
    words = event.decode(errors="replace").splitlines()[0].split(" ", 4)  # 040 (7.0.0) DAY CLOCK …
    return f"{words[3]} {job} {words[4]}" if len(words) == 5 else f"{job} {words[-1]}"
