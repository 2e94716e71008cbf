"""The wrapper with its settings in it, and the submit file that goes with it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from pprint import pformat
from textwrap import indent

from ckptsim.htcondor.jobcommands import SAME
from ckptsim.htcondor.submitedit import edited
from ckptsim.htcondor.submitfile import SubmitError, SubmitFile

WRAPPER = Path(__file__).with_name("wrapper.py")
WIDTH = 92

NO_LONGER = (
    *("+SuccessCheckpointExitBySignal", "+SuccessCheckpointExitSignal", "+WantCheckpointSignal"),
    *("+CheckpointSig", "+WantFTOnCheckpoint", "kill_sig", "remove_kill_sig"),
)
"""Other ways to checkpoint, in whose place the wrapper comes; what tells it to end is SIGTERM."""

NEW = """\
# {name}, wrapped so that HTCondor can move it: for condor_submit, and for `ckptsim run`.
executable                = {wrapper}
arguments                 = {arguments}

request_cpus              = 1
request_memory            = 1 GB
request_disk              = 1 GB

output                    = {name}.wrapped.out
error                     = {name}.wrapped.err
log                       = {name}.wrapped.log

# On this exit code HTCondor transfers what follows, and starts the job again in the same place;
# after an eviction it brings it to the next one. Not ON_EXIT_OR_EVICT, which would do so while the
# program is still writing.
checkpoint_exit_code      = 85
transfer_checkpoint_files = {kept}
should_transfer_files     = YES
when_to_transfer_output   = ON_EXIT
"""


def wrapper(settings: Mapping[str, object]) -> bytes:
    """The wrapper's text with these settings, each where its default stands."""
    text = WRAPPER.read_text(encoding="utf-8")
    for name, value in settings.items():
        line = re.compile(rf'^    "{name}": .*,$', re.MULTILINE)
        found = line.search(text)
        assert found is not None, name
        written = indent(pformat(value, width=WIDTH, compact=True), " " * 8).strip()
        text = f'{text[: found.start()]}    "{name}": {written},{text[found.end() :]}'
    return text.encode()


def for_program(name: str, arguments: str, wrapper_name: str, values: Mapping[str, str]) -> str:
    """A new submit file."""
    kept = values["transfer_checkpoint_files"]
    text = NEW.format(name=name, arguments=arguments, wrapper=wrapper_name, kept=kept)
    return edited(f"{text}\nqueue\n", values)


def from_file(file: SubmitFile, text: str, wrapper_name: str, values: Mapping[str, str]) -> str:
    """A submit file whose program is run by the wrapper, all else as it was.

    Raises SubmitError where its arguments are not such as another can be put before.
    """
    given = {SAME.get(name, name): name for name in file.values}
    executable = file.values["executable"]
    travels = file.values.get(given.get("transfer_executable", ""), "true").strip().lower()
    is_sent = travels not in ("false", "no", "0")
    program = f"./{Path(executable).name}" if is_sent else executable
    raw = file.values.get(given.get("arguments", ""), "").strip()
    changed: dict[str, str | None] = dict.fromkeys(NO_LONGER)
    changed |= {"executable": wrapper_name, "arguments": before(program, raw)}
    changed |= {"transfer_executable": None, **values}
    if is_sent:
        inputs = file.values.get(given.get("transfer_input_files", ""), "").strip()
        changed["transfer_input_files"] = ", ".join(filter(None, [inputs, executable]))
    return edited(text, changed)


def before(program: str, arguments: str) -> str:
    """The arguments of a submit file, in either syntax, with a word before them."""
    if re.search(r"[\s'\"]", program):
        raise SubmitError(f"executable = {program}: a name with spaces or quotes is not wrapped")
    if arguments.startswith('"'):
        return f'"{program} {arguments[1:]}'
    return f"{program} {arguments}".strip()


def checkpointing(settings: Mapping[str, object], inputs: Iterable[str] = ()) -> dict[str, str]:
    """What a submit file says so that HTCondor keeps what the wrapper keeps."""
    values = {
        "checkpoint_exit_code": "85",
        "transfer_checkpoint_files": f"{settings['kept']}, {settings['journal']}",
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT",
        "transfer_input_files": ", ".join(inputs),
    }
    answers = settings.get("answers", [])
    assert isinstance(answers, list)
    if any(each["leave_after_s"] is not None for each in answers):
        values["on_exit_remove"] = "ExitCode =!= 77"
    return {name: value for name, value in values.items() if value}
