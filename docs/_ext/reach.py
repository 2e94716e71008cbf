"""Pages that the keyboard and a screen reader can use where the theme leaves that out.

What a program printed is wider than a phone, so it scrolls: then it has to be reachable by the
keyboard. The titles in the navigation are headings, and a heading has a level.
"""

# ruff: noqa: INP001 (Sphinx finds it by its folder)

from docutils import nodes
from sphinx.application import Sphinx

AFTER_THE_THEME = 900


def mend(_app: Sphinx, _page: str, _template: str, context: dict, _tree: nodes.document) -> None:
    """Mend a page before it is written."""
    context["body"] = context.get("body", "").replace("<pre>", '<pre tabindex="0">')
    navigation = context.get("furo_navigation_tree", "")
    with_level = navigation.replace('role="heading">', 'role="heading" aria-level="2">')
    context["furo_navigation_tree"] = with_level


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("html-page-context", mend, priority=AFTER_THE_THEME)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
