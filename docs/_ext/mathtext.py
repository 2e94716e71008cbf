"""Formulas as pictures that need no network, no LaTeX and no script.

Matplotlib draws its subset of TeX; each formula becomes one SVG path in the colour of the text
around it, so that it is as black, or as white, as its page, and prints sharp.
"""

# ruff: noqa: INP001 (Sphinx finds it by its folder)

from collections.abc import Iterator
from html import escape

from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextToPath
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

SIZE = 100.0  # of the font in which a formula is set, units of its view box
EX = 1.08 / SIZE  # em a unit: as large as the text beside it
LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line of text."""
    self.body.append(svg(node.astext()))
    raise nodes.SkipNode


def display(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on lines of its own: each is set by itself."""
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    lines = node.astext().replace(r"\frac", r"\dfrac").split(r"\\")
    self.body.extend(f"<p>{svg(line)}</p>" for line in lines if line.strip())
    self.body.append("</div>\n")
    raise nodes.SkipNode


def svg(tex: str) -> str:
    """A formula as an SVG element, for those who cannot see it with its TeX as the text."""
    tex = " ".join(tex.split())
    words, font = TextToPath(), FontProperties(size=SIZE)
    words.FONT_SCALE = SIZE
    with_dollars = f"${tex}$"
    width, height, depth = words.get_text_width_height_descent(with_dollars, font, ismath=True)
    vertices, codes = words.get_text_path(font, with_dollars, ismath=True)
    return (
        f'<svg class="formula" role="img" aria-label="{escape(tex)}"'
        f' viewBox="0 {depth - height:.0f} {width:.0f} {height:.0f}"'
        f' style="width:{width * EX:.3f}em;height:{height * EX:.3f}em;'
        f'vertical-align:{-depth * EX:.3f}em">'
        f'<path d="{"".join(drawn(Path(vertices, codes)))}"/></svg>'
    )


def drawn(path: Path) -> Iterator[str]:
    """The path in SVG's letters; SVG's y goes down."""
    for points, code in path.iter_segments(simplify=False, curves=True):
        if code == Path.CLOSEPOLY:
            yield "Z"
            continue
        pairs = zip(points[::2], points[1::2], strict=True)
        yield LETTERS[code] + " ".join(f"{x:.1f},{-y:.1f}" for x, y in pairs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathtext", (inline, None), (display, None))
    app.config.html_math_renderer = "mathtext"  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
