"""Orders to machines: what goes into a job's sandbox, how it is run, and what comes out."""

import os
from pathlib import Path
from typing import Any

from ckptsim.drivers.real.entry import Entry
from ckptsim.htcondor import ads
from ckptsim.htcondor.jobad import SUBMIT_FOLDER, Ad, argv, environment, names, remaps
from ckptsim.htcondor.life import Tell
from ckptsim.htcondor.spool import Spool
from ckptsim.units import SECOND

STDOUT, STDERR = "_condor_stdout", "_condor_stderr"
_NOWHERE = "/dev/null"
_CHIRP = Path(__file__).parents[2] / "htcondor" / "bin"

Order = dict[str, Any]


def order_of(entry: Entry, act: Tell, state: Path, spool: Spool) -> Order:
    """The order to a machine that an act of a job's life comes to."""
    sandbox = entry.sandbox(state)
    match act.order:
        case "stage":
            return stage(entry, sandbox, spool)
        case "start":
            return start(entry, sandbox)
        case "send":
            return send(entry, act.purpose, spool)
        case "signal":
            asked = act.purpose == "checkpoint"
            number = ads.checkpoint_signal(entry.ad) if asked else ads.soft_kill_signal(entry.ad)
            return {"do": "signal", "signal": number}
    return {"do": act.order}


def stage(entry: Entry, sandbox: Path, spool: Spool) -> Order:
    """Executable and input files first, then what is in the spool, which wins (B16)."""
    ad, folder = entry.ad, spool.folder(entry.cluster, entry.proc)
    spool.recover(entry.cluster, entry.proc)
    files = {".job.ad": listed(ads.refresh(ad, entry.life)), ".machine.ad": machine_ad(entry)}
    if entry.chirp:
        config = chirp_config(sandbox)
        config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        config.write_text(entry.chirp_config)
    return {
        "do": "stage",
        "sandbox": str(sandbox),
        "items": items(ad),
        "spool": str(folder) if folder.exists() else None,
        "files": files,
        "seconds": entry.fates.costs.input / SECOND if entry.fates else 0.0,
    }


def listed(ad: Ad) -> str:
    """An ad as HTCondor writes one into a sandbox: by attribute (golden/r_probe)."""
    return "".join(sorted(str(ad.printOld()).splitlines(keepends=True), key=str.lower))


def chirp_config(sandbox: Path) -> Path:
    """Where a job is told how to reach the access point: beside its sandbox."""
    return sandbox.parent / "user" / ".chirp.config"


def items(ad: Ad) -> list[tuple[str, str]]:
    """Files and directories that go in, and their names there."""
    found = []
    if ad.get("TransferExecutable", True):
        found.append((ad["Cmd"], Path(ad["Cmd"]).name))
    wanted = names(ad, "TransferInput") or []
    if ad.get("In", _NOWHERE) != _NOWHERE:
        wanted = [*wanted, ad["In"]]
    preserve = ads.is_true(ad, "PreserveRelativePaths")
    return found + [item(ad, name, preserve=preserve) for name in dict.fromkeys(wanted)]


def item(ad: Ad, name: str, *, preserve: bool) -> tuple[str, str]:
    """`d/` stands for what is in the directory; a path keeps its last part alone, as HTCondor's."""
    source = str(Path(ad["Iwd"]) / name)
    if preserve and not name.startswith("/"):
        return source, os.path.normpath(name)
    if name.endswith("/"):
        return f"{source}/", ""
    return source, Path(name).name


def machine_ad(entry: Entry) -> str:
    assert entry.machine is not None
    assert entry.slot is not None
    return listed(ads.slot_ad(entry.machine.attributes(entry.slot), entry.life))


def start(entry: Entry, sandbox: Path) -> Order:
    ad = entry.ad
    sent = ad.get("TransferExecutable", True)
    program = str(sandbox / Path(ad["Cmd"]).name) if sent else ad["Cmd"]
    given = ad.get("In", _NOWHERE)
    return {
        "do": "start",
        "argv": [program, *argv(ad)],
        "env": variables(entry, sandbox),
        "cwd": str(sandbox),
        "stdin": None if given == _NOWHERE else str(sandbox / Path(given).name),
        "stdout": standard(ad, "Out", sandbox / STDOUT),
        "stderr": standard(ad, "Err", sandbox / STDERR),
        "append": ads.appends(ad),
    }


def standard(ad: Ad, attribute: str, path: Path) -> str:
    return _NOWHERE if ad.get(attribute, _NOWHERE) == _NOWHERE else str(path)


def variables(entry: Entry, sandbox: Path) -> dict[str, str]:
    """The job's environment: HTCondor's variables (A3, golden/r_probe), and its own on top.

    HTCondor gives no PATH, and a shell's default then serves; here it is the pool's, with
    `condor_chirp` in front, so that a job finds the programs its owner does.
    """
    assert entry.slot is not None
    place = str(sandbox)
    return {
        "PATH": f"{_CHIRP}:{os.environ.get('PATH', os.defpath)}",
        "HOME": os.environ.get("HOME", "/"),
        "BATCH_SYSTEM": "HTCondor",
        "CONDOR_STARTER_PID": str(entry.machine.pid if entry.machine else 0),
        "TMP": place,
        "TMPDIR": place,
        "_CHIRP_DELAYED_UPDATE_PREFIX": "Chirp*",
        "_CONDOR_AssignedGPUs": "10000",
        "_CONDOR_BIN": str(_CHIRP),
        "_CONDOR_CHIRP_CONFIG": str(chirp_config(sandbox)),
        "_CONDOR_JOB_AD": f"{place}/.job.ad",
        "_CONDOR_JOB_IWD": place,
        "_CONDOR_MACHINE_AD": f"{place}/.machine.ad",
        "_CONDOR_SCRATCH_DIR": place,
        "_CONDOR_SLOT": entry.slot.name.partition("@")[0],
        **environment(entry.ad),
    }


def send(entry: Entry, purpose: str, spool: Spool) -> Order:
    """A checkpoint, or what is there at an eviction, to the spool; output to where it belongs."""
    ad = entry.ad
    order: Order = {
        "do": "send",
        "preserve": ads.is_true(ad, "PreserveRelativePaths"),
        "stdio": [
            name
            for name, attribute in ((STDOUT, "Out"), (STDERR, "Err"))
            if ad.get(attribute, _NOWHERE) != _NOWHERE
        ],
        "rename": {},
        "seconds": 0.0,
    }
    if purpose == "final":
        return {**order, "to": ad["Iwd"], "wanted": output(entry), "rename": targets(ad)}
    wanted = names(ad, "TransferOutput") if purpose == "evict" else ads.checkpoint_files(ad)
    to = str(spool.incoming(entry.cluster, entry.proc))
    least = entry.fates.costs.transfer / SECOND if entry.fates else 0.0
    return {**order, "to": to, "wanted": wanted, "seconds": least}


def output(entry: Entry) -> list[str] | None:
    """What comes home; of a job that failed and wanted ON_SUCCESS only the standard files."""
    ad = entry.ad
    if ad.get("WhenToTransferOutput") == "ON_SUCCESS" and entry.life.stay:
        good = int(ads.number(ad, "JobSuccessExitCode") or 0) << 8
        if entry.life.stay.status != good:
            return []
    return names(ad, "TransferOutput")


def targets(ad: Ad) -> dict[str, str]:
    """Where output goes under another name; relative to Iwd, absolute after that.

    The submit file was looked at, but since then a job may have changed its ad, or made links.
    """
    renamed = remaps(ad) | {STDOUT: str(ad.get("Out", "")), STDERR: str(ad.get("Err", ""))}
    return {name: target(ad, to) for name, to in renamed.items() if to and to != _NOWHERE}


def target(ad: Ad, name: str) -> str:
    """The path, links followed; one outside is relative, with `..`, which the machine refuses."""
    path = Path(ad["Iwd"], name)
    # Not Path.resolve, which raises RuntimeError where links go in a circle.
    folder = os.path.realpath(path if path.name == ".." else path.parent)
    real = Path(folder) if path.name == ".." else Path(folder, path.name)
    homes = [os.path.realpath(home) for home in (ad["Iwd"], ad.get(SUBMIT_FOLDER, ad["Iwd"]))]
    if any(real.is_relative_to(home) for home in homes):
        return str(real)
    return f"{os.path.relpath(real, homes[0])}/ (outside the submit folder)"
