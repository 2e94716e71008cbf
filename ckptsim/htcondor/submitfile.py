"""The text of a submit file: its lines, its macros and its queue statement.

HTCondor's own parser (`htcondor2.Submit`) reads the lines and expands the macros. Added here is
what it leaves out or does badly (htcondor-rules.md 9.2): the line of an error, statements after
the first `queue`, items and their slices, the variables of each job, and macros that name
themselves, on which it runs for ever.
"""

import contextlib
import importlib
import os
import re
import shlex
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim.errors import CkptsimError
from ckptsim.htcondor.jobcommands import classads

NO_WHEEL = "real-process mode needs HTCondor's Python bindings: pip install 'ckptsim[real]'"
# The most jobs of one submit file: HTCondor's MAX_JOBS_PER_SUBMISSION.
MOST_JOBS = 20_000

_ASSIGNED = re.compile(r"\s*(\+|my\.)?([A-Za-z_][\w.]*)\s*(@)?=\s*(.*)", re.IGNORECASE | re.DOTALL)
_QUEUE = re.compile(r"\s*queue(?:\s+(.*))?$", re.IGNORECASE | re.DOTALL)
_QUEUE_PARTS = re.compile(
    r"(?P<head>.*?)(?:(?:^|(?<=\s))(?P<mode>in|from|matching)(?=[\s(\[]|$)\s*"
    r"(?P<kind>(?:files|dirs|any)(?=[\s(\[]))?\s*(?P<slice>\[[^]]*\])?\s*(?P<items>.*))?$",
    re.IGNORECASE | re.DOTALL,
)
_VARIABLES = re.compile(r"(?:^|(?<=\s))[A-Za-z_]\w*(?:[\s,]+[A-Za-z_]\w*)*$")
_SLICE = re.compile(r"\[\s*(-?\d*)\s*(:)?\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?\]")
_FUNCTION = re.compile(r"(?<!\$)\$[A-Za-z_]+\(")
# A macro's use, `$(x)`, `$(x:default)` or a function of it, `$F(x)`; not `$$(x)`, `$ENV(x)`.
_USED = re.compile(r"(?<!\$)\$(?!ENV\b|RANDOM_)[A-Za-z_]*\(\s*([A-Za-z_][\w.]*)")


class SubmitError(CkptsimError):
    """A submit file that HTCondor or ckptsim's pool does not take."""


class Statement(NamedTuple):
    """One statement, its continuation lines joined, and the number of its first line, from 1."""

    line: int
    last_line: int
    text: str


def bindings() -> Any:
    """The module `htcondor2`, loaded without its warnings about a missing configuration.

    Raises:
        SubmitError: it is not installed.

    """
    before = os.environ.get("CONDOR_CONFIG")
    os.environ["CONDOR_CONFIG"] = "/dev/null"  # this machine's own pool has no say here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("htcondor2")
    except ImportError:
        raise SubmitError(NO_WHEEL) from None
    finally:
        del os.environ["CONDOR_CONFIG"]
        if before is not None:
            os.environ["CONDOR_CONFIG"] = before


def read_text(source: Path | str) -> tuple[str, str]:
    """A submit file's text, or the text itself, and its name for people; raises SubmitError."""
    if isinstance(source, str):
        return source, "submit description"
    try:
        return source.read_text(encoding="utf-8"), str(source)
    except OSError as error:
        raise SubmitError(f"{source}: {error.strerror}; expected a submit file") from None
    except UnicodeDecodeError:
        raise SubmitError(f"{source}: is not text; expected a submit file") from None


def statements(text: str) -> Iterator[Statement]:
    """Statements of a submit file, without comments; `name @=tag … @tag` is one, items are none."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        first, until = at, _end(lines, at)
        joined = " ".join(part.rstrip("\\").strip() for part in lines[at:until])
        at = until
        if not joined or joined.startswith("#"):
            continue
        yield Statement(first + 1, until, joined)
        if _QUEUE.match(joined) and _is_open(joined):
            at = next(
                (n + 1 for n in range(at, len(lines)) if lines[n].strip()[:1] == ")"), len(lines)
            )


def _end(lines: list[str], at: int) -> int:
    """Where the statement that starts at this line is over."""
    match = _ASSIGNED.match(lines[at])
    if match and match[3]:
        tag = "@" + match[4].strip()
        return next((n + 1 for n in range(at + 1, len(lines)) if lines[n].strip() == tag), at + 1)
    if lines[at].lstrip().startswith("#"):
        return at + 1
    while lines[at].rstrip().endswith("\\") and at + 1 < len(lines):
        at += 1
    return at + 1


def _is_open(queue: str) -> bool:
    return "(" in queue and queue.rstrip().endswith("(")


class SubmitFile:
    """A submit file whose macros can be expanded, job by job."""

    def __init__(self, text: str, name: str, folder: Path) -> None:
        """Parse the text of the file called `name` in errors; names in it are under `folder`.

        Raises:
            SubmitError: it cannot be parsed, or has no `queue` at its end.

        """
        self.name, self.folder, self._text = name, folder, text
        self._statements = list(statements(text))
        self._check_queues()
        self._check_circles([s.text for s in self._statements])
        self._submit = self._parsed()
        self.values: dict[str, str] = {k.casefold(): v for k, v in self._submit.items()}
        self._check_circles(_assignments(self.values))

    def spelt(self, command: str) -> str:
        """Give a name as the file spells it; attributes keep their capitals in ads."""
        return next(str(name) for name in self._submit if name.casefold() == command)

    def error(self, command: str, message: str) -> SubmitError:
        """An error about a command, with the line on which it was last given."""
        return SubmitError(f"{self.place(command)}: {message}")

    def place(self, command: str) -> str:
        """`job.sub:7`; without a line where the command stands in an included file."""
        line = self.lines.get(command.casefold())
        return f"{self.name}:{line}" if line else self.name

    @cached_property
    def lines(self) -> dict[str, int]:
        """The line of each name's last value; names in lower case, `+X` as `my.x`."""
        found = dict[str, int]()
        for statement in self._statements:
            if match := _ASSIGNED.match(statement.text):
                found[("my." if match[1] else "") + match[2].casefold()] = statement.line
        return found

    @cached_property
    def used(self) -> frozenset[str]:
        """Names of macros that are used somewhere, in lower case."""
        return frozenset(_names(self._text))

    def expanded(self, command: str) -> str:
        """Give a command's value for the present job; raises SubmitError."""
        value = self.values[command.casefold()]
        try:
            return str(self._submit.expand(command)).strip()
        except (KeyError, ValueError):
            if not _FUNCTION.search(self._with_macros(value)):
                return ""  # the parser says the same of an empty value
            raise self.error(command, f"a macro in {value!r} cannot be expanded") from None

    def _with_macros(self, value: str) -> str:
        """A value and those of all macros in it."""
        needs = {name: _names(other) for name, other in self.values.items()}
        reached = _reached(needs | {"": _names(value)}, "")
        return "\n".join([value, *(self.values.get(name, "") for name in reached)])

    def jobs(self, cluster: int, submitted_at: int) -> Iterator[int]:
        """Yield the number of each job, from 0, with the macros set to it."""
        names, items, count = self._queued()
        if not 0 < len(items) * count <= MOST_JOBS:
            expected = f"expected from 1 to {MOST_JOBS} jobs"
            raise self._queue_error(f"this would be {len(items) * count} jobs; {expected}")
        self._set_macros(_of_submission(cluster, submitted_at))
        for row, item in enumerate(items):
            given = dict(zip(names, _split_item(item, len(names)), strict=True))
            if "$" in item:
                self._check_circles(_assignments(self.values | given))
            for step in range(count):
                proc = row * count + step
                self._set_macros(given | _of_job(proc, step, row))
                yield proc

    def _parsed(self) -> Any:
        submit = bindings().Submit
        with contextlib.chdir(self.folder):
            try:
                return submit(self._text)
            except ValueError:
                raise self._first_unparsed(submit) from None

    def _first_unparsed(self, submit: Any) -> SubmitError:
        """The parser tells no line: find the shortest part of the file that it refuses."""
        lines = self._text.splitlines()
        for statement in self._statements:
            try:
                submit("\n".join(lines[: statement.last_line]) + "\n")
            except ValueError:
                return SubmitError(
                    f"{self.name}:{statement.line}: {statement.text[:60]!r} cannot be read;"
                    " expected `name = value`, `if`, `include` or `queue` (comments on lines of"
                    " their own)"
                )
        return SubmitError(f"{self.name}: cannot be read by HTCondor's parser")

    def _check_queues(self) -> None:
        queues = [s for s in self._statements if _QUEUE.match(s.text)]
        if not queues:
            raise SubmitError(f"{self.name}: no `queue` statement; expected one as the last line")
        after = [s for s in self._statements if s.line > queues[0].line]
        for statement in after:
            what = "a second `queue`" if _QUEUE.match(statement.text) else "a line after `queue`"
            raise SubmitError(
                f"{self.name}:{statement.line}: {what} is not supported by ckptsim's pool; put"
                " `queue` last, and further jobs into a file of their own"
            )
        self._queue = queues[0]

    def _queue_error(self, message: str) -> SubmitError:
        return SubmitError(f"{self.name}:{self._queue.line}: queue: {message}")

    def _check_circles(self, assignments: list[str]) -> None:
        """Refuse macros that need themselves: HTCondor's parser would never come back."""
        needs = dict[str, set[str]]()
        for text in assignments:
            if match := _ASSIGNED.match(text):
                name = match[2].casefold()
                # `x = $(x) more` is a value put together at once, and no circle.
                needs.setdefault(name, set()).update(_names(match[4]) - {name})
        for name in needs:
            if name in _reached(needs, name):
                raise self.error(name, f"the macro `{name}` needs its own value")

    def _set_macros(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._submit[name] = value

    def _queued(self) -> tuple[list[str], list[str], int]:
        """The variables, the items and how many jobs each item gets."""
        self._submit["ckptsim_queue"] = text = self._submit.getQArgs()
        match = _QUEUE_PARTS.match(self._submit.expand("ckptsim_queue").strip() if text else "")
        assert match is not None, "any text matches"
        head, mode = match["head"].strip(), (match["mode"] or "").casefold()
        if not mode:
            return ["Item"], [""], self._count(head)
        found = _VARIABLES.search(head)
        count = self._count(head[: found.start()] if found else head)
        names = re.split(r"[\s,]+", found[0]) if found else ["Item"]
        return names, self._sliced(self._items(mode, match), match["slice"]), count

    def _count(self, text: str) -> int:
        classad2 = classads()
        try:
            count = classad2.ExprTree(text.strip() or "1").eval()
        except classad2.ClassAdException:
            count = None
        if type(count) is not int:  # undefined is an int too, in its way
            raise self._queue_error(f"expected a number of jobs, found {text.strip()!r}")
        return count

    def _sliced(self, items: list[str], text: str | None) -> list[str]:
        if text is None:
            return items
        match = _SLICE.fullmatch(text)
        if match is None or not (match[1] or match[2]):
            raise self._queue_error(f"expected a slice such as [1:3], found {text}")
        first, until, step = (int(part) if part else None for part in match.group(1, 3, 4))
        if not match[2]:
            assert first is not None
            return items[first : first + 1 or None]
        return items[first:until:step]

    def _items(self, mode: str, match: re.Match[str]) -> list[str]:
        text = match["items"].strip()
        if text == "(":
            listed = self._listed_below()
        elif text.startswith("("):
            listed = [text.strip("()").strip()]
        elif mode == "from":
            return self._read_items(text)
        else:
            listed = [text]
        if mode == "from":
            return listed
        words = [word for line in listed for word in re.split(r"[\s,]+", line) if word]
        return words if mode == "in" else self._matching(words, (match["kind"] or "").casefold())

    def _listed_below(self) -> list[str]:
        lines = [line.strip() for line in self._text.splitlines()[self._queue.last_line :]]
        end = next((n for n, line in enumerate(lines) if line[:1] == ")"), None)
        if end is None:
            raise self._queue_error("the list of items is not closed by a line `)`")
        return [line for line in lines[:end] if line and not line.startswith("#")]

    def _read_items(self, source: str) -> list[str]:
        """Lines of a file or of what a command prints."""
        try:
            if source.endswith("|"):
                command = shlex.split(source[:-1])
                ran = subprocess.run(  # noqa: S603  # the user's own command
                    command, cwd=self.folder, capture_output=True, text=True, check=True
                )
                text = ran.stdout
            else:
                text = (self.folder / source).read_text()
        except OSError as error:
            raise self._queue_error(f"{source}: {error.strerror}") from None
        except (subprocess.CalledProcessError, UnicodeDecodeError, ValueError, IndexError) as error:
            raise self._queue_error(f"{source}: {error}") from None
        for line, item in enumerate(text.splitlines(), 1):
            if not item.strip():  # HTCondor would queue a job with nothing for it
                raise self._queue_error(f"line {line} of {source} is blank; expected an item")
        return [item.strip() for item in text.splitlines()]

    def _matching(self, patterns: list[str], kind: str) -> list[str]:
        found = dict[str, None]()  # each once, in order
        for pattern in patterns:
            root = Path("/") if pattern.startswith("/") else self.folder
            for path in sorted(_glob(root, pattern), key=str):
                name = str(path if pattern.startswith("/") else path.relative_to(self.folder))
                if path.is_dir() and kind != "files":
                    found[f"{name}/"] = None
                elif not path.is_dir() and kind != "dirs":
                    found[name] = None
        if not found:
            raise self._queue_error(f"nothing matches {' '.join(patterns)!r}")
        return list(found)


def _assignments(values: Mapping[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in values.items()]


def _glob(root: Path, pattern: str) -> Iterator[Path]:
    """Paths that match as in a shell: no name with a dot in front unless the pattern has it."""
    for path in root.glob(pattern.lstrip("/")):
        if path.name[:1] != "." or Path(pattern).name[:1] == ".":
            yield path


def _names(text: str) -> set[str]:
    """Names of the macros that a text uses, in lower case."""
    return {name.casefold() for name in _USED.findall(text)}


def _reached(needs: Mapping[str, set[str]], name: str) -> set[str]:
    found, left = set[str](), set(needs[name])
    while left:
        other = left.pop()
        found.add(other)
        left |= needs.get(other, set()) - found
    return found


def _split_item(item: str, parts: int) -> list[str]:
    """As HTCondor does: each up to a comma or space, then white space; the last takes the rest."""
    found, rest = list[str](), item
    for _ in range(parts - 1):
        match = re.match(r"([^,\s]*)[,\s]?\s*(.*)", rest, re.DOTALL)
        assert match is not None, "any text matches"
        found.append(match[1])
        rest = match[2]
    return [*found, rest]


def _of_submission(cluster: int, submitted_at: int) -> dict[str, str]:
    day = datetime.fromtimestamp(submitted_at).astimezone()
    number = str(cluster)
    dates = {"YEAR": f"{day:%Y}", "MONTH": f"{day:%m}", "DAY": f"{day:%d}"}
    return {"Cluster": number, "ClusterId": number, "SUBMIT_TIME": str(submitted_at)} | dates


def _of_job(proc: int, step: int, row: int) -> dict[str, str]:
    numbers = {"Process": proc, "ProcId": proc, "Step": step, "Row": row, "ItemIndex": row}
    return {name: str(number) for name, number in numbers.items()}
