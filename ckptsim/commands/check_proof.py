"""The proof of what `ckptsim check` found broken: a folder, written whole or not at all."""

import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import path as paths
from pathlib import Path

from ckptsim.check import REFERENCES, Outcome
from ckptsim.check_rules import Observed, ended
from ckptsim.commands.check_job import HOME
from ckptsim.commands.measure_job import Subject
from ckptsim.errors import OutputError
from ckptsim.findings import Finding, Verdict
from ckptsim.report import cannot_write, ready

PAGE = "check.txt"
STANDARD = ("out", "err", "log")
KEPT_MOST = 2  # trials of one rule
AGAIN = "again.txt"


def usual_folder(subject: Subject) -> Path:
    """Where the proof goes if nobody says where."""
    return Path("reports") / f"check-{Path(subject.name).stem}"


@dataclass
class Place:
    """The folder; with `always` also where nothing is broken."""

    folder: Path
    always: bool
    written: bool = False

    def refuse(self) -> None:
        """A folder that is somebody else's, or cannot be written to; raises OutputError."""
        there = paths.lexists(self.folder)
        if there and not (self.folder.is_dir() and self.is_ours()):
            raise OutputError(
                f"{self.folder}: exists and is not of an earlier check; choose another with --out"
            )
        ready(self.folder)

    def is_ours(self) -> bool:
        return (self.folder / PAGE).exists() or not any(self.folder.iterdir())

    def kept(self, findings: Sequence[Finding], observed: Observed, trials: Path) -> list[Finding]:
        """Write what proves the findings; they come back with the names of the files."""
        broken = [each for each in findings if each.verdict is Verdict.BROKEN]
        if not broken and not self.always:
            return list(findings)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder.parent, prefix=".check-") as aside:
                made = Path(aside) / "proof"
                made.mkdir()
                proven = [proof(made, each, observed, trials) for each in findings]
                (made / PAGE).write_text(page(proven))
                if self.folder.exists():
                    shutil.rmtree(self.folder)
                made.rename(self.folder)
        except OSError as error:
            raise cannot_write(self.folder, error) from None
        self.written = True
        return proven


def proof(made: Path, finding: Finding, observed: Observed, trials: Path) -> Finding:
    """Copy the runs in which a broken rule was seen, and the one without faults beside them."""
    if finding.verdict is not Verdict.BROKEN:
        return finding
    by_name = {each.trial.name: each for each in observed.everything}
    seen = [by_name[name] for name in finding.where.split(", ") if name in by_name]
    seen = seen[:KEPT_MOST]
    folder = made / finding.rule
    runs = {each.trial: each for each in (observed.reference, *seen)}
    for trial in runs:
        copied(trials / trial.name, folder / trial.name)
    folder.mkdir(exist_ok=True)
    (folder / AGAIN).write_text(again(finding, seen))
    files = (str(path.relative_to(made)) for path in sorted(folder.rglob("*")) if path.is_file())
    return finding._replace(proof=tuple(files))


def copied(source: Path, target: Path) -> None:
    """A trial's standard files, event log and output."""
    target.mkdir(parents=True, exist_ok=True)
    for name in STANDARD:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    if (source / HOME).is_dir():
        shutil.copytree(source / HOME, target / "output", symlinks=True, dirs_exist_ok=True)


def again(finding: Finding, seen: Sequence[Outcome]) -> str:
    """What was seen, and the command that shows it once more."""
    faults = [each.trial.name for each in seen if each.trial not in REFERENCES]
    lines = [f"{finding.rule}: {finding.told}", ""]
    lines += [f"{each.trial.name}: {each.trial.fault}; it {ended(each)}" for each in seen]
    lines += ["", "To see it again:", "", f"    {command(faults)}", ""]
    return "\n".join(lines)


def command(trials: Sequence[str]) -> str:
    """The command as it was typed, for these trials alone."""
    words = ["ckptsim", *sys.argv[1:]]
    end = words.index("--") if "--" in words else len(words)
    only = ["--trials", ",".join(trials)] if trials else []
    return shlex.join([*words[:end], *only, *words[end:]])


def page(findings: Sequence[Finding]) -> str:
    rows = (f"{each.verdict}: {each.rule}: {each.told} [{each.where}]" for each in findings)
    return "\n".join([command(()), "", *rows, ""])
