"""The explorer's page: its modules joined into one script, in one HTML file that needs no other."""

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SOLVER = ("special", "laws", "solver", "search")
MODULES = (
    *SOLVER,
    *("times", "question", "plan", "lease", "charts", "figures", "found", "controls", "app"),
)
IMPORT = re.compile(r'^import \{[^}]*\} from "\./[a-z]+\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ", re.MULTILINE)
FIELD = re.compile("@([a-z]+)@")
TEXTS = {
    "command": "Command line",
    "scenario": "Scenario file (TOML)",
    "submit": "Lines for an HTCondor submit file",
    "link": "Link to this question",
}
TEXT = """\
<div class="text" id="text-{key}-box">
<div><label for="text-{key}">{name}</label>
<button type="button" data-copies="text-{key}" data-what="{name}" aria-label="Copy: {name}">Copy\
</button></div>
<textarea id="text-{key}" rows="1" wrap="off" readonly></textarea>
</div>
"""


def page(name: str, question: Mapping[str, str], notices: Iterable[str], command: str) -> bytes:
    """The page that starts with a question: texts by the flags of `plan`, without their dashes.

    `name` is what to call it, or empty; `notices` tell what of a scenario the page leaves out.
    """
    values = {
        "title": escape(f": {name}") if name else "",
        "style": read("page.css"),
        "notices": "".join(f"<li>{escape(notice)}</li>" for notice in notices),
        "texts": "".join(TEXT.format(key=key, name=name) for key, name in TEXTS.items()),
        "version": version("ckptsim"),
        "command": f"<code>{escape(command)}</code>",
        "start": json.dumps({"question": dict(question)}).replace("<", "\\u003c"),
        "script": joined(MODULES),
    }
    return FIELD.sub(lambda field: values[field[1]], read("page.html")).encode()


def joined(modules: tuple[str, ...]) -> str:
    """The modules as one script, each after those that it imports.

    Names are unique across the modules, so that they need no scopes of their own.
    """
    texts = (read(f"{name}.js") for name in modules)
    return "\n".join(EXPORT.sub("", IMPORT.sub("", text)) for text in texts)


def read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
