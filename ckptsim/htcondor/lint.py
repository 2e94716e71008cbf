"""What a submit file says of checkpoints that will surprise its author: the rules, in their order.

Each was seen on a real HTCondor (`source`: the rule and the run of htcondor-observed.md), or is
told as what cannot be seen from the text.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ckptsim.findings import Finding
from ckptsim.htcondor import lint_exits as exits
from ckptsim.htcondor import lint_files as files
from ckptsim.htcondor import lint_limits as limits
from ckptsim.htcondor.lint_job import Conditions, Job, Said
from ckptsim.htcondor.submitfile import SubmitError, SubmitFile, bindings, read_text

__all__ = ["RULES", "Conditions", "SubmitError", "lint"]


class Rule(NamedTuple):
    """A rule's name, the function that judges a job by it, and who says so."""

    name: str
    judge: Callable[[Job], Said | None]  # None: it does not apply
    source: str


RULES = (
    Rule("way-to-checkpoint", exits.way_to_checkpoint, "observed A8, B16, runs m1, z2"),
    Rule("checkpoint-code", exits.checkpoint_code, "observed A7, run m5"),
    Rule("exit-signal-number", exits.exit_signal_number, "observed H43, runs f1, f2"),
    Rule("exit-signal-partners", exits.exit_signal_partners, "observed H43, runs f2, f3"),
    Rule("one-checkpoint-exit", exits.one_checkpoint_exit, "observed H43, run f4"),
    Rule("asked-checkpoint-exit", exits.asked_checkpoint_exit, "observed H44, runs j2, j4"),
    Rule("checkpoint-signal", exits.checkpoint_signal, "observed H44, runs j1, j3"),
    Rule("early-exit-input", exits.early_exit_input, "observed H45, runs k1, k2"),
    Rule("early-exit-first-input", exits.early_exit_first_input, "observed H45, run k2"),
    Rule("early-exit-with-code", exits.early_exit_with_code, "observed H45, run k5"),
    Rule("files-listed", files.files_listed, "observed B15, run z5"),
    Rule("paths-kept", files.paths_kept, "observed B14, runs z3, z4"),
    Rule("stale-names", files.stale_names, "observed B13, runs t, t2"),
    Rule("results-at-checkpoint", files.results_at_checkpoint, "observed G41, runs l1, l2"),
    Rule("checkpoint-at-end", files.checkpoint_at_end, "observed G42, run l3"),
    Rule("input-named-alike", files.input_named_alike, "observed B16, run z1"),
    Rule("own-targets", files.own_targets, "condor_submit's manual, $(Process)"),
    Rule("output-kept", files.output_kept, "observed A5, H45, runs g1, k2"),
    Rule("saved-at-eviction", files.saved_at_eviction, "observed C21, runs x1, x3"),
    Rule("whole-at-eviction", files.whole_at_eviction, "observed C25, run h"),
    Rule("grace-enough", limits.grace_enough, "observed C23, runs g2, g3, g7"),
    Rule("execute-duration", limits.execute_duration, "observed E32, runs n2, n3"),
    Rule("job-duration", limits.job_duration, "observed E31, run n1"),
    Rule("pool-limit", limits.pool_limit, "observed D30, run n4"),
    Rule("periodic-hold", limits.periodic_hold, "observed E33, run n7"),
    Rule("periodic-remove", limits.periodic_remove, "observed E33"),
    Rule("periodic-vacate", limits.periodic_vacate, "observed E33, run n8"),
    Rule("claim-worklife", limits.claim_worklife, "observed D28, runs e7, e10"),
    Rule("transfer-queue", limits.transfer_queue, "observed A2, run e11"),
)


def lint(source: Path | str, conditions: Conditions) -> list[Finding]:
    """Judge a submit file, or its text: one finding a rule that applies, in a fixed order.

    Names in it begin where condor_submit would be called: in the working directory.

    Raises:
        SubmitError: it cannot be read, or HTCondor would not take it; with file and line.

    """
    bindings()
    job = Job(SubmitFile(*read_text(source), Path.cwd()), conditions)
    judged = ((rule, rule.judge(job)) for rule in RULES)
    return [
        Finding(rule.name, said.verdict, said.told, job.place(said.at), rule.source)
        for rule, said in judged
        if said
    ]
