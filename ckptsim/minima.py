"""The least of many numbers that keep changing: a tree with eight children a node.

Each node holds the least of its children, so a change costs a look at eight neighbours a level and
the least is found by walking down from the root. Node i has the children 8i to 8i + 7, which share
a line of the processor's cache; the root is node 1, and the leaves begin at `base`, a power of 8.
Of equal numbers the one of the lowest leaf counts as the least.

The numbers may be integers (times) or floats; `tree` is a list, or an array in compiled code.
"""

from collections.abc import MutableSequence, Sequence
from typing import TypeVar

Number = TypeVar("Number", int, float)

EIGHTS = 2**62 - 8
"""A mask for where a node's neighbours begin; by it a compiler knows that this is not negative."""


def base_of(leaves: int) -> int:
    """Where the leaves begin in a tree that has at least so many."""
    base = 8
    while base < leaves:
        base *= 8
    return base


def planted(leaves: int, most: Number) -> list[Number]:
    """A tree whose numbers are all `most`."""
    return [most] * (base_of(leaves) + (leaves + 7) // 8 * 8)


def change(tree: MutableSequence[Number], base: int, leaf: int, number: Number) -> None:
    """Give a leaf another number."""
    node = base + leaf
    before, tree[node] = tree[node], number
    if tree[node >> 3] < min(before, number):  # it neither was nor is the least there
        return
    while node > 1:
        least = least_of_eight(tree, node & EIGHTS)
        node = node >> 3
        if tree[node] == least:
            return
        tree[node] = least


def least_of_eight(tree: Sequence[Number], first: int) -> Number:
    """Of eight neighbours; by pairs, of which a processor compares several at once."""
    a = min(tree[first], tree[first + 1])
    b = min(tree[first + 2], tree[first + 3])
    c = min(tree[first + 4], tree[first + 5])
    d = min(tree[first + 6], tree[first + 7])
    return min(min(a, b), min(c, d))  # noqa: PLW3301 (flat, they would be one after the other)


def least(tree: Sequence[Number]) -> Number:
    """The least number."""
    return tree[1]


def leaf_of_least(tree: Sequence[Number], base: int) -> int:
    """The lowest leaf that has it."""
    node = 1
    while node < base:
        node = least_child(tree, node)
    return node - base


def least_child(tree: Sequence[Number], node: int) -> int:
    """The lowest of a node's children that has the node's number."""
    number, first, found = tree[node], node << 3 & EIGHTS, node
    for child in range(7, -1, -1):  # all of them: a guess where to stop takes longer
        if tree[first + child] == number:
            found = first + child
    return found
