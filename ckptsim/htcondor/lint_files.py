"""Rules of `lint` on files: which go into a checkpoint, under which names, and which are lost."""

import re
from collections import Counter
from pathlib import Path

from ckptsim.htcondor import ads
from ckptsim.htcondor.jobad import names
from ckptsim.htcondor.lint_job import Job, Said, Target, broken, costs, holds, not_seen

CHECKPOINT, OUTPUT, INPUT = (
    *("transfer_checkpoint_files", "transfer_output_files"),
    "transfer_input_files",
)
WHEN = "when_to_transfer_output"
AT_EVICTION = f"{WHEN} = ON_EXIT_OR_EVICT"


def files_listed(job: Job) -> Said | None:
    if not job.spooled:
        return None
    at = job.checkpoint_list
    if job.checkpoint == []:
        return broken(
            f"The list of a checkpoint's files is empty, so an evicted job starts over, with its "
            "output alone; expected the files that it goes on from; write "
            f"`{CHECKPOINT if job.by_exit else OUTPUT} = my.checkpoint`.",
            at,
        )
    if job.checkpoint is None:
        return holds("No list, so all new or changed files go into a checkpoint.")
    return holds(f"A checkpoint consists of {_listed(job.checkpoint)}.", at)


def paths_kept(job: Job) -> Said | None:
    """A path in a list comes back as its last part, at the top of the next sandbox."""
    if not job.spooled or not job.checkpoint:
        return None
    at = job.checkpoint_list
    below = [name for name in job.checkpoint if "/" in name.strip("/")]
    if below and not ads.is_true(job.ad, "PreserveRelativePaths"):
        return broken(
            f"{below[0]} comes back as {Path(below[0]).name} after an eviction, so the job does "
            "not find it and starts over; expected its path to be kept; add "
            "`preserve_relative_paths = True`.",
            at,
        )
    if whole := [name for name in job.checkpoint if name.endswith("/")]:
        return not_seen(
            f"Whether {whole[0]} comes back as a directory or as what is in it was not observed; "
            f"write `{at} = {', '.join(name.rstrip('/') for name in job.checkpoint)}`.",
            at,
        )
    return holds("Each file of a checkpoint comes back under its own path.", at)


def stale_names(job: Job) -> Said | None:
    """The spool is a union of all that was ever transferred, but for directories."""
    if not job.spooled or job.checkpoint == []:
        return None
    at = job.checkpoint_list
    if job.elsewhere:
        return holds("Its store keeps each checkpoint apart.", "checkpoint_destination")
    if job.checkpoint is None:
        return not_seen(
            "Without a list, files whose names change from checkpoint to checkpoint pile up in the "
            "spool, and stale ones come back; list their directory, which is replaced whole: "
            f"`{CHECKPOINT} = checkpoints`.",
        )
    alike = Counter(re.sub(r"\d+", "#", name) for name in job.checkpoint)
    if numbered := [name for name, count in alike.items() if count > 1]:
        return not_seen(
            f"Several listed files differ by a number alone, {numbered[0]}: stale ones come back "
            "after an eviction, and all must be there at each checkpoint; list their directory, "
            f"which is replaced whole: `{at} = checkpoints`.",
            at,
        )
    return holds("The names of a checkpoint's files do not change.", at)


def results_at_checkpoint(job: Job) -> Said | None:
    """Without a list of its own a checkpoint consists of all that is listed as output."""
    if not job.by_exit or job.shared or not job.checkpoint:
        return None
    at = job.checkpoint_list
    if at == OUTPUT and len(job.checkpoint) > 1:
        return not_seen(
            f"{_listed(job.checkpoint)} are all transferred at each checkpoint, and one that is "
            "not there then, such as a result written at the end, holds the job; list the "
            f"checkpoint's own files: `{CHECKPOINT} = {job.checkpoint[0]}`.",
            at,
        )
    return holds("No result has to be there at a checkpoint.", at)


def checkpoint_at_end(job: Job) -> Said | None:
    if not job.spooled or not job.checkpoint:
        return None
    wanted = names(job.ad, "TransferOutput") or []
    if both := [name for name in job.checkpoint if name in wanted]:
        return not_seen(
            f"{_listed(both)} must be there at the end too: if the program then removes it, the "
            f"job is held; {_kept_apart(job, wanted, both)}.",
            OUTPUT,
        )
    return holds("No checkpoint has to be there at the end.", job.checkpoint_list)


def _kept_apart(job: Job, wanted: list[str], both: list[str]) -> str:
    """What to do, so that the end does not need what a checkpoint does."""
    if not job.by_exit:
        return "let it stay"
    results = ", ".join(name for name in wanted if name not in both) or '""'
    return f"write `{CHECKPOINT} = {', '.join(both)}` and `{OUTPUT} = {results}`"


def input_named_alike(job: Job) -> Said | None:
    if not job.spooled or job.early or not job.checkpoint:
        return None
    given = {Path(name).name for name in names(job.ad, "TransferInput") or ()}
    both = [name for name in job.checkpoint if Path(name).name in given]
    if not given:
        return None
    if both:
        return costs(
            f"{_listed(both)} is an input file too: right for a first start from it, but after a "
            "checkpoint the spool's copy wins, so that it is sent in vain and changes to it have "
            "no effect; give the first state another name.",
            INPUT,
        )
    return holds("No input file has a checkpoint's name.", INPUT)


def own_targets(job: Job) -> Said | None:
    """Jobs of one submit file overwrite what the others brought home under the same name."""
    if len(job.targets) < 2:
        return None
    for target in _shared_targets(job):
        told = (
            f"All or some of its {len(job.targets)} jobs write {target.path}, and the last one's "
            f"is left; expected files for each; write `{_set_apart(job, target)}`"
        )
        if target.command == OUTPUT and job.spooled and target.name in (job.checkpoint or ()):
            return not_seen(f"{told} unless it is a mere checkpoint.", target.command)
        return broken(f"{told}.", target.command)
    return holds(f"Each of its {len(job.targets)} jobs writes files of its own.")


def _shared_targets(job: Job) -> list[Target]:
    """Those that two jobs write; the ones that are no checkpoint first."""
    count = Counter(path for targets in job.targets for path in {each.path for each in targets})
    found = [each for targets in job.targets for each in targets if count[each.path] > 1]
    return sorted(found, key=lambda each: each.name in (job.checkpoint or ()))


def _set_apart(job: Job, target: Target) -> str:
    """A line that gives each job a file of its own; an early exit needs it under its name."""
    if job.early:
        return "initialdir = run$(Process)"
    path = Path(target.path)
    own = str(path.with_name(f"{path.stem}.$(Process){path.suffix}"))
    if target.command in ("output", "error"):
        return f"{target.command} = {own}"
    return f'transfer_output_remaps = "{target.name} = {own}"'


# --- evictions ------------------------------------------------------------------------------------


def output_kept(job: Job) -> Said | None:
    """Standard output goes on from execution to execution only where it is opened for append."""
    at = job.first_given("output", "error")
    if not at or not (job.on_evict or job.early) or job.shared:
        return None
    if job.early and not job.by_exit and not job.on_evict:
        return costs(
            f"{job.text(at)} will hold the last run's output alone; expected that of all runs; let "
            "the program append to a file that is in both transfer_input_files and "
            "transfer_output_files.",
            at,
        )
    if not job.by_exit:
        return costs(
            f"{job.text(at)} is emptied at each start though it was saved at the eviction; "
            "expected it to go on; add `checkpoint_exit_code = 85`, which makes it so even where "
            "no exit has that code.",
            at,
        )
    return holds(f"{job.text(at)} goes on where it was.", at)


def saved_at_eviction(job: Job) -> Said | None:
    """What a job saves on its soft kill signal counts only if it is transferred then."""
    at = _eviction_line(job)
    if not at or job.shared or job.manual:
        return None
    if job.on_evict:
        return holds("What it saves when it is evicted is transferred.", at)
    told = (
        f"`{at}` readies it for an eviction, but what it saves then is thrown away, whatever its "
        f"exit code; expected a transfer; write `{AT_EVICTION}`"
    )
    if job.by_exit or job.early:
        return costs(f"{told}, or nothing if the signal serves another end.", at)
    return broken(f"{told}.", at)


def _eviction_line(job: Job) -> str:
    """The line that looks as if the job did something when it is told to go."""
    asked_by_it = job.asked and not job.gives("checkpointsig")
    return job.first_given(*([] if asked_by_it else ["kill_sig"]), "job_max_vacate_time")


def whole_at_eviction(job: Job) -> Said | None:
    if not job.on_evict or job.shared or job.checkpoint == []:
        return None
    what = "what is new" if job.checkpoint is None else _listed(job.checkpoint)
    return not_seen(
        f"At an eviction {what} is transferred as it stands, and a half-written file overwrites "
        "the good one; expected it to be whole at any time; write to another name and rename.",
        WHEN,
    )


def _listed(found: list[str]) -> str:
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
