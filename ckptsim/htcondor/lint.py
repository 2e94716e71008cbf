"""What a submit file says that will surprise its author, by what a real HTCondor was seen to do.

From the text alone: what only shows when the job runs is not seen here. Sources such as `B14, run
z3` are sections and runs of htcondor-observed.md.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ckptsim.findings import Finding, Verdict
from ckptsim.htcondor.jobad import entries
from ckptsim.htcondor.jobcommands import SAME, truth
from ckptsim.htcondor.submitfile import SubmitFile, read_text
from ckptsim.units import MINUTE, SECOND, show, show_size

QUEUED_FROM = 100 << 20
"""Smaller transfers do not wait for their turn (HTCondor: bytes, observed A2)."""

WORKLIFE = 20 * MINUTE
"""HTCondor's default of CLAIM_WORKLIFE."""

EARLY_CODE = re.compile(r"ExitCode\s*(=!=|!=|isnt)\s*\d+", re.IGNORECASE)
SAVING = ("kill_sig", "remove_kill_sig", "job_max_vacate_time", "kill_sig_timeout")
"""What is set for the sake of a job that does something when it is told to end."""


class Conditions(NamedTuple):
    """What is known of the pool and of the job's checkpoints; None for what is not."""

    limit: int | None = None  # ns
    interval: int | None = None  # ns of computing between two checkpoints
    write: int | None = None  # ns
    claim_worklife: int | None = WORKLIFE  # ns; None: no limit to it
    checkpoint_bytes: int | None = None


class Said(NamedTuple):
    """One thing to be said of a rule, and the command that it is about."""

    verdict: Verdict
    told: str
    command: str = ""


class Text:
    """A submit file's commands as they are for its first job."""

    def __init__(self, file: SubmitFile) -> None:
        self.file = file
        self.given = {SAME.get(name, name): name for name in file.values}
        self.jobs: list[dict[str, str]] = []  # the first two
        for _ in file.jobs(1, 0):
            self.jobs.append(
                {name: file.expanded(file.spelt(each)) for name, each in self.given.items()}
            )
            if len(self.jobs) == 2:
                break

    def value(self, command: str) -> str:
        return self.jobs[0].get(command, "") if self.jobs else ""

    def is_true(self, command: str) -> bool:
        try:
            return truth(self.value(command) or "false")
        except ValueError:
            return False

    def place(self, command: str) -> str:
        return self.file.place(self.given.get(command, command))

    def names(self, command: str) -> list[str] | None:
        """A list of files; None where it is not given, or is empty, which is the same (B15)."""
        value = self.value(command)
        return None if not value else [] if value == '""' else entries(value)

    @property
    def at_checkpoints(self) -> list[str] | None:
        """The files of a checkpoint; None: all that are new."""
        listed = self.names("transfer_checkpoint_files")
        return self.names("transfer_output_files") if listed is None else listed

    @property
    def listing(self) -> str:
        """The command that lists them."""
        given = self.names("transfer_checkpoint_files") is not None
        return "transfer_checkpoint_files" if given else "transfer_output_files"

    @property
    def exits_with_checkpoints(self) -> bool:
        by_signal = "my.successcheckpointexitsignal" in self.given
        return bool(self.value("checkpoint_exit_code")) or by_signal

    @property
    def on_evict(self) -> bool:
        return self.value("when_to_transfer_output").upper() == "ON_EXIT_OR_EVICT"

    @property
    def exits_early(self) -> bool:
        return bool(EARLY_CODE.search(self.value("on_exit_remove")))


Look = Callable[[Text, Conditions], Said | None]


class Rule(NamedTuple):
    """A rule, where it was observed, and what looks at it; None: it does not apply."""

    name: str
    source: str
    look: Look


def lint(source: Path | str, conditions: Conditions) -> list[Finding]:
    """One finding for each rule that applies to a submit file, or its text, in the order of RULES.

    Raises SubmitError where it cannot be read.
    """
    text, name = read_text(source)
    return list(findings(Text(SubmitFile(text, name, Path.cwd())), conditions))


def findings(text: Text, conditions: Conditions) -> Iterator[Finding]:
    for rule in RULES:
        said = rule.look(text, conditions)
        if said:
            where = text.place(said.command) if said.command else text.file.name
            yield Finding(rule.name, said.verdict, said.told, where, rule.source)


def holds(told: str, command: str = "") -> Said:
    return Said(Verdict.HOLDS, told, command)


def broken(command: str, told: str) -> Said:
    return Said(Verdict.BROKEN, told, command)


def costs(command: str, told: str) -> Said:
    return Said(Verdict.COSTS, told, command)


def unseen(told: str, command: str = "") -> Said:
    return Said(Verdict.NOT_SEEN, told, command)


# --- how it checkpoints ---------------------------------------------------------------------------


def a_way(text: Text, _: Conditions) -> Said | None:
    told_to = "my.wantcheckpointsignal" in text.given
    if text.exits_with_checkpoints or text.on_evict or text.exits_early or told_to:
        return holds("It has a way to checkpoint.")
    if text.is_true("want_io_proxy"):
        return unseen("Whether it saves by condor_chirp shows when it runs.", "want_io_proxy")
    return broken(
        "",
        "Nothing in it means a checkpoint, so each eviction starts it over; if it exits with 85 "
        "after one, write `checkpoint_exit_code = 85`.",
    )


def the_code(text: Text, _: Conditions) -> Said | None:
    code = text.value("checkpoint_exit_code")
    if not code:
        return None
    final = text.value("success_exit_code") or "0"
    if code == final:
        return broken(
            "checkpoint_exit_code",
            f"Exit code {code} means both a checkpoint and the end, so the job runs for ever; have "
            "it exit with another one after a checkpoint, such as 85.",
        )
    return holds(f"Exit code {code} means a checkpoint, {final} the end.")


def signal_as_number(text: Text, _: Conditions) -> Said | None:
    value = text.value("my.successcheckpointexitsignal")
    if not value:
        return None
    if not value.isdigit():
        return broken(
            "my.successcheckpointexitsignal",
            f"{value} is a text, which is silently ignored: the first checkpoint ends the job; "
            "write the signal's number, such as `+SuccessCheckpointExitSignal = 12` for SIGUSR2.",
        )
    return holds("The signal is a number.")


def signal_is_whole(text: Text, _: Conditions) -> Said | None:
    names = ("SuccessCheckpointExitSignal", "SuccessCheckpointExitBySignal", "WantFTOnCheckpoint")
    given = [name for name in names if f"my.{name.casefold()}" in text.given]
    if not {"SuccessCheckpointExitSignal", "SuccessCheckpointExitBySignal"} & set(given):
        return None
    if text.value("checkpoint_exit_code"):
        given.append("WantFTOnCheckpoint")  # which the exit code sets
    lacking = [name for name in names if name not in given]
    if lacking:
        value = "12" if lacking[0] == names[0] else "true"
        return broken(
            f"my.{given[0].casefold()}",
            f"A checkpoint by signal needs +{' and +'.join(lacking)} too, else the first one ends "
            f"the job; write `+{lacking[0]} = {value}`.",
        )
    return holds("All that a checkpoint by signal needs is there.")


def one_exit(text: Text, _: Conditions) -> Said | None:
    if not text.exits_with_checkpoints:
        return None
    if text.value("checkpoint_exit_code") and "my.successcheckpointexitsignal" in text.given:
        return broken(
            "checkpoint_exit_code",
            "With +SuccessCheckpointExitSignal the exit code is a normal end: leave one out.",
        )
    return holds("One kind of exit means a checkpoint.")


def asked_for(text: Text, _: Conditions) -> Said | None:
    wants, signal = "my.wantcheckpointsignal", "my.checkpointsig"
    if wants not in text.given and signal not in text.given:
        return None
    if wants not in text.given:
        return broken(
            signal, "+CheckpointSig is never sent without `+WantCheckpointSignal = true`: add it."
        )
    if not text.exits_with_checkpoints:
        return broken(
            wants,
            "A job that is told to checkpoint must say how it exits then, else it is held; write "
            "`checkpoint_exit_code = 85`.",
        )
    return holds("It is told to checkpoint, and says how it exits then.")


def early_exit(text: Text, _: Conditions) -> Said | None:
    if not text.exits_early:
        return None
    if text.exits_with_checkpoints:
        return costs(
            "on_exit_remove",
            "After an early exit it goes on from the last checkpoint in the spool, not from the "
            "files of that exit: exit so only right after a checkpoint.",
        )
    inputs, outputs = (text.names(f"transfer_{each}_files") or [] for each in ("input", "output"))
    if not set(inputs) & set(outputs):
        listed = ", ".join(outputs) or "its checkpoint"
        return broken(
            "on_exit_remove",
            "The files of an early exit come home but do not go to the next slot, so it starts "
            f"over for ever; add them: `transfer_input_files = {', '.join([*inputs, listed])}`.",
        )
    absent = [name for name in inputs if not (text.file.folder / name).exists()]
    if absent:
        return broken(
            "transfer_input_files",
            f"{absent[0]} has to be there when the job is submitted, even if empty: make it.",
        )
    return holds("The files of an early exit go to the next slot.")


# --- its files ------------------------------------------------------------------------------------


def in_a_list(text: Text, _: Conditions) -> Said | None:
    if not text.exits_with_checkpoints:
        return None
    if text.at_checkpoints == []:
        return broken(
            text.listing,
            'With `""` a checkpoint is standard output and nothing else, so the job starts over; '
            "name its files: `transfer_checkpoint_files = FILE`.",
        )
    return holds("A checkpoint has files.")


def flattened(text: Text, _: Conditions) -> Said | None:
    paths = [name for name in text.at_checkpoints or [] if "/" in name.rstrip("/")]
    if not paths:
        return None
    if not text.is_true("preserve_relative_paths"):
        return broken(
            text.listing,
            f"{paths[0]} comes back as {Path(paths[0]).name}, so the job starts over after its "
            "first eviction; write `preserve_relative_paths = true`.",
        )
    return holds("Files in folders come back where they were.")


def all_new_files(text: Text, _: Conditions) -> Said | None:
    if not text.exits_with_checkpoints and not text.on_evict:
        return None
    if text.at_checkpoints is None:
        return unseen(
            "Without a list all new files are transferred, and those of earlier checkpoints come "
            "back too; name what belongs to one, best a folder, which is replaced as a whole: "
            "`transfer_checkpoint_files = FOLDER`.",
        )
    return holds("Only what is listed is transferred.")


def listed_is_there(text: Text, _: Conditions) -> Said | None:
    if not text.exits_with_checkpoints or not text.at_checkpoints:
        return None
    if text.listing == "transfer_output_files":
        return unseen(
            "Each of transfer_output_files has to be there at every checkpoint, else the job is "
            "held (code 36), and at the end (code 12); results that are there only at the end call "
            "for `transfer_checkpoint_files`.",
            "transfer_output_files",
        )
    return unseen("Each has to be there at every checkpoint, else the job is held.", text.listing)


def input_of_that_name(text: Text, _: Conditions) -> Said | None:
    both = set(text.names("transfer_input_files") or []) & set(text.at_checkpoints or [])
    if not both or not text.exits_with_checkpoints:
        return None
    return holds(
        f"{min(both)} is an input file too: the checkpoint's wins once there is one.",
        "transfer_input_files",
    )


def own_output(text: Text, _: Conditions) -> Said | None:
    if len(text.jobs) < 2:
        return None
    for command in ("output", "error"):
        first, second = (job.get(command, "") for job in text.jobs)
        if first and first == second and first != "/dev/null":
            return broken(
                command,
                f"All jobs write {first}, each over those before; write "
                f"`{command} = {first}.$(Process)`.",
            )
    return holds("Each job has output of its own.")


# --- when the slot is taken -----------------------------------------------------------------------


def saved_when_told(text: Text, _: Conditions) -> Said | None:
    given = [command for command in SAVING if text.value(command)]
    if not given:
        return None
    if not text.on_evict:
        return broken(
            given[0],
            "What it saves when it is told to end is thrown away, whatever it exits with; to keep "
            "it write `when_to_transfer_output = ON_EXIT_OR_EVICT`.",
        )
    return holds("What it saves when it is told to end is transferred.")


def torn_when_taken(text: Text, _: Conditions) -> Said | None:
    if not text.on_evict:
        return None
    return unseen(
        "What is there when the slot is taken replaces the last checkpoint, half written or not: "
        "write to another name and rename, and end within the grace when told to.",
        "when_to_transfer_output",
    )


def output_is_kept(text: Text, _: Conditions) -> Said | None:
    if not text.value("output") or not text.on_evict:
        return None
    appends = ("my.wantftoncheckpoint", "my.wantcheckpointsignal")
    if text.value("checkpoint_exit_code") or any(map(text.is_true, appends)):
        return holds("Its output goes on where it was.")
    return costs(
        "output",
        "Its output is begun anew at every start, and what was printed before is lost; to have it "
        "go on write `+WantFTOnCheckpoint = true`.",
    )


# --- time and size --------------------------------------------------------------------------------


def round_of(conditions: Conditions) -> int | None:
    if conditions.interval is None:
        return None
    return conditions.interval + (conditions.write or 0)


def execute_duration(text: Text, conditions: Conditions) -> Said | None:
    return fits(
        text.value("allowed_execute_duration"),
        "allowed_execute_duration",
        conditions,
        "It counts from each checkpoint.",
    )


def job_duration(text: Text, _: Conditions) -> Said | None:
    if not text.value("allowed_job_duration"):
        return None
    if text.exits_with_checkpoints and not text.value("periodic_release"):
        return broken(
            "allowed_job_duration",
            "It runs through checkpoints: so long after its start on a slot the job is held, and "
            "stays so; `allowed_execute_duration` begins anew with each checkpoint.",
        )
    return holds("A job that is held after that time is released.", "allowed_job_duration")


def fits(value: str, command: str, conditions: Conditions, told: str) -> Said | None:
    """Does a checkpoint come before this limit?"""
    if not value:
        return None
    needed = round_of(conditions)
    if needed is None or not value.isdigit():
        return unseen(f"{told} Whether a checkpoint comes before: say --interval.", command)
    if int(value) * SECOND <= needed:
        return broken(
            command,
            f"A checkpoint comes after {show(needed)} and the job is held before: "
            f"write more than {needed // SECOND}, or checkpoint more often. {told}",
        )
    return holds(f"A checkpoint comes after {show(needed)}, before it. {told}", command)


def runtime_limit(_: Text, conditions: Conditions) -> Said | None:
    needed, limit = round_of(conditions), conditions.limit
    if limit is None or needed is None:
        return None
    if limit <= needed:
        return broken(
            "",
            f"A checkpoint comes after {show(needed)}, but the slot ends after {show(limit)}: "
            "nothing is ever saved; checkpoint more often.",
        )
    return holds(f"A checkpoint comes after {show(needed)}, before the limit of {show(limit)}.")


def worklife(text: Text, conditions: Conditions) -> Said | None:
    needed, life = round_of(conditions), conditions.claim_worklife
    if not text.exits_with_checkpoints or life is None:
        return None
    if needed is None:
        return unseen(
            f"Each checkpoint later than {show(life)} into a claim (CLAIM_WORKLIFE) costs a new "
            "match and input transfer; say --interval to have it counted."
        )
    free = life // needed
    often = f"one in {free + 1}" if free else "each one"
    return costs(
        "",
        f"With a checkpoint every {show(needed)} and CLAIM_WORKLIFE at {show(life)} {often} costs "
        "a new match and input transfer.",
    )


def queued(text: Text, conditions: Conditions) -> Said | None:
    if not text.exits_with_checkpoints:
        return None
    size = conditions.checkpoint_bytes
    if size is None:
        return unseen("Checkpoints of 100 MiB and more wait for their turn to be transferred.")
    if size >= QUEUED_FROM:
        return costs(
            "",
            f"A checkpoint of {show_size(size)} waits for its turn in the transfer queue; below "
            "100 MiB it would not.",
        )
    return holds(f"A checkpoint of {show_size(size)} does not wait for its turn.")


RULES = (
    Rule("way-to-checkpoint", "A8, run m1", a_way),
    Rule("checkpoint-code", "A7, run m5", the_code),
    Rule("signal-number", "H43, runs f1, f2", signal_as_number),
    Rule("signal-complete", "H43, run f3", signal_is_whole),
    Rule("one-exit", "H43, run f4", one_exit),
    Rule("told-to-checkpoint", "H44, runs j1, j2", asked_for),
    Rule("early-exit", "H45, runs k1, k2, k5", early_exit),
    Rule("listed", "B15, run z5", in_a_list),
    Rule("relative-path", "B14, runs z3, z4", flattened),
    Rule("all-new-files", "B13, runs t, t2", all_new_files),
    Rule("listed-is-there", "G41, G42, runs l1, l3", listed_is_there),
    Rule("input-of-that-name", "B16, run z1", input_of_that_name),
    Rule("own-output", "condor_submit(1), output", own_output),
    Rule("saved-when-told", "C21, runs x1, x2, x3", saved_when_told),
    Rule("torn-when-taken", "C25, run h", torn_when_taken),
    Rule("output-is-kept", "A5, run g1", output_is_kept),
    Rule("execute-duration", "E32, runs n2, n3", execute_duration),
    Rule("job-duration", "E31, run n1", job_duration),
    Rule("runtime-limit", "D30, run n4", runtime_limit),
    Rule("claim-worklife", "D28, runs e7, e10", worklife),
    Rule("transfer-queue", "A2, run e11", queued),
)
"""Each says one thing; in the order in which they are told."""
