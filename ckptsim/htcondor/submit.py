"""Submit files: what condor_submit makes of one, job by job, as ads with HTCondor's attributes.

Values are compared with `htcondor.Submit.jobs()` of the wheel 24.0.24 in tests/test_submit.py.
What this pool would not do is refused by name, with the line; nothing is quietly left undone.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim.errors import nearest
from ckptsim.htcondor import arguments as syntax
from ckptsim.htcondor import jobcommands
from ckptsim.htcondor.jobad import (
    SUBMIT_FOLDER,
    Ad,
    argv,
    entries,
    environment,
    names,
    remaps,
    requirements,
)
from ckptsim.htcondor.submitfile import SubmitError, SubmitFile, bindings, read_text

__all__ = ["Ad", "Submission", "argv", "environment", "names", "read", "read_all", "remaps"]
__all__ += ["SubmitError", "requirements"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NOWHERE = "/dev/null"
_IDLE, _HELD = 1, 5
_REMAPS = ("transfer_output_remaps", "my.transferoutputremaps")
_WHEN = ("ON_EXIT", "ON_EXIT_OR_EVICT", "ON_SUCCESS")
# Attributes that only their commands may set, since others are worked out from them.
_NOT_OWN = ("my.cmd", "my.iwd", "my.shouldtransferfiles", "my.whentotransferoutput")


class Submission(NamedTuple):
    """What a submit file asks for: an ad for each job, and what its author might want to know."""

    ads: list[Ad]
    warnings: list[str]


def read(source: Path | str, folder: Path, cluster: int, submitted_at: int) -> list[Ad]:
    """Read a submit file, or its text, into one ad a job.

    `folder` is where relative names begin (condor_submit: the working directory); `submitted_at`
    is in seconds since 1970-01-01 UTC. See `read_all` for the warnings.

    Raises:
        SubmitError: it cannot be read or asks for what the pool does not do; with file and line.

    """
    return read_all(source, folder, cluster, submitted_at).ads


def read_all(source: Path | str, folder: Path, cluster: int, submitted_at: int) -> Submission:
    """Read a submit file as `read` does, and warn of lines that look misspelt or have no effect."""
    text, name = read_text(source)
    bindings()
    file = SubmitFile(text, name, folder.resolve())
    _check_commands(file)
    ads = [_Job(file).ad(cluster, proc, submitted_at) for proc in file.jobs(cluster, submitted_at)]
    return Submission(ads, [*_misspelt(file), *_unread(file)])


def _check_commands(file: SubmitFile) -> None:
    for given, value in file.values.items():
        command, name = _command(given), _as_written(file, given)
        if why := jobcommands.refusal(command):
            raise file.error(given, why if command == given else f"`{name}`: {why}")
        only = jobcommands.ONLY.get(command)
        if only and value.strip().casefold() not in ("", only, {"false": "no"}.get(only, "yes")):
            message = f"`{name} = {value.strip()}` is not supported by ckptsim's pool"
            raise file.error(given, f"{message}; expected {only}")
        if given in _NOT_OWN:
            raise file.error(given, f"`{name}` is not taken; use the command `{command}`")


def _command(given: str) -> str:
    """The command that a line of the submit file gives, or whose attribute it sets."""
    own = given.startswith("my.")
    return jobcommands.command_of(given.removeprefix("my.")) if own else given


def _as_written(file: SubmitFile, given: str) -> str:
    """A command, or an own attribute as `+Name`, for people."""
    return f"+{file.spelt(given).partition('.')[2]}" if given.startswith("my.") else given


def _unread(file: SubmitFile) -> Iterator[str]:
    """What is given and then read by nothing."""
    for given in file.values:
        command = jobcommands.SAME.get(_command(given), _command(given))
        if why := jobcommands.UNREAD.get(command):
            yield f"{file.place(given)}: `{_as_written(file, given)}` has no effect here: {why}"


def _misspelt(file: SubmitFile) -> Iterator[str]:
    """Macros that nothing uses and that are written nearly like a command."""
    for given in file.values:
        if given in jobcommands.KNOWN or given in file.used or "." in given:
            continue
        plain = {known.replace("_", ""): known for known in jobcommands.KNOWN}
        same = plain.get(given.replace("_", ""))
        meant = f"; did you mean {same!r}?" if same else nearest(given, jobcommands.KNOWN)
        if meant:
            yield f"{file.place(given)}: `{given}` is no command and nothing uses it{meant}"


class _Job:
    """One job in the making: the commands as they are expanded for it."""

    def __init__(self, file: SubmitFile) -> None:
        self._file = file
        self._ad = jobcommands.classads().ClassAd()
        self._given = {jobcommands.SAME.get(name, name): name for name in file.values}

    def ad(self, cluster: int, proc: int, submitted_at: int) -> Ad:
        """Make the ad; raises SubmitError."""
        self._identify(cluster, proc, submitted_at)
        for part in (
            *(self._universe, self._folder, self._executable, self._simple, self._arguments),
            *(self._environment, self._std_files, self._transfer, self._lists, self._remaps),
            *(self._retries, self._needs, self._hold, self._own_attributes, self._own_files),
        ):
            part()
        self._ad[SUBMIT_FOLDER] = str(self._file.folder)
        if "SuccessCheckpointExitCode" in self._ad:
            self._ad["WantFTOnCheckpoint"] = self._ad.get("WantFTOnCheckpoint", True)
        return self._ad

    def _value(self, command: str) -> str:
        """Give what was given, expanded; nothing where it was not."""
        given = self._given.get(command)
        if given is None:
            return ""
        value = self._file.expanded(given)
        if "$$(" in value:
            what = "a value filled in at the match, `$$(…)`,"
            raise self._error(command, f"{what} is not supported by ckptsim's pool")
        return value

    def _error(self, command: str, message: str) -> SubmitError:
        return self._file.error(self._given.get(command, command), message)

    def _converted(self, command: str, convert: Callable[[str], Any], value: str) -> Any:
        try:
            return convert(value)
        except ValueError as error:
            given = self._given.get(command, command)
            raise self._error(command, f"`{given} = {value}`: {error}") from None

    def _identify(self, cluster: int, proc: int, submitted_at: int) -> None:
        self._ad.update(
            {"MyType": "Job", "ClusterId": cluster, "ProcId": proc, "QDate": submitted_at}
            | {"JobUniverse": 5, "JobStatus": _IDLE, "EnteredCurrentStatus": submitted_at}
            | dict.fromkeys(
                (
                    *("CommittedTime", "JobPrio", "NumCkpts", "NumJobCompletions"),
                    *("NumJobStarts", "NumRestarts"),
                ),
                0,
            )
            | {"JobLeaseDuration": 2400, "RequestCpus": 1, "Rank": 0.0, "LeaveJobInQueue": False}
        )

    def _universe(self) -> None:
        universe = self._value("universe")
        if universe.casefold() not in ("", "vanilla", "5"):
            message = f"`universe = {universe}` is not supported by ckptsim's pool"
            raise self._error("universe", f"{message}; expected vanilla")

    def _folder(self) -> None:
        self._iwd = self._file.folder / self._value("initialdir")
        if not self._iwd.is_dir():
            raise self._error("initialdir", f"{self._iwd}: no such directory")
        self._ad["Iwd"] = os.path.normpath(self._iwd)

    def _executable(self) -> None:
        value = self._value("executable")
        if not value:
            raise SubmitError(f"{self._file.name}: no `executable`")
        self._refuse_url("executable", value)
        sent = self._converted(
            "transfer_executable", jobcommands.truth, self._value("transfer_executable") or "true"
        )
        # condor_submit: relative to the submit folder, not to initialdir.
        path = Path(os.path.normpath(self._file.folder / value))
        if not path.is_file():
            raise self._error("executable", f"{path}: no such file; expected the executable")
        size_kib = (path.stat().st_size + 1023) // 1024
        self._ad["Cmd"] = str(path)
        self._ad.update(dict.fromkeys(("ExecutableSize", "ImageSize", "DiskUsage"), size_kib))
        if not sent:
            self._ad["TransferExecutable"] = False

    def _simple(self) -> None:
        for command, (attribute, convert) in jobcommands.HONOURED.items():
            if value := self._value(command):
                self._ad[attribute] = self._converted(command, convert, value)

    def _arguments(self) -> None:
        value = self._value("arguments")
        if syntax.is_new(value):
            words = self._converted(
                "arguments", lambda text: syntax.split(syntax.unwrapped(text)), value
            )
            self._ad["Arguments"] = syntax.join(words)
        elif value:
            self._ad["Args"] = self._converted("arguments", syntax.old_arguments, value)

    def _environment(self) -> None:
        value = self._value("environment")
        convert = syntax.old_variables
        if syntax.is_new(value):
            convert = _new_variables
        found = self._converted("environment", convert, value)
        inherited = {k: v for k, v in self._inherited().items() if k not in found}
        self._ad["Environment"] = syntax.environment_text(found | inherited)

    def _inherited(self) -> dict[str, str]:
        """The variables of the submitter's own environment that `getenv` asks for."""
        value = self._value("getenv")
        if value.casefold() in ("", "false", "no"):
            return {}
        patterns = re.split(r"[\s,]+", "*" if value.casefold() in ("true", "yes") else value)
        kept = [p for p in patterns if not p.startswith("!")]
        left_out = [p[1:] for p in patterns if p.startswith("!")]
        return {
            name: text
            for name, text in os.environ.items()
            if _matches(name, kept or ["*"]) and not _matches(name, left_out)
        }

    def _std_files(self) -> None:
        for command, attribute in (("output", "Out"), ("error", "Err")):
            self._ad[attribute] = self._value(command) or _NOWHERE
            self._check_target(command, self._ad[attribute])
        if log := self._value("log"):
            self._check_target("log", log)
            self._ad["UserLog"] = log
        self._ad["In"] = self._value("input") or _NOWHERE
        self._check_source("input", self._ad["In"])

    def _transfer(self) -> None:
        when = self._value("when_to_transfer_output").upper() or _WHEN[0]
        if when not in _WHEN:
            raise self._error("when_to_transfer_output", f"expected one of {', '.join(_WHEN)}")
        evict = when == "ON_EXIT_OR_EVICT"
        default = "YES" if evict else "IF_NEEDED"
        should = self._value("should_transfer_files").upper() or default
        if should not in ("YES", "IF_NEEDED"):
            message = f"`should_transfer_files = {should.lower()}` is not supported"
            raise self._error("should_transfer_files", f"{message} by ckptsim's pool; expected yes")
        if evict and should == "IF_NEEDED":
            message = "if_needed does not go with ON_EXIT_OR_EVICT; expected yes"
            raise self._error("should_transfer_files", message)
        self._ad["ShouldTransferFiles"], self._ad["WhenToTransferOutput"] = should, when

    def _lists(self) -> None:
        for command, attribute, check in (
            ("transfer_input_files", "TransferInput", self._check_source),
            ("transfer_output_files", "TransferOutput", self._check_in_sandbox),
            ("transfer_checkpoint_files", "TransferCheckpoint", self._check_in_sandbox),
        ):
            value = self._value(command)
            if value:
                listed = entries("" if value == '""' else value)
                for entry in listed:
                    check(command, entry)
                self._ad[attribute] = ",".join(listed)

    def _remaps(self) -> None:
        command = "transfer_output_remaps"
        value = self._value(command)
        if not value:
            return
        self._ad["TransferOutputRemaps"] = value.strip('"')
        self._check_remaps(command, value)

    def _retries(self) -> None:
        """As condor_submit puts `OnExitRemove` together (htcondor-rules.md, section 6)."""
        until = self._value("retry_until")
        if not (until or {"JobMaxRetries", "JobSuccessExitCode"} & set(self._ad)):
            return
        if "JobMaxRetries" not in self._ad:
            self._ad["JobMaxRetries"] = 2  # DEFAULT_JOB_MAX_RETRIES
        success = "JobSuccessExitCode" if "JobSuccessExitCode" in self._ad else "0"
        parts = ["NumJobCompletions > JobMaxRetries", f"ExitCode =?= {success}"]
        if until:
            expression = self._converted("retry_until", jobcommands.expression, until)
            is_code = re.fullmatch(r"-?\d+", until)
            parts.append(f"ExitCode =?= {until}" if is_code else f"({expression})")
        if "OnExitRemove" in self._ad:
            parts.append(f"({self._ad.lookup('OnExitRemove')})")
        self._ad["OnExitRemove"] = jobcommands.expression(" || ".join(parts))

    def _needs(self) -> None:
        """What the job asks of a slot; the defaults are condor_submit's."""
        memory = "ifThenElse(MemoryUsage =!= undefined, MemoryUsage, (ImageSize + 1023) / 1024)"
        for attribute, default in (("RequestMemory", memory), ("RequestDisk", "DiskUsage")):
            if attribute not in self._ad:
                self._ad[attribute] = jobcommands.expression(default)
        value = self._value("requirements") or "true"
        self._ad["Requirements"] = self._converted("requirements", jobcommands.expression, value)

    def _hold(self) -> None:
        if self._converted("hold", jobcommands.truth, self._value("hold") or "false"):
            self._ad.update({"JobStatus": _HELD, "HoldReasonCode": 15})
            self._ad["HoldReason"] = "submitted on hold at user's request"

    def _own_attributes(self) -> None:
        """`+Name = …` and `My.Name = …`: last, for they win over the commands."""
        for given in self._file.values:
            if given.startswith("my."):
                name = self._file.spelt(given).partition(".")[2]
                value = self._file.expanded(given)
                self._ad[name] = self._converted(
                    given, jobcommands.expression, value or "undefined"
                )

    def _own_files(self) -> None:
        """Files that own attributes name are held to what the commands' are."""
        checks = {
            **dict.fromkeys(("my.out", "my.err", "my.userlog"), self._check_target),
            "my.in": self._check_source,
            "my.transferinput": self._check_list(self._check_source),
            "my.transferoutput": self._check_list(self._check_in_sandbox),
            "my.transfercheckpoint": self._check_list(self._check_in_sandbox),
            "my.transferoutputremaps": self._check_remaps,
        }
        for given in checks.keys() & self._file.values.keys():
            value = self._ad[given.removeprefix("my.")]
            if not isinstance(value, str):
                line = f"`{_as_written(self._file, given)} = {self._file.expanded(given)}`"
                raise self._error(given, f"{line}: expected text in double quotes")
            checks[given](given, value)
        if "UserLog" in self._ad:
            self._ad["UserLog"] = os.path.normpath(self._iwd / self._ad["UserLog"])

    def _check_list(self, check: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def check_each(command: str, value: str) -> None:
            for entry in entries(value):
                check(command, entry)

        return check_each

    def _check_remaps(self, command: str, _: str) -> None:
        for name, target in remaps(self._ad).items():
            if not name or not target:
                raise self._error(command, 'expected "name = target; …"')
            self._check_in_sandbox(command, name)
            self._check_target(command, target)

    def _refuse_url(self, command: str, name: str) -> None:
        if _URL.match(name):
            raise self._error(command, f"{name}: a URL is not supported by ckptsim's pool")
        if '"' in name:
            raise self._error(
                command, f"{name}: HTCondor would take the quotes as part of the name"
            )

    def _check_source(self, command: str, name: str) -> None:
        """An input may be any file that can be read; it has to be there."""
        self._refuse_url(command, name)
        path = self._iwd / name
        if not os.access(path, os.R_OK):
            why = "cannot be read" if path.exists() else "no such file"
            raise self._error(command, f"{path}: {why}")

    def _check_in_sandbox(self, command: str, name: str) -> None:
        self._refuse_url(command, name)
        if name.startswith("/") or ".." in Path(name).parts:
            message = f"{name}: expected a name inside the job's sandbox, without / in front or .."
            raise self._error(command, message)

    def _check_target(self, command: str, name: str) -> None:
        """What comes home goes under the submit folder or initialdir, links followed."""
        self._refuse_url(command, name)
        if name == _NOWHERE:
            return
        path = (self._iwd / name).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in (self._file.folder, self._iwd)):
            raise self._error(command, f"{path}: outside the submit folder {self._file.folder}")
        if not path.parent.is_dir():
            raise self._error(command, f"{path.parent}: no such directory")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise self._error(command, f"{path}: cannot be written")
        if path.is_dir() and command not in _REMAPS:
            raise self._error(command, f"{path}: is a directory; expected a file")


def _new_variables(text: str) -> dict[str, str]:
    return syntax.variables(syntax.split(syntax.unwrapped(text)))


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name.casefold(), p.casefold()) for p in patterns)
