"""Reference made from the code it is about: a line `% made: keys` becomes what `keys()` returns.

So these pages cannot go out of date: the scenario's keys are the JSON Schema's, the commands' help
is what `--help` prints, the profiles are the files themselves, and the Python API is what
`import ckptsim` has.
"""

# ruff: noqa: INP001 (Sphinx finds it by its folder)

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner
from sphinx.application import Sphinx

import ckptsim
from ckptsim.cli import GROUPS, cli

BENCH = Path(__file__).parents[2] / "reports" / "bench.md"
PROFILES = Path(ckptsim.__file__).parent / "profiles"
TOP_KEYS = "At the top of the file"
WIDTH = 92
MADE_LINE = re.compile(r"^% made: (\w+)$", re.MULTILINE)


def keys() -> str:
    """Every key of a scenario, table by table, from `ckptsim schema`."""
    schema = json.loads(CliRunner().invoke(cli, ["schema"]).stdout)
    defined = schema["$defs"]
    tables = {
        "`[job]`, and `[classes.NAME]`": defined["Job"],
        "`[slots]`, and `[kinds.NAME]`": defined["Slots"],
        "`[link]`": defined["Link"],
        "`[queue]`": defined["Queue"],
        "`[domains.NAME]`": defined["Domain"],
        TOP_KEYS: schema,
    }
    return "\n\n".join(table_of(title, each) for title, each in tables.items())


def table_of(title: str, schema: dict) -> str:
    rows = "\n".join(
        f"| `{name}` | {cell(key.get('description', ''))} | {default_of(key)} | {example_of(key)} |"
        for name, key in schema["properties"].items()
    )
    about = schema["description"] + "\n\n" if title != TOP_KEYS and "description" in schema else ""
    return f"## {title}\n\n{about}| key | meaning | default | such as |\n|---|---|---|---|\n{rows}"


def default_of(key: dict) -> str:
    return code(key["default"]) if key.get("default") is not None else ""


def example_of(key: dict) -> str:
    """What may stand there: all the words that may, or the first example."""
    if "enum" in key:
        return ", ".join(code(each) for each in key["enum"] if isinstance(each, str))
    examples = key.get("examples") or [e for way in key.get("anyOf", []) for e in examples_in(way)]
    return ", ".join(code(each) for each in examples[:2])


def examples_in(way: dict) -> list:
    return list(way.get("examples", []))


def code(value: object) -> str:
    said = value if isinstance(value, str) else json.dumps(value)
    return f"`{said}`"


def cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def commands() -> str:
    """Every command's help, as `--help` prints it."""
    return "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(part for name in group for part in helps([name]))
        for title, group in GROUPS.items()
    )


def helps(words: list[str]) -> Iterator[str]:
    """The help of a command, and of the commands in it."""
    context, command = click.Context(cli, info_name="ckptsim", terminal_width=WIDTH), cli
    context.max_content_width = WIDTH
    for word in words:
        command = command.get_command(context, word)
        context = click.Context(command, context, word)
    yield f"### `ckptsim {' '.join(words)}`\n\n```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from helps([*words, inner])


def profiles() -> str:
    """Every profile as it is, comments and all: each number has its source beside it."""
    return "\n\n".join(profile(path) for path in sorted(PROFILES.glob("*.toml")))


def profile(path: Path) -> str:
    text = path.read_text()
    about = re.match(r"# (.*)\n", text)
    assert about, f"{path} does not begin with what it is about"
    body = text.partition("\n\n")[2]
    return f"## `--pool {path.stem}`\n\n{about[1]}\n\n```toml\n{body}```"


def interface() -> str:
    """What `import ckptsim` has, from its docstrings."""
    names = ckptsim.__all__
    return "\n\n".join(documented(name) for name in sorted(names, key=str.swapcase))


def documented(name: str) -> str:
    kind = "autoclass" if isinstance(getattr(ckptsim, name), type) else "autofunction"
    members = ":members:\n" if kind == "autoclass" else ""
    return f"## `{name}`\n\n```{{eval-rst}}\n.. {kind}:: ckptsim.{name}\n   {members}```"


def speed_of_answers() -> str:
    return recorded(
        "exact value of an interval, constant costs",
        "exact curve of S1, 350 intervals",
        "best fixed interval of S1 over the reals",
        "whole `plan` of S1, constant costs",
        "whole `plan` of S1, random checkpoint cost",
    )


def speed_of_simulations() -> str:
    return recorded(
        "S1, SimPy driver",
        "S1, minimal SimPy model",
        "S1, compiled driver",
        "S1, C program, `gcc -O3`",
        "compiled / minimal SimPy model",
        "compiled / C",
        "S1 makespan, SimPy driver (99 %)",
        "S1 makespan, minimal SimPy model (99 %)",
        "S1 makespan, exact",
    )


def speed_of_logs() -> str:
    return recorded(
        "events read",
        "1,000,090 events audited, the whole command",
        "its memory at most",
        last=True,
    )


def recorded(*names: str, last: bool = False) -> str:
    """Rows of reports/bench.md, which `make bench` remakes; `last` of those of the same name."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", BENCH.read_text(), re.MULTILINE)
    found = dict(rows if last else reversed(rows))
    return "\n".join(
        ["| what | |", "|---|---|", *(f"| {name} | {found[name]} |" for name in names)]
    )


MADE = {
    "keys": keys,
    "commands": commands,
    "profiles": profiles,
    "interface": interface,
    "speed_of_answers": speed_of_answers,
    "speed_of_simulations": speed_of_simulations,
    "speed_of_logs": speed_of_logs,
}


def fill(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put in what is made; Markdown outside the docs is linked as the file that it is."""
    text = re.sub(r"\]\((\.\./(?:reports|tests)/[^)#]+\.md)\)", r"](path:\1)", source[0])
    source[0] = MADE_LINE.sub(lambda found: MADE[found[1]](), text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
