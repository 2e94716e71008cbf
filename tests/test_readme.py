"""Every command in the README and in two pages of docs is run, and prints what these say."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PAGES = "\n".join(
    (TOP / page).read_text() for page in ("README.md", "docs/pools.md", "docs/evidence.md")
)
BLOCKS = re.findall(r"```console\n(.*?)```", PAGES, re.DOTALL)
COMMANDS = [
    (command, said)
    for block in BLOCKS
    for command, said in re.findall(r"^\$ (ckptsim .*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture
def folder(tmp_path):
    """A folder with what the README's commands find at the top of a clone."""
    for name in ("scenarios", "ckptsim", "tests"):
        (tmp_path / name).symlink_to(TOP / name)
    return tmp_path


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize(("command", "said"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_what_the_readme_says(folder, command, said):
    words = [sys.executable, "-m", "ckptsim", *shlex.split(command)[1:]]
    plain = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    done = subprocess.run(
        words, cwd=folder, env=plain, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for part in said.split("…\n"):  # an ellipsis alone on a line stands for lines left out
        assert trimmed(part) in trimmed(done.stdout)


def trimmed(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
