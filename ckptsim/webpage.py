"""A Markdown page as one HTML file that needs nothing else: pictures and tables are in it.

It is read on a phone, on a projector and on paper, in the dark and in the light, and no part of it
is fetched from anywhere.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

KINDS = {"png": "image/png", "csv": "text/csv"}
STYLE = """\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #c8c8c8; --back: #f3f4f6;
  --link: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --line: #4a4d55; --back: #23262c; --link: #7db7f5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem 1.25rem 3rem; color: var(--ink);
  background: var(--paper); font: 1.05rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
h1, h2 { line-height: 1.25; text-wrap: balance; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.25rem; }
a { color: var(--link); }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }
th { background: var(--back); }
code, pre { font: .92em/1.4 ui-monospace, monospace; background: var(--back); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .7rem .9rem; overflow-x: auto; }
pre code { padding: 0; font-size: 1em; }
hr { border: 0; border-top: 1px solid var(--line); margin-top: 3rem; }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --line: #999; --back: #f3f3f3;
    --link: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  pre { white-space: pre-wrap; }
  h2, p:has(+ pre), p:has(+ .wide) { break-after: avoid; }
  img, table, pre { break-inside: avoid; }
}
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def webpage(title: str, text: str, files: Mapping[str, bytes]) -> bytes:
    """The Markdown `text` as HTML, with those of the files in it that it names."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    name_headings(tokens)
    for token in every(tokens):
        enclose(token, files)
    body = scrolling(markdown.renderer.render(tokens, markdown.options, {}))
    return PAGE.format(title=escape(title), style=STYLE, body=body).encode()


def every(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from every(token.children or ())


def enclose(token: Token, files: Mapping[str, bytes]) -> None:
    """Put a file in the place of its name."""
    key = {"image": "src", "link_open": "href"}.get(token.type)
    name = str(token.attrs.get(key, "")) if key else ""
    if key and name in files:
        token.attrSet(key, data_uri(name, files[name]))
        if key == "href":
            token.attrSet("download", name)


def data_uri(name: str, content: bytes) -> str:
    return f"data:{KINDS[name.rpartition('.')[2]]};base64,{b64encode(content).decode()}"


def name_headings(tokens: list[Token]) -> None:
    """Give headings the names that links within the page use."""
    for opening, inside in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(inside.content))


def anchor(heading: str) -> str:
    """A heading's name in links within a page, as it is on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def scrolling(body: str) -> str:
    """Let a table that is too wide be scrolled, by keyboard too, without the page around it."""
    opened = '<div class="wide" role="region" aria-label="Table" tabindex="0">\n<table>'
    return body.replace("<table>", opened).replace("</table>", "</table>\n</div>")
