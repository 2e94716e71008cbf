"""What a command prints, for a notebook: HTML and Markdown with the same sentences and tables.

Colours are the notebook's own, in light and in dark; everything is escaped, nothing is fetched.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from rich.text import Text

from ckptsim.report import aligned
from ckptsim.terminal import Rows

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")
TABLE = (
    '<table style="border-collapse:collapse;margin:.8em 0;font-size:inherit;color:inherit;'
    'background:transparent">'
)
CAPTION = '<caption style="text-align:left;white-space:nowrap;font-style:italic;color:inherit">'
CELL = 'style="padding:.15em .7em;color:inherit;background:transparent;text-align:{side}'
HEAD = f'<th scope="col" {CELL};border-bottom:1px solid currentColor">{{cell}}</th>'
STUB = f'<th scope="row" {CELL};font-weight:normal;white-space:pre-wrap">{{cell}}</th>'
DATA = f'<td {CELL}">{{cell}}</td>'


def html(lines: Iterable[Any]) -> str:
    """Lines and tables as a piece of a page."""
    return "\n".join(["<div>", *(html_of(line) for line in lines if line != ""), "</div>"])


def html_of(line: Any) -> str:
    if isinstance(line, Rows):
        return "\n".join(html_table(line))
    told = escape(str(line))
    return f"<p><strong>{told}</strong></p>" if isinstance(line, Text) else f"<p>{told}</p>"


def html_table(table: Rows) -> Iterator[str]:
    """The first row is the head; the first column the stub, to the left, others to the right."""
    head, *body = table.rows
    yield TABLE
    if table.title:
        yield f"{CAPTION}{escape(table.title)}</caption>"
    yield f"<thead><tr>{''.join(cells(head, HEAD, HEAD))}</tr></thead>"
    yield "<tbody>"
    yield from (f"<tr>{''.join(cells(row, STUB, DATA))}</tr>" for row in body)
    yield "</tbody></table>"


def cells(row: Sequence[str], first: str, other: str) -> Iterator[str]:
    """The cells of a row as its first and its other ones are made."""
    for place, cell in enumerate(row):
        made, side = (other, "right") if place else (first, "left")
        yield made.format(side=side, cell=escape(cell))


def markdown(lines: Iterable[Any]) -> str:
    """Lines and tables as paragraphs."""
    return "\n\n".join(markdown_of(line) for line in lines if line != "")


def markdown_of(line: Any) -> str:
    if isinstance(line, Rows):
        rows = [[plain(cell) for cell in row] for row in line.rows]
        head, *body = [f"| {' | '.join(row)} |" for row in rows]
        sides = f"| {' | '.join(aligned([list(row) for row in line.rows]))} |"
        title = [f"*{plain(line.title)}*", ""] if line.title else []
        return "\n".join([*title, head, sides, *body])
    return f"**{plain(str(line))}**" if isinstance(line, Text) else plain(str(line))


def plain(text: str) -> str:
    """The text with Markdown's signs as signs."""
    return SPECIAL.sub(r"\\\1", text)
