"""What a pool may touch: its own state folder, and of other folders only a job's own."""

import subprocess
import sys

import pytest

from ckptsim.drivers.real import launch
from ckptsim.drivers.real.control import PoolError
from ckptsim.htcondor import submit
from ckptsim.htcondor.submitfile import SubmitError

classad2 = pytest.importorskip("classad2", reason="HTCondor's bindings are for Linux alone")

from ckptsim.drivers.real import orders, sandbox  # noqa: E402 (they need the bindings)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "home"
    (home / "run0").mkdir(parents=True)
    (home / "example.py").touch()
    return home


def read(folder, *lines):
    text = "\n".join(["executable = example.py", *lines, "queue", ""])
    return submit.read_all(text, folder, 7, 0)


def one(folder, *lines):
    (ad,) = read(folder, *lines).ads
    return ad


# --- the state folder -----------------------------------------------------------------------------


def mode(path):
    return path.stat().st_mode & 0o777


def start(state):
    """An access point's last words in a state folder; a wrong configuration ends it early."""
    module = [sys.executable, "-m", "ckptsim.drivers.real.accesspoint", "--state", state]
    return subprocess.run(
        [*module, "--config", state / "none.toml"], capture_output=True, text=True, check=False
    )


def test_a_state_folder_that_is_there_becomes_its_users_alone(tmp_path):
    tmp_path.chmod(0o755)
    launch.make(tmp_path)
    assert (mode(tmp_path), mode(tmp_path / "pool.log")) == (0o700, 0o600)


def test_the_access_point_keeps_its_files_for_its_user_alone(tmp_path):
    tmp_path.chmod(0o755)
    assert "none.toml" in start(tmp_path).stderr
    assert {mode(tmp_path / name) for name in ("lock", "pool.db")} == {0o600}
    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o1777])
def test_a_state_folder_that_others_may_write_to_is_refused(tmp_path, bits):
    tmp_path.chmod(bits)
    told = f"{tmp_path}: others may write there; a pool is kept in a folder of its user's alone"
    with pytest.raises(PoolError, match=told):
        launch.make(tmp_path)
    ran = start(tmp_path)
    assert (ran.returncode, ran.stderr.splitlines()) == (2, [f"ckptsim: {told}"])
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(PoolError, match="belongs to somebody else; a pool is kept in a folder of"):
        launch.make(tmp_path)


# --- what a job's own attributes ask for ----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('+Out = "/etc/out"', "/etc/out: outside the submit folder"),
        ('my.err = "../err"', "/err: outside the submit folder"),
        ('+UserLog = "/etc/log"', "/etc/log: outside the submit folder"),
        ("+Out = 5", "`+Out = 5`: expected text in double quotes"),
        ('+Out = strcat("/etc", "/x")', "expected text in double quotes"),
        ('+In = "none.txt"', "none.txt: no such file"),
        ('+TransferInput = "none.txt"', "none.txt: no such file"),
        ('+TransferOutput = "a,../b"', "../b: expected a name inside the job's sandbox"),
        ('+TransferCheckpoint = "/b"', "/b: expected a name inside the job's sandbox"),
        ('+TransferOutputRemaps = "a=/etc/a"', "/etc/a: outside the submit folder"),
        ('+TransferOutputRemaps = "../a=a"', "../a: expected a name inside the job's sandbox"),
        ('+ShouldTransferFiles = "NO"', "`+ShouldTransferFiles` is not taken; use the command"),
        ('+Iwd = "/etc"', "`+Iwd` is not taken; use the command `initialdir`"),
        ('+Cmd = "/bin/sh"', "`+Cmd` is not taken; use the command `executable`"),
        ('+CheckpointDestination = "x"', "`+CheckpointDestination`: `checkpoint_destination` is n"),
        ('+DockerImage = "x"', "`+DockerImage`: `docker_image` is not supported"),
        ('+DockerNetworkType = "x"', "`+DockerNetworkType`: `docker_networktype` is not supported"),
        ('MY.ContainerImage = "x"', "`+ContainerImage`: `container_image` is not supported"),
        ("+WantDocker = true", "`+WantDocker`: `docker_image` is not supported"),
        ('+TransferPlugins = "x=y"', "`+TransferPlugins`: `transfer_plugins` is not supported"),
        ("+StreamOut = true", "`+StreamOut = true` is not supported by ckptsim's pool; expected f"),
        ("+JobUniverse = 7", "`+JobUniverse = 7` is not supported by ckptsim's pool; expected 5"),
    ],
)
def test_an_own_attribute_is_held_to_what_its_command_is(folder, line, message):
    with pytest.raises(SubmitError) as error:
        read(folder, line)
    assert str(error.value).startswith("submit description:2: ")
    assert message in str(error.value)


def test_own_attributes_within_the_bounds_are_taken(folder):
    lines = ['+Out = "run0/o"', '+TransferOutput = "a, b"', "+StreamErr = false", "+Shop = 1"]
    assert one(folder, "initialdir = run0", '+UserLog = "l"')["UserLog"] == f"{folder}/run0/l"
    ad = one(folder, *lines, '+TransferOutputRemaps = "a=run0/a"', "+RequestGPUs = 0")
    assert orders.targets(ad) == {
        "_condor_stdout": f"{folder}/run0/o",
        "a": f"{folder}/run0/a",
    }


# --- at the transfer ------------------------------------------------------------------------------


def sent(folder, tmp_path, ad, *names):
    """Send what a job made home as a machine does."""
    made = tmp_path / "sandbox"
    made.mkdir()
    for name in names:
        (made / name).write_text("mine")
    return sandbox.send(made, names, {}, folder, rename=orders.targets(ad))


@pytest.mark.parametrize(
    ("attribute", "value", "name"),
    [
        ("TransferOutputRemaps", "a={}/a", "a"),
        ("TransferOutputRemaps", "a=../outside/a", "a"),
        ("TransferOutputRemaps", "a=link/a", "a"),
        ("TransferOutputRemaps", "a=run0/../..", "a"),
        ("TransferOutputRemaps", "a=link/..", "a"),
        ("Out", "{}/o", "_condor_stdout"),
        ("Err", "link/o", "_condor_stderr"),
    ],
)
def test_output_never_leaves_the_submit_folder(folder, tmp_path, attribute, value, name):
    """A job may change its ad by chirp, and links may be made, after all was looked at."""
    outside = tmp_path / "outside"
    outside.mkdir()
    ad = one(folder)
    ad[attribute] = value.format(outside)
    (folder / "link").symlink_to(outside)
    with pytest.raises(sandbox.Refused, match=r"^\.\./.*\(outside the submit folder\)"):
        sent(folder, tmp_path, ad, name)
    assert list(outside.iterdir()) == []


def test_links_in_a_circle_are_no_fault_of_the_pool(folder, tmp_path):
    ad = one(folder)
    ad["TransferOutputRemaps"] = "a=link/a"
    (folder / "link").symlink_to("link")
    with pytest.raises(sandbox.TransferError, match="Too many levels of symbolic links"):
        sent(folder, tmp_path, ad, "a")


def test_output_of_an_initial_directory_may_go_to_the_submit_folder(folder, tmp_path):
    ad = one(folder, "initialdir = run0", 'transfer_output_remaps = "a = ../a"')
    sent(folder / "run0", tmp_path, ad, "a")
    assert (folder / "a").read_text() == "mine"


def test_names_that_a_job_made_no_text_of_are_no_fault_of_the_pool(folder):
    ad = one(folder)
    for name in ("Out", "TransferOutput", "TransferOutputRemaps"):
        ad[name] = 5
    assert orders.targets(ad) == {"_condor_stdout": f"{folder}/5"}
    assert submit.names(ad, "TransferOutput") == ["5"]


# --- commands without effect ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rank = Memory", "`rank` has no effect here: all slots are of this machine"),
        ("Preferences = Memory", "`preferences` has no effect here: all slots"),
        ("+Rank = Memory", "`+Rank` has no effect here: all slots"),
        ("leave_in_queue = true", "`leave_in_queue` has no effect here: the pool forgets no job"),
        ("submit_event_notes = x", "`submit_event_notes` has no effect here: event 000 is w"),
        ("ulog_execute_attrs = x", "`ulog_execute_attrs` has no effect here: event 001 is w"),
        ("job_ad_information_attrs = x", "`job_ad_information_attrs` has no effect here: no eve"),
        ("hold_kill_sig = SIGINT", "`hold_kill_sig` has no effect here: a held job gets kill_si"),
        ("want_graceful_removal = true", "`want_graceful_removal` has no effect here: "),
    ],
)
def test_a_command_that_nothing_reads_is_told(folder, line, said):
    (warning,) = read(folder, line).warnings
    assert warning.startswith(f"submit description:2: {said}")
    assert "\n" not in warning
