"""A Markdown page as one HTML file that needs nothing else: pictures and tables are in it.

It is read on a phone, on a projector and on paper, in the dark and in the light, and no part of it
is fetched from anywhere.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import count, pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ckptsim.embedded import with_pages

KINDS = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "json": "application/json",
    "sub": "text/plain",
}
STYLE = """\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #c8c8c8; --back: #f3f4f6;
  --link: #0b5cad; --soft: #50545c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --line: #4a4d55; --back: #23262c; --link: #7db7f5;
    --soft: #b4b8c0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem 1.25rem 3rem; color: var(--ink);
  background: var(--paper); font: 1.05rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1:has(+ #answer) { font-size: 1.15rem; font-weight: 600; color: var(--soft); margin-bottom: 0; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.25rem; }
h2#answer { font-size: .85rem; letter-spacing: .08em; text-transform: uppercase; margin: 1rem 0 0;
  border: 0; padding: 0; color: var(--soft); }
h2#answer + p { font-size: 1.75rem; line-height: 1.25; font-weight: 700; margin: .35rem 0 1rem;
  text-wrap: balance; }
h3 { margin-top: 1.75rem; }
a { color: var(--link); }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
p:has(> img) { margin-bottom: .4rem; }
p:has(> img) + p { margin-top: 0; font-size: .92rem; color: var(--soft); }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
:is(th, td)[style] { white-space: nowrap; }
thead :is(th, td) { background: var(--back); }
tbody th { font-weight: inherit; }
code, pre { font: .92em/1.4 ui-monospace, monospace; background: var(--back); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .7rem .9rem; white-space: pre-wrap; }
pre code { padding: 0; font-size: 1em; }
@media (max-width: 40rem) {
  body { padding: .75rem .9rem 2rem; font-size: 1rem; }
  h2#answer + p { font-size: 1.4rem; }
  table { font-size: .88rem; }
  th, td { padding: .3rem .4rem; }
  :is(th, td)[style] { white-space: normal; min-width: 4.2rem; }
}
@media print {
  @page { margin: 16mm 15mm; }
  :root { color-scheme: light; --ink: #000; --paper: #fff; --line: #999; --back: #f3f3f3;
    --link: #000; --soft: #333; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  th, td { padding: .15rem .4rem; }
  h1, h2, h3, p:has(+ pre), p:has(+ .wide), p:has(> img) { break-after: avoid; }
  img, tr, pre { break-inside: avoid; }
  img { max-height: 95mm; width: auto; max-width: 100%; }
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


def webpage(
    title: str, text: str, files: Mapping[str, bytes], pages: Mapping[str, bytes] | None = None
) -> bytes:
    """The Markdown `text` as HTML, with those of the files and web pages in it that it names."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    name_headings(tokens)
    head_tables(tokens)
    for token in every(tokens):
        enclose(token, files)
    body = scrolling(markdown.renderer.render(tokens, markdown.options, {}))
    body = with_pages(body, pages or {})
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


def head_tables(tokens: list[Token]) -> None:
    """Say what each head of a table is the head of; below an empty one stand heads of rows."""
    body_heads = place = 0
    for opening, inside, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "tr_open":
            place = 0
        elif opening.type == "th_open":
            body_heads = (not inside.content) if place == 0 else body_heads
            retag((opening, closing), "th" if inside.content else "td", "col")
            place += 1
        elif opening.type == "td_open":
            if place == 0 and body_heads and inside.content:
                retag((opening, closing), "th", "row")
            place += 1


def retag(pair: tuple[Token, Token], tag: str, scope: str) -> None:
    """Make a cell a head, or none."""
    for token in pair:
        token.tag = tag
    if tag == "th":
        pair[0].attrSet("scope", scope)


def scrolling(body: str) -> str:
    """Let a table that is too wide be scrolled, by keyboard too, without the page around it."""
    number = count(1)
    opened = '<div class="wide" role="region" aria-label="Table {}" tabindex="0">\n<table>'
    body = re.sub("<table>", lambda _: opened.format(next(number)), body)
    return body.replace("</table>", "</table>\n</div>")
