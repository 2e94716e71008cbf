"""The submit commands that the pool honours, and those of HTCondor that it does not.

Names and attributes as in HTCondor's `src/condor_utils/submit_utils.cpp` and the manual page
condor_submit(1); what the values become was compared with `htcondor.Submit.jobs()` of 24.0.24.
"""

import importlib
import math
import re
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

# Gives text, a number, a truth or a ClassAd expression, or raises ValueError.
Convert = Callable[[str], Any]

_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([KMGTP]?)(?:B|iB)?", re.IGNORECASE)
_KIB = {"": None, "K": 1, "M": 1 << 10, "G": 1 << 20, "T": 1 << 30, "P": 1 << 40}


def classads() -> Any:
    """The module `classad2` of the wheel, which has no types and need not be installed."""
    return importlib.import_module("classad2")


def text(value: str) -> str:
    """Take it as it stands."""
    return value


def expression(value: str) -> Any:
    """Parse a ClassAd expression; raises ValueError."""
    classad2 = classads()
    try:
        return classad2.ExprTree(value)
    except classad2.ClassAdException:
        raise ValueError("expected a ClassAd expression") from None


def integer(value: str) -> int:
    """Read an integer, or an expression that is one; raises ValueError."""
    found = expression(value).eval()
    is_whole = type(found) is int or (type(found) is float and found.is_integer())
    if not is_whole:
        raise ValueError("expected a whole number")
    return int(found)


def exit_code(value: str) -> int:
    """An exit code that a process can have; raises ValueError."""
    code = integer(value)
    if not 0 <= code <= 255:
        raise ValueError("expected an exit code from 0 to 255")
    return code


def truth(value: str) -> bool:
    """Read true or false, also yes, no, or an expression that is one; raises ValueError."""
    words = {"yes": True, "true": True, "t": True, "y": True}
    words |= {"no": False, "false": False, "f": False, "n": False}
    if value.casefold() in words:
        return words[value.casefold()]
    found = expression(value).eval()
    if type(found) not in (bool, int):
        raise ValueError("expected true or false")
    return bool(found)


def signal_name(value: str) -> str:
    """Read a signal, by name or number, as its name (`kill_sig = 12` is "SIGUSR2")."""
    name = value.strip('"')
    try:
        return (signal.Signals(int(name)) if name.isdigit() else signal.Signals[name]).name
    except (KeyError, ValueError):
        raise ValueError("expected a signal such as SIGUSR1 or 10") from None


def memory(value: str) -> Any:
    """Memory in MiB, where no unit is given too, or an expression."""
    return _size(value, 1024)


def disk(value: str) -> Any:
    """Disk space in KiB, where no unit is given too, or an expression."""
    return _size(value, 1)


def _size(value: str, unit_kib: int) -> Any:
    match = _SIZE.fullmatch(value)
    if match is None:
        return expression(value)
    kib = _KIB[match[2].upper()] or unit_kib
    return math.ceil(float(match[1]) * kib / unit_kib)


class Command(NamedTuple):
    """The attribute of the job that a submit command sets, and how its value is read."""

    attribute: str
    convert: Convert


HONOURED = {
    "checkpoint_exit_code": Command("SuccessCheckpointExitCode", exit_code),
    "preserve_relative_paths": Command("PreserveRelativePaths", truth),
    "request_cpus": Command("RequestCpus", expression),
    "request_memory": Command("RequestMemory", memory),
    "request_disk": Command("RequestDisk", disk),
    "request_gpus": Command("RequestGPUs", expression),
    "rank": Command("Rank", expression),
    "priority": Command("JobPrio", integer),
    "on_exit_hold": Command("OnExitHold", expression),
    "on_exit_hold_reason": Command("OnExitHoldReason", expression),
    "on_exit_hold_subcode": Command("OnExitHoldSubCode", expression),
    "on_exit_remove": Command("OnExitRemove", expression),
    "max_retries": Command("JobMaxRetries", integer),
    "success_exit_code": Command("JobSuccessExitCode", integer),
    "periodic_hold": Command("PeriodicHold", expression),
    "periodic_hold_reason": Command("PeriodicHoldReason", expression),
    "periodic_hold_subcode": Command("PeriodicHoldSubCode", expression),
    "periodic_release": Command("PeriodicRelease", expression),
    "periodic_remove": Command("PeriodicRemove", expression),
    "periodic_vacate": Command("PeriodicVacate", expression),
    "allowed_job_duration": Command("AllowedJobDuration", expression),
    "allowed_execute_duration": Command("AllowedExecuteDuration", expression),
    "kill_sig": Command("KillSig", signal_name),
    "remove_kill_sig": Command("RemoveKillSig", signal_name),
    "hold_kill_sig": Command("HoldKillSig", signal_name),
    "kill_sig_timeout": Command("KillSigTimeout", integer),
    "job_max_vacate_time": Command("JobMaxVacateTime", expression),
    "max_job_retirement_time": Command("MaxJobRetirementTime", expression),
    "job_lease_duration": Command("JobLeaseDuration", expression),
    "want_graceful_removal": Command("WantGracefulRemoval", expression),
    "leave_in_queue": Command("LeaveJobInQueue", expression),
    "want_io_proxy": Command("WantIOProxy", truth),
    "job_ad_information_attrs": Command("JobAdInformationAttrs", text),
    "ulog_execute_attrs": Command("UserLogExecuteEventAttrs", text),
    "submit_event_notes": Command("SubmitEventNotes", text),
    "batch_name": Command("JobBatchName", text),
    "description": Command("JobDescription", text),
}

# Other names of a command, all in lower case. An attribute's own name is one as well.
SAME = {
    "arguments2": "arguments",
    "env": "environment",
    "environment2": "environment",
    "get_env": "getenv",
    "stdin": "input",
    "stdout": "output",
    "stderr": "error",
    "initial_dir": "initialdir",
    "job_iwd": "initialdir",
    "transferinputfiles": "transfer_input_files",
    "transferoutputfiles": "transfer_output_files",
    "prio": "priority",
    "preferences": "rank",
} | {command.attribute.casefold(): name for name, command in HONOURED.items()}

# Read by submit.py itself, for more than one of them makes an attribute or a check.
READ = frozenset(
    [
        "arguments",
        "environment",
        "error",
        "executable",
        "getenv",
        "hold",
        "initialdir",
        "input",
        "log",
        "output",
        "requirements",
        "retry_until",
        "should_transfer_files",
        "transfer_checkpoint_files",
        "transfer_executable",
        "transfer_input_files",
        "transfer_output_files",
        "transfer_output_remaps",
        "universe",
        "when_to_transfer_output",
    ]
)

# Taken, and told that nothing reads them.
UNREAD = {
    "rank": "all slots are of this machine",
    "leave_in_queue": "the pool forgets no job that has ended",
    "submit_event_notes": "event 000 is written without notes",
    "ulog_execute_attrs": "event 001 is written with the slot's usual attributes",
    "job_ad_information_attrs": "no event 028 is written",
    "hold_kill_sig": "a held job gets kill_sig, or remove_kill_sig if that is given",
    "want_graceful_removal": "a running job that is removed gets its signal and time in any case",
}

# These have no bearing on how a job runs here: nobody is sent mail or billed.
WITHOUT_EFFECT = frozenset(
    [
        "accounting_group",
        "accounting_group_user",
        "allow_arguments_v1",
        "allow_environment_v1",
        "batch_id",
        "email_attributes",
        "job_machine_attrs",
        "job_machine_attrs_history_length",
        "nice_user",
        "notification",
        "notify_user",
        "run_as_owner",
        "skip_filechecks",
        "submit_event_user_notes",
    ]
)

# Fine with the value that changes nothing; refused with any other.
ONLY = {
    "copy_to_spool": "false",
    "core_size": "0",
    "coresize": "0",
    "encrypt_execute_directory": "false",
    "erase_output_and_error_on_restart": "true",
    "log_xml": "false",
    "manifest": "false",
    "next_job_start_delay": "0",
    "noop_job": "false",
    "send_credential": "false",
    "skip_if_dataflow": "false",
    "stream_error": "false",
    "stream_input": "false",
    "stream_output": "false",
    "suspend_job_at_exec": "false",
    "transfer_error": "true",
    "transfer_input": "true",
    "transfer_output": "true",
    "use_x509userproxy": "false",
    "want_job_networking": "true",
    "jobuniverse": "5",
}

# Attributes that are spelt otherwise than their commands, but for `_`; in lower case.
_COMMANDS = {
    "cmd": "executable",
    "err": "error",
    "in": "input",
    "isnoopjob": "noop_job",
    "iwd": "initialdir",
    "jobmaterializelimit": "max_materialize",
    "jobmaterializemaxidle": "max_idle",
    "maxhosts": "machine_count",
    "minhosts": "machine_count",
    "oauthservicesneeded": "use_oauth_services",
    "out": "output",
    "streamerr": "stream_error",
    "streamin": "stream_input",
    "streamout": "stream_output",
    "transfererr": "transfer_error",
    "transferin": "transfer_input",
    "transferout": "transfer_output",
    "transfercheckpoint": "transfer_checkpoint_files",
    "transferinput": "transfer_input_files",
    "transferoutput": "transfer_output_files",
    "userlog": "log",
    "wantcontainer": "container_image",
    "wantdocker": "docker_image",
    "wantdockerimage": "docker_image",
    "wantsandboximage": "container_image",
    "wantsif": "container_image",
}
# Of these families an attribute without `_` is known too.
_FAMILIES = ("container", "cron", "deferral", "docker")

_INSTEAD = {
    "checkpoint_destination": "checkpoints go to the spool; leave the line out",
    "docker_image": "run the executable without a container",
    "container_image": "run the executable without a container",
    "transfer_plugins": "files are copied from and to this machine's own file system",
    "output_destination": "output goes to the folder of the submit file",
}
_REFUSED = frozenset(
    [
        "append_files",
        "buffer_block_size",
        "buffer_files",
        "buffer_size",
        "checkpoint_destination",
        "common_input_files",
        "compress_files",
        "concurrency_limits",
        "concurrency_limits_expr",
        "dagman_job_id",
        "dagman_log",
        "delegate_job_gsi_credentials_lifetime",
        "disk_usage",
        "dont_encrypt_input_files",
        "dont_encrypt_output_files",
        "encrypt_input_files",
        "encrypt_output_files",
        "exit_requirements",
        "fetch_files",
        "file_remaps",
        "image_size",
        "interactive_args",
        "interactive_executable",
        "jobset",
        "keep_claim_idle",
        "load_profile",
        "local_files",
        "machine_count",
        "manifest_dir",
        "match_list_length",
        "max_idle",
        "max_materialize",
        "max_transfer_input_mb",
        "max_transfer_output_mb",
        "memory_usage",
        "mount_under_scratch",
        "node_count",
        "nodecount",
        "noop_job_exit_code",
        "noop_job_exit_signal",
        "on_evict_checks",
        "output_destination",
        "output_directory",
        "parallel_script_shadow",
        "parallel_script_starter",
        "primary_unix_group",
        "public_input_files",
        "remote_initialdir",
        "rendezvousdir",
        "retry_request_memory",
        "retry_request_memory_increase",
        "retry_request_memory_max",
        "scitokens_file",
        "shell",
        "stack_size",
        "starter_debug",
        "starter_log",
        "transfer_container",
        "transfer_plugins",
        "use_oauth_services",
        "useoauthservices",
        "use_scitoken",
        "use_scitokens",
        "want_ads",
        "wantnametag",
        "x509userproxy",
    ]
)
_REFUSED_STARTS = (
    *("arc_", "aws_", "azure_", "batch_", "cloud_label_", "container_", "cron_", "deferral_"),
    *("docker_", "ec2_", "gce_", "gpus_m", "grid_", "gs_", "jar_", "java_", "request_", "require_"),
    *("s3_", "tool_daemon_", "transform_body_", "vm_", "xen_"),
)

KNOWN = frozenset({*HONOURED, *SAME, *READ, *WITHOUT_EFFECT, *ONLY, *_REFUSED})


def command_of(attribute: str) -> str:
    """The command that sets an attribute, both in lower case; nothing where there is none."""
    plain = {command.replace("_", ""): command for command in (*ONLY, *_REFUSED, *READ)}
    known = plain | SAME | _COMMANDS
    if attribute in known:
        return known[attribute]
    families = (family for family in _FAMILIES if attribute.startswith(family))
    return next((f"{f}_{attribute.removeprefix(f).lstrip('_')}" for f in families), "")


def refusal(command: str) -> str | None:
    """Say why a command of HTCondor, in lower case, is not honoured; None where it is or is none.

    A name that starts like a whole family of HTCondor's (`ec2_…`, `docker_…`) counts as one.
    """
    if command in KNOWN - _REFUSED:
        return None
    if command not in _REFUSED and not command.startswith(_REFUSED_STARTS):
        return None
    instead = _INSTEAD.get(command, "leave the line out")
    return f"`{command}` is not supported by ckptsim's pool; {instead}"
