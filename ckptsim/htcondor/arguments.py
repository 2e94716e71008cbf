r"""The two ways HTCondor writes a job's arguments and environment (condor_submit(1), "arguments").

New (attributes `Arguments`, `Environment`): words split at white space, single quotes keep it,
a doubled single quote in quotes is one. In a submit file the whole stands in double quotes, a
double quote inside it doubled. Old (`Args`, `Env`): words split at white space, no quoting; in a
submit file a double quote is written `\"`; variables are split at semicolons.
"""

import re
from collections.abc import Iterable, Mapping

_BARE = re.compile(r"[^\s']+")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_LONE_QUOTE = re.compile(r'(?<!\\)"')


def is_new(text: str) -> bool:
    """Tell whether a submit file's value is in the new syntax: it starts with a double quote."""
    return text.startswith('"')


def unwrapped(text: str) -> str:
    """What stands between the double quotes of the new syntax; raises ValueError."""
    inner = text.strip()[1:-1]
    if len(text.strip()) < 2 or not text.strip().endswith('"') or '"' in inner.replace('""', ""):
        raise ValueError('expected "…" with each double quote inside it doubled')
    return inner.replace('""', '"')


def old_arguments(text: str) -> str:
    r"""What `arguments = …` means in the old syntax: `\"` is a double quote; raises ValueError."""
    if _LONE_QUOTE.search(text):
        raise ValueError('a double quote must be written \\", or the whole put into double quotes')
    return text.replace('\\"', '"')


def split(text: str) -> list[str]:
    """Words of the new syntax, without the outer double quotes; raises ValueError."""
    words, word, at = list[str](), None, 0
    while at < len(text):
        if text[at].isspace():
            words += [] if word is None else [word]
            word, at = None, at + 1
            continue
        match = _QUOTED.match(text, at) or _BARE.match(text, at)
        if match is None:
            raise ValueError(f"a single quote is not closed: {text[at:]!r}")
        piece = match[1].replace("''", "'") if match.re is _QUOTED else match[0]
        word, at = (word or "") + piece, match.end()
    return words if word is None else [*words, word]


def join(words: Iterable[str]) -> str:
    """Words in the new syntax, without the outer double quotes: `split` gives them back."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word and not re.search(r"[\s']", word):
        return word
    return "'" + word.replace("'", "''") + "'"


def variables(words: Iterable[str]) -> dict[str, str]:
    """`NAME=value` words as a mapping, the last of a name winning; raises ValueError."""
    found = dict[str, str]()
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.strip():
            raise ValueError(f"expected NAME=value, found {word!r}")
        found[name.strip()] = value
    return found


def old_variables(text: str) -> dict[str, str]:
    """Variables of the old syntax, split at semicolons; raises ValueError."""
    return variables(word.strip() for word in text.split(";") if word.strip())


def environment_text(found: Mapping[str, str]) -> str:
    """Variables in the new syntax, as the attribute `Environment` holds them."""
    return join(f"{name}={value}" for name, value in found.items())
