"""A submit file with other values for some of its commands, all else of its text as it was."""

import re
from collections.abc import Iterator, Mapping
from difflib import unified_diff

from ckptsim.htcondor.jobcommands import SAME
from ckptsim.htcondor.submitfile import Statement, statements

_GIVEN = re.compile(
    r"(?P<lead>\s*)(?P<name>(?:\+|my\.)?[A-Za-z_][\w.]*)(?P<sign>\s*)@?=", re.IGNORECASE
)
_QUEUE = re.compile(r"queue\b", re.IGNORECASE)


def edited(text: str, values: Mapping[str, str | None]) -> str:
    """The text with these commands, or own attributes as `+Name`, set; None takes one out.

    One that is there is set where it stands last, which is what HTCondor goes by, in its spelling;
    one that is not stands before `queue`. Comments, order and all other lines stay.
    """
    lines = text.splitlines()
    left = {plain(name): (name, value) for name, value in values.items()}
    given = [(found, name) for found in statements(text) if (name := name_of(found.text)) in left]
    last = {name: found for found, name in given}
    for found, name in reversed(given):
        value = left[name][1]
        if value is None:
            del lines[found.line - 1 : found.last_line]
        elif found is last[name]:
            lines[found.line - 1 : found.last_line] = [set_to(lines[found.line - 1], value)]
    new = [f"{name} = {value}" for at, (name, value) in left.items() if value and at not in last]
    before = queue_at(statements("\n".join(lines)))
    return "\n".join([*lines[:before], *new, *lines[before:]]) + "\n"


def plain(name: str) -> str:
    """A command by the one of its names that stands for all."""
    bare = name.casefold()
    bare = f"my.{bare[1:]}" if bare.startswith("+") else bare
    return SAME.get(bare, bare)


def name_of(statement: str) -> str:
    """The command that a statement sets; "" of another one."""
    found = _GIVEN.match(statement)
    return plain(found["name"]) if found else ""


def set_to(line: str, value: str) -> str:
    """The first line of a command with another value, written as it was."""
    found = _GIVEN.match(line)
    assert found is not None, "a statement that sets a command"
    return f"{found['lead']}{found['name']}{found['sign']}= {value}"


def queue_at(found: Iterator[Statement]) -> int:
    """The place of the line `queue`."""
    return next(each.line - 1 for each in found if _QUEUE.match(each.text))


def difference(old: str, new: str, old_name: str, new_name: str) -> str:
    """What was changed, as `diff -u` tells it."""
    lines = unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm="")
    return "".join(f"{line}\n" for line in lines)
