"""What all answers can do: be read, drawn, and taken apart."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ckptsim.api.markup import html, markdown
from ckptsim.errors import ScenarioError, nearest
from ckptsim.terminal import finite, text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

T = TypeVar("T")


@dataclass(frozen=True, repr=False, eq=False)
class Shown:
    """An answer: what it says to people and to programs, its tables and its pictures by kind."""

    headline: str
    told: Callable[[], Iterable[Any]]
    document: Mapping[str, Any]
    frames: Mapping[str, Callable[[], "pd.DataFrame"]]  # the first is what it gives unasked
    figures: Mapping[str, Callable[[], "Figure"]]

    def to_dict(self) -> dict[str, Any]:
        """The document that the command prints with --json (docs/json.md)."""
        document: dict[str, Any] = finite(self.document)
        return document

    def to_frame(self, kind: str | None = None) -> "pd.DataFrame":
        """A table of that kind; the names of its columns end in their units.

        Raises CkptsimError where there is no such table, saying which there are.
        """
        return made(self, "to_frame", self.frames, kind)

    def plot(self, kind: str | None = None) -> "Figure":
        """A picture of that kind as a matplotlib Figure; it needs no display.

        Raises CkptsimError where there is no such picture, saying which there are.
        """
        from ckptsim.plots.notebook import shown_in_notebooks

        return shown_in_notebooks(made(self, "plot", self.figures, kind))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def __str__(self) -> str:
        return text(self.told()).rstrip("\n")

    def _repr_html_(self) -> str:
        return html(self.told())

    def _repr_markdown_(self) -> str:
        return markdown(self.told())


def drawn(figure: str, *found: Any) -> "Figure":
    """That figure of ckptsim.plots, which is imported only now."""
    from ckptsim import plots

    picture: Figure = getattr(plots, figure)(*found)
    return picture


def made(of: Shown, what: str, kinds: Mapping[str, Callable[[], T]], kind: str | None) -> T:
    """The one that is asked for, or the first."""
    name = f"{type(of).__name__}.{what}"
    if not kinds:
        raise ScenarioError(f"{name}: there is none of this answer")
    if kind is None:
        return next(iter(kinds.values()))()
    if kind in kinds:
        return kinds[kind]()
    known = ", ".join(map(repr, kinds))
    raise ScenarioError(
        f"{name}({kind!r}): none of this kind{nearest(kind, kinds)}; there are {known}"
    )
