"""The answer ready for use: a submit description and a wrapper that knows when to checkpoint."""

import re
from collections.abc import Iterator
from pathlib import Path

from ckptsim.policy import Policy
from ckptsim.rules import NEVER, Row
from ckptsim.units import SECOND, show

TEMPLATES = Path(__file__).parent / "templates"
FIELD = re.compile("@([a-z]+)@")

LEAVING = """\
# With this one, right after a checkpoint, it leaves the slot and is queued again. All that is in
# transfer_output_files must be there then too.
on_exit_remove = ExitCode =!= 77

"""


def files(
    interval: int, policy: Policy, name: str, *, restart: int = 0, command: str = "ckptsim plan"
) -> dict[str, bytes]:
    """The two files by name; times in ns, `restart` from a program's start to its computing on."""
    values = {
        "name": in_a_comment(name),
        "command": in_a_comment(command),
        "interval": told(interval),
        "every": show(interval),
        "restart": told(restart),
        "table": "\n".join(table(policy.rows)),
        "leave": "None" if policy.leave_after is None else told(policy.leave_after),
        "byage": str(policy.leave_after is not None),  # only the table knows when to leave
        "leaving": "" if policy.leave_after is None else LEAVING,
    }
    return {path.stem: filled(path, values) for path in sorted(TEMPLATES.glob("*.in"))}


def filled(template: Path, values: dict[str, str]) -> bytes:
    text = template.read_text(encoding="utf-8")
    return FIELD.sub(lambda field: values[field[1]], text).encode()


def in_a_comment(text: str) -> str:
    """The text on one line, so that it does not end the comment that it stands in."""
    return " ".join(text.split())


def table(rows: tuple[Row, ...]) -> Iterator[str]:
    for row in rows:
        yield f"    ({', '.join(map(told, row))}),"


def told(time: int) -> str:
    """A time in seconds, as Python reads it."""
    return "None" if time == NEVER else str(round(time / SECOND, 3))
