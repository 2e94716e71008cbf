"""Rules of `lint` on what means a checkpoint: exit codes, signals, and early exits."""

import os
import signal
from pathlib import Path

from ckptsim.htcondor import ads
from ckptsim.htcondor.jobad import names, remaps
from ckptsim.htcondor.lint_job import Job, Said, broken, holds, not_seen

CODE = "checkpoint_exit_code"
BY_SIGNAL = "successcheckpointexitbysignal"
SIGNAL = "successcheckpointexitsignal"
WANTED = "wantftoncheckpoint"
ASKED = "wantcheckpointsignal"
ASKED_WITH = "checkpointsig"

EVERYDAY = {1, 2, 126, 127}
"""Exit codes of Python, of shells and of commands for errors of any kind."""
KILLED = 128  # and more: a shell's way to tell a death by a signal


def way_to_checkpoint(job: Job) -> Said:
    ways = [
        *(["a signal that it dies by"] if job.by_exit and job.by_signal else []),
        *(["an exit code"] if job.by_exit and not job.by_signal else []),
        *(["the transfer at an eviction"] if job.on_evict else []),
        *(["an early exit"] if job.early else []),
        *(["files that it transfers itself"] if job.manual else []),
    ]
    if ways:
        return holds(f"Its checkpoints become safe by {' and '.join(ways)}.")
    if job.shared:
        return not_seen(
            "It transfers no files, so its checkpoints are what it writes to a shared file system, "
            "which a submit file does not show.",
            "should_transfer_files",
        )
    return broken(
        "Nothing in it means a checkpoint, so an eviction loses all work; expected one of the "
        f"ways to keep it; let the program exit with 85 after each checkpoint and write `{CODE} "
        "= 85`."
    )


def checkpoint_code(job: Job) -> Said | None:
    """The code has to mean a checkpoint alone; without one, WantFTOnCheckpoint takes 0."""
    if not job.by_exit or job.by_signal or job.gives(SIGNAL) or not (at := _code_line(job)):
        return None
    code = ads.number(job.ad, "SuccessCheckpointExitCode")
    if code is None and job.gives(CODE):
        return not_seen(f"`{job.text(CODE)}` is no number that can be told from the text.", at)
    code = int(code or 0)
    if why := _same_as_final(job, code):
        return broken(
            f"{why}, so the job would start again for ever; expected a code that it exits with "
            f"after a checkpoint alone; write `{CODE} = {_own_code(job)}`.",
            at,
        )
    if not 0 < code <= 255:
        return broken(
            f"No process can exit with {code}, so nothing is ever a checkpoint; expected 1 to 255; "
            f"write `{CODE} = {_own_code(job)}`.",
            at,
        )
    if code in EVERYDAY or code >= KILLED:
        return not_seen(
            f"{code} is also how shells, Python or a killed program tell an error, which would "
            "then be taken for a checkpoint; expected a code of its own; write "
            f"`{CODE} = {_own_code(job)}`.",
            at,
        )
    return holds(f"The checkpoint code {code} is no other success's.", at)


def _code_line(job: Job) -> str:
    return job.first_given(CODE, WANTED)


def _same_as_final(job: Job, code: int) -> str:
    if code == 0:
        return (
            "The checkpoint code is 0, that of a program that is done"
            if job.gives(CODE)
            else "Without a checkpoint code, exit 0 means a checkpoint"
        )
    if ads.number(job.ad, "JobSuccessExitCode") == code:
        return f"The checkpoint code {code} is the success_exit_code too"
    until = job.text("retry_until") if job.gives("retry_until") else ""
    return f"The checkpoint code {code} is in retry_until too" if until == str(code) else ""


def _own_code(job: Job) -> int:
    """A code that means nothing else to this job."""
    return next(code for code in (85, 86, 87) if not _same_as_final(job, code))


def exit_signal_number(job: Job) -> Said | None:
    if not job.gives(SIGNAL):
        return None
    number = ads.number(job.ad, "SuccessCheckpointExitSignal")
    if number is None:
        meant = ads.signal_of(job.ad, "SuccessCheckpointExitSignal") or signal.SIGUSR2
        return broken(
            f"The signal is given as {job.text(SIGNAL)}, which is silently ignored: the job then "
            f"ends at its first checkpoint; expected a number; write "
            f"`+SuccessCheckpointExitSignal = {int(meant)}`.",
            SIGNAL,
        )
    if number not in set(signal.Signals):
        return broken(
            f"There is no signal {number:g}; expected for example "
            "`+SuccessCheckpointExitSignal = 12`.",
            SIGNAL,
        )
    return holds(f"The signal is given as a number, {number:g}.", SIGNAL)


def exit_signal_partners(job: Job) -> Said | None:
    """An exit by signal takes three lines."""
    at = job.first_given(SIGNAL, BY_SIGNAL)
    if not at or (at == BY_SIGNAL and not ads.is_true(job.ad, "SuccessCheckpointExitBySignal")):
        return None
    missing = [
        *([] if job.gives(SIGNAL) else ["+SuccessCheckpointExitSignal = 12"]),
        *(
            []
            if ads.is_true(job.ad, "SuccessCheckpointExitBySignal")
            else ["+SuccessCheckpointExitBySignal = True"]
        ),
        *([] if job.by_exit else ["+WantFTOnCheckpoint = True"]),
    ]
    if missing:
        return broken(
            "A checkpoint by a signal is meant, but a part of it is missing, so the job ends at "
            f"its first one; expected three lines; add `{'` and `'.join(missing)}`.",
            at,
        )
    return holds("All three lines of an exit by signal are there.", at)


def one_checkpoint_exit(job: Job) -> Said | None:
    if not job.gives(CODE):
        return None
    if job.by_signal:
        return broken(
            f"Both an exit code and a signal mean a checkpoint: the signal wins, and exit "
            f"{job.text(CODE)} ends the job; expected one of them; leave out this line, or "
            "+SuccessCheckpointExitBySignal.",
            CODE,
        )
    return holds("One exit alone means a checkpoint.", CODE)


def asked_checkpoint_exit(job: Job) -> Said | None:
    if not job.asked:
        return None
    if job.gives(CODE) or job.by_signal:
        return holds("It is asked for checkpoints, and an exit tells that one is there.", ASKED)
    return broken(
        "It is asked for checkpoints, but no exit tells that one is there: a job that exits "
        f"otherwise than promised is held; expected a checkpoint exit; add `{CODE} = 85`.",
        ASKED,
    )


def checkpoint_signal(job: Job) -> Said | None:
    if not job.gives(ASKED_WITH):
        return None
    if not job.asked:
        return broken(
            "A checkpoint signal is given, but nobody sends it; expected its partner; add "
            "`+WantCheckpointSignal = True`.",
            ASKED_WITH,
        )
    if ads.signal_of(job.ad, "CheckpointSig") is None:
        return broken(
            f"{job.text(ASKED_WITH)} is no signal, so another is sent; expected a name in quotes "
            'or a number; write `+CheckpointSig = "SIGUSR1"`.',
            ASKED_WITH,
        )
    return holds(f"It is asked for checkpoints by {job.text(ASKED_WITH)}.", ASKED_WITH)


# --- early exits ----------------------------------------------------------------------------------


def early_exit_input(job: Job) -> Said | None:
    """What comes home from an early exit has to go back as input."""
    if not job.early or job.manual or job.by_exit:
        return None
    if returned := _returned(job):
        return holds(f"{', '.join(returned)} comes home and goes back as input.", "on_exit_remove")
    given, saved = names(job.ad, "TransferInput"), names(job.ad, "TransferOutput")
    if given and saved is None:
        return not_seen(
            "All new and changed files come home from an early exit; whether one of the input "
            "files is the checkpoint cannot be told; list it in transfer_output_files.",
            "on_exit_remove",
        )
    both = ", ".join(dict.fromkeys([*(given or []), *(saved or ["my.checkpoint"])]))
    moved = " and leave out transfer_output_remaps" if remaps(job.ad) else ""
    return broken(
        f"Exit {_codes(job)} queues the job again, but what it saved is not sent back, so it "
        "starts from nothing for ever; expected it among the input files (there at submit, empty "
        f"if need be); write `transfer_input_files = {both}`{moved}.",
        "on_exit_remove",
    )


def early_exit_first_input(job: Job) -> Said | None:
    if not job.early or not (returned := _returned(job)):
        return None
    folder = job.file.folder / (job.text("initialdir") if job.gives("initialdir") else "")
    absent = [name for name in returned if not (folder / name).exists()]
    at = "transfer_input_files"
    if absent:
        return broken(
            f"{', '.join(absent)} is an input file and not there yet, so the first run cannot "
            f"start; expected an empty one that the program takes for none; run `touch "
            f"{' '.join(map(str, (folder / name for name in absent)))}`.",
            at,
        )
    return holds("The input files of the first run are there.", at)


def early_exit_with_code(job: Job) -> Said | None:
    if not job.early or not job.by_exit:
        return None
    at, exits = "on_exit_remove", _codes(job)
    if _returned(job):
        return broken(
            f"Exit {exits} queues the job again with its files at home, but an older checkpoint in "
            "the spool wins over them, so it loops; expected one way to checkpoint; leave out this "
            f"line or `{CODE}`.",
            at,
        )
    return not_seen(
        f"Exit {exits} queues the job again from the last checkpoint in the spool, not from what "
        "it saved just then: right for a failure to be tried again; if it means a checkpoint, "
        "leave out this line.",
        at,
    )


def _codes(job: Job) -> str:
    return ", ".join(map(str, job.early[:3])) + (", …" if len(job.early) > 3 else "")


def _returned(job: Job) -> list[str]:
    """Files that come home under the very path from which they are sent, by that path."""
    given = {os.path.normpath(name) for name in names(job.ad, "TransferInput") or ()}
    moved = remaps(job.ad)
    home = {
        os.path.normpath(moved.get(name, Path(name).name)): Path(name).name
        for name in names(job.ad, "TransferOutput") or ()
    }
    return sorted(path for path, name in home.items() if path in given and Path(path).name == name)
