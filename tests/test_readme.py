"""Every command in the README and in the pages of docs is run, and prints what these say.

The convention: a block ```console is run at the top of a clone, and each `$ ckptsim …` in it has to
print what stands under it, where `…` alone on a line stands for lines left out. Commands that need
what a test has not (a pool in the background, files of one's own) stand in other blocks; they are
not run, but they have to be commands that there are. Blocks ```python are doctests, run page by
page.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ckptsim.cli import cli

TOP = Path(__file__).parents[1]
PAGES = [
    TOP / "README.md",
    *(page for page in sorted((TOP / "docs").rglob("*.md")) if "_build" not in page.parts),
]
# Commands in ```console blocks whose times are measured anew each time; the tests that run them.
ELSEWHERE = {
    "docs/measure.md": ("ckptsim measure ", "tests/test_measure.py"),
    "docs/check.md": ("ckptsim check ", "tests/test_check.py"),
}
SLOW = {"ckptsim plan scenarios/shared-link.toml --no-report"}  # 20 s
BLOCK = re.DOTALL | re.MULTILINE
RUN_ELSEWHERE = {"docs/python.md": "tests/test_api.py"}  # pages whose ```python blocks are


def name_of(page):
    return page.relative_to(TOP).as_posix()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), BLOCK)


def commands_of(page):
    for block in blocks(page, "console"):
        found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
        yield from ((command, said) for command, said in found)


def is_run_elsewhere(page, command):
    return command.startswith(ELSEWHERE[page][0]) if page in ELSEWHERE else False


ALL = [(name_of(page), *each) for page in PAGES for each in commands_of(page)]
COMMANDS = {  # each is run once, whatever pages show it
    command: [(other, said) for other, shown, said in ALL if shown == command]
    for page, command, _ in ALL
    if not is_run_elsewhere(page, command)
}


def shown_in(page):
    """The lines of blocks that are not run, indented or fenced, that begin with our command."""
    text = re.sub(r"^```(?:console|python)\n.*?^```", "", page.read_text(), flags=BLOCK)
    fenced = re.findall(r"^```\w+\n(.*?)^```", text, BLOCK)
    yield from re.findall(r"^ {4}(ckptsim .*)$", text, re.MULTILINE)
    for block in fenced:
        yield from re.findall(r"^ *(?:\$ )?(ckptsim .*)$", block, re.MULTILINE)


SHOWN = sorted({(name_of(page), line) for page in PAGES for line in shown_in(page)})


@pytest.fixture
def folder(tmp_path):
    """A folder with what the pages' commands find at the top of a clone."""
    for name in ("scenarios", "ckptsim", "tests"):
        (tmp_path / name).symlink_to(TOP / name)
    return tmp_path


def test_the_pages_have_commands():
    assert sum(page == "README.md" for page, *_ in ALL) >= 5
    assert sum(page != "README.md" for page, *_ in ALL) >= 20
    assert set(COMMANDS) >= SLOW


@pytest.mark.parametrize("page", sorted({page for page, *_ in ALL} & set(ELSEWHERE)))
def test_what_is_not_run_here_is_run_elsewhere(page):
    assert page.removeprefix("docs/") in (TOP / ELSEWHERE[page][1]).read_text()


def test_what_stands_in_a_console_block_is_a_command_of_ours():
    for page in PAGES:
        for block in blocks(page, "console"):
            assert block.startswith("$ ckptsim "), f"{name_of(page)}: {block[:60]!r}"


def case(command):
    return pytest.param(command, marks=[pytest.mark.slow] if command in SLOW else [])


@pytest.mark.parametrize("command", [case(each) for each in COMMANDS])
def test_a_command_prints_what_the_pages_say(folder, command):
    words = [sys.executable, "-m", "ckptsim", *shlex.split(command)[1:]]
    plain = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    done = subprocess.run(
        words, cwd=folder, env=plain, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for page, said in COMMANDS[command]:
        assert_printed(done.stdout, said, page)


def assert_printed(printed, said, page):
    rest = trimmed(printed)
    for part in filter(None, map(trimmed, said.split("…\n"))):  # in the order of the page
        assert part in rest, page
        rest = rest.partition(part)[2]


def trimmed(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize(("page", "line"), SHOWN)
def test_a_command_that_is_only_shown_exists(page, line):
    words = shlex.split(re.sub(r"\[.*?\]|…", "", line), comments=True)[1:]
    group, context = cli, click.Context(cli)
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        group = group.get_command(context, words.pop(0))
        assert group is not None, f"{page}: {line}"
    known = {flag for each in group.params for flag in (*each.opts, *each.secondary_opts)}
    before = words[: words.index("--")] if "--" in words else words
    flags = {word.partition("=")[0] for word in before if word.startswith("--")}
    assert flags <= known | {"--help", "--version"}, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_python_of_a_page_runs(page, monkeypatch):
    monkeypatch.chdir(TOP)
    code = "\n".join(blocks(page, "python"))
    if not code or name_of(page) in RUN_ELSEWHERE:
        return
    examples = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    assert examples.examples, f"{page}: write `>>> ` before what is run"
    runner = doctest.DocTestRunner()
    runner.run(examples)
    assert runner.failures == 0
