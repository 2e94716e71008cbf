"""What a job's trials say of each rule: pure, from what was seen to findings.

A rule that no trial could show is NOT_SEEN, with the reason. The proof of what is broken are the
trials that `where` names, the first of which is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import waitstatus_to_exitcode
from statistics import median

from ckptsim.check import EVICTIONS, TORN, Fault, Outcome, Terms, Way, starts_over
from ckptsim.findings import Finding, Verdict
from ckptsim.htcondor.leases import counted
from ckptsim.measure import Begin, Execution, computing
from ckptsim.units import SECOND, show, show_size

STUCK = "without getting on"
"""In the reason of a trial that was cut short: its checkpoints were the same time and again."""

SHARE = 0.2  # of an execution that a restart may take before it is told as a cost
SLOW = SECOND // 2  # and at least so much more than a start from nothing
GROWTH = 2.0  # of a checkpoint's size from the first to the last
GROWN = 64 * 1024  # bytes, at least
JUST_NOW = SECOND // 20  # output so close to the exit was only let out by it


@dataclass(frozen=True)
class Observed:
    """All trials of a job."""

    terms: Terms
    references: Sequence[Outcome]  # without faults, the same twice
    trials: Sequence[Outcome]
    unstable: Sequence[str] = ()  # output that differs between the references
    compared: bool = False  # by a command of the user's

    @property
    def reference(self) -> Outcome:
        return self.references[0]

    @property
    def everything(self) -> list[Outcome]:
        return [*self.references, *self.trials]

    @cached_property
    def evictions(self) -> list[Outcome]:
        """Trials whose fault came about and took the slot, and nothing else."""
        return [each for each in self.trials if each.hits and each.trial.fault in EVICTIONS]

    def faults(self, *wanted: Fault) -> list[Outcome]:
        return [each for each in self.trials if each.hits and each.trial.fault in wanted]


Rule = Callable[[Observed], Finding]


def judged(seen: Observed) -> list[Finding]:
    """One finding a rule, in their order."""
    return [rule(seen) for rule in RULES]


def holds(rule: str, told: str, found: Sequence[Outcome] = ()) -> Finding:
    return Finding(rule, Verdict.HOLDS, told, named(found))


def not_seen(rule: str, why: str) -> Finding:
    return Finding(rule, Verdict.NOT_SEEN, why)


def costs(rule: str, told: str, found: Sequence[Outcome], source: str = "") -> Finding:
    return Finding(rule, Verdict.COSTS, told, named(found), source)


def broken(rule: str, told: str, found: Sequence[Outcome], source: str = "") -> Finding:
    return Finding(rule, Verdict.BROKEN, told, named(found), source)


def named(found: Sequence[Outcome]) -> str:
    return ", ".join(each.trial.name for each in found)


def ended(outcome: Outcome) -> str:
    """How a trial ended, after "it"."""
    words = f" (its last words: {outcome.last_words})" if outcome.last_words else ""
    if outcome.end == "cut short" or (outcome.end == "held" and not outcome.last_exit):
        return f"was {outcome.end}: {outcome.why.rpartition('/scratch/')[2]}{words}"
    code = waitstatus_to_exitcode(outcome.last_exit)
    return f"ended {f'with exit code {code}' if code >= 0 else f'on signal {-code}'}{words}"


def listed(names: Iterable[str]) -> str:
    found = sorted(set(names))
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


# --- without faults -------------------------------------------------------------------------------


def makes_checkpoints(seen: Observed) -> Finding:
    rule, reference = "makes-checkpoints", seen.reference
    if seen.terms.way in (Way.EVICTION, Way.MANUAL):
        return not_seen(rule, f"Its checkpoints are not told by an exit: {seen.terms.way}.")
    if reference.checkpoints:
        return holds(
            rule,
            f"{counted(reference.checkpoints, 'checkpoint')} in a run without faults.",
            [reference],
        )
    return broken(
        rule,
        f"No checkpoint in a run without faults: it {ended(reference)}; expected that "
        f"{seen.terms.way}; give it more work, or let it checkpoint sooner.",
        [reference],
        "observed A1",
    )


def ends(seen: Observed) -> Finding:
    rule, reference = "ends", seen.reference
    if reference.end == "completed":
        return holds(rule, f"Without faults it {ended(reference)}.", [reference])
    told = f"Without faults it {ended(reference)}"
    if reference.end == "cut short" and STUCK not in reference.why:
        return not_seen(rule, f"{told}; give it longer with --at-most, or less to do.")
    expected = "expected it to end by itself."
    if STUCK in reference.why:
        expected = "is its final exit code that of a checkpoint, or does it not use its checkpoint?"
    return broken(rule, f"{told}; {expected}", [reference], "observed A7")


def checkpoint_exit(seen: Observed) -> Finding:
    """The checkpoint code has to mean a new checkpoint, each time."""
    rule = "checkpoint-exit"
    if seen.terms.way not in (Way.EXIT, Way.ASKED, Way.EARLY):
        return not_seen(rule, f"No exit means a checkpoint: {seen.terms.way}.")
    for each in seen.references:
        same = sum(a == b for a, b in zip(each.commits, each.commits[1:], strict=False))
        if same:
            return broken(
                rule,
                f"{same} of {len(each.commits)} exits with the checkpoint code left the checkpoint "
                "as it was; expected a new one before each, and another code for every other end.",
                [each],
                "observed A7",
            )
    if not seen.reference.checkpoints:
        return not_seen(rule, "It made no checkpoint.")
    return holds(rule, "Each exit with the checkpoint code had a new checkpoint.", [seen.reference])


def listed_files(seen: Observed) -> Finding:
    """What is listed has to be there at each checkpoint and at the end."""
    rule = "listed-files"
    good = (0, seen.terms.status)  # who fails has reason not to have its files
    held = [each for each in seen.everything if each.end == "held" and each.last_exit in good]
    if not held:
        return holds(rule, "All files in its lists were there at each checkpoint and at the end.")
    why = next((run.failed for run in held[0].runs if run.failed), held[0].why)
    why = why.rpartition("/scratch/")[2]  # the file's name in the sandbox
    return broken(
        rule,
        f"A transfer failed and the job is held: {why}; make every listed file before each exit "
        "with the checkpoint code and before the end.",
        held,
        "observed G41, G42",
    )


def starts_quickly(seen: Observed) -> Finding:
    rule, runs = "starts-quickly", [run for each in seen.everything for run in each.runs]
    wanted = seen.terms.wanted
    starts = [
        time for run in runs if run.begin is not Begin.COLD and (time := starting(run, wanted))
    ]
    cold = [time for run in runs if run.begin is Begin.COLD and (time := starting(run, wanted))]
    if not starts:
        return not_seen(
            rule, "No output or file showed when it computes after a restart; flush its output."
        )
    usual, least = median(starts), median(cold) if cold else 0
    kept = [run.exited - run.started for run in runs if run.sent]
    whole = median(kept) if kept else 0
    told = f"From a checkpoint it computes after {show(round(usual))}"
    if whole and usual > SHARE * whole and usual - least > SLOW:
        share = f"{usual / whole:.0%} of the time to the next checkpoint"
        told += f", {share}; checkpoint less often, or start faster."
        return costs(rule, told, [seen.reference])
    return holds(rule, f"{told}.")


def starting(run: Execution, wanted: Sequence[str] | None) -> int:
    """From its start to its first sign of life; 0 where there was none before its exit."""
    marked = any(word == "computing" for word, _ in run.marks)
    seen = computing(run, wanted, marked=marked)
    in_time = seen and run.exited and (marked or seen < run.exited - JUST_NOW)
    return max(1, seen - run.started) if in_time else 0


def checkpoint_size(seen: Observed) -> Finding:
    rule, sizes = "checkpoint-size", [run.bytes for run in seen.reference.runs if run.sent]
    if len(sizes) < 3:
        return not_seen(rule, f"{counted(len(sizes), 'checkpoint')}: too few to say.")
    told = f"From {show_size(sizes[0])} to {show_size(sizes[-1])} in {len(sizes)} checkpoints"
    if sizes == sorted(sizes) and sizes[-1] > GROWTH * sizes[0] and sizes[-1] - sizes[0] > GROWN:
        return costs(rule, f"{told}: later ones take longer to transfer.", [seen.reference])
    return holds(rule, f"{told}.", [seen.reference])


def leaves_no_process(seen: Observed) -> Finding:
    rule, left = "leaves-no-process", [each for each in seen.everything if each.left]
    if left:
        return broken(
            rule,
            f"After its exit there still ran: {listed(left[0].left)}; it may write to a checkpoint "
            "that is transferred already; wait for every child.",
            left,
        )
    return holds(rule, "Nothing of it ran after its exits.")


def outside_files(seen: Observed) -> Finding:
    rule, found = "outside-files", [each for each in seen.everything if each.outside]
    if found:
        return broken(
            rule,
            f"It writes {listed(found[0].outside)}, outside its sandbox, which is not there on the "
            "next machine; keep all it needs in its sandbox and in its lists.",
            found,
            "observed A4",
        )
    return holds(rule, "No file outside its sandbox that its program names was seen to change.")


# --- after a fault --------------------------------------------------------------------------------


def same_exit(seen: Observed) -> Finding:
    rule, found = "same-exit", [*seen.references[1:], *seen.evictions]
    if seen.reference.end != "completed" or not found:
        return not_seen(rule, "No trial without and with a fault to be compared.")
    other = [
        each
        for each in found
        if each.end == "cut short"
        or each.last_exit not in (seen.reference.last_exit, seen.terms.status)
    ]
    if other:
        return broken(
            rule,
            f"It {ended(other[0])}; expected as without faults, where it {ended(seen.reference)}.",
            other,
        )
    return holds(rule, f"It {ended(seen.reference)} in all of {len(found) + 1} runs.", found)


def same_output(seen: Observed) -> Finding:
    rule, found = "same-output", [each for each in seen.evictions if each.end == "completed"]
    if seen.reference.end != "completed" or not found:
        return not_seen(rule, "No trial without and with a fault to be compared.")
    wrong = [each for each in found if each.differing]
    if wrong:
        names = listed(name for each in wrong for name in each.differing)
        return broken(
            rule,
            f"{names}: not as without faults in {len(wrong)} of {counted(len(found), 'trial')}.",
            wrong,
        )
    if seen.unstable and not seen.compared:
        return not_seen(
            rule,
            f"{listed(seen.unstable)}: differs from run to run without any fault; say what is the "
            "same with --compare 'COMMAND {reference} {found}', or leave it out with --ignore.",
        )
    if not seen.reference.files:
        return not_seen(rule, "No file comes home but its standard output.")
    count = len(seen.reference.files)
    files = f"{counted(count, 'output file')} {'is' if count == 1 else 'are'}"
    how = "by the command given" if seen.compared else "byte for byte"
    return holds(rule, f"{files} the same {how} in {counted(len(found), 'trial')}.", found)


def same_stdout(seen: Observed) -> Finding:
    rule, terms = "same-stdout", seen.terms
    found = [
        each for each in (*seen.evictions, *seen.faults(Fault.GONE, Fault.OLDER)) if each.is_whole
    ]
    first, *others = seen.references
    if not terms.appends:
        return not_seen(rule, "HTCondor empties it at each start of such a job (observed A5).")
    if terms.on_evict:
        return not_seen(rule, "What it said before an eviction is kept, and may be said again.")
    if not found or any(each.stdout != first.stdout for each in others):
        return not_seen(rule, "It differs from run to run without any fault.")
    wrong = [each for each in found if each.stdout != first.stdout]
    if wrong:
        return broken(
            rule,
            f"It differs from that without faults in {len(wrong)} of "
            f"{counted(len(found), 'trial')}; what was said after the last checkpoint is forgotten "
            "and said anew, so it should not.",
            wrong,
            "observed A5",
        )
    return holds(rule, f"The same in {counted(len(found), 'trial')}.", found)


def goes_on(seen: Observed) -> Finding:
    """After an eviction work goes on from the checkpoint."""
    rule, terms = "goes-on", seen.terms
    found = [
        each
        for each in seen.evictions
        if each.end == "completed"
        and (terms.way is not Way.EVICTION or each.trial.name == "evicted")
    ]
    if not found:
        return not_seen(rule, "No trial ended in which it could have gone on.")
    over = [each for each in found if starts_over(terms, seen.reference, each)]
    if over:
        made = listed(name for each in seen.everything for name in each.unlisted)
        hint = f"; it makes files that are in no list: {made}" if made else ""
        last = over[0]
        commits = counted(last.hits[-1].commits, "checkpoint")
        later = counted(len(last.runs) - last.hits[-1].run - 1, "execution")
        return broken(
            rule,
            f"After a fault with {commits} committed it did all its work again, in {later} "
            f"(without faults {len(seen.reference.runs)} in all){hint}; expected it to go on from "
            "its checkpoint.",
            over,
            "observed A4, B14",
        )
    return holds(rule, f"It went on from its checkpoint in {counted(len(found), 'trial')}.", found)


def survives(rule: str, what: str, faults: Sequence[Fault], *, loudly: bool) -> Rule:
    """It ends as without faults after the checkpoint was tampered with, or fails and says so."""

    def judge(seen: Observed) -> Finding:
        found = seen.faults(*faults)
        if not found:
            return not_seen(rule, f"No trial with {what}.")
        failing = [each for each in found if failed(seen, each)]
        wrong = [
            each
            for each in found
            if (not loudly if failed(seen, each) else each.end != "completed" or each.differing)
        ]
        if wrong:
            first = wrong[0]
            told = f"differs in {listed(first.differing)}" if first.differing else ended(first)
            return broken(
                rule,
                f"With {what} it {told}; expected the result without faults"
                f"{', or an end with an error' if loudly else ''}.",
                wrong,
            )
        if failing:
            return holds(rule, f"With {what} it {ended(failing[0])}: it fails, and says so.", found)
        return holds(rule, f"With {what} it ends with the same result.", found)

    return judge


def failed(seen: Observed, outcome: Outcome) -> bool:
    """Did it end with an error that it has not without faults? Then it says so."""
    usual = (0, seen.terms.status, seen.reference.last_exit)
    return outcome.end != "cut short" and outcome.last_exit not in usual


def soft_kill(seen: Observed) -> Finding:
    rule, found = "soft-kill", [each for each in seen.faults(Fault.EVICTED) if each.signalled]
    if not found:
        return not_seen(rule, "No trial in which SIGTERM was sent to it.")
    deaf = [each for each in found if took(each) >= seen.terms.grace]
    if deaf:
        grace = show(seen.terms.grace)
        told = f"It ran on after SIGTERM for the whole grace of {grace} and was killed; that time "
        if seen.terms.on_evict:
            return broken(
                rule,
                f"{told}is lost, and so is what it saved: nothing is transferred then.",
                deaf,
                "observed C23",
            )
        return costs(rule, f"{told}is lost.", deaf, "observed C23")
    longest = max(took(each) for each in found)
    return holds(rule, f"It ended within {show(longest)} of SIGTERM.", found)


def took(outcome: Outcome) -> int:
    """From SIGTERM to the end of that execution."""
    hit = outcome.runs[outcome.hits[-1].run]
    return max(0, hit.exited - outcome.signalled)


def kill_save(seen: Observed) -> Finding:
    rule, found = "kill-save", [each for each in seen.faults(Fault.EVICTED) if each.saved]
    if not found:
        return not_seen(rule, "It changes no checkpoint when it is sent SIGTERM.")
    if seen.terms.on_evict:
        return holds(rule, "What it saves on SIGTERM is transferred.", found)
    return costs(
        rule,
        "What it saves on SIGTERM is thrown away; set when_to_transfer_output = ON_EXIT_OR_EVICT, "
        "or save nothing then.",
        found,
        "observed C21",
    )


def atomic_write(seen: Observed) -> Finding:
    """An eviction in the midst of a write must leave a checkpoint that it can use."""
    rule = "atomic-write"
    if not seen.terms.on_evict:
        return not_seen(
            rule,
            "No matter: with ON_EXIT a file cut off in the midst of a write is never transferred.",
        )
    found = [each for each in seen.evictions if each.trial.name.startswith("change-")]
    if not found:
        return not_seen(rule, "No trial with an eviction in the midst of a write.")
    wrong = [
        each
        for each in found
        if each.end != "completed"
        or each.last_exit != seen.reference.last_exit
        or each.differing
        or starts_over(seen.terms, seen.reference, each)
    ]
    if wrong:
        return broken(
            rule,
            f"Evicted in the midst of a write it {ended(wrong[0])}, and its work is lost or wrong "
            f"in {len(wrong)} of {counted(len(found), 'trial')}; write to another name and rename.",
            wrong,
            "observed C25",
        )
    return holds(
        rule, f"There was a checkpoint it could use at each of {len(found)} changes.", found
    )


def stale_files(seen: Observed) -> Finding:
    rule, found = "stale-files", [each for each in seen.everything if each.stale]
    if not found:
        return holds(rule, "No file of an earlier checkpoint came back.")
    wrong = [
        each
        for each in found
        if each.hits
        and (
            each.differing
            or each.last_exit != seen.reference.last_exit
            or each.end != "completed"
            or starts_over(seen.terms, seen.reference, each)
        )
    ]
    names = listed(found[0].stale)
    if wrong:
        return broken(
            rule,
            f"{names}, deleted before the last checkpoint, came back and the result was another; "
            "use one name, or a directory.",
            wrong,
            "observed B13",
        )
    return costs(
        rule,
        f"{names}, deleted before the last checkpoint, come back at each start; use one name, or a "
        "directory.",
        found,
        "observed B13",
    )


RULES: tuple[Rule, ...] = (
    makes_checkpoints,
    ends,
    checkpoint_exit,
    listed_files,
    goes_on,
    same_exit,
    same_output,
    same_stdout,
    atomic_write,
    survives("torn-checkpoint", "a torn checkpoint", TORN, loudly=True),
    survives("without-checkpoint", "its checkpoint gone", (Fault.GONE,), loudly=False),
    survives("older-checkpoint", "an older checkpoint", (Fault.OLDER,), loudly=False),
    stale_files,
    leaves_no_process,
    soft_kill,
    kill_save,
    starts_quickly,
    checkpoint_size,
    outside_files,
)
