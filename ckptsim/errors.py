"""What can go wrong and is the user's to mend: one clear line each, exit status 2."""

import difflib
from collections.abc import Iterable


class CkptsimError(Exception):
    """A mistake in what the user gave, told as: where, what was found, what was expected."""


class ScenarioError(CkptsimError):
    """A scenario, a flag or a value in them that cannot be understood."""


class DataError(CkptsimError):
    """A log or table that cannot be read, or holds nothing to learn from."""


class OutputError(CkptsimError):
    """A place that cannot be written to."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'limit'?` where a known word is close to `word`, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
