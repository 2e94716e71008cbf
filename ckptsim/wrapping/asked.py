"""What a wrapper is to do, as its user asks for it: checked here, before anything is written."""

import re
import shlex
import signal
from typing import NamedTuple

from ckptsim import units
from ckptsim.errors import CkptsimError, ScenarioError, nearest
from ckptsim.units import SECOND

QUIET = "quiet=2s"
COMPLETE = ("quiet", "marker", "says", "command")
DONE = ("file", "says", "command")
Sign = dict[str, object]


class Asked(NamedTuple):
    """The options of `ckptsim wrap`, but for the plan."""

    checkpoint: tuple[str, ...] = ()
    carry: tuple[str, ...] = ()
    newest: int | None = None
    complete: str | None = None
    done: str | None = None
    codes: tuple[int, ...] = ()
    save_on: str | None = None
    steps: tuple[str, ...] = ()
    stop_with: str = "TERM"
    patience: str = "10min"
    continue_with: str | None = None
    continue_adding: str | None = None
    every: int | None = None
    previous: bool = True


def settings(asked: Asked, name: str) -> dict[str, object]:
    """The wrapper's settings; raises ScenarioError."""
    way = way_of(asked)
    if not asked.checkpoint and way != "steps":
        raise ScenarioError(
            "--checkpoint: which files are its checkpoint? For example --checkpoint 'state*.ckpt'"
        )
    return {
        "way": way,
        "checkpoint": list(asked.checkpoint or ["*"]),
        "carry": list(asked.carry),
        "newest": asked.newest,
        "complete": complete_of(asked, way),
        "done": sign("--done", asked.done, DONE) if asked.done else {},
        "codes": list(asked.codes or (0,)),
        "steps": list(asked.steps),
        "signal": signal_name("--save-on", asked.save_on or "TERM"),
        "stop": signal_name("--stop-with", asked.stop_with),
        "patience_s": time_s("--patience", asked.patience),
        "continue_with": words(asked.continue_with),
        "continue_adding": words(asked.continue_adding) or [],
        "every": asked.every,
        "previous": asked.previous,
        "kept": f"{name}.kept",
        "journal": f"{name}.journal",
    }


def way_of(asked: Asked) -> str:
    """How the program checkpoints, by the options given."""
    ways = {
        "steps": ("--commands", asked.steps),
        "ends": ("--done", asked.done or (asked.codes and not asked.save_on)),
        "told": ("--save-on", asked.save_on),
    }
    found = [way for way, (_, given) in ways.items() if given]
    if len(found) > 1:
        first, second = (ways[way][0] for way in found[:2])
        raise ScenarioError(f"{first} and {second}: a program checkpoints in one way; give one")
    if found and found[0] in ("steps", "ends") and asked.complete:
        raise ScenarioError(f"--complete: has no effect with {ways[found[0]][0]}; leave it out")
    return found[0] if found else "watch"


def complete_of(asked: Asked, way: str) -> Sign:
    """What shows that a checkpoint is complete; of who ends when it is, that it has ended."""
    if asked.complete is None and way == "told":
        return {}
    return sign("--complete", asked.complete or QUIET, COMPLETE)


def sign(option: str, text: str, kinds: tuple[str, ...]) -> Sign:
    """A sign as the wrapper reads it, of `marker=FILE` and its like."""
    kind, equals, value = text.partition("=")
    if not equals or not value or kind not in kinds:
        known = ", ".join(f"{each}=…" for each in kinds)
        raise ScenarioError(f"{option} {text}: expected one of {known}{nearest(kind, kinds)}")
    if kind == "quiet":
        return {"quiet_s": time_s(option, value)}
    if kind == "says":
        try:
            re.compile(value)
        except re.error as error:
            raise ScenarioError(f"{option} {text}: no regular expression: {error}") from None
    return {kind: value}


def time_s(option: str, text: str) -> float:
    try:
        return units.duration(text) / SECOND
    except CkptsimError as error:
        raise ScenarioError(f"{option}: {error}") from None


def signal_name(option: str, text: str) -> str:
    """A signal's name without SIG."""
    name = text.upper().removeprefix("SIG")
    known = [each.name.removeprefix("SIG") for each in signal.Signals]
    if name not in known:
        raise ScenarioError(f"{option} {text}: no such signal{nearest(name, known)}")
    if name in ("KILL", "STOP"):
        raise ScenarioError(f"{option} {text}: no program can save on it; write for example TERM")
    return name


def words(text: str | None) -> list[str] | None:
    """The words of a line as a shell splits it."""
    try:
        return None if text is None else shlex.split(text)
    except ValueError as error:
        raise ScenarioError(f"{text}: cannot be split into words: {error}") from None


def planned(answers: list[dict[str, object]], asked: Asked) -> dict[str, object]:
    """The settings of a plan; raises ScenarioError where they go together with nothing."""
    if answers and asked.every:
        raise ScenarioError("--every: has no effect beside a plan or --interval; leave one out")
    if asked.save_on and not answers:
        raise ScenarioError("--save-on: when is it to save? Give --interval, or what a plan needs")
    return {"answers": answers}
