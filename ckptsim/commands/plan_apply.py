"""`plan --apply JOB.sub`: a new submit file, and wrapper, with the answer in it."""

import ast
import re
import time
from pathlib import Path
from typing import NamedTuple

from ckptsim import units
from ckptsim.commands.wrap import write_new
from ckptsim.errors import CkptsimError
from ckptsim.htcondor.submit import read_all
from ckptsim.htcondor.submitedit import difference, edited
from ckptsim.htcondor.submitfile import SubmitError, SubmitFile
from ckptsim.scenario import Scenario
from ckptsim.units import HOUR, MINUTE, SECOND, show
from ckptsim.wrapping.answers import answers
from ckptsim.wrapping.asked import Asked, settings
from ckptsim.wrapping.written import checkpointing, from_file, wrapper

MACRO = re.compile(r"(?:.*_)?interval(?:_(?P<unit>s|sec|min|h))?")
UNITS = {"s": SECOND, "sec": SECOND, "min": MINUTE, "h": HOUR}
SETTINGS = re.compile(r"^SETTINGS = (\{.*?^\})$", re.MULTILINE | re.DOTALL)
HOW = (
    "nothing tells how its program learns when to checkpoint. If it is told its interval, give "
    "that by a macro, as `interval_min = 60` and `arguments = --every $(interval_min)`; else "
    "wrap it first: ckptsim wrap --help"
)


class Applied(NamedTuple):
    """New files by name, and what tells them from those there were."""

    files: dict[Path, bytes]
    how: str
    difference: str


def write_applied(applied: Applied) -> list[str]:
    """Write the files, over none that is there, and tell of them; raises OutputError."""
    for path in write_new(applied.files, force=False):
        if path.suffix == ".py":
            path.chmod(0o755)
    written = f"Written: {', '.join(map(str, applied.files))}"
    return ["", f"Applied: {applied.how}", "", applied.difference.rstrip("\n"), "", written]


def applied(path: Path, scenario: Scenario, interval: int) -> Applied:
    """The answer put into a submit file: where its program is told it, or by a wrapper.

    `interval` in ns. Raises SubmitError where neither can be, ScenarioError where a wrapper cannot
    follow such a plan.
    """
    read_all(path, Path.cwd(), 1, int(time.time()))
    text = path.read_text(encoding="utf-8")
    file = SubmitFile(text, path.name, Path.cwd())
    found = wrapped(file)
    if found:
        return by_wrapper(path, text, file, found | {"answers": answers(scenario)})
    macro = macro_of(file)
    if macro:
        return by_macro(path, text, file, macro, interval)
    made = settings(asked_of(file), path.stem)
    return by_wrapper(path, text, file, made | {"answers": answers(scenario)})


def macro_of(file: SubmitFile) -> str:
    """The macro that tells the program its interval; "" if there is none."""
    return next((name for name in file.values if MACRO.fullmatch(name) and name in file.used), "")


def by_macro(path: Path, text: str, file: SubmitFile, macro: str, interval: int) -> Applied:
    """The macro with another value, in the unit that it had."""
    old = file.values[macro].strip()
    value = in_unit(file, macro, old, interval)
    new = edited(text, {file.spelt(macro): value})
    made = path.with_name(f"{path.stem}.planned.sub")
    how = f"`{file.spelt(macro)}` is {value}, {show(interval)} of computing, not {old}."
    return Applied({made: new.encode()}, how, difference(text, new, str(path), str(made)))


def in_unit(file: SubmitFile, macro: str, old: str, interval: int) -> str:
    found = MACRO.fullmatch(macro)
    unit = found["unit"] if found else None
    if unit:
        return f"{interval / UNITS[unit]:.6g}"
    try:
        units.duration(old)
    except CkptsimError:
        name = file.spelt(macro)
        raise SubmitError(
            f"{file.place(macro)}: `{name} = {old}`: in what unit? Name it {name}_s, {name}_min or "
            f"{name}_h, or write it as 60min"
        ) from None
    return units.spelled(interval)


def wrapped(file: SubmitFile) -> dict[str, object]:
    """The settings of a job that runs a wrapper of ours; none of another."""
    text = (file.folder / file.values["executable"]).read_text(encoding="utf-8", errors="replace")
    found = SETTINGS.search(text)
    if not found or "# --- end of settings ---" not in text:
        return {}
    made: dict[str, object] = ast.literal_eval(found[1])
    return made


def asked_of(file: SubmitFile) -> Asked:
    """How a job that checkpoints on a signal is wrapped; raises SubmitError of another."""
    given = "my.wantcheckpointsignal" in file.values and "my.checkpointsig" in file.values
    listed = file.values.get("transfer_checkpoint_files") or file.values.get(
        "transfer_output_files", ""
    )
    patterns = tuple(filter(None, re.split(r"[\s,]+", listed)))
    if not given or not patterns:
        raise SubmitError(f"{file.name}: {HOW}")
    return Asked(checkpoint=patterns, save_on=file.expanded("my.checkpointsig").strip('"'))


def by_wrapper(path: Path, text: str, file: SubmitFile, made: dict[str, object]) -> Applied:
    """The job with a wrapper, in the place of the one it has if it has one."""
    sub, program = (path.with_name(f"{path.stem}.planned.{kind}") for kind in ("sub", "py"))
    values = checkpointing(made)
    if wrapped(file):
        changed: dict[str, str | None] = {"executable": str(program), "on_exit_remove": None}
        new = edited(text, changed | values)
    else:
        new = from_file(file, text, str(program), values)
    how = f"{program.name} has the plan, for what checkpoints turn out to cost and for the clock."
    content = {program: wrapper(made), sub: new.encode()}
    return Applied(content, how, difference(text, new, str(path), str(sub)))
