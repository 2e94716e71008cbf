"""The job that `ckptsim check` runs: what its submit file says, and a copy for each trial."""

import shutil
from pathlib import Path
from typing import NamedTuple

from ckptsim.check import Terms, Way
from ckptsim.commands.measure_job import POLICIES, Subject, machine_lines
from ckptsim.drivers.real.settings import machine
from ckptsim.htcondor import ads
from ckptsim.htcondor.codes import JobStatus
from ckptsim.htcondor.jobad import SUBMIT_FOLDER, Ad, names
from ckptsim.htcondor.jobcommands import classads, expression
from ckptsim.htcondor.submit import SubmitError
from ckptsim.units import SECOND

HOME = "home"
"""In a trial's folder: what came home; beside it `out`, `err` and the event log `log`."""

COPIED = 1 << 20
"""Input files up to so many bytes are copied, larger ones are links: the pool replaces those."""

CONTACT_LEASE_S = 1
ASKED_AFTER_S = 1
_LIMITS = tuple(name for name in POLICIES if not name.startswith("OnExit"))


class Home(NamedTuple):
    """The folder of a trial."""

    folder: Path
    ad: Ad

    @property
    def home(self) -> Path:
        return self.folder / HOME


def terms_of(subject: Subject, grace: int) -> Terms:
    """What its submit file says of its checkpoints; raises SubmitError where there are none."""
    ad = subject.ad
    own = ads.number(ad, "JobMaxVacateTime")
    way = way_of(subject)
    wanted = subject.wanted
    if way is Way.EARLY:
        wanted = sorted(
            set(names(ad, "TransferOutput") or ()) & set(names(ad, "TransferInput") or ())
        )
    elif way is Way.EVICTION:
        wanted = names(ad, "TransferOutput")
    return Terms(
        way,
        on_evict=ad.get("WhenToTransferOutput") == "ON_EXIT_OR_EVICT",
        appends=ads.appends(ad),
        status=subject.status,
        wanted=wanted,
        grace=grace if own is None else min(grace, int(own * SECOND)),
    )


def way_of(subject: Subject) -> Way:
    ad = subject.ad
    if ads.is_true(ad, "WantCheckpointSignal"):
        return Way.ASKED
    if ads.is_true(ad, "WantFTOnCheckpoint"):
        return Way.EXIT
    if "OnExitRemove" in ad:
        return Way.EARLY
    if ad.get("WhenToTransferOutput") == "ON_EXIT_OR_EVICT":
        return Way.EVICTION
    if ads.is_true(ad, "WantIOProxy"):
        return Way.MANUAL
    raise SubmitError(
        f"{subject.name}: nothing in it means a checkpoint; write for example "
        "checkpoint_exit_code = 85"
    )


def prepared(subject: Subject, folder: Path) -> Home:
    """A copy of the job that runs at once, and whose output and input are in the trial's folder."""
    ad = classads().ClassAd(repr(subject.ad))
    home = folder / HOME
    home.mkdir(parents=True)
    for name in _LIMITS:
        if name in ad:
            del ad[name]
    bring_input(ad, home)
    ad["Iwd"], ad[SUBMIT_FOLDER] = str(home), str(folder)
    ad["Requirements"], ad["JobStatus"] = expression("true"), int(JobStatus.IDLE)
    ad["JobLeaseDuration"] = CONTACT_LEASE_S
    ad["UserLog"], ad["Out"], ad["Err"] = (str(folder / name) for name in ("log", "out", "err"))
    return Home(folder, ad)


def bring_input(ad: Ad, home: Path) -> None:
    """Put the input files where the trial finds them under the same names."""
    iwd, wanted = Path(ad["Iwd"]), names(ad, "TransferInput") or []
    if str(ad.get("In", "/dev/null")) != "/dev/null":
        wanted = [*wanted, str(ad["In"])]
    for name in wanted:
        if name.startswith("/") or ".." in Path(name).parts:
            continue
        source, target = iwd / name, home / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            bring(source, target)
    if "TransferInput" in ad:
        ad["TransferInput"] = ", ".join(
            rooted(name, iwd) for name in names(ad, "TransferInput") or ()
        )


def bring(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif target.exists():
        pass  # with its folder
    elif source.stat().st_size <= COPIED:
        shutil.copy2(source, target)
    else:
        target.symlink_to(source.resolve())


def rooted(name: str, iwd: Path) -> str:
    """A path that leads out of the submit folder, as an absolute one; others as they are."""
    return str((iwd / name).resolve()) if ".." in Path(name).parts else name


def pool_file(subject: Subject, terms: Terms, lanes: int) -> str:
    """A POOL.toml with a machine for each trial at a time."""
    asked = f"time() - LastPeriodicCheckpoint > {ASKED_AFTER_S}"
    return "\n".join(
        [
            "delays = false",
            "[intervals]",
            'negotiation = "50ms"',
            'policy = "500ms"',
            "[policy]",
            "CHECK_REACTIVATE_AFTER_CHECKPOINT = false",
            f"MachineMaxVacateTime = {terms.grace / SECOND}",
            *([f'PERIODIC_CHECKPOINT = "{asked}"'] if terms.way is Way.ASKED else []),
            *(
                line
                for number in range(1, lanes + 1)
                for line in machine_lines(subject.ad, machine(f"lane{number}", 1, {}))
            ),
        ]
    )
