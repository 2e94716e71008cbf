"""`ckptsim wrap`: what it writes, run in a pool; and users' mistakes."""

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest

LOOPING = """\
#!/usr/bin/env python3
import os, time
count = int(open("state").read()) if os.path.exists("state") else 0
while count < 30:
    time.sleep(0.03)
    count += 1
    if count % 10 == 0:
        with open("state.new", "w") as file:
            file.write(str(count))
        os.replace("state.new", "state")
        print("saved", count, flush=True)
        time.sleep(0.3)
print("done", flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    program = tmp_path / "loop.py"
    program.write_text(LOOPING)
    program.chmod(0o755)
    return tmp_path


def ckptsim(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "ckptsim", *words],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def wrapped(folder, *words):
    done = ckptsim(folder, "wrap", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def settings_of(path):
    spec = spec_from_file_location("wrapped", path)
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.SETTINGS


def test_a_program_is_wrapped_and_carried_to_its_end(folder):
    pytest.importorskip("htcondor2")
    told = wrapped(folder, "--checkpoint", "state", "--complete", "quiet=100ms", "--", "./loop.py")
    assert "condor_submit loop.py.wrapped.sub" in told
    ran = ckptsim(folder, "run", "loop.py.wrapped.sub", "--json")
    assert ran.returncode == 0, ran.stderr
    assert (folder / "loop.py.wrapped.out").read_text().splitlines()[-1] == "done"
    journal = (folder / "loop.py.journal").read_text()
    assert journal.count("kept 0") == 3
    assert journal.count("starting from nothing") == 1


def test_a_submit_file_stays_as_it_is_but_for_its_program(folder):
    submit = pytest.importorskip("htcondor2").Submit
    (folder / "job.sub").write_text(
        "# mine\nexecutable = loop.py\narguments = \"a 'b c' $(Process)\"\nkill_sig = SIGUSR1\n"
        "transfer_input_files = data.csv\noutput = out.$(Process)\nqueue 2\n"
    )
    (folder / "data.csv").touch()
    before = (folder / "job.sub").read_bytes()
    wrapped(folder, "--checkpoint", "state", "job.sub")
    assert (folder / "job.sub").read_bytes() == before
    text = (folder / "job.wrapped.sub").read_text()
    assert text.startswith("# mine\n")
    assert "kill_sig" not in text
    found = submit(text)
    assert {name: found[name] for name in ("executable", "arguments", "output")} == {
        "executable": "job.wrapped.py",
        "arguments": "\"./loop.py a 'b c' $(Process)\"",
        "output": "out.$(Process)",
    }
    assert found["transfer_input_files"] == "data.csv, loop.py"
    assert found["transfer_checkpoint_files"] == "job.kept, job.journal"
    assert found["checkpoint_exit_code"] == "85"


def test_its_settings_are_those_that_were_asked_for(folder):
    words = ["--checkpoint", "a*", "--carry", "b", "--newest", "2", "--complete", "says=^saved"]
    words += ["--continue-with", "--resume 'the last'", "--every", "3", "--no-previous"]
    wrapped(folder, *words, "--patience", "90s", "--stop-with", "SIGINT", "--", "./loop.py", "x")
    found = settings_of(folder / "loop.py.wrapped.py")
    expected = {
        "way": "watch",
        "checkpoint": ["a*"],
        "carry": ["b"],
        "newest": 2,
        "complete": {"says": "^saved"},
        "stop": "INT",
        "patience_s": 90.0,
        "continue_with": ["--resume", "the last"],
        "every": 3,
        "previous": False,
        "kept": "loop.py.kept",
    }
    assert {name: found[name] for name in expected} == expected


def test_a_plan_is_carried_for_every_cost(folder):
    words = ["--limit", "6h", "--evictions", "12h", "--write", "4min", "--transfer", "1min"]
    wrapped(folder, "--checkpoint", "state", "--save-on", "USR1", *words, "--", "./loop.py")
    found = settings_of(folder / "loop.py.wrapped.py")
    assert found["way"] == "told"
    assert [each["cost_s"] for each in found["answers"]] == [150.0, 210.0, 300.0, 420.0, 600.0]
    middle = found["answers"][2]
    assert middle["interval_s"] == 5100.0  # the README's example: 1 h 25 min
    assert middle["limit_s"] == 21600.0


@pytest.mark.parametrize(
    ("program", "arguments", "inputs"),
    [
        ("./loop.py", '"./loop.py x"', "loop.py"),
        ("/bin/cat", '"/bin/cat x"', ""),
        ("cat", '"cat x"', ""),
    ],
)
def test_a_program_of_ones_own_travels_and_others_are_there(folder, program, arguments, inputs):
    submit = pytest.importorskip("htcondor2").Submit
    wrapped(folder, "--checkpoint", "state", "--name", "job", "--", program, "x")
    found = submit((folder / "job.wrapped.sub").read_text())
    assert found["arguments"] == arguments
    assert found.get("transfer_input_files", "").removeprefix("./") == inputs


def test_a_bare_interval_is_one(folder):
    wrapped(folder, "--checkpoint", "state", "--interval", "84min", "--", "./loop.py")
    (answer,) = settings_of(folder / "loop.py.wrapped.py")["answers"]
    assert (answer["interval_s"], answer["table"]) == (5040.0, None)


def test_commands_of_a_file_are_steps(folder):
    pytest.importorskip("htcondor2")
    (folder / "steps.txt").write_text("# two steps\nsh -c 'echo 1 > a'\n\nsh -c 'cat a a > b'\n")
    wrapped(folder, "--commands", "steps.txt", "--name", "two")
    assert ckptsim(folder, "run", "two.wrapped.sub").returncode == 0
    assert (folder / "b").read_text() == "1\n1\n"


def test_nothing_is_written_over(folder):
    wrapped(folder, "--checkpoint", "state", "--", "./loop.py")
    (folder / "loop.py.wrapped.py").unlink()
    there = (folder / "loop.py.wrapped.sub").read_bytes()
    done = ckptsim(folder, "wrap", "--checkpoint", "x", "--", "./loop.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert "loop.py.wrapped.sub: is there already" in done.stderr
    assert (folder / "loop.py.wrapped.sub").read_bytes() == there
    assert not (folder / "loop.py.wrapped.py").exists()
    wrapped(folder, "--checkpoint", "x", "--force", "--", "./loop.py")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--", "true"), "--checkpoint: which files are its checkpoint?"),
        (("--checkpoint", "s"), "what is to be wrapped?"),
        (("--checkpoint", "s", "--complete", "quite=2s", "--", "true"), "did you mean 'quiet'"),
        (
            ("--checkpoint", "s", "--complete", "quiet=soon", "--", "true"),
            "--complete: 'soon': not a duration",
        ),
        (("--checkpoint", "s", "--complete", "says=(", "--", "true"), "no regular expression"),
        (("--checkpoint", "s", "--done", "file=r", "--save-on", "USR1", "--", "true"), "give one"),
        (("--checkpoint", "s", "--save-on", "USR1", "--", "true"), "when is it to save?"),
        (("--checkpoint", "s", "--save-on", "USR9", "--", "true"), "no such signal"),
        (("--checkpoint", "s", "--save-on", "KILL", "--", "true"), "no program can save on it"),
        (
            ("--checkpoint", "s", "--every", "2", "--interval", "1h", "--", "true"),
            "--every: has no",
        ),
        (("--checkpoint", "s", "--", "no-such-program"), "no-such-program: no such program"),
        (("--checkpoint", "s", "absent.sub"), "absent.sub: No such file"),
        (("--checkpoint", "s", "--out", "absent", "--", "true"), "absent: no such folder"),
        (("--commands", "absent"), "--commands absent: No such file"),
        (("--checkpoint", "s", "--limit", "1min", "--write", "2h", "--", "true"), "no interval"),
        (("--checkpoint", "s", "--write", "1min", "--steps", "1h,2h", "--", "true"), "steps"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path, words, told):
    done = ckptsim(tmp_path, "wrap", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"ckptsim: .*\n", done.stderr)
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []
