"""Times, sizes and rates as people write them, and back: units are read and written only here.

Inside ckptsim time is a whole number of nanoseconds, sizes are bytes, rates bytes per second;
laws and formulas are in float seconds.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from ckptsim.errors import ScenarioError

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LONGEST = 36525 * DAY  # 100 years: sums of a few such times still fit int64 nanoseconds
BYTES_MAX = 10**18  # an exabyte, for the same reason

DURATION_EXAMPLE = "write for example 90min, 1h30min, 2d 3h or 1:30:00"
SIZE_EXAMPLE = "write for example 500 MB, 2 GB (decimal) or 2 GiB (binary)"
RATE_EXAMPLE = "write for example 1.25 GB/s (bytes) or 10 Gb/s (bits)"

_NAMES = {
    "ns": "ns nanosecond nanoseconds",
    "us": "us µs μs microsecond microseconds",
    "ms": "ms millisecond milliseconds",
    "s": "s sec secs second seconds",
    "min": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w wk week weeks",
}
_LENGTHS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": SECOND,
    "min": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": 7 * DAY,
}
_UNITS = {name: _LENGTHS[unit] for unit, names in _NAMES.items() for name in names.split()}


class Unit(NamedTuple):
    """A unit of time."""

    length: int  # ns
    plural: str


def unit_named(name: str) -> Unit | None:
    """The unit of time that a word, in small letters, is a name of."""
    for unit, names in _NAMES.items():
        if name in names.split():
            return Unit(_LENGTHS[unit], names.split()[-1])
    return None


_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_TERM = re.compile(rf"\s*({_NUMBER})\s*([^\W\d_]+)\s*")
# Slurm writes D-HH:MM:SS, condor_q D+HH:MM:SS.
_CLOCK = re.compile(r"(?:([0-9]+)[-+])?([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)")
_AMOUNT = re.compile(rf"({_NUMBER})\s*([A-Za-z/]*)")
_POWERS = {
    "": 1,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
}
_SIZES = {
    prefix + name: power for prefix, power in _POWERS.items() for name in ("B", "byte", "bytes")
}
_BITS = {prefix + name: power for prefix, power in _POWERS.items() for name in ("b", "bit", "bits")}
_TEXT_LONGEST = 200


def duration(text: str) -> int:
    """A time as people write it, in whole nanoseconds.

    `90min`, `1h24m`, `1.5 h`, `2d 3h`, `500ms`, `1:30:00`, `1-12:00:00`; `0` alone needs no unit.
    Raises ScenarioError for anything else, a negative time, or more than 100 years.
    """
    return round(_exact(text))


def duration_seconds(text: str) -> float:
    """A time as people write it, in float seconds, for the parameters of laws.

    Not rounded to nanoseconds, so that a fitted parameter written out in full comes back bit for
    bit. Raises as `duration` does.
    """
    return float(_exact(text) / SECOND)


def size(text: str) -> int:
    """A size as people write it, in bytes: `2 GB` is decimal, `2 GiB` binary."""
    amount, unit = _amount(text, SIZE_EXAMPLE)
    if unit in _BITS:
        raise ScenarioError(
            f"{quoted(text)}: b stands for bits, a size is in bytes; {SIZE_EXAMPLE}"
        )
    if unit not in _SIZES:
        raise ScenarioError(f"{quoted(text)}: {unit} is no unit of size; {SIZE_EXAMPLE}")
    return _whole(amount * _SIZES[unit], text)


def rate(text: str) -> int:
    """A rate as people write it, in bytes per second: `1.25 GB/s` is bytes, `10 Gb/s` bits."""
    amount, unit = _amount(text, RATE_EXAMPLE)
    of, per_second, rest = unit.partition("/s") if "/" in unit else (unit[:-2], unit[-2:], "")
    if per_second not in {"/s", "ps"} or rest not in {"", "ec"} or of not in _SIZES | _BITS:
        raise ScenarioError(f"{quoted(text)}: {unit} is no unit of a rate; {RATE_EXAMPLE}")
    bytes_each = Fraction(_BITS[of], 8) if of in _BITS else _SIZES[of]
    found = _whole(amount * bytes_each, text)
    if found == 0:
        raise ScenarioError(f"{quoted(text)}: less than 1 B/s; {RATE_EXAMPLE}")
    return found


def seconds(ns: int) -> float | int:
    """Seconds for a number of nanoseconds: an int where whole, so that JSON is exact."""
    whole, rest = divmod(ns, SECOND)
    return ns / SECOND if rest else whole


def nanoseconds(seconds: float) -> int:
    """The nearest whole number of nanoseconds to a finite number of seconds."""
    return round(Fraction(seconds) * SECOND)


def show(ns: int) -> str:
    """A time for people, rounded to what they read: `1 h 24 min`, `5 min`, `0.5 s`, `2 d 3 h`."""
    if ns < 0:
        return f"-{show(-ns)}"
    if ns < MINUTE:
        return _show_short(ns)
    finest = MINUTE if ns >= DAY - SECOND // 2 else SECOND
    return " ".join(_parts(round(Fraction(ns, finest)) * finest))


def show_size(size: int) -> str:
    """A size for people: `1.05 MB`."""
    for prefix, unit in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if size >= unit:
            return f"{size / unit:.3g} {prefix}B"
    return f"{size} B"


def spelled(ns: int) -> str:
    """A time written exactly, such that `duration` gives it back: `1h24min`, `40min`, `500ms`."""
    assert ns >= 0
    if ns > DAY and ns % DAY == 0:
        return f"{ns // DAY}d"
    if 0 < ns < SECOND:
        unit = next(name for name in ("ms", "us", "ns") if ns % _LENGTHS[name] == 0)
        return f"{ns // _LENGTHS[unit]}{unit}"
    hours, rest = divmod(ns, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = [(str(hours), "h"), (str(minutes), "min"), (_decimal(rest), "s")]
    return "".join(count + unit for count, unit in parts if count != "0") or "0s"


def spelled_seconds(seconds: float) -> str:
    """Float seconds written exactly, such that `duration_seconds` gives the same bits back."""
    milliseconds = round(Fraction(seconds) * 1000)
    if milliseconds / 1000 == seconds:
        return spelled(milliseconds * 10**6)
    return f"{seconds!r}s"


def spelled_size(size: int) -> str:
    """A number of bytes written exactly, such that `size` gives it back: `2GB`, `1536B`."""
    prefix = next(name for name in ("P", "T", "G", "M", "k", "") if size % _POWERS[name] == 0)
    return f"{size // _POWERS[prefix]}{prefix}B" if size else "0B"


def quoted(text: object) -> str:
    """What was found, on one line and not too long, for a message."""
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:40]}...{shown[-12:]}"


def _exact(text: str) -> Fraction:
    found = _clock(text) if ":" in text else _terms(text)
    if found > LONGEST:
        raise ScenarioError(f"{quoted(text)}: more than 100 years; {DURATION_EXAMPLE}")
    return found


def _terms(text: str) -> Fraction:
    """The sum of `1.5 h 20 min`-like terms, in exact nanoseconds."""
    _refuse_unreadable(text, "a duration", DURATION_EXAMPLE)
    position, total = 0, Fraction(0)
    while position < len(text.strip()):
        term = _TERM.match(text.strip(), position)
        if term is None:
            return _not_terms(text)
        total += Fraction(term[1]) * _length(term[2], text)
        position = term.end()
    return total


def _length(unit: str, text: str) -> int:
    if unit.lower() not in _UNITS:
        raise ScenarioError(f"{quoted(text)}: {unit} is no unit of time; {DURATION_EXAMPLE}")
    return _UNITS[unit.lower()]


def _not_terms(text: str) -> Fraction:
    """Only 0 needs no unit; anything else that is not number and unit is told what is wrong."""
    if re.fullmatch(_NUMBER, text.strip()) is None:
        raise ScenarioError(f"{quoted(text)}: not a duration; {DURATION_EXAMPLE}")
    if Fraction(text.strip()) != 0:
        raise ScenarioError(f"{text.strip()}: no unit; write for example {text.strip()}min")
    return Fraction(0)


def _clock(text: str) -> Fraction:
    _refuse_unreadable(text, "a duration", DURATION_EXAMPLE)
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ScenarioError(
            f"{quoted(text)}: not a duration; with colons it is H:MM:SS or D-HH:MM:SS"
        )
    days, hours, minutes = int(found[1] or 0), int(found[2]), int(found[3])
    if minutes >= 60 or Fraction(found[4]) >= 60 or (found[1] and hours >= 24):
        raise ScenarioError(f"{quoted(text)}: no such time of the form H:MM:SS or D-HH:MM:SS")
    return days * DAY + hours * HOUR + minutes * MINUTE + Fraction(found[4]) * SECOND


def _refuse_unreadable(text: str, what: str, example: str) -> None:
    """Refuse what is no number at all, before any arithmetic on it."""
    if not text.strip():
        raise ScenarioError(f"{quoted(text)}: empty; {example}")
    if len(text) > _TEXT_LONGEST:
        raise ScenarioError(f"{quoted(text)}: too long for {what}; {example}")
    if re.match(r"[-−]\s*[0-9.]", text.strip()):
        raise ScenarioError(f"{quoted(text)}: negative; {example}")


def _amount(text: str, example: str) -> tuple[Fraction, str]:
    """The number and the unit in `2 GB`; the unit of a bare 0 is the byte (per second)."""
    _refuse_unreadable(text, "an amount", example)
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ScenarioError(f"{quoted(text)}: not a number and a unit; {example}")
    if not found[2]:
        raise ScenarioError(f"{text.strip()}: no unit; {example}")
    return Fraction(found[1]), found[2]


def _whole(amount: Fraction, text: str) -> int:
    if amount > BYTES_MAX:
        raise ScenarioError(f"{quoted(text)}: more than an exabyte")
    return round(amount)


def _show_short(ns: int) -> str:
    """Less than a minute, to three figures; what rounds up to a minute is one."""
    unit = next((u for u in ("s", "ms", "us") if ns * 10 >= _LENGTHS[u]), "ns") if ns else "s"
    shown = f"{ns / _LENGTHS[unit]:.3g}"
    return "1 min" if (shown, unit) == ("60", "s") else f"{shown} {unit}"


def _parts(ns: int) -> list[str]:
    parts = []
    for unit in ("d", "h", "min", "s"):
        count, ns = divmod(ns, _LENGTHS[unit])
        parts += [f"{count} {unit}"] if count else []
    return parts


def _decimal(ns: int) -> str:
    """Nanoseconds as decimal seconds, exactly."""
    whole, rest = divmod(ns, SECOND)
    return f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
