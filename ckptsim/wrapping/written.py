"""The wrapper with its settings in it, and the submit file that goes with it."""

import re
from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from textwrap import indent

WRAPPER = Path(__file__).with_name("wrapper.py")
WIDTH = 92


def wrapper(settings: Mapping[str, object]) -> bytes:
    """The wrapper's text with these settings, each where its default stands."""
    text = WRAPPER.read_text(encoding="utf-8")
    for name, value in settings.items():
        line = re.compile(rf'^    "{name}": .*,$', re.MULTILINE)
        assert line.search(text), name
        written = indent(pformat(value, width=WIDTH, compact=True), " " * 8).strip()
        text = line.sub(lambda _, said=f'    "{name}": {written},': said, text, count=1)
    return text.encode()
