"""The explorer in the site: a page to play with, at explorer.html, made by ckptsim itself.

Where a page has the comment `<!-- explorer -->` there is a link to it.
"""

# ruff: noqa: INP001 (Sphinx finds it by its folder)

from pathlib import Path

from sphinx.application import Sphinx

from ckptsim.commands.options import scenario_from
from ckptsim.commands.plan import command as plan
from ckptsim.explorer.asked import asked
from ckptsim.explorer.page import page

PAGE = "explorer.html"
MARK = "<!-- explorer -->"
LINK = f'<p><a href="{PAGE}">Open the explorer</a>: move the sliders, drag the interval.</p>'
FLAGS = ["--limit", "6h", "--evictions", "12h", "--write", "4min", "--transfer", "1min"]


def link(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put the link in the place of the comment, which is not seen where the Markdown is read."""
    source[0] = source[0].replace(MARK, LINK)


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the page beside those that Sphinx has built."""
    if exception or app.builder.format != "html":
        return
    given = plan.make_context("plan", list(FLAGS)).params
    question = asked(scenario_from(None, given))
    made = page("", *question, " ".join(["ckptsim", "explore", *FLAGS]))
    Path(app.outdir, PAGE).write_bytes(made)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", link)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
