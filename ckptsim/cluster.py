"""Experiments on a Dask cluster: the same items as on all cores, the same numbers to the last bit.

A worker that goes away takes nothing with it: Dask runs its tasks again elsewhere.
"""

import logging
import shlex
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from ckptsim.errors import CkptsimError
from ckptsim.identity import Maker, maker
from ckptsim.running import Chunk, chunks, cores, run_some, stopping

if TYPE_CHECKING:
    from threading import Event as Flag

    from distributed import Client, Future

ANSWER_S = 10.0  # how long a scheduler may take to answer
POLL_S = 0.05
QUEUES = {"htcondor": "HTCondorCluster", "slurm": "SLURMCluster"}  # of dask-jobqueue
EXPECTED = "expected tcp://HOST:PORT, local, htcondor or slurm"

T = TypeVar("T")
Item = TypeVar("Item")
Say = Callable[[str], object]


class ClusterError(CkptsimError):
    """A cluster that cannot be reached or used."""


@dataclass(frozen=True)
class Cluster:
    """Runs items on a cluster's workers; a `running.Spread`."""

    client: "Client"
    name: str
    say: Say
    failures: list[str]  # of submission, where the workers are jobs of a batch system

    def __call__(
        self, run: Callable[[Item], T], numbered: Chunk[Item]
    ) -> Generator[dict[int, T], None, None]:
        from distributed import as_completed

        with stopping() as stop:
            threads = self.wait_for_workers(stop)
            # As the outcome of a task, it can be had again when the worker that has it is lost.
            shared = self.client.submit(itself, run, pure=False)
            waiting = {self.task(shared, chunk): chunk for chunk in chunks(numbered, threads)}
            ready = as_completed(list(waiting), with_results=True, raise_errors=False)
            try:
                while waiting and not stop.is_set():
                    handed_in = ready.next_batch(block=False)
                    for task, outcome in handed_in:
                        chunk, done = waiting.pop(task), self.result(task, outcome)
                        if rest := chunk[len(done) :]:
                            again = self.task(shared, rest)
                            waiting[again] = rest
                            ready.add(again)
                        yield done
                    if not handed_in:
                        yield {}
                        sleep(POLL_S)
            finally:
                self.client.cancel(list(waiting))

    def task(self, shared: "Future[Any]", chunk: Chunk[Item]) -> "Future[Any]":
        return self.client.submit(partial(run_alike, maker(), chunk), shared, pure=False)

    def result(self, task: "Future[Any]", outcome: Any) -> Any:
        """What a task handed in. Raises ClusterError, or what was raised in it."""
        from distributed.scheduler import KilledWorker

        if isinstance(outcome, dict):
            return outcome
        if task.status != "error":
            raise ClusterError(f"--cluster {self.name}: lost the connection to the cluster")
        _, mistake, trace = outcome
        if isinstance(mistake, Unlike):
            raise ClusterError(f"--cluster {self.name}: {mistake}")
        if isinstance(mistake, KilledWorker):
            raise ClusterError(
                f"--cluster {self.name}: several workers died of the same task; perhaps they have "
                "too little memory"
            )
        raise mistake.with_traceback(trace)

    def wait_for_workers(self, stop: "Flag") -> int:
        """How many threads the workers have in all, once there are any, checked to be like us."""
        if not self.threads():
            self.say(f"Waiting for workers of {self.name}")
        while not self.threads():
            if self.failures:
                raise ClusterError(f"--cluster {self.name}: no workers: {self.failures[0]}")
            if stop.wait(POLL_S):
                raise KeyboardInterrupt
        self.check_workers()
        return self.threads()

    def threads(self) -> int:
        """How many threads the workers have in all."""
        return sum(map(int, self.client.nthreads().values()))

    def check_workers(self) -> None:
        """Raise ClusterError unless the workers compute as this process does."""
        try:
            self.client.run_on_scheduler(maker)  # which reads all that it hands on
            makers = self.client.run(maker)
        except Exception as error:  # whatever a worker's Python says  # noqa: BLE001
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ClusterError(
                f"--cluster {self.name}: it cannot run this ckptsim ({why}); install the same "
                "version there, for its scheduler too"
            ) from None
        for worker, its in makers.items():
            if its != maker():
                raise ClusterError(f"--cluster {self.name}: worker {worker}: {unlike(its)}")


class Unlike(Exception):  # noqa: N818 (it is told as a ClusterError)
    """A worker that would compute other numbers."""


def itself(value: T) -> T:
    return value


def run_alike(expected: Maker, chunk: Chunk[Item], run: Callable[[Item], T]) -> dict[int, T]:
    """Run some of a chunk's items; a worker that joined late is checked here."""
    if maker() != expected:
        raise Unlike(unlike(expected))
    return run_some(run, chunk)


def unlike(other: Maker) -> str:
    """In what another maker differs from this process's, and what to do."""
    if other.code != maker().code:
        return (
            "runs another version of ckptsim, Python or NumPy than this process; install the same "
            "there"
        )
    return (
        "has another kind of processor, whose arithmetic differs from this one's in the last "
        "digit; choose workers of one kind"
    )


@contextmanager
def connected(name: str, workers: int | None, say: Say) -> Iterator[Cluster]:
    """A cluster by its name: an address, local, htcondor or slurm. Raises ClusterError."""
    needs("distributed")
    from distributed import Client

    silence()
    failures: list[str] = []
    with ExitStack() as stack:
        try:
            place = place_of(name, workers, failures, stack)
            client = stack.enter_context(Client(place, timeout=ANSWER_S))
        except ClusterError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever the configuration of Dask brings about)
            raise ClusterError(f"--cluster {name}: cannot be used: {one_line(error)}") from None
        yield Cluster(client, name, say, failures)


def silence() -> None:
    """What matters of Dask's log is told as a ClusterError."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def place_of(name: str, workers: int | None, failures: list[str], stack: ExitStack) -> Any:
    """What a client connects to: the address, or a cluster that is started for this experiment."""
    if "://" in name:
        if workers:
            raise ClusterError("--workers: has no effect on a cluster that is there already")
        return name
    if name == "local":
        with inheriting_no_interrupts():
            return stack.enter_context(local(workers or cores()))
    if name not in QUEUES:
        raise ClusterError(f"--cluster {name}: no such cluster; {EXPECTED}")
    if not workers:
        raise ClusterError(f"--cluster {name}: how many workers? Give --workers N")
    cluster = stack.enter_context(queued(name, failures))
    cluster.scale(workers)
    return cluster


def local(workers: int) -> Any:
    """Processes on this machine."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        preload=__name__,  # calls dask_setup in each
    )


@contextmanager
def inheriting_no_interrupts() -> Iterator[None]:
    """Processes started meanwhile leave Ctrl-C, which strikes all, to this one, which has it after.

    Threads and processes inherit what is blocked, and so what Dask starts does.
    """
    resource_tracker.ensure_running()  # which would unblock it
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def dask_setup(_worker: object) -> None:
    """The same for a worker, whatever started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def queued(name: str, failures: list[str]) -> Any:
    """Workers that are jobs of a batch system, with the options of Dask's own configuration."""
    needs("dask_jobqueue", "dask-jobqueue")
    cluster = getattr(import_module("dask_jobqueue"), QUEUES[name])
    command = shlex.split(cluster.job_cls.submit_command)[0]
    if shutil.which(command) is None:
        raise ClusterError(
            f"--cluster {name}: no {command} here; run this where jobs are submitted"
        )
    return cluster(
        job_cls=noting(failures, cluster.job_cls),
        scheduler_options={"dashboard_address": ":0"},
        silence_logs=logging.CRITICAL,
    )


def noting(failures: list[str], job: Any) -> Any:
    """The class of jobs, noting what goes wrong at submission, which Dask would wait out."""
    from distributed.deploy.spec import ProcessInterface

    async def start(self: Any) -> None:
        try:
            await job.start(self)
        except (RuntimeError, OSError, ValueError) as error:
            failures.append(one_line(error))
            await ProcessInterface.start(self)

    return type(job.__name__, (job,), {"start": start})


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def needs(module: str, library: str | None = None) -> None:
    """Raise ClusterError unless a library is installed."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ClusterError(f"--cluster: needs {library or module}; install ckptsim[cluster]")
