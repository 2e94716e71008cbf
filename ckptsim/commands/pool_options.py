"""What the commands of a pool on this machine share: where it is, and which job is meant."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ckptsim.drivers.real.control import PoolError, ask

ANSWER_S = 30.0
"""How long to wait for an answer that should come at once."""

ENDED = ("completed", "removed")
_ID = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")

Job = dict[str, Any]
"""A job as the pool tells it."""

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path(".ckptsim"),
    show_default=True,
    envvar="CKPTSIM_STATE",
    show_envvar=True,
    metavar="DIR",
    help="Where the pool keeps its state.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def ids(given: Sequence[str]) -> list[str]:
    """The ids as they were typed, if they are ids."""
    for word in given:
        if not _ID.fullmatch(word):
            raise PoolError(f"{word!r}: no job's id; expected for example 7.0, or 7 for all of 7")
    return list(given)


def jobs(state: Path, given: Sequence[str]) -> list[Job]:
    """The jobs of those ids; of none, all there are."""
    found: list[Job] = ask(state, {"do": "jobs", "jobs": ids(given) or None}, ANSWER_S)["jobs"]
    return found


def one(state: Path, given: str) -> Job:
    """The one job that is meant; raises PoolError where a cluster has several."""
    found = jobs(state, [given])
    if not found:
        raise PoolError(f"there is no job {given} in {state}")
    if len(found) > 1:
        raise PoolError(
            f"cluster {given} has {len(found)} jobs; name one, for example {found[0]['id']}"
        )
    return found[0]


def several(act: Callable[[str], None], given: Sequence[str]) -> None:
    """Do it to one id after the other, once all of them are ids."""
    for word in ids(given):
        act(word)
