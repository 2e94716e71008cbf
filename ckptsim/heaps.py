"""Several heaps of whole numbers in one stretch of memory: the least of each comes first.

Heap `which` occupies `keys` from `starts[which]` on and holds `sizes[which]` numbers; the room for
each is set once. Lists, or arrays in compiled code; there nothing is allocated while a run goes on.
"""

from typing import NamedTuple


class Heaps(NamedTuple):
    """The numbers of all heaps, where each begins, and how many numbers it holds."""

    keys: list[int]
    starts: list[int]
    sizes: list[int]


def opened(rooms: list[int]) -> Heaps:
    """Empty heaps, with room for so many numbers each."""
    starts = [sum(rooms[:which]) for which in range(len(rooms))]
    return Heaps([0] * max(1, sum(rooms)), starts, [0] * len(rooms))


def push(heaps: Heaps, which: int, key: int) -> None:
    """Add a number."""
    keys, start, place = heaps.keys, heaps.starts[which], heaps.sizes[which]
    heaps.sizes[which] += 1
    while place > 0 and key < keys[start + (place - 1) // 2]:
        keys[start + place] = keys[start + (place - 1) // 2]
        place = (place - 1) // 2
    keys[start + place] = key


def least(heaps: Heaps, which: int) -> int:
    """The least number, which stays."""
    assert heaps.sizes[which] > 0
    return heaps.keys[heaps.starts[which]]


def pop(heaps: Heaps, which: int) -> int:
    """Take out the least number."""
    found = least(heaps, which)
    heaps.sizes[which] -= 1
    keys, start, size = heaps.keys, heaps.starts[which], heaps.sizes[which]
    key, place, child = keys[start + size], 0, 1
    while child < size:
        if child + 1 < size and keys[start + child + 1] < keys[start + child]:
            child += 1
        if key <= keys[start + child]:
            break
        keys[start + place] = keys[start + child]
        place, child = child, 2 * child + 1
    keys[start + place] = key
    return found
