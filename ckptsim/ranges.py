"""Several times at once: `60min,84min`, or a range `30min:6h:1min`."""

from ckptsim import units
from ckptsim.errors import ScenarioError

MOST = 10_000
EXPECTED = "expected times such as 60min,84min or a range LOW:HIGH:STEP such as 30min:6h:10min"


def times(text: str) -> list[int]:
    """The times in nanoseconds, as listed or from LOW by STEP up to HIGH; none of them 0.

    Raises ScenarioError, saying what was found and what is expected.
    """
    try:
        found = (
            stepped(text) if is_range(text) else [units.duration(part) for part in text.split(",")]
        )
    except ScenarioError as error:
        raise ScenarioError(f"{error}; {EXPECTED}") from None
    if min(found) <= 0:
        raise ScenarioError(f"{text!r} holds a time of 0; {EXPECTED}")
    return found


def is_range(text: str) -> bool:
    """`30min:6h:10min` is one; `1:30:00` is one time."""
    return text.count(":") == 2 and any(letter.isalpha() for letter in text)


def stepped(text: str) -> list[int]:
    low, high, step = (units.duration(part) for part in text.split(":"))
    if step <= 0 or low > high or (high - low) // step >= MOST:
        raise ScenarioError(f"{text!r} is no range of at most {MOST:,} times")
    return list(range(low, high + 1, step))
